"""A fork has no effect: what it calls is answered by what the execution that it comes from has recorded, or not made.

Models are asked, hooks and checks look on, and tools that are declared to change nothing are called. Every other call
is answered by the record of the same call in the other execution, or fails with ``EffectBlocked``. Nothing is
published, nobody outside of the fork is told anything, and key-value entries of others stay as they are. The id says
that an execution is one (``state.ids.fork_of``), so whatever begins within it has no effect either.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from ...state.codec import dumps
from ...state.errors import EffectBlocked, StoreCorrupt
from ...state.ids import can_exist, fork_of
from ...state.store import Store
from ..errors import failures
from ..governance.forks import Recorded, Records, canonical, edited
from ..protocol.decider import NONE, SAME, Access, Fact, Invoke, Post, Publish, Spawn
from ..protocol.entries import PARCEL, decode, resolve
from . import outcomes
from .patience import patiently

log = logging.getLogger("overwinter")

_KEPT = 32
"""Executions of which the records are in memory."""
_PAGE = 1000
_DIGEST = re.compile("sha256:[0-9a-f]{64}")


class Told(Protocol):
    """The execution that calls, or sends."""

    id: str

    def report(self, fact: Fact) -> None: ...


class Known(NamedTuple):
    """Of whom a fork, or what it has begun, is a copy, the nearest first; how many entries each had; the records."""

    sources: list[str]
    lengths: list[int]
    records: Records


class Forks:
    """Stands in for the effects of the forks of one engine."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock
        self._known: OrderedDict[str, Known] = OrderedDict()  # by execution

    # -- calls ---------------------------------------------------------------------------------------

    async def outcome(self, execution: str, call: Invoke) -> Fact | None:
        """What a call of a fork comes to; None: it is made."""
        if call.report not in ("step", "tool") or call.pure:
            return None
        given = edited(call.args or "", call.edited)
        if call.report == "tool":
            given = canonical(call.given() if call.given is not None else {})
        same, known = call.like == SAME, await self._records(execution)
        found = known.records.find(call.report, call.name, given, call.op, same)
        if found is None and await self._grown(known):
            known = await self._records(execution, anew=True)
            found = known.records.find(call.report, call.name, given, call.op, same)
        if found is None or call.like == NONE:
            what = "tool" if call.report == "tool" else "step"
            return self._ended(call, _blocked(f"the {what} {call.name!r} was not called", _why(known)))
        return self._ended(call, await self._result(known, found.entry), found)

    def _ended(self, call: Invoke, result: Fact, found: Recorded | None = None) -> Fact:
        more = {} if found is None else {"recorded": found.op}
        now = self._clock()
        return outcomes.outcome(call._replace(extra={**call.extra, **more}), 1, now, now, result)

    async def _result(self, known: Known, entry: Fact) -> Fact:
        if "error" in entry:
            return {"error": entry["error"]}
        result: Fact = {"value": entry.get("value")}
        if not entry.get("media"):
            return result
        blobs: dict[str, bytes] = {}
        for digest in set(_DIGEST.findall(dumps(entry.get("value")))):
            for source in known.sources:
                body = await patiently(partial(self._store.blob, source, digest), source)
                if body is not None:
                    blobs[digest] = body
                    break
        return {**result, "media": True, PARCEL: blobs}

    # -- what leaves the execution -------------------------------------------------------------------

    async def holds(self, sender: Told, effect: Spawn | Post | Publish | Access) -> bool:
        """Whether what a fork sends goes no further. It is told then what came of it."""
        root, now = fork_of(sender.id), self._clock()
        if isinstance(effect, Access):
            return effect.action in ("put", "remove") and await self._write(sender, effect, root)
        if isinstance(effect, Spawn):
            return await self._child(sender, effect, root)
        if isinstance(effect, Post) and fork_of(effect.id) == root:
            return False
        log.info("execution %s is a fork: what it sends by %s goes to nobody", sender.id, effect.op)
        sender.report({"type": "sent", "op": effect.op, "at": now})
        return True

    async def _write(self, sender: Told, effect: Access, root: str) -> bool:
        if fork_of(effect.scope) == root:
            return False
        known = await self._records(sender.id)
        found = known.records.find("step", effect.name, effect.args or "", effect.op)
        if found is None and await self._grown(known):
            known = await self._records(sender.id, anew=True)
            found = known.records.find("step", effect.name, effect.args or "", effect.op)
        fact: Fact = {"type": "step", "op": effect.op, "name": effect.name, "at": self._clock(), "ms": 0}
        fact |= {"args": effect.args} if effect.args else {}
        if found is None:
            fact |= _blocked(f"the entry {effect.key!r} was not written", _why(known))
        else:
            fact |= {**await self._result(known, found.entry), "recorded": found.op}
        sender.report(fact)
        return True

    async def _child(self, sender: Told, effect: Spawn, root: str) -> bool:
        known = await self._records(sender.id)
        if await self._grown(known):
            known = await self._records(sender.id, anew=True)
        found = None if effect.detached else await self._ended_child(known.records, effect)
        if found is None and fork_of(effect.id) == root:
            return False  # it begins, as a part of the fork
        fact: Fact = {"type": "child", "op": effect.op, "id": effect.id, "at": self._clock()}
        if found is not None:
            same = {name: found.entry[name] for name in ("status", "value", "error", "reason") if name in found.entry}
            fact |= same | {"recorded": found.op}
        elif effect.detached:
            log.info("execution %s is a fork: the detached child %s is not begun", sender.id, effect.id)
            fact = {"type": "sent", "op": effect.op, "at": self._clock()}
        else:
            why = "its id is not the fork's to use; " + _why(known)
            fact |= {"status": "failed", **_blocked(f"the child {effect.id!r} was not begun", why)}
        sender.report(fact)
        return True

    async def _ended_child(self, records: Records, effect: Spawn) -> Recorded | None:
        """What came of a child of that function with that input."""
        given = dumps(effect.input)
        known = records.find("child", effect.function, given, effect.op)
        if known is not None:
            return known
        for order in reversed(records.children.get(effect.op, ())):
            id = str(order.get("id"))
            ended = records.ended(id) if order.get("name") == effect.function else None
            begun = [] if ended is None else (await self._entries(id, 1))[:1]
            await patiently(partial(resolve, self._store, id, begun), id)
            if begun and dumps(begun[0].get("input")) == given:
                return ended
        return None

    # -- records -------------------------------------------------------------------------------------

    async def _records(self, execution: str, *, anew: bool = False) -> Known:
        """What is recorded of the calls of a fork, or of what it has begun."""
        known = None if anew else self._known.get(execution)
        if known is None:
            known = self._known[execution] = await self._read(execution)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known

    async def _grown(self, known: Known) -> bool:
        """Whether more is recorded by now: where the other one goes on beside the fork."""
        return [await self._length(source) for source in known.sources] != known.lengths

    async def _length(self, source: str) -> int:
        head = await patiently(partial(self._store.head, source), source) if can_exist(source) else None
        return 0 if head is None else head.length

    async def _read(self, execution: str) -> Known:
        sources, entries = await self._sources(execution), list[Fact]()
        lengths = [await self._length(source) for source in sources]
        for source in reversed(sources):
            entries += await self._whole(source, execution)
        return Known(sources, lengths, Records(entries))

    async def _sources(self, execution: str) -> list[str]:
        """Of whom it is a copy, and of whom those are: the nearest first."""
        found: list[str] = []
        left = [execution]
        while left:
            one = left.pop(0)
            root = fork_of(one)
            marks = [entry for entry in await self._entries(root) if entry["type"] == "forked"] if root else []
            sources = (str(mark.get("from", "")) + one[len(root) :] for mark in reversed(marks))
            new = [source for source in sources if source not in found]
            found += new
            left += new
        return found

    async def _whole(self, source: str, execution: str) -> list[Fact]:
        entries = await self._entries(source)
        try:
            await patiently(partial(resolve, self._store, source, entries), execution)
        except StoreCorrupt as error:
            log.warning("execution %s: what %s has recorded can't be read whole: %s", execution, source, error)
            entries = [entry for entry in entries if "blob" not in entry]
        return entries

    async def _entries(self, id: str, most: int | None = None) -> list[Fact]:
        found: list[Fact] = []
        if not can_exist(id):
            return found
        while more := await patiently(partial(self._store.history, id, len(found), most or _PAGE), id):
            try:
                found += [decode(text) for text in more]
            except StoreCorrupt as error:
                log.warning("execution %s: what it has recorded can't be read whole: %s", id, error)
                break
            if most is not None and len(found) >= most:
                break
        return found


def _why(known: Known) -> str:
    if not known.sources:
        return "nothing is known of where it comes from"
    return f"{known.sources[0]} has recorded no such call"


def _blocked(what: str, why: str) -> Fact:
    return {"error": failures.encode(EffectBlocked(f"{what}: a fork has no effects, and {why}"))}
