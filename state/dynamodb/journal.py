"""The journal's items: each holds what one append added, as a list of texts or compressed as one, and is named by its
last entry.

An append that is too big for a transaction puts its entries into one object in the bucket.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..compression import MARK, pack
from ..errors import StoreCorrupt
from ..whole import GAP
from .edit import B, Item, N, S, number, text
from .layout import SEGMENT_BYTES, encoded, execution, journal_sort, key, new_token
from .parcels import Parcels
from .table import Table

_TRANSACTION = 2_000_000  # of the 4 MB; the rest is for the head and for blobs
_SEGMENT_ENTRIES = 2_000


class Journal:
    def __init__(self, table: Table, parcels: Parcels) -> None:
        self._table = table
        self._above = table.wire.place.above
        self._parcels = parcels

    def segments(self, entries: Sequence[str]) -> list[list[str]]:
        """The entries in groups that fit into an item each, unless a single one does not."""
        groups: list[list[str]] = []
        size = SEGMENT_BYTES
        for entry in entries:
            length = len(encoded(entry)) + 3
            if size + length > SEGMENT_BYTES or len(groups[-1]) >= _SEGMENT_ENTRIES:
                groups.append([])
                size = 0
            groups[-1].append(entry)
            size += length
        return groups

    def fits(self, entries: Sequence[str]) -> bool:
        """Whether they go into items; if not, and there is no bucket, PayloadTooLarge is raised."""
        sizes = [len(encoded(entry)) + 3 for entry in entries]
        if sum(sizes) <= _TRANSACTION and max(sizes, default=0) <= SEGMENT_BYTES:
            return True
        self._parcels.require("a journal entry" if len(entries) == 1 else "an append", sum(sizes))
        return False

    async def pack(self, id: str, life: str, length: int, entries: Sequence[str]) -> list[Item]:
        """Items with these entries after the ``length`` first ones."""
        if not entries:
            return []
        if not self.fits(entries):
            return [await self._object(id, life, length + len(entries), entries)]
        items: list[Item] = []
        for group in self.segments(entries):
            length += len(group)
            item = key(execution(id), journal_sort(life, length))
            item |= self._attributes(group)
            items.append(item)
        return items

    def _attributes(self, entries: Sequence[str]) -> Item:
        """The entries as they are or, when they are smaller so, compressed together: they have much in common."""
        if self._above and sum(map(len, entries)) * 4 >= self._above:
            packed = pack(json.dumps(entries, ensure_ascii=False), self._above)
            if packed.startswith(MARK):
                return {"packed": B(packed), "n": N(len(entries))}
        return {"entries": {"L": [S(entry) for entry in entries]}}

    async def _object(self, id: str, life: str, last: int, entries: Sequence[str]) -> Item:
        # A name of its own: two owners may try the same numbers, and only one of them wins.
        content = json.dumps(entries, ensure_ascii=False).encode()
        name = self._parcels.name(id, life, f"j-{last:012d}-{new_token()}")
        await self._parcels.keep(name, content)
        return {**key(execution(id), journal_sort(life, last)), "n": N(len(entries)), "ref": S(name)}

    async def read(self, id: str, life: str, first: int, last: int, limit: int | None = None) -> list[str]:
        """Entries ``first`` to ``last``, at most ``limit``."""
        if last < first or limit == 0:
            return []
        found: list[str] = []
        between = journal_sort(life, first), journal_sort(life, last)
        async for page in self._table.pages(execution(id), between=between):
            for item in page:
                entries = await self._or_gaps(item)
                begin = int(item["sk"]["S"].rpartition("#")[2]) - len(entries) + 1
                found += [GAP] * (begin - first - len(found))  # what an item that is gone has held
                found += entries[max(first - begin, 0) :]
                if limit is not None and len(found) >= limit:
                    return found[:limit]
        found += [GAP] * (last - first + 1 - len(found))
        return found if limit is None else found[:limit]

    async def _or_gaps(self, item: Item) -> list[str]:
        try:
            return await self.entries(item)
        except StoreCorrupt:
            return [GAP] * number(item, "n", 1)

    async def entries(self, item: Item) -> list[str]:
        if "packed" in item:
            together: list[str] = json.loads(text(item, "packed"))
            return together
        if "ref" not in item:
            return [entry["S"] for entry in item["entries"]["L"]]
        name = item["ref"]["S"]
        content = await self._parcels.fetch(name)
        if content is None:
            raise StoreCorrupt(f"{self._table.wire.place}: {name} is missing in the bucket; restore it from a backup")
        entries: list[str] = json.loads(content)
        return entries
