"""Whole executions out of the store and into it, in parts, so that no single call holds up the server."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from ..compression import pack, pack_blob
from ..errors import Conflict, StoreUnavailable
from ..records import Dump, Head, unleased
from ..whole import check_whole
from .commands import BITS, MINUTE, mail_of
from .exchange import Exchange
from .keys import Partition, Partitions
from .queries import Queries
from .scripts import script

_STAGE, _RESTORE = script("stage"), script("restore")
_KINDS = (b"journal", b"mail", b"seen", b"blobs")
_TRIES = 5
_ENTRIES = 1000
_BYTES = 4 * 1024 * 1024
_MARK = 16  # bytes of a fingerprint; longer ones stand for mail without a key


class Moving:
    """``dump`` and ``restore``."""

    def __init__(self, exchange: Exchange, partitions: Partitions, queries: Queries, above: int) -> None:
        self._above = above
        self._exchange = exchange
        self._partitions = partitions
        self._queries = queries

    async def dump(self, id: str) -> Dump | None:
        for _ in range(_TRIES):
            head = await self._queries.head(id)
            if head is None:
                return None
            dump = await self._read(head)
            # Every change of what was read shows in the head.
            if await self._queries.head(id) == head:
                check_whole(id, dump.entries, head.length)
                return dump
        raise Conflict(f"{id} is being worked on and does not stand still. Pause it, or try again")

    async def _read(self, head: Head) -> Dump:
        name = head.id.encode()
        at = self._partitions(name)
        entries: list[str] = []
        while len(entries) < head.length and (more := await self._queries.history(head.id, len(entries), _ENTRIES)):
            entries += more
        members = await self._parts(at, at.of(b"mail", name))
        mail = sorted((mail_of(member) for member, _ in members), key=lambda mail: mail.seq)
        marks = await self._parts(at, at.of(b"seen", name))
        seen = [(mark.hex(), (int(score) >> BITS) * MINUTE) for mark, score in marks if len(mark) == _MARK]
        digests = await self._exchange.ask(at, _list, b"HKEYS", at.of(b"blobs", name))
        blobs: dict[str, bytes] = {}
        for digest in sorted(name.decode() for name in digests):
            content = await self._queries.blob(head.id, digest)
            if content is not None:
                blobs[digest] = content
        return Dump(unleased(head), entries, mail, sorted(seen, key=lambda item: (item[1], item[0])), blobs)

    async def _parts(self, at: Partition, key: bytes) -> list[tuple[bytes, bytes]]:
        """All members of a zset with their scores."""
        found: list[tuple[bytes, bytes]] = []
        while True:
            span = b"%d" % len(found), b"%d" % (len(found) + _ENTRIES - 1)
            reply = await self._exchange.ask(at, _list, b"ZRANGE", key, *span, b"WITHSCORES")
            found += zip(reply[::2], reply[1::2], strict=True)
            if len(reply) < 2 * _ENTRIES:
                return found

    async def restore(self, dump: Dump) -> bool:
        for _ in range(_TRIES):
            found = await self._restore(dump)
            if found >= 0:
                return bool(found)
        raise StoreUnavailable(f"{dump.head.id} could not be restored: its parts were gone before it was whole")

    async def _restore(self, dump: Dump) -> int:
        head, token = dump.head, secrets.token_hex(8).encode()
        name = head.id.encode()
        at = self._partitions(name)
        if await self._queries.head(head.id) is not None:
            return 0
        staged = [at.of(b"staged", token + b":" + kind) for kind in _KINDS]
        counts = [
            await self._stage(at, key, kind, part)
            for key, kind, part in zip(
                staged, (b"list", b"zset", b"zset", b"hash"), _contents(dump, self._above), strict=True
            )
        ]
        fields = head._asdict()
        others = {key: fields[key] for key in _OTHERS}
        keys = [at.due, at.leased, at.counts, at.created, at.children, at.rare, at.of(b"head", name)]
        keys += [at.of(kind, name) for kind in _KINDS] + staged
        arguments = [name, token, *(b"%d" % count for count in counts)]
        arguments += [head.status.encode(), b"%d" % head.created, (head.parent or "").encode()]
        arguments.append(b"" if head.wake is None else b"%d" % head.wake)
        for key, value in others.items():
            arguments += (key.encode(), pack(str(value), self._above if key == "state" else 0))
        return await self._exchange.call(at, _RESTORE, keys, arguments, int)

    async def _stage(self, at: Partition, key: bytes, kind: bytes, items: Iterable[tuple[bytes, ...]]) -> int:
        before = 0
        for part in _portions(items):
            arguments = [kind, b"%d" % before, *(piece for item in part for piece in item)]
            await self._exchange.call(at, _STAGE, [key], arguments, int)
            before += len(part)
        return before


_OTHERS = ("function", "kind", "version", "length", "base", "arrivals", "updated", "awaits", "note", "state", "deaths")


def _contents(dump: Dump, above: int) -> Iterator[Iterable[tuple[bytes, ...]]]:
    yield ((pack(entry, above),) for entry in dump.entries)
    yield (
        (
            b"%d" % ((mail.lane << 40) + mail.seq),
            b"%d:%d:%d:%b" % (mail.seq, mail.lane, mail.at, pack(mail.body, above)),
        )
        for mail in dump.mail
    )
    yield ((b"%d" % (at // MINUTE << BITS), bytes.fromhex(mark)) for mark, at in dump.seen)
    yield ((digest.encode(), pack_blob(content, above)) for digest, content in dump.blobs.items())


def _portions(items: Iterable[tuple[bytes, ...]]) -> Iterator[list[tuple[bytes, ...]]]:
    """As many at a time as make a good call."""
    part: list[tuple[bytes, ...]] = []
    size = 0
    for item in items:
        part.append(item)
        size += sum(map(len, item))
        if size >= _BYTES or len(part) == _ENTRIES:
            yield part
            part, size = [], 0
    if part:
        yield part


def _list(reply: Any) -> list[Any]:
    return list(reply)
