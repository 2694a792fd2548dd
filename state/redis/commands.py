"""What changes the store: each change is one script in one partition, recognised when it is repeated."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from typing import Any
from zlib import crc32

from ..compression import pack, pack_blob, unpack
from ..errors import Conflict, EtagMismatch, StoreCorrupt
from ..heads import NUMBERS, shown
from ..records import Accepted, Answer, Appended, Change, Head, Mail, NewExecution, NewMail, fingerprint
from ..whole import decoded
from .exchange import Exchange, together
from .keys import Partition, Partitions
from .scripts import script

_ACCEPT, _APPEND, _BEAT, _RETIRE = script("accept"), script("append"), script("beat"), script("retire")
_DELETE, _PUT, _REMOVE = script("delete"), script("put"), script("remove")

MINUTE = 60_000
BITS = 27  # of a score in ``seen`` that tell the calls of one minute apart
_ANSWERS = {answer.value.encode(): answer for answer in Answer}

HEAD = tuple(name.encode() for name in Head._fields[1:])
"""The fields of a head as they are stored; its id is in the key."""


class Commands:
    """``window`` is the deduplication window in ms, ``above`` the size from which on texts are compressed (0: none)."""

    def __init__(self, exchange: Exchange, partitions: Partitions, window: int, channels: str, above: int) -> None:
        self._exchange = exchange
        self._partitions = partitions
        self._window = window
        self._channels = channels.encode()
        self._above = above
        self._numbers = itertools.count()
        self._nonce = secrets.token_hex(6).encode()
        self._served: tuple[frozenset[str], bytes] = frozenset(), b"\n"  # the last ones, and how they are handed over
        self._expires: dict[str, bytes] = {}  # owner -> when its leases end, as this store has told

    def _token(self) -> bytes:
        return b"%b%x" % (self._nonce, next(self._numbers))

    # -- accept --------------------------------------------------------------------------------------

    def accept(
        self,
        id: str,
        mail: NewMail | None,
        now: int,
        owner: str | None,
        create: NewExecution | None,
        known: int | None,
        reopen: bool,
        served: frozenset[str] | None,
    ) -> asyncio.Future[Accepted]:
        name, token = id.encode(), self._token()
        served_names = b"" if served is None else self._packed(served)
        arguments = [
            name,
            b"%d" % now,
            b"" if owner is None else owner.encode(),
            b"" if owner is None else self._expires.get(owner, b""),
            token,
            b"" if known is None else b"%d" % known,
            b"1" if reopen else b"",
        ]
        if create is None:
            arguments += (b"", b"", b"", b"")
        else:
            arguments += (b"1", create.function.encode(), create.kind.encode(), (create.parent or "").encode())
        if mail is None:
            arguments += (b"", b"", b"", b"", b"", b"", served_names)
        else:
            self._deliver(arguments, mail, now, token, served_names)
        partition = self._partitions(name)
        keys = partition.accepting + partition.packed(name, b"head", b"journal", b"mail", b"seen", b"blobs")
        packed = _ACCEPT.packed(keys, 12, arguments)
        return self._exchange.run(partition, packed, lambda reply: _accepted(id, reply), _ACCEPT)

    def _deliver(self, arguments: list[bytes], mail: NewMail, now: int, token: bytes, served: bytes) -> None:
        oldest = (now - self._window) // MINUTE
        if mail.key:
            mark, minute = bytes.fromhex(fingerprint(mail.key)), now // MINUTE
        else:  # for the case that the answer gets lost, so not for long
            mark, minute = b"?????" + token, min(oldest + 60, now // MINUTE)
        score = minute << BITS | crc32(token) & (1 << BITS) - 1
        arguments += (
            b"%d" % mail.lane,
            b"%d" % mail.at,
            pack(mail.body, self._above),
            mark,
            b"%d" % score,
            b"%d" % (oldest << BITS),
            served,
        )
        for digest, content in mail.blobs.items():
            arguments += (digest.encode(), pack_blob(content, self._above))

    def _packed(self, served: frozenset[str]) -> bytes:
        """Names in one text, each between two line feeds; mostly those of the last time."""
        if served is not self._served[0]:
            self._served = served, "".join(("\n", *(f"{name}\n" for name in sorted(served)))).encode()
        return self._served[1]

    # -- append --------------------------------------------------------------------------------------

    def append(self, change: Change) -> asyncio.Future[Appended]:
        name = change.id.encode()
        arguments = [
            name,
            change.owner.encode(),
            b"%d" % change.version,
            change.token.encode() or self._token(),
            b"%d" % change.at,
            change.status.encode(),
            b"" if change.wake is None else b"%d" % change.wake,
            b"1" if change.release else b"",
            b"%d" % change.base,
            change.awaits.encode(),
            change.note.encode(),
            pack(change.state, self._above),
            b"%d" % change.arrivals,
            self._channels + name if change.tell else b"",
            b"%d" % len(change.entries),
            b"%d" % len(change.consumed),
            b"1" if change.paging else b"",
        ]
        above = self._above
        arguments += [pack(entry, above) for entry in change.entries]
        arguments += [b"%d" % seq for seq in change.consumed]
        for digest, content in change.blobs.items():
            arguments += (digest.encode(), pack_blob(content, above))
        partition = self._partitions(name)
        keys = partition.appending + partition.packed(name, b"head", b"journal", b"mail", b"blobs")
        packed = _APPEND.packed(keys, 8, arguments)
        return self._exchange.run(partition, packed, lambda reply: _appended(change, reply), _APPEND)

    # -- leases --------------------------------------------------------------------------------------

    async def beat(self, owner: str, now: int, ttl: int) -> list[tuple[str, int]]:
        ends = self._expires[owner] = b"%d" % (now + ttl)
        # Tried for a part of its time only: a node that is away must not hold up the beats for all others.
        told = await together(
            self._exchange.call(
                partition,
                _BEAT,
                [partition.leased, partition.owners],
                [owner.encode(), b"%d" % now, ends, partition.tag + b"head:", partition.tag + b"mail:"],
                _pairs,
                patience=ttl / 4000,
            )
            for partition in self._partitions.all
        )
        return [(id, int(arrivals)) for pairs in told for id, arrivals in pairs]

    async def retire(self, owner: str) -> None:
        self._expires.pop(owner, None)
        await together(
            self._exchange.call(partition, _RETIRE, [partition.leased, partition.owners], [owner.encode()], bool)
            for partition in self._partitions.all
        )

    # -- for people ----------------------------------------------------------------------------------

    async def delete(self, id: str, now: int) -> bool:
        name = id.encode()
        at = self._partitions(name)
        keys = [at.due, at.leased, at.owners, at.counts, at.created, at.children, at.rare]
        keys += [at.of(kind, name) for kind in (b"head", b"journal", b"mail", b"seen", b"blobs", b"values", b"keys")]
        keys += [at.scopes, at.of(b"receipt", self._token())]
        found = await self._exchange.call(at, _DELETE, keys, [name, b"%d" % now], _list)
        if found[0] == -1:
            raise Conflict(f"{id} is leased by {found[1].decode()}; wait until it is released, then delete it")
        if found[0] == -2:
            raise Conflict(f"{id} is {found[1].decode()}; cancel or terminate it, then delete it")
        if found[0] == -3:
            raise Conflict(f"{id} has something left to do; wait until that is done, then delete it")
        return bool(found[0])

    # -- key-value -----------------------------------------------------------------------------------

    async def put(self, scope: str, key: str, value: str, etag: str | None) -> str:
        new = secrets.token_hex(8)
        fence = [b"", b""] if etag is None else [b"1", etag.encode()]
        partition, keys = self._scope(scope)
        arguments = [scope.encode(), key.encode(), pack(value, self._above), new.encode(), *fence]
        if not await self._exchange.call(partition, _PUT, keys, arguments, int):
            raise EtagMismatch(f"{scope}/{key} was changed by somebody else; read it again")
        return new

    async def remove(self, scope: str, key: str, etag: str | None) -> bool:
        fence = [b"", b""] if etag is None else [b"1", etag.encode()]
        partition, keys = self._scope(scope)
        keys.append(partition.of(b"receipt", self._token()))
        found = await self._exchange.call(partition, _REMOVE, keys, [scope.encode(), key.encode(), *fence], int)
        if found < 0:
            raise EtagMismatch(f"{scope}/{key} was changed by somebody else; read it again")
        return bool(found)

    def _scope(self, scope: str) -> tuple[Partition, list[bytes]]:
        name = scope.encode()
        partition = self._partitions(name)
        return partition, [partition.of(b"values", name), partition.of(b"keys", name), partition.scopes]


def head_of(id: str, fields: Any) -> Head:
    """The head whose stored fields these are; one that can't be as far as it can be read."""
    try:
        return _head_of(id, fields)
    except (ValueError, TypeError, AttributeError, StoreCorrupt):
        return shown([id, *(_told(value, name) for name, value in zip(Head._fields[1:], fields, strict=True))])


