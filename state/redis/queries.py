"""What is only read: from one partition, or from all of them and put together here."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..compression import unpack, unpack_blob
from ..errors import InvalidInput
from ..records import STATUSES, Filter, Head, Mail, Page, Value
from ..whole import decoded
from .commands import HEAD, head_of, mail_of
from .exchange import Exchange, together
from .keys import RARE, Partition, Partitions, digits, sha1
from .scripts import script

_DUE, _OWNERS, _LIST = script("due"), script("owners"), script("list")
LANE = 2**40
"""What the score of a mail counts for its lane; the rest is its number."""
_VALUES = 500  # that one call reads
_STEPS = 500  # heads that one call looks at: it holds up everybody else for about a millisecond


class Queries:
    def __init__(self, exchange: Exchange, partitions: Partitions) -> None:
        self._exchange = exchange
        self._partitions = partitions

    # -- what is due ---------------------------------------------------------------------------------

    async def due(self, now: int, limit: int) -> list[str]:
        arguments = [b"%d" % now, b"%d" % max(limit, 0)]
        answers = await together(
            self._exchange.call(at, _DUE, [at.due, at.leased, at.owners], arguments, _waking)
            for at in self._partitions.all
        )
        found = sorted(pair for answer in answers for pair in answer)
        return [id.decode() for _, id in found[: max(limit, 0)]]

    async def next_wake(self) -> int | None:
        answers = await together(
            self._exchange.ask(at, _score, b"ZRANGE", at.due, b"0", b"0", b"WITHSCORES") for at in self._partitions.all
        )
        return min((wake for wake in answers if wake is not None), default=None)

    async def owners(self, now: int) -> Mapping[str, int]:
        answers = await together(
            self._exchange.call(at, _OWNERS, [at.leased, at.owners], [], _list) for at in self._partitions.all
        )
        held: dict[str, int] = {}
        living: set[str] = set()
        for answer in answers:
            for owner, ends, number in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
                name = owner.decode()
                held[name] = held.get(name, 0) + number
                if int(ends) > now:
                    living.add(name)
        return {owner: number for owner, number in held.items() if owner in living}

    async def time(self) -> int:
        """Redis' clock in ms; on a cluster that of the node with the first partition, for everybody."""
        return await self._exchange.ask(
            self._partitions.all[0], lambda reply: int(reply[0]) * 1000 + int(reply[1]) // 1000, b"TIME"
        )

    # -- for people ----------------------------------------------------------------------------------

    async def head(self, id: str) -> Head | None:
        name = id.encode()
        at = self._partitions(name)
        return await self._exchange.ask(at, lambda reply: _head(id, reply), b"HMGET", at.of(b"head", name), *HEAD)

    async def executions(self, where: Filter, cursor: str | None, limit: int) -> Page:
        position = None if cursor is None else _position(cursor)
        if where.parent == "":
            return Page([], None)
        limit = max(limit, 1)
        pages = [_Pages(self, where, *source, position) for source in self._sources(where)]
        first = min if where.oldest else max
        batch = max(8, 2 * (limit + 1) // max(len(pages), 1))
        found: list[tuple[bytes, Head]] = []
        while len(found) <= limit:
            await together(page.fill(batch) for page in pages if not page.heads and not page.ended)
            if any(not page.heads and not page.ended for page in pages):
                continue  # looked at many and found none yet
            pages = [page for page in pages if page.heads]
            if not pages:
                break
            found.append(first(pages, key=lambda page: page.heads[0][0]).heads.pop(0))
        more = len(found) > limit
        return Page([head for _, head in found[:limit]], _cursor(found[limit - 1][0]) if more else None)

    def _sources(self, where: Filter) -> Iterable[tuple[Partition, bytes, bytes]]:
        """The indexes to look through: partition, key, and how the members in question begin."""
        for at in self._partitions.all:
            if where.parent is not None:
                yield at, at.children, sha1(where.parent)
            elif where.status and RARE.issuperset(status for status in where.status if status in STATUSES):
                for status in sorted(RARE.intersection(where.status)):
                    yield at, at.rare, status.encode() + b":"
            else:
                yield at, at.created, b""

    async def look(self, where: Filter, at: Partition, arguments: list[bytes], key: bytes) -> tuple[Any, list[Head]]:
        """One step through an index: where it ended, and what was found."""
        times = (str(where.before), where.kind, str(where.since), str(where.until))
        order = "oldest" if where.oldest else ""
        filters = (where.function, where.prefix, where.parent or "", where.awaits, *times, order, *where.status)
        arguments = [*arguments, at.tag + b"head:", *(text.encode() for text in filters)]
        last, *found = await self._exchange.call(at, _LIST, [key], arguments, _list)
        heads: list[Head] = []
        for name, fields in zip(found[::2], found[1::2], strict=True):
            id = name.decode()
            head = await self.head(id) if fields is None else head_of(id, fields)
            if head is not None and (fields is not None or where.matches(head)):
                heads.append(head)
        return last, heads

    async def history(self, id: str, after: int, limit: int) -> list[str]:
        if limit <= 0:
            return []
        name = id.encode()
        at, first = self._partitions(name), max(after, 0)
        span = b"%d" % first, b"%d" % (first + limit - 1)
        return await self._exchange.ask(at, _entries, b"LRANGE", at.of(b"journal", name), *span)

    async def mailbox(self, id: str, limit: int) -> tuple[int, list[str]]:
        name = id.encode()
        at = self._partitions(name)
        key = at.of(b"mail", name)
        waiting = self._exchange.ask(at, int, b"ZCARD", key)
        span = (b"0", b"%d" % (limit - 1)) if limit > 0 else (b"1", b"0")
        bodies = self._exchange.ask(at, _bodies, b"ZRANGE", key, *span)
        both: list[asyncio.Future[Any]] = [waiting, bodies]
        await together(both)
        return waiting.result(), bodies.result()

    async def mail(self, id: str, lane: int, after: int, limit: int) -> list[Mail]:
        name = id.encode()
        at = self._partitions(name)
        span = b"(%d" % (lane * LANE + max(after, 0)), b"(%d" % ((lane + 1) * LANE)
        command = b"ZRANGEBYSCORE", at.of(b"mail", name), *span, b"LIMIT", b"0", b"%d" % max(limit, 0)
        return await self._exchange.ask(at, _mails, *command)

    async def counts(self) -> dict[str, int]:
        answers = await together(self._exchange.ask(at, _list, b"HGETALL", at.counts) for at in self._partitions.all)
        counts: dict[str, int] = {}
        for answer in answers:
            for status, number in zip(answer[::2], answer[1::2], strict=True):
                counts[status.decode()] = counts.get(status.decode(), 0) + int(number)
        return {status: number for status, number in counts.items() if number}

    # -- key-value and blobs -------------------------------------------------------------------------

    async def get(self, scope: str, key: str) -> Value | None:
        name = scope.encode()
        at = self._partitions(name)
        return await self._exchange.ask(at, _value, b"HGET", at.of(b"values", name), key.encode())

    async def keys(self, scope: str, prefix: str, limit: int) -> list[str]:
        name, start = scope.encode(), prefix.encode()
        at = self._partitions(name)
        span = b"[" + start, b"(" + start + b"\xff"  # no text in UTF-8 has that byte
        command = b"ZRANGEBYLEX", at.of(b"keys", name), *span, b"LIMIT", b"0", b"%d" % max(limit, 0)
        return await self._exchange.ask(at, _texts, *command)

    async def values(self, scope: str, prefix: str, after: str, limit: int) -> list[tuple[str, Value]]:
        name, start, last = scope.encode(), prefix.encode(), after.encode()
        at, found = self._partitions(name), list[tuple[str, Value]]()
        first = b"(" + last if last >= start and last else b"[" + start
        while len(found) < limit:
            few = min(limit - len(found), _VALUES)
            span = first, b"(" + start + b"\xff", b"LIMIT", b"0", b"%d" % few
            keys = await self._exchange.ask(at, _list, b"ZRANGEBYLEX", at.of(b"keys", name), *span)
            if keys:
                stored = await self._exchange.ask(at, _values, b"HMGET", at.of(b"values", name), *keys)
                found += [(key.decode(), value) for key, value in zip(keys, stored, strict=True) if value is not None]
            if len(keys) < few:
                break
            first = b"(" + keys[-1]
        return found

    async def scopes(self, after: str, limit: int) -> list[str]:
        span = b"(" + after.encode(), b"+", b"LIMIT", b"0", b"%d" % max(limit, 0)
        answers = await together(
            self._exchange.ask(at, _texts, b"ZRANGEBYLEX", at.scopes, *span) for at in self._partitions.all
        )
        return sorted(scope for answer in answers for scope in answer)[: max(limit, 0)]

    async def blob(self, id: str, digest: str) -> bytes | None:
        name = id.encode()
        at = self._partitions(name)
        return await self._exchange.ask(at, _bytes, b"HGET", at.of(b"blobs", name), digest.encode())


class _Pages:
    """What an index of one partition has for a listing, in its order, read as far as it is needed."""

    def __init__(
        self, queries: Queries, where: Filter, at: Partition, key: bytes, start: bytes, position: bytes | None
    ) -> None:
        self.heads: list[tuple[bytes, Head]] = []  # with their place in the order of all
        self.ended = False
        self._queries = queries
        self._where = where
        self._at = at
        self._key = key
        self._start = start
        latest = digits(where.until) if where.until else b":"  # a colon comes after all digits
        since = b"[" + start + digits(where.since) if where.since else b"[" + start if start else b"-"
        if where.oldest:
            self._next, self._last = since, b"(" + start + latest
            if position is not None and position >= digits(where.since):
                self._next = b"(" + start + position
        else:
            self._next = b"(" + start + (latest if position is None else min(position, latest))
            self._last = since

    async def fill(self, wanted: int) -> None:
        span = [self._next, self._last, b"%d" % _STEPS, b"%d" % wanted]
        arguments = [*span, b"%d" % len(self._start)]
        last, heads = await self._queries.look(self._where, self._at, arguments, self._key)
        self.heads = [(digits(head.created) + head.id.encode(), head) for head in heads]
        self.ended = last is None
        if last is not None:
            self._next = b"(" + last


def _cursor(position: bytes) -> str:
    return base64.urlsafe_b64encode(position).decode()


def _position(cursor: str) -> bytes:
    try:
        position = base64.b64decode(cursor.encode("ascii"), b"-_", validate=True)
    except (ValueError, binascii.Error):
        position = b""
    if not position[:16].isdigit() or len(position) < 16:
        raise InvalidInput(f"{cursor!r} is not a cursor; give back the one that came with the last page")
    return position


def _waking(reply: Any) -> list[tuple[int, bytes]]:
    return [(int(wake), id) for wake, id in zip(reply[::2], reply[1::2], strict=True)]


def _score(reply: Any) -> int | None:
    return int(reply[1]) if reply else None


def _head(id: str, reply: Any) -> Head | None:
    return None if reply[2] is None else head_of(id, reply)


def _texts(reply: Any) -> list[str]:
    return [text.decode() for text in reply]


def _entries(reply: Any) -> list[str]:
    return decoded(reply, 1, 0)


def _bodies(reply: Any) -> list[str]:
    return [mail_of(member).body for member in reply]


def _mails(reply: Any) -> list[Mail]:
    return [mail_of(member) for member in reply]


def _value(reply: Any) -> Value | None:
    if reply is None:
        return None
    etag, _, value = reply.partition(b":")
    return Value(unpack(value), etag.decode())


def _values(reply: Any) -> list[Value | None]:
    return [_value(each) for each in reply]


def _bytes(reply: Any) -> bytes | None:
    return None if reply is None else unpack_blob(reply)


def _list(reply: Any) -> Sequence[Any]:
    return list(reply)
