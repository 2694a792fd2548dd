"""The memories of one scope as they lie in a store.

    m/<id>     {"text", "at", "by"}: one memory. Its id is made of the operation that remembers it, never of its text:
               keys are readable in a sealed store
    v/<id>     {"model", "f32"}: its vector, as base64 of little-endian floats of 32 bits
    changes    {"line", "number", "recent": [[number, id], …]}: which have changed lately, for those who hold an index

A memory is written once (only if absent), then its vector, then its change. So whoever was told that it is remembered
finds it in every process, by its words and by its vector. A process that dies in between makes the same call again,
under the same id. Two processes that change the scope at the same time number their changes one after another. A scope
that was erased and is written again begins a new *line*: no index goes on from the old one.
"""

from __future__ import annotations

import base64
import secrets
from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from sys import byteorder
from typing import Any, NamedTuple, cast

from ...state.codec import dumps, loads
from ...state.errors import EtagMismatch, StoreCorrupt
from ...state.store import Store
from .scope import Scope

RECENT = 64
"""Changes that are told one by one. Who has missed more reads all anew."""
PAGE = 500
_CHANGES = "changes"
_MEMORY, _VECTOR = "m/", "v/"


class Entry(NamedTuple):
    """One memory: ``at`` is when it was remembered, in ms, ``by`` the execution that did."""

    id: str
    text: str
    at: int
    by: str = ""


class Vector(NamedTuple):
    """What a model makes of a text."""

    model: str
    numbers: array[float]


class Changes(NamedTuple):
    """``number`` is that of the last change; ``recent`` the last ones, oldest first."""

    line: str = ""
    number: int = 0
    recent: Sequence[tuple[int, str]] = ()

    def since(self, line: str, number: int) -> Sequence[str] | None:
        """Ids that have changed after that one; None when that can't be told."""
        if line != self.line or number > self.number:
            return None
        if self.number - number > len(self.recent):
            return None
        return [id for at, id in self.recent if at > number]


class Stored:
    def __init__(self, store: Store, scope: Scope) -> None:
        self._store = store
        self._place = scope.place

    # -- what changes them ---------------------------------------------------------------------------

    async def write(self, entry: Entry, vector: Vector | None = None) -> Entry:
        """Durable when it returns, with what stands under that id now: one that was there stays as it is."""
        try:
            told = {"text": entry.text, "at": entry.at, "by": entry.by}
            await self._store.put(self._place, _MEMORY + entry.id, dumps(told), etag="")
        except EtagMismatch:
            there = await self.entry(entry.id)
            if there is not None and there.text != entry.text:
                return there
        if vector is not None:
            f32 = base64.b64encode(_little(vector.numbers).tobytes()).decode()
            await self._store.put(self._place, _VECTOR + entry.id, dumps({"model": vector.model, "f32": f32}))
        await self._changed(entry.id)  # also when it was there: whoever wrote it may have died before this
        return entry

    async def remove(self, ids: Sequence[str]) -> int:
        """How many of them there were. Gone, their vectors too, when it returns."""
        found = 0
        for id in ids:
            found += await self._store.remove(self._place, _MEMORY + id)
            await self._store.remove(self._place, _VECTOR + id)
            await self._changed(id)
        return found

    async def erase(self) -> int:
        """Everything, the names too. How many memories there were. What was not reached by a process that died, the
        next call removes."""
        erased = 0
        for prefix in (_MEMORY, _VECTOR, _CHANGES):  # that one last: who holds an index looks there
            while keys := await self._store.keys(self._place, prefix):
                for key in keys:
                    erased += await self._store.remove(self._place, key) and prefix == _MEMORY
        return erased

    async def _changed(self, id: str) -> None:
        while True:
            found = await self._store.get(self._place, _CHANGES)
            before = Changes(secrets.token_hex(4)) if found is None else _changes(found.value)
            number = before.number + 1
            recent = [*before.recent, (number, id)][-RECENT:]
            text = dumps({"line": before.line, "number": number, "recent": recent})
            try:
                await self._store.put(self._place, _CHANGES, text, etag="" if found is None else found.etag)
            except EtagMismatch:
                continue  # another one has changed meanwhile
            return

    # -- what reads them -----------------------------------------------------------------------------

    async def changes(self) -> Changes:
        found = await self._store.get(self._place, _CHANGES)
        return Changes() if found is None else _changes(found.value)

    async def entry(self, id: str) -> Entry | None:
        found = await self._store.get(self._place, _MEMORY + id)
        return None if found is None else _entry(id, found.value)

    async def vector(self, id: str) -> Vector | None:
        found = await self._store.get(self._place, _VECTOR + id)
        return None if found is None else _vector(found.value)

    async def entries(self) -> AsyncGenerator[Sequence[Entry]]:
        """All of them, some at a time."""
        async for page in self._pages(_MEMORY):
            yield [_entry(id, text) for id, text in page]

    async def vectors(self) -> AsyncGenerator[Sequence[tuple[str, Vector]]]:
        async for page in self._pages(_VECTOR):
            yield [(id, _vector(text)) for id, text in page]

    async def _pages(self, prefix: str) -> AsyncGenerator[Sequence[tuple[str, str]]]:
        after = ""
        while page := await self._store.values(self._place, prefix, after, PAGE):
            after = page[-1][0]
            yield [(key.removeprefix(prefix), value.value) for key, value in page]


def _read(text: str) -> Mapping[str, Any]:
    found = loads(text)
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return cast("Mapping[str, Any]", found)


def _entry(id: str, text: str) -> Entry:
    try:
        told = _read(text)
        return Entry(id, str(told["text"]), int(told["at"]), str(told.get("by", "")))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise StoreCorrupt(f"the memory {id} can't be read ({error}); overwinter memory erase --id {id}") from None


def _vector(text: str) -> Vector:
    try:
        told = _read(text)
        numbers = array("f")
        numbers.frombytes(base64.b64decode(told["f32"], validate=True))
        return Vector(str(told["model"]), _little(numbers))
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise StoreCorrupt(f"the vector of a memory can't be read ({error}); erase that memory") from None


def _changes(text: str) -> Changes:
    try:
        told = _read(text)
        return Changes(str(told["line"]), int(told["number"]), [(int(at), str(id)) for at, id in told["recent"]])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise StoreCorrupt(f"what has changed among the memories can't be read ({error})") from None


def _little(numbers: array[float]) -> array[float]:
    if byteorder == "little":
        return numbers
    turned = numbers[:]
    turned.byteswap()
    return turned