def _told(value: bytes | None, name: str) -> object:
    if value is None:
        return 0 if name == "deaths" else None
    text = value.decode(errors="backslashreplace")
    return int(text) if name in (*NUMBERS, "wake") and text.isdecimal() else text


def _head_of(id: str, fields: Any) -> Head:
    function, kind, status, version, length, base, arrivals, owner, wake, parent, created, updated = fields[:12]
    awaits, note, state, deaths = fields[12:]
    return Head(
        id,
        function.decode(),
        kind.decode(),
        status.decode(),
        int(version),
        int(length),
        int(base),
        int(arrivals),
        None if owner is None else owner.decode(),
        None if wake is None else int(wake),
        None if parent is None else parent.decode(),
        int(created),
        int(updated),
        awaits.decode(),
        note.decode(),
        unpack(state),
        0 if deaths is None else int(deaths),
    )


def mail_of(member: bytes) -> Mail:
    """The mail that stands so in the mailbox."""
    seq, lane, at, body = member.split(b":", 3)
    return Mail(int(seq), int(lane), int(at), unpack(body))


def _accepted(id: str, reply: Any) -> Accepted:
    answer = _ANSWERS[reply[0]]
    if len(reply) == 1:
        return Accepted(answer, None)
    head = head_of(id, reply[1])
    if len(reply) == 2:
        return Accepted(answer, head)
    entries = None if reply[2] is None else decoded(reply[2], head.base, head.length)
    return Accepted(answer, head, entries, [mail_of(member) for member in reply[3]], bool(reply[4]))


def _appended(change: Change, reply: Any) -> Appended:
    if not isinstance(reply, int):
        arrivals, *mailbox = reply
        return Appended(arrivals, [mail_of(member) for member in mailbox], False)
    if reply < 0:
        raise Conflict(f"{change.id} was moved on by another owner after version {change.version}")
    return Appended(reply >> 1, None, bool(reply & 1))


def _pairs(reply: Any) -> list[tuple[str, bytes]]:
    return [(name.decode(), value) for name, value in zip(reply[::2], reply[1::2], strict=True)]


def _list(reply: Any) -> list[Any]:
    return list(reply)
