"""``accept``: one conditional update when all is as it mostly is, a second look and the right update when it is not.

The first update takes an execution that is free and takes mail, or makes one, without having read anything; the
item that comes back is the head with its mailbox. When its condition fails, the item as it is comes back instead,
and from that the answer is found: it may need no write at all, or one that is conditioned on what was seen.

A call has a token, and leaves it with what it writes. So a call whose answer was lost finds its own traces when the
request is made again, and is answered as it would have been.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..errors import StoreUnavailable
from ..records import FINAL, STATUSES, Accepted, Answer, Mail, NewExecution, NewMail
from . import layout
from .call import Call
from .edit import Edit, N, S, T, number
from .failures import Unmet
from .leases import Leases
from .parts import Parts
from .picture import Picture, creation, mark_due, seen_item, stale, weight

_BEGINNING = ("pending", "waiting", "idle")
_OPEN = tuple(status for status in STATUSES if status not in FINAL)
_LOOKS = 40
"""How often to look again before giving up: each time somebody else has changed the execution in between."""


class Accepting:
    def __init__(self, parts: Parts, leases: Leases, window: int) -> None:
        self._table, self._mailbox, self._journal = parts.table, parts.mailbox, parts.journal
        self._parcels, self._held = parts.parcels, parts.held
        self._leases, self._window, self._above = leases, window, parts.place.above

    async def accept(
        self,
        id: str,
        mail: NewMail | None,
        now: int,
        owner: str | None,
        create: NewExecution | None,
        known: int | None,
        reopen: bool,
        served: frozenset[str] | None,
    ) -> Accepted:
        call = Call(id, mail, now, owner, create, known, reopen, served, layout.new_token(), now - self._window)
        if mail is not None:
            self._mailbox.check(mail)
            self._parcels.check(mail.blobs)
        if owner is not None:
            await self._leases.register(owner, now)
        if self._held.crowd(id) is not None:
            return await self._in_turn(call)
        picture, fresh = self._held.get(id), False
        if picture is None:
            try:
                light = mail is None or (not mail.blobs and weight(mail.body) <= layout.HEAD_MAIL_SINGLE)
                if light and call.knowing:
                    return await self._taken(call, Picture(await self._table.update(self._first(call))))
                picture = await self.look(id)
            except Unmet as found:
                picture = _picture(found)
            fresh = True
        try:
            return await self._settle(call, picture, fresh=fresh)
        except _Crowded:
            return await self._in_turn(call)

    async def _in_turn(self, call: Call) -> Accepted:
        """One after another: those of one process do not have to get in each other's way. What the last one left is
        what the next one finds, as long as no other process comes between."""
        async with self._held.turn(call.id):
            picture = self._held.crowd(call.id)
            if picture is not None:
                return await self._settle(call, picture, fresh=False, alone=True)
            return await self._settle(call, await self.look(call.id), alone=True)

    async def look(self, id: str) -> Picture | None:
        item = await self._table.get(layout.head_key(id))
        return None if item is None else Picture(item)

    # -- without having looked --------------------------------------------------------------------------

    def _first(self, call: Call) -> Edit:
        edit = Edit(layout.head_key(call.id))
        if call.create is not None and call.create.parent is not None:
            edit.need(edit.absent("pk"))  # a child that is there already may have no parent: look first
        else:
            fits = _OPEN if call.owner is None else _BEGINNING
            status = f"{edit.name('status')} IN ({', '.join(edit.value(S(one)) for one in fits)})"
            if call.owner is not None and call.served is not None:
                names = ", ".join(edit.value(S(name)) for name in sorted(call.served))
                status += f" AND {edit.name('function')} IN ({names})"
            if call.create is not None:
                same = ("function", call.create.function), ("kind", call.create.kind)
                status += "".join(f" AND {edit.name(name)} = {edit.value(S(value))}" for name, value in same)
            edit.need(status if call.create is None else f"({edit.absent('pk')} OR ({status}))")
        if call.create is not None:
            self._make(edit, call, layout.new_life())
        edit.need(edit.absent("owner"))
        edit.set("updated", N(call.now))
        if call.mail is not None:
            self._deliver(edit, call, call.mail)
            if call.keyed:
                edit.need_absent_or("until", "<=", N(call.oldest))
        if call.owner is None:
            edit.need_absent_or("wake", "<=", N(call.now))  # a timer that is to come is put forward after a look
            mark_due(edit, call.id, owner=None, wake=call.now)
            edit.default("wake", N(call.now))
            edit.default("w", N(call.now))
        else:
            edit.set("status", S("running"))
            self._grant(edit, call, call.owner)
        return edit

    def _make(self, edit: Edit, call: Call, life: str) -> None:
        for name, value in creation(call.head(), life).items():
            edit.default(name, value)
        if call.owner is None:
            edit.default("status", S("pending"))

    def _deliver(self, edit: Edit, call: Call, mail: NewMail) -> None:
        """Put it into the head, if it was not seen and there is room."""
        size = weight(mail.body)
        edit.need_absent_or(f"s:{call.mark}", "<=", N(call.forgotten))
        edit.need_absent_or("load", "<=", N(layout.HEAD_MAIL_BYTES - size))
        edit.set(f"m:{call.token}", {"L": [N(mail.lane), N(mail.at), T(mail.body, self._above)]})
        edit.set(f"s:{call.mark}", N(call.stamp))
        edit.count(f"q:{call.token}", of="arrivals")
        edit.count("arrivals")
        edit.count("waiting")
        edit.count("load", size)

    def _grant(self, edit: Edit, call: Call, owner: str) -> None:
        edit.set("owner", S(owner))
        edit.set("grant", N(call.token))
        mark_due(edit, call.id, owner=owner, wake=None, mail=call.mail is not None)
        if call.mail is None:
            edit.copy("w", "waiting")

    # -- after a look -----------------------------------------------------------------------------------

    async def _settle(
        self, call: Call, picture: Picture | None, *, fresh: bool = True, alone: bool = False
    ) -> Accepted:
        """Look, decide, and write on condition that nothing has changed; again, if it has."""
        surely = not alone  # whether to ask for keys outside the head, though the transaction checks them too
        for look in range(_LOOKS):
            if look > 3:
                await asyncio.sleep(0.001 * look)
            try:
                answer = await self._decide(call.fitting(picture), picture, alone, surely)
            except Unmet as found:
                surely = surely or not found.failed[0]
                picture, fresh = _picture(found) if found.failed[0] else await self.look(call.id), True
                continue
            if isinstance(answer, _Written) or fresh:
                return answer.accepted
            picture, fresh = await self.look(call.id), True  # what is only answered is answered from the table
        raise StoreUnavailable(f"{call.id} is changed by many at once, and this event found no gap; send it again")

    async def _decide(self, call: Call, picture: Picture | None, alone: bool, surely: bool) -> _Written | _Read:
        if picture is None:
            if call.create is None:
                return _Read(Accepted(Answer.MISSING, None))
            return _Written(await self._write(call, None, False, alone))
        if call.create is not None and not call.create.made(picture.head):
            return _Read(Accepted(Answer.OTHER, picture.head))
        owner = picture.owner
        alive = owner is not None and (owner == call.owner or await self._leases.alive(owner, call.now))
        if _own(call, picture):
            return _Read(await self._taken_before(call, picture, alive))
        if picture.status in FINAL and not _takes_more(call, picture, alive):
            repeated = await self._seen(call, picture, surely=True) is not None
            return _Read(Accepted(Answer.DUPLICATE if repeated else Answer.FINISHED, picture.head))
        if call.mail is not None:
            verdict = await self._seen(call, picture, surely or _room(call.mail, picture))
            if verdict is not None:
                if verdict:
                    return _Read(await self._taken_before(call, picture, alive))
                return _Read(Accepted(Answer.DUPLICATE, picture.head))
        elif alive:
            return _Read(Accepted(Answer.BUSY, picture.head))
        return _Written(await self._write(call, picture, alive, alone))

    async def _seen(self, call: Call, picture: Picture, surely: bool) -> bool | None:
        """None: never. False: by another call. True: by this one, whose answer was lost."""
        if not call.keyed:
            return None
        found = number(picture.item, f"s:{call.mark}")
        if surely and layout.stamped(found) <= call.oldest and picture.until > call.oldest:
            sort = layout.seen_sort(picture.life, call.mark)
            item = await self._table.get(layout.key(layout.execution(call.id), sort))
            found = number(item or {}, "at")
        if layout.stamped(found) <= call.oldest:
            return None
        return found == call.stamp

    async def _write(self, call: Call, picture: Picture | None, alive: bool, alone: bool) -> Accepted:
        edit = Edit(layout.head_key(call.id))
        mail, life = call.mail, layout.new_life() if picture is None else picture.life
        if picture is None:
            edit.need(edit.absent("pk"))
            self._make(edit, call, life)
            if call.owner is not None:
                edit.set("status", S("running"))
        else:
            picture.hold(edit)
            if call.keyed:
                edit.need_same("moved", N(picture.moved) if picture.moved else None)
        if mail is not None or not alive:
            edit.set("updated", N(call.now))
        if alive:
            edit.set("w", N(1))
        else:
            self._take(edit, call, picture)
        if mail is None:
            return await self._taken(call, Picture(await self._table.update(edit)), alive)
        room = _room(mail, picture)
        if room and not mail.blobs:
            self._deliver(edit, call, mail)
            after = Picture(await self._table.update(edit))
            self._held.crowded(None, call.id)
            return await self._taken(call, after, alive)
        if not alone:
            raise _Crowded
        after, seq = await self._transact(call, mail, picture, edit, life, room)
        self._held.crowded(after if not room else None, call.id)
        return await self._taken(call, after, alive, seq)

    def _take(self, edit: Edit, call: Call, picture: Picture | None) -> None:
        """The lease, if it is asked for; else a wake time."""
        wake = None if picture is None else picture.wake
        if picture is not None:
            edit.need_same("wake", N(wake) if wake is not None else None)
        if call.owner is None:
            wake = call.now if wake is None else min(wake, call.now)
            edit.set("wake", N(wake))
            dead = None if picture is None else picture.owner
            waits = call.mail is not None or (picture is not None and picture.waiting > 0)
            mark_due(edit, call.id, owner=dead, wake=wake, mail=waits)
            return
        if picture is not None and picture.status in _BEGINNING:
            edit.set("status", S("running"))
        if picture is not None and picture.owner is not None and self._leases.died(picture.owner):
            edit.count("deaths")
        self._grant(edit, call, call.owner)

    async def _transact(
        self, call: Call, mail: NewMail, picture: Picture | None, edit: Edit, life: str, room: bool
    ) -> tuple[Picture, int]:
        """Mail with blobs, or without room in the head: several items, all or nothing. What comes of it, and the
        mail's number, are known beforehand, because nothing else may have happened."""
        items = await self._parcels.pack(call.id, life, mail.blobs)
        writes: list[dict[str, object]] = []
        seq = 1
        if picture is not None:
            picture.fence(edit)
            seq = picture.arrivals + 1
            edit.remove(*stale(picture, call.now, call.oldest))
        if room:
            self._deliver(edit, call, mail)
        else:
            for name in ("arrivals", "waiting", "spilled"):
                edit.count(name)
            items.append(await self._mailbox.item(call.id, life, seq, mail, call.token))
            if call.keyed:  # with the mail, if it is not there
                edit.count("moved")
                edit.set("until", N(max(call.now, 0 if picture is None else picture.until)))
                edit.need_absent_or(f"s:{call.mark}", "<=", N(call.forgotten))
                seen = seen_item(call.id, life, call.mark, call.stamp, self._window)
                guard = Edit({name: seen.pop(name) for name in ("pk", "sk")})
                guard.need_absent_or("at", "<=", N(call.forgotten))
                for name, value in seen.items():
                    guard.set(name, value)
                writes.append(self._table.as_update(guard))
            else:
                edit.set(f"s:{call.mark}", N(call.stamp))
        await self._table.transact(self._table.as_update(edit), *writes, *map(self._table.as_put, items))
        return Picture(edit.apply(None if picture is None else picture.item)), seq

    # -- the answer -------------------------------------------------------------------------------------

    async def _taken(self, call: Call, picture: Picture, alive: bool = False, seq: int = 0) -> Accepted:
        """What the execution is now that the call has taken effect. ``alive``: somebody else held it before.
        ``seq`` is given for mail outside the head."""
        head, mail = picture.head, call.mail
        seq = seq or number(picture.item, f"q:{call.token}")
        arrived = (Mail(seq, mail.lane, mail.at, mail.body),) if mail is not None and seq else ()
        if picture.owner is None or picture.owner != call.owner or number(picture.item, "grant") != call.token:
            self._held.renew(picture)
            if alive:
                return Accepted(Answer.BUSY, head, mail=arrived)
            return Accepted(Answer.QUEUED, head)
        self._held.keep(picture)
        entries = None
        if call.known != picture.version:
            entries = await self._journal.read(call.id, picture.life, head.base, head.length)
        return Accepted(Answer.GRANTED, head, entries, await self._mailbox.first(picture))

    async def _taken_before(self, call: Call, picture: Picture, alive: bool) -> Accepted:
        """The same, when it took effect in an attempt whose answer was lost."""
        return (await self._taken(call, picture, alive))._replace(again=call.mail is not None)


class _Crowded(Exception):
    """The mail needs a transaction, which is made in turn."""


@dataclass(frozen=True)
class _Written:
    """Found by a write that held: true whatever was known before."""

    accepted: Accepted


@dataclass(frozen=True)
class _Read:
    """Found by looking alone: as true as the picture."""

    accepted: Accepted


def _picture(found: Unmet) -> Picture | None:
    item = found.items[0]
    return None if item is None else Picture(item)


def _room(mail: NewMail, picture: Picture | None) -> bool:
    """Whether the head has room for it."""
    load, size = 0 if picture is None else number(picture.item, "load"), weight(mail.body)
    return size <= layout.HEAD_MAIL_SINGLE if load == 0 else load + size <= layout.HEAD_MAIL_BYTES


def _own(call: Call, picture: Picture) -> bool:
    """Whether this very call has been here."""
    if call.mail is None:
        return call.owner is not None and number(picture.item, "grant") == call.token
    return number(picture.item, f"s:{call.mark}") == call.stamp


def _takes_more(call: Call, picture: Picture, alive: bool) -> bool:
    if call.reopen and picture.status != "completed":
        return True
    if call.mail is not None:
        return False
    return picture.wake is not None or (picture.owner is not None and not alive)
