"""Owners, and what is due: the items of process incarnations, and the sparse index that finds executions by them.

An execution is in the index under its owner while it is leased, else under its wake time in one of eight
partitions, else not at all. The index follows the table by a moment, so ``due`` may find something a moment late;
what it finds is judged again by ``accept``. An owner's item is kept until it is long dead and nothing of it is left:
only through it are the executions found that it held. It does not expire by itself, because all processes may sleep
for longer than any time that could be chosen.
"""

from __future__ import annotations

import asyncio

from .edit import Edit, Item, N, S, number, text
from .failures import Unmet
from .layout import DUE, SHARDS, head_key, leased, owner_key
from .parts import Parts

_KNOWN_MS = 5 * 60_000
_BURIED_MS = 30 * 60_000
"""Dead for longer than this, and without executions in the index: forgotten. A process that makes itself known
again after ``_KNOWN_MS`` can't be among those."""


class Leases:
    def __init__(self, parts: Parts) -> None:
        self._table = parts.table
        self._known: dict[str, int] = {}  # owner -> when it last made itself known here
        self._until: dict[str, int] = {}  # owner that beats here -> until when it is alive
        self._fallen: set[str] = set()  # owners that were found dead and had not retired

    # -- owners -----------------------------------------------------------------------------------------

    async def register(self, owner: str, now: int) -> None:
        """Make sure that ``due`` will find what this owner takes. Written once in five minutes; a beat does too."""
        if now - self._known.get(owner, -_KNOWN_MS) < _KNOWN_MS:
            return
        edit = self._owner(owner, now)
        edit.default("until", N(0))
        await self._table.write(edit)
        self._known[owner] = now

    async def beat(self, owner: str, now: int, ttl: int) -> list[tuple[str, int]]:
        edit = self._owner(owner, now)
        edit.set("until", N(now + ttl))
        _, entries = await asyncio.gather(
            self._table.write(edit), self._table.ask(DUE, leased(owner), relation=">=", bound=1)
        )
        self._known[owner], self._until[owner] = now, now + ttl
        return [(text(entry, "id"), number(entry, "arrivals")) for entry in entries]

    def _owner(self, owner: str, now: int) -> Edit:
        edit = Edit(owner_key(owner))
        edit.set("owner", S(owner))
        edit.set("seen", N(now))
        return edit

    async def retire(self, owner: str) -> None:
        self._known.pop(owner, None)
        self._until.pop(owner, None)
        edit = Edit(owner_key(owner))
        edit.need(f"NOT {edit.absent('pk')}")
        edit.set("until", N(0))
        try:
            await self._table.write(edit)
        except Unmet:
            return  # nobody has heard of it

    async def alive(self, owner: str, now: int) -> bool:
        if self._until.get(owner, 0) > now:
            return True
        item = await self._table.get(owner_key(owner))
        until = number(item or {}, "until")
        if 0 < until <= now:
            self._fallen.add(owner)
        else:
            self._fallen.discard(owner)  # it beat again, or has retired since
        return until > now

    def died(self, owner: str) -> bool:
        """Of an owner that was just found not to be alive: whether it beat and did not retire."""
        return owner in self._fallen

    async def owners(self, now: int) -> dict[str, int]:
        living = [text(item, "owner") for item in await self._table.query("o") if number(item, "until") > now]
        held = await asyncio.gather(*(self._table.ask(DUE, leased(owner)) for owner in living))
        return {owner: len(entries) for owner, entries in zip(living, held, strict=True)}

    # -- what is due ------------------------------------------------------------------------------------

    async def due(self, now: int, limit: int) -> list[str]:
        if limit <= 0:
            return []
        free = (self._free(shard, now, limit) for shard in range(SHARDS))
        found = await asyncio.gather(*free, self._orphans(now, limit))
        return [id for _, id in sorted(each for some in found for each in some)[:limit]]

    async def _free(self, shard: int, now: int, limit: int) -> list[tuple[int, str]]:
        entries = await self._table.ask(DUE, f"w#{shard}", relation="<=", bound=now, limit=limit)
        return [(number(entry, "w"), text(entry, "id")) for entry in entries]

    async def _orphans(self, now: int, limit: int) -> list[tuple[int, str]]:
        dead = [item for item in await self._table.query("o") if number(item, "until") <= now]
        found = await asyncio.gather(*(self._left(item, now, limit) for item in dead))
        return [each for some in found for each in some]

    async def _left(self, owner: Item, now: int, limit: int) -> list[tuple[int, str]]:
        """What a dead owner still holds, by wake time."""
        name = text(owner, "owner")
        entries = await self._table.ask(DUE, leased(name), limit=limit)
        if not entries:
            await self._bury(owner, now)
            return []
        keys = [head_key(text(entry, "id")) for entry in entries]
        heads = await self._table.get_many(keys, ["id", "owner", "wake"])
        return [(number(head, "wake"), text(head, "id")) for head in heads if text(head, "owner") == name]

    async def _bury(self, owner: Item, now: int) -> None:
        if now - max(number(owner, "until"), number(owner, "seen")) < _BURIED_MS:
            return
        edit = Edit({"pk": owner["pk"], "sk": owner["sk"]})
        edit.need_same("until", owner["until"])
        edit.need_same("seen", owner["seen"])
        await self._table.delete(edit)

    async def next_wake(self) -> int | None:
        first = await asyncio.gather(*(self._table.ask(DUE, f"w#{shard}", limit=1) for shard in range(SHARDS)))
        return min((number(entry, "w") for entries in first for entry in entries), default=None)
