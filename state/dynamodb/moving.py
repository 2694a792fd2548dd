"""Whole executions: to dump, to restore, to delete.

Restoring writes everything under a life of its own and the head last: what has a head is complete. Deleting takes
the head away first and leaves a note in the same transaction; then the rest goes, then the note. What a process that
died has left is found by such notes and removed by the next one that deletes or restores, when it is old enough.
"""

from __future__ import annotations

import asyncio

from ..errors import Conflict
from ..records import FINAL, Dump, unleased
from ..whole import GAP, check_whole
from . import layout
from .clock import wall
from .edit import Edit, Item, N, S, T, number, text
from .failures import Unmet
from .leases import Leases
from .parts import Parts
from .picture import Picture, creation, mark_due, seen_item, weight
from .values import Values

_TRIES = 5
_OLD_MS = 15 * 60_000
_NOTES = "gone"  # partition of the due index
_SOME = 5


class Moving:
    def __init__(self, parts: Parts, leases: Leases, values: Values, window: int) -> None:
        self._table, self._mailbox, self._journal = parts.table, parts.mailbox, parts.journal
        self._parcels, self._held = parts.parcels, parts.held
        self._leases, self._values, self._window, self._above = leases, values, window, parts.place.above

    async def _look(self, id: str) -> Picture | None:
        item = await self._table.get(layout.head_key(id))
        return None if item is None else Picture(item)

    # -- dump -------------------------------------------------------------------------------------------

    async def dump(self, id: str) -> Dump | None:
        before = await self._look(id)
        for _ in range(_TRIES):
            if before is None:
                return None
            items = await self._table.query(layout.execution(id))
            after = await self._look(id)
            if after is not None and after.item == before.item:
                return await self._dump(before, [item for item in items if _life(item) == before.life])
            before = after
        raise Conflict(f"{id} does not stand still to be copied; pause it, or try again")

    async def _dump(self, picture: Picture, items: list[Item]) -> Dump:
        entries: list[str] = []
        mail = [mail for _, mail in picture.mail.values()]
        seen = [(stamp, mark) for mark, stamp in picture.seen() if not mark.startswith("!")]
        blobs: dict[str, bytes] = {}
        for item in items:  # in the order of the journal
            kind, _, rest = text(item, "sk").partition("#")
            if kind == "j":
                some = await self._journal.entries(item)
                begin = int(text(item, "sk").rpartition("#")[2]) - len(some) + 1
                entries += [GAP] * (begin - 1 - len(entries)) + some
            elif kind == "m" and layout.mail_seq(text(item, "sk")) not in picture.gone:
                mail.append(await self._mailbox.mail(item))
            elif kind == "s":
                seen.append((number(item, "at"), rest.partition("#")[2]))
            elif kind == "b":
                content = await self._parcels.unpack(item)
                if content is not None:
                    blobs[rest.partition("#")[2]] = content
        check_whole(picture.head.id, entries, picture.head.length)
        marks = sorted((layout.stamped(stamp), layout.long(mark)) for stamp, mark in seen)
        return Dump(
            head=unleased(picture.head),
            entries=entries,
            mail=sorted(mail),
            seen=[(mark, at) for at, mark in marks],
            blobs=blobs,
        )

    # -- restore ----------------------------------------------------------------------------------------

    async def restore(self, dump: Dump) -> bool:
        head, life = dump.head, layout.new_life()
        for mail in dump.mail:
            self._mailbox.check(mail)
        self._parcels.check(dump.blobs)
        if await self._look(head.id) is not None:
            return False
        for group in self._journal.segments(dump.entries):
            self._journal.fits(group)
        note = _note(head.id, life, "restore")
        await self._table.put_many([note])
        await self._write(dump, life)
        forget = {"Delete": {"TableName": self._table.name, "Key": _key(note)}}
        try:
            await self._table.transact(self._table.as_new(self._head(dump, life)), forget)
        except Unmet as found:
            if text(found.items[0] or {}, "life") == life:
                return True  # its answer was lost
            await self._clean(head.id, life, note, values=False)
            return False
        return True

    async def _write(self, dump: Dump, life: str) -> None:
        """All but the head."""
        id, length = dump.head.id, 0
        items: list[Item] = []
        for group in self._journal.segments(dump.entries):
            items += await self._journal.pack(id, life, length, group)
            length += len(group)
        inside = _room(dump)
        for mail in dump.mail:
            if mail.seq not in inside:
                items.append(await self._mailbox.item(id, life, mail.seq, mail, layout.new_token()))
        for mark, at in _older(dump):
            items.append(seen_item(id, life, layout.short(mark), layout.stamp(at), self._window))
        items += await self._parcels.pack(id, life, dump.blobs)
        await self._table.put_many(items)

    def _head(self, dump: Dump, life: str) -> Item:
        head, older = dump.head, _older(dump)
        edit = Edit(layout.head_key(head.id))
        for name in ("version", "length", "base", "arrivals", "updated"):
            edit.set(name, N(getattr(head, name)))
        for name, words in (("awaits", head.awaits), ("note", head.note), ("state", head.state)):
            edit.put(name, T(words, self._above) if words else None)
        edit.set("status", S(head.status))
        edit.put("wake", N(head.wake) if head.wake is not None else None)
        edit.put("deaths", N(head.deaths) if head.deaths else None)
        inside = _room(dump)
        load = sum(weight(mail.body) for mail in dump.mail if mail.seq in inside)
        for name, count in (
            ("waiting", len(dump.mail)),
            ("load", load),
            ("spilled", len(dump.mail) - len(inside)),
            ("moved", len(older)),
            ("until", max((at for _, at in older), default=0)),
        ):
            edit.put(name, N(count) if count else None)
        for mail in dump.mail:
            if mail.seq in inside:
                token = layout.new_token()
                edit.set(f"m:{token}", {"L": [N(mail.lane), N(mail.at), T(mail.body, self._above)]})
                edit.set(f"q:{token}", N(mail.seq))
        for mark, at in dump.seen:
            if (mark, at) not in older:
                edit.set(f"s:{layout.short(mark)}", N(layout.stamp(at)))
        mark_due(edit, head.id, owner=None, wake=head.wake)
        return {**edit.apply(None), **creation(head, life)}

    # -- delete -----------------------------------------------------------------------------------------

    async def delete(self, id: str, now: int) -> bool:
        for _ in range(_TRIES):
            picture = await self._look(id)
            if picture is None:
                return False
            await self._check(picture, now)
            edit = Edit(layout.head_key(id))
            picture.fence(edit)
            note = _note(id, picture.life, "delete")
            try:
                await self._table.transact(self._table.as_deletion(edit), self._table.as_put(note))
            except Unmet:
                if await self._table.get(_key(note)) is None:
                    continue
            self._held.drop(id)
            await self._clean(id, picture.life, note)
            await self._sweep()
            return True
        raise Conflict(f"{id} gets mail; wait until it is quiet, then delete it")

    async def _check(self, picture: Picture, now: int) -> None:
        owner, status, id = picture.owner, picture.status, picture.head.id
        if owner is not None and await self._leases.alive(owner, now):
            raise Conflict(f"{id} is leased by {owner}; wait until it is released, then delete it")
        if status not in FINAL and status != "idle":
            raise Conflict(f"{id} is {status}; cancel or terminate it, then delete it")
        if picture.wake is not None:
            raise Conflict(f"{id} has something left to do; wait until that is done, then delete it")

    async def _clean(self, id: str, life: str, note: Item, *, values: bool = True) -> None:
        """Everything of that life, then the note of it. The key-value entries belong to the id, not to one life."""
        items = await self._table.query(layout.execution(id), names=["pk", "sk"])
        await self._table.delete_many(item for item in items if _life(item) == life and item["sk"] != note["sk"])
        await self._parcels.drop(id, life)
        if values:
            await self._values.drop(id)
        await self._table.delete_many([_key(note)])

    async def notes(self) -> list[Item]:
        """What is still to be cleaned up."""
        return await self._table.ask("due", _NOTES)

    async def _sweep(self) -> None:
        """Finish what others have left, a little at a time."""
        notes = await self._table.ask("due", _NOTES, relation="<=", bound=int(wall()) - _OLD_MS, limit=_SOME)
        for note in notes:
            id = text(note, "id")
            head = await self._look(id)
            if head is None or head.life != _life(note):
                item = await self._table.get(_key(note)) or note
                await self._clean(id, _life(note), note, values=head is None and text(item, "why") == "delete")

    async def expire(self, now: int, shards: int) -> None:
        """Delete finished executions whose time is over, a few of each partition."""
        due = await asyncio.gather(
            *(self._table.ask("due", f"x#{shard}", relation="<=", bound=now, limit=_SOME) for shard in range(shards))
        )
        for entry in (entry for entries in due for entry in entries):
            try:
                await self.delete(text(entry, "id"), now)
            except Conflict:
                continue  # it was taken up again


def _life(item: Item) -> str:
    parts = text(item, "sk").split("#", 2)
    return parts[1] if len(parts) > 1 else ""


def _key(item: Item) -> Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def _note(id: str, life: str, why: str) -> Item:
    """By this machine's clock: it says how long somebody has been at it, not when something is due."""
    note = layout.key(layout.execution(id), f"t#{life}")
    return {**note, "id": S(id), "why": S(why), "d": S(_NOTES), "w": N(int(wall()))}


def _room(dump: Dump) -> set[int]:
    """Numbers of the mails that the head has room for."""
    inside: set[int] = set()
    load = 0
    for mail in dump.mail:
        load += weight(mail.body)
        if load > layout.HEAD_MAIL_BYTES:
            break
        inside.add(mail.seq)
    return inside


def _older(dump: Dump) -> list[tuple[str, int]]:
    """The deduplication keys that the head has no room for."""
    seen = sorted(dump.seen, key=lambda each: each[1])
    return seen[: -layout.HEAD_KEYS] if len(seen) > layout.HEAD_KEYS else []
