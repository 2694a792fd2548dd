"""What calls need of their execution's rows. Bytes that messages refer to are read from the store when they are first
asked for, and at hand for a while, since a model is asked several times about the same; entries are read each time."""

from __future__ import annotations

from collections import OrderedDict

from ...state.store import Store
from ..protocol import entries
from ..protocol.decider import Fact

ROOM = 32 * 1024 * 1024
"""Bytes that are kept in this process."""


class Shelf:
    """Of one engine. ``limit`` is how many bytes the store keeps of one value."""

    def __init__(self, store: Store, room: int = ROOM) -> None:
        self.store = store
        self.limit = store.payload_limit
        self._room = room
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self.size = 0

    async def bring(self, execution: str, digest: str) -> bytes | None:
        """The bytes of that digest that belong to the execution; None when there are none. Raises StoreError."""
        key = execution, digest
        if (found := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return found
        found = await self.store.blob(execution, digest)
        if found is not None and len(found) <= self._room and key not in self._kept:
            self._kept[key] = found
            self.size += len(found)
            while self.size > self._room:
                _, gone = self._kept.popitem(last=False)
                self.size -= len(gone)
        return found

    async def entry(self, execution: str, number: int) -> Fact | None:
        """The journal entry of that number, whole; None when there is none. Raises StoreError, StoreCorrupt."""
        texts = await self.store.history(execution, number - 1, 1) if number > 0 else ()
        facts = entries.decode_all(texts, number)
        await entries.resolve(self.store, execution, facts)
        return facts[0] if facts else None
