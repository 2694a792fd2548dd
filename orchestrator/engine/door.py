"""What is refused before it is stored: an event or a completion that the execution at rest can't use, and the end of
a queue.

An agent waits for no events at all; who knows that it is one, says so. Otherwise the type that is waited for stands in
the code, so only a process that holds the execution, replayed, can tell. It does so when nothing is on its way: the
store must have the same version, no mail may wait, and the event must not be one that was taken before, whose sender
only repeats it. In every other case it is accepted, and the decider passes it over visibly.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol, runtime_checkable

from ...state.errors import Unfit
from ...state.records import Head
from ..protocol.decider import DEAF, Fact
from .engine import Engine


@runtime_checkable
class Choosy(Protocol):
    """A decider that knows which type it waits for."""

    def refusal(self, fact: Fact) -> str:
        """Why a fact can't be used as things stand; empty when it may."""
        ...


def refuse_deaf(head: Head) -> None:
    """Raises Unfit for an event to an agent, a schedule or a queue."""
    if head.kind in DEAF:
        raise Unfit(f"{head.id}: {DEAF[head.kind]}. Nothing was sent")


def refuse_lasting(head: Head) -> None:
    """Raises Unfit for the end of a queue: what waits in it was confirmed to who published it, and would be lost. One
    that is stuck is left to a person."""
    if head.kind == "queue" and head.status != "stuck":
        raise Unfit(
            f"{head.id} is the queue of a subscription, which lasts: what waits in it would be lost. "
            f"`overwinter pause` holds it; a subscription that has gone from the code gets nothing more"
        )


async def refuse_unfit(engine: Engine, id: str, fact: Fact, entries: Callable[[str, int], AsyncIterator[Fact]]) -> None:
    """Raises Unfit. Costs nothing unless the fact does not fit."""
    active = engine.active.get(id)
    kind = engine.functions[active.function].kind if active is not None and fact["type"] == "event" else ""
    if kind in DEAF:
        raise Unfit(f"{id}: {DEAF[kind]}. Nothing was sent")
    cached = engine.cache.look(id)
    if cached is None or not isinstance(cached.decider, Choosy):
        return
    why = cached.decider.refusal(fact)
    if not why:
        return
    version = cached.version
    head = await engine.store.head(id)
    if head is None or head.version != version or (await engine.store.mailbox(id, 1))[0]:
        return
    if fact["type"] == "event":
        async for entry in entries(id, 0):
            same = entry["type"] == "event" and entry.get("id") == fact["id"]
            if same and entry.get("source", "") == fact.get("source", ""):
                return
    raise Unfit(f"{id}: {why}. Nothing was sent")
