"""Whether a store contradicts itself: every head against its journal, its mailbox and the indexes, every index
against the heads, the counters against both. Each execution is looked at in one piece, so it may be at work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from .exchange import Exchange, together
from .keys import Partition, Partitions
from .link import Link
from .scripts import script
from .wire import pack

_CHECK, _TALLY = script("check"), script("tally")
_BATCH = 500
_PARTS = (b"journal", b"mail", b"seen", b"blobs")
# How the id stands in the members of the indexes: after so many bytes; after the colon and 16 more.
_INDEXES = {"due": 0, "leased": 56, "created": 16, "children": 56, "rare": None}


class Verifying:
    """``verify``."""

    def __init__(self, exchange: Exchange, partitions: Partitions, prefix: str) -> None:
        self._exchange = exchange
        self._partitions = partitions
        self._begin = f"{{{prefix}:".encode()

    async def verify(self) -> list[str]:
        wrong: list[str] = []
        for link in self._exchange.servers.links():
            async for keys in self._scan(link):
                wrong += await self._keys(keys)
        for at in self._partitions.all:
            wrong += await self._indexes(at)
            tally = await self._exchange.call(at, _TALLY, [at.created, at.counts], [at.tag + b"head:"], _list)
            for status, there, counted in zip(tally[::3], tally[1::3], tally[2::3], strict=True):
                wrong.append(
                    f"partition {at.number}: {there} executions are {status.decode()}, and {counted} are counted"
                )
        return sorted(set(wrong))

    async def _scan(self, link: Link) -> AsyncIterator[list[bytes]]:
        """All keys of this store on one server, some at a time."""
        cursor = b"0"
        while True:
            command = pack(b"SCAN", cursor, b"MATCH", self._begin + b"*", b"COUNT", b"%d" % _BATCH)
            cursor, keys = await self._exchange.run(self._partitions.all[0], command, _list, link=link)
            yield keys
            if cursor == b"0":
                return

    async def _keys(self, keys: list[bytes]) -> list[str]:
        heads: list[tuple[Partition, bytes]] = []
        parts: list[tuple[Partition, bytes]] = []
        scopes: list[tuple[Partition, bytes]] = []
        for key in keys:
            number, _, rest = key.removeprefix(self._begin).partition(b"}:")
            kind, found, name = rest.partition(b":")
            if not found:
                continue
            at = self._partitions.all[int(number)]
            if kind == b"head":
                heads.append((at, name))
            elif kind in _PARTS:
                parts.append((at, name))
            elif kind in (b"values", b"keys"):
                scopes.append((at, name))
        there = await together(self._exchange.ask(at, bool, b"EXISTS", at.of(b"head", id)) for at, id in parts)
        heads += [part for part, known in zip(parts, there, strict=True) if not known]
        checked = await together(self._check(at, id, []) for at, id in heads)
        checked += await together(self._scope(at, scope) for at, scope in scopes)
        return [sentence for sentences in checked for sentence in sentences]

    async def _check(self, at: Partition, id: bytes, members: Iterable[bytes]) -> list[str]:
        keys = [at.due, at.leased, at.owners, at.created, at.children, at.rare]
        keys += [at.of(kind, id) for kind in (b"head", *_PARTS)]
        found = await self._exchange.call(at, _CHECK, keys, [id, *members], _list)
        return [f"{id.decode()} {sentence.decode()}" for sentence in found]

    async def _indexes(self, at: Partition) -> list[str]:
        wrong: list[str] = []
        for name, offset in _INDEXES.items():
            key: bytes = getattr(at, name)
            first = 0
            while True:
                span = b"%d" % first, b"%d" % (first + _BATCH - 1)
                members = await self._exchange.ask(at, _list, b"ZRANGE", key, *span)
                checked = await together(
                    self._check(at, _id(member, offset), (name.encode(), member)) for member in members
                )
                wrong += [sentence for sentences in checked for sentence in sentences]
                if len(members) < _BATCH:
                    break
                first += _BATCH
        return wrong

    async def _scope(self, at: Partition, scope: bytes) -> list[str]:
        values, keys, known = await together(
            (
                self._exchange.ask(at, int, b"HLEN", at.of(b"values", scope)),
                self._exchange.ask(at, int, b"ZCARD", at.of(b"keys", scope)),
                self._exchange.ask(at, _known, b"ZSCORE", at.scopes, scope),
            )
        )
        if values == keys and known:
            return []
        return [f"scope {scope.decode()} has {values} values and {keys} keys, and is {'' if known else 'not '}listed"]


def _id(member: bytes, offset: int | None) -> bytes:
    return member.partition(b":")[2][16:] if offset is None else member[offset:]


def _list(reply: Any) -> list[Any]:
    return list(reply)


def _known(reply: Any) -> int:
    return int(reply is not None)
