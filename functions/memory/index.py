"""The memories of one scope in this process, to be searched: made when they are first asked for, and kept up with what
other processes change. Nothing of it is stored.

A search asks the store once, for what has changed. What was written before it began is found.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from ...state.store import Store
from .scope import Scope
from .stored import Entry, Stored, Vector
from .vectors import Vectors, vectors
from .words import Words, words

T = TypeVar("T")

SCOPES = 256
"""Scopes whose indexes one Memory keeps at the same time, for each store."""
ROOM = 100_000
"""Memories in all of them together; the least asked for are let go."""
_SMALL = 1_000
"""Memories that are searched where one stands; more are searched in a thread."""
_FUSED = 60
"""Of reciprocal rank fusion: how little the first places weigh more than the next."""


class Found(NamedTuple):
    entry: Entry
    score: float


class Index:
    """``model`` is the name of the model whose vectors are searched; "": words alone are. ``stored`` is what it is an
    index of, each time the same scope of one store; it is not kept, so that a store is gone when nobody else has it."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._line, self._number, self._loaded = "", 0, False
        self._asking = asyncio.Lock()  # one at a time: a search in a thread sees nothing half changed
        self._empty()

    def _empty(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._words: Words = words()
        self._vectors: Vectors | None = vectors() if self._model else None

    def __len__(self) -> int:
        return len(self._entries)

    async def search(self, stored: Stored, question: str, meaning: Sequence[float] | None, most: int) -> list[Found]:
        """By words, and by meaning when there is a vector of it: then what is found by both stands first."""
        async with self._asking:
            await self._follow(stored)
            return await self._away(lambda: self._search(question, meaning, most))

    def _search(self, question: str, meaning: Sequence[float] | None, most: int) -> list[Found]:
        deep = max(4 * most, 20)
        lists = [self._words.search(question, deep)]
        if meaning is not None and self._vectors is not None:
            lists.append([id for id, _ in self._vectors.search(meaning, deep)])
        scores: dict[str, float] = {}
        for found in lists:
            for place, id in enumerate(found):
                scores[id] = scores.get(id, 0.0) + 1 / (_FUSED + place)
        best: dict[str, Found] = {}  # by text: what was remembered twice is told once
        for id in sorted(scores, key=lambda id: -scores[id]):
            entry = self._entries[id]
            best.setdefault(entry.text, Found(entry, round(scores[id] * _FUSED / len(lists), 4)))
        return list(best.values())[:most]

    async def twins(self, stored: Stored, id: str) -> list[str]:
        """The ids of all memories that say the same, its own among them; none when there is no such memory."""
        async with self._asking:
            await self._follow(stored)
            found = self._entries.get(id)
            return [] if found is None else [other.id for other in self._entries.values() if other.text == found.text]

    async def _away(self, work: Callable[[], T]) -> T:
        return work() if len(self) <= _SMALL else await asyncio.to_thread(work)

    # -- keeping up ----------------------------------------------------------------------------------

    async def _follow(self, stored: Stored) -> None:
        changes = await stored.changes()
        changed = changes.since(self._line, self._number) if self._loaded else None
        if changed is None:
            await self._load(stored)
        else:
            for id in dict.fromkeys(changed):
                await self._renew(stored, id)
        self._line, self._number, self._loaded = changes.line, changes.number, True

    async def _load(self, stored: Stored) -> None:
        self._loaded = False  # should it be interrupted
        self._empty()
        async for entries in stored.entries():
            await self._away(partial(self._take, entries))
        if self._vectors is None:
            return
        async for page in stored.vectors():
            await self._away(partial(self._take_vectors, self._vectors, page))

    def _take(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._entries[entry.id] = entry
            self._words.add(entry.id, entry.text)

    def _take_vectors(self, vectors: Vectors, page: Sequence[tuple[str, Vector]]) -> None:
        vectors.fill([(id, one.numbers) for id, one in page if one.model == self._model and id in self._entries])

    async def _renew(self, stored: Stored, id: str) -> None:
        now = await stored.entry(id)
        before = self._entries.get(id)
        vector = await stored.vector(id) if now is not None and self._vectors is not None else None
        if before is not None:
            del self._entries[id]
            self._words.drop(id, before.text)
            if self._vectors is not None:
                self._vectors.drop(id)
        if now is not None:
            self._entries[id] = now
            self._words.add(id, now.text)
            if self._vectors is not None and vector is not None and vector.model == self._model:
                self._vectors.add(id, vector.numbers)


class Indexes:
    """Those that one Memory has made, by store and scope; as many as there is room for."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Store, OrderedDict[Scope, Index]] = WeakKeyDictionary()

    def of(self, store: Store, scope: Scope, model: str) -> Index:
        kept = self._of.setdefault(store, OrderedDict())
        found = kept.get(scope)
        if found is None:
            found = kept[scope] = Index(model)
        kept.move_to_end(scope)
        while len(kept) > 1 and (len(kept) > SCOPES or sum(map(len, kept.values())) > ROOM):
            kept.popitem(last=False)
        return found
