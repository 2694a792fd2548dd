"""Beginning an execution under an id: once, however often it is ordered, and durably before anybody is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from ..state.records import NewExecution
from .engine.delivery import start_mail
from .engine.engine import Engine
from .engine.waiting import Awaited
from .protocol.callers import named, of_event, of_request
from .protocol.decider import Function
from .protocol.media import take
from .protocol.starting import check_same, is_new
from .usercode.calling import checked


class Said(TypedDict, total=False):
    """What whoever orders it says: who it is (``by``), that it will listen to what is said (``stream``), and what it
    says about itself (``caller``), which the execution hands on to what it orders in turn."""

    by: str
    stream: bool
    caller: Mapping[str, Any] | None


class For(TypedDict, total=False):
    """Who begins something (``by``) and for whom: a ``user``, when that is somebody else, of a ``tenant``. ``stream``:
    somebody will listen. ``trace``: W3C's ``traceparent``, ``tracestate`` and ``baggage`` of whoever does."""

    by: str
    user: str
    tenant: str
    stream: bool
    trace: Mapping[str, str]


def said_of(said: For, *, turn: bool = False) -> Said:
    """The same as the order has it; ``turn``: of one message of many. Raises InvalidInput."""
    by, stream = said.get("by", ""), said.get("stream", False)
    caller = named(said.get("user", ""), said.get("tenant", "")) if "user" in said or "tenant" in said else {}
    if trace := said.get("trace"):
        caller |= of_event(trace) if trace.get("from") == "event" else of_request(trace, turn=turn)
    return Said(by=by, stream=stream, caller=caller) if caller else Said(by=by, stream=stream)


async def order(engine: Engine, awaited: Awaited, function: Function, input: Any, id: str, said: Said) -> bool:
    """Whether it was not begun before. Raises InvalidInput, AlreadyExists, StoreError."""
    taken = take(function.kind, checked(function, input), engine.store.payload_limit)
    mail = start_mail(engine.clock(), taken, **said)
    waiter = awaited.remember((id,), engine.waiters.end(id))
    try:
        accepted = await engine.post(id, mail, create=NewExecution(function.name, function.kind))
    except BaseException:
        waiter.cancel()
        raise
    if is_new(accepted):
        return True
    awaited.forget((id,), waiter)  # it may have ended
    await check_same(engine.store, accepted, taken.value)
    return False
