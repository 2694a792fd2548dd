"""``append``: one request. An update of the head when there is nothing else to write, else a transaction of the head,
the journal item and what goes with them, conditioned on life, version, owner and arrivals.

It is worked out from a picture of the head, mostly the one that this process has kept since the lease was granted.
When mail has arrived in between the condition fails, the head as it is comes back with the failure, and the change
is worked out again from that.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Conflict, PayloadTooLarge, StoreError, StoreUnavailable
from ..records import FINAL, MAIL_BATCH, Appended, Change
from . import layout
from .edit import Edit, Item, N, S, T, text
from .failures import Unmet
from .parts import Parts
from .picture import Picture, mark_due, seen_item, stale, weight

_LOOKS = 40


class Appending:
    def __init__(self, parts: Parts, window: int) -> None:
        self._table, self._mailbox, self._journal = parts.table, parts.mailbox, parts.journal
        self._parcels, self._held = parts.parcels, parts.held
        self._retention, self._above = parts.place.retention, parts.place.above
        self._window = window

    async def append(self, change: Change) -> Appended:
        self._check(change)
        token = change.token or f"~{layout.new_token()}"  # so that a request that was answered into the void is known
        picture = self._held.get(change.id)
        fresh = False
        items: list[Item] | None = None
        for _ in range(_LOOKS):
            if picture is None or (not fresh and not _held(picture, change)):
                picture, fresh = await self._look(change.id), True
            if picture is None:
                raise _conflict(change)
            written = picture.version == change.version + 1 and text(picture.item, "token") == token
            if written and picture.owner in (None, change.owner):
                return await self._repeated(picture)
            if not _held(picture, change):
                self._held.renew(picture)
                raise _conflict(change)
            if items is None:  # the version fences length and life, so they hold for every try
                items = await self._journal.pack(change.id, picture.life, picture.head.length, change.entries)
                items += await self._parcels.pack(change.id, picture.life, change.blobs)
            try:
                return await self._commit(change, token, picture, items)
            except Unmet as found:
                item = found.items[0]
                picture, fresh = None if item is None else Picture(item), item is not None
        raise StoreUnavailable(f"{change.id} gets so much mail that this commit found no gap; try it again")

    def _check(self, change: Change) -> None:
        """Raises PayloadTooLarge before anything is written."""
        size = sum(len(layout.encoded(text)) for text in (change.awaits, change.note, change.state))
        if size > layout.HEAD_TEXTS_BYTES:
            raise PayloadTooLarge(
                f"{change.id}: the head's state, note and awaits are {size:,} bytes; DynamoDB keeps at most "
                f"{layout.HEAD_TEXTS_BYTES:,} there. Keep less in the state"
            )
        self._journal.fits(change.entries)
        self._parcels.check(change.blobs)
        if len(change.blobs) > layout.TRANSACTION_ITEMS // 2:
            raise PayloadTooLarge(f"{change.id}: {len(change.blobs)} blobs in one commit; DynamoDB takes 50")

    async def _look(self, id: str) -> Picture | None:
        item = await self._table.get(layout.head_key(id))
        return None if item is None else Picture(item)

    async def _repeated(self, picture: Picture) -> Appended:
        """It was written before; the answer tells what is stored now."""
        if picture.owner is None:
            self._held.drop(picture.head.id)
            return Appended(picture.arrivals, None, True)
        self._held.keep(picture)
        return Appended(picture.arrivals, await self._mailbox.first(picture), False)

    async def _commit(self, change: Change, token: str, picture: Picture, items: Sequence[Item]) -> Appended:
        crowded = bool(change.consumed) and not change.paging and picture.waiting > MAIL_BATCH
        unseen = picture.arrivals != change.arrivals or crowded
        released = change.release and not unseen
        edit = self._fenced(change, token, picture)
        outside = await self._consume(edit, change, picture)
        waiting = picture.waiting - len(outside) - len(picture.mail.keys() & set(change.consumed))
        edit.put("waiting", N(waiting) if waiting else None)
        ends = 0
        if released:
            edit.remove("owner")
            if change.status in FINAL and self._retention is not None:
                ends = change.at + self._retention
        owner = None if released else change.owner
        mark_due(edit, change.id, owner=owner, wake=change.wake, mail=waiting > 0, ends=ends)
        items = [*items, *self._forget(edit, change, picture, layout.TRANSACTION_ITEMS - 1 - len(items))]
        if items:
            await self._table.transact(self._table.as_update(edit), *map(self._table.as_put, items))
        else:
            await self._table.write(edit)
        self._table.wire.items.add(1 + len(items))
        after = Picture(edit.apply(picture.item))
        if released:
            self._held.drop(change.id)
        else:
            self._held.keep(after)
        if outside:
            after.cleared = await self._clear(outside)
        return Appended(after.arrivals, await self._mailbox.first(after) if unseen else None, released)

    def _fenced(self, change: Change, token: str, picture: Picture) -> Edit:
        edit = Edit(layout.head_key(change.id))
        edit.need_same("life", S(picture.life))
        edit.need_same("owner", S(change.owner))
        picture.stand(edit)
        edit.set("version", N(change.version + 1))
        edit.set("length", N(picture.head.length + len(change.entries)))
        edit.set("base", N(change.base))
        edit.set("status", S(change.status))
        edit.set("updated", N(change.at))
        edit.set("token", S(token))
        edit.put("wake", N(change.wake) if change.wake is not None else None)
        for name, words in (("awaits", change.awaits), ("note", change.note), ("state", change.state)):
            edit.put(name, T(words, self._above) if words else None)
        edit.remove("grant")
        if change.entries:
            edit.remove("deaths")
        return edit

    async def _consume(self, edit: Edit, change: Change, picture: Picture) -> list[Item]:
        """Take the mail out of the head. Returns the keys of consumed mail that is outside."""
        consumed = set(change.consumed)
        load = 0
        for seq, (token, mail) in picture.mail.items():
            if seq in consumed:
                edit.remove(f"m:{token}", f"q:{token}")
            else:
                load += weight(mail.body)
        edit.put("load", N(load) if load else None)
        outside: list[Item] = []
        if picture.spilled:
            outside = await self._mailbox.keys(picture, consumed - picture.mail.keys() - picture.gone)
        if picture.gone:
            if not picture.cleared:
                await self._mailbox.clear(await self._mailbox.keys(picture, picture.gone))
            if not outside:
                edit.remove("gone")
        if outside:
            spilled = picture.spilled - len(outside)
            edit.put("spilled", N(spilled) if spilled else None)
            edit.set("gone", {"L": [N(layout.mail_seq(item["sk"]["S"])) for item in outside]})
        return outside

    async def _clear(self, keys: Sequence[Item]) -> bool:
        try:
            await self._mailbox.clear(keys)
        except StoreError:
            return False  # the commit stands, and says what is gone; the next one clears it
        return True

    def _forget(self, edit: Edit, change: Change, picture: Picture, room: int) -> list[Item]:
        """Drop the deduplication keys that are over; when many are left, give the older ones items of their own."""
        oldest = change.at - self._window
        old = stale(picture, change.at, oldest)
        edit.remove(*old)
        keys = [(stamp, mark) for mark, stamp in picture.seen() if not mark.startswith("!") and f"s:{mark}" not in old]
        moving: list[tuple[int, str]] = []
        if len(keys) > layout.HEAD_KEYS:
            moving = sorted(keys)[: min(len(keys) - layout.HEAD_KEYS_KEPT, layout.MOVED_AT_ONCE, room)]
        if moving:
            edit.remove(*(f"s:{mark}" for _, mark in moving))
            edit.count("moved", len(moving))
            edit.set("until", N(max(picture.until, *(layout.stamped(stamp) for stamp, _ in moving))))
        elif picture.moved and picture.until <= oldest:
            edit.remove("moved", "until")
        return [seen_item(change.id, picture.life, mark, stamp, self._window) for stamp, mark in moving]


def _held(picture: Picture, change: Change) -> bool:
    return picture.version == change.version and picture.owner == change.owner


def _conflict(change: Change) -> Conflict:
    return Conflict(f"{change.id} was moved on by another owner after version {change.version}")
