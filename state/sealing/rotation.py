"""Changing keys: put the new one first, ``reseal``, and take the old one away when nothing is sealed with it.

What can be written again is: the values. Journals are only appended to, so entries stay sealed with the key they
were written with until the execution is deleted or moved to another store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple

from ..errors import EtagMismatch
from ..records import Dump
from ..store import Store
from . import marker
from .box import key_of
from .store import SealedStore, place_of_value

PLAIN = "plain"
_ALL = 1 << 30


class Resealed(NamedTuple):
    """``values``: how many were sealed anew. ``left``: how many texts and blobs are still sealed with another key
    than the first, by key id, or not at all ("plain"). ``retired``: keys that nothing needs any more."""

    values: int
    left: Mapping[str, int]
    retired: tuple[str, ...]


async def reseal(store: SealedStore) -> Resealed:
    """Seal all values with the first key, and count what else there is, one execution in memory at a time.

    Keys that nothing is sealed with any more are struck from the marker: a process opens the store without them.
    Only when every process has the new list of keys. Raises Conflict while an execution does not stand still.
    """
    await store.mark()
    values = 0
    async for scope, key in _values(store.inner):
        values += await _reseal_value(store, scope, key)
    left: Counter[str] = Counter()
    async for id in _ids(store.inner):
        dump = await store.inner.dump(id)
        left.update(_others(dump, store.first_key) if dump is not None else ())
    return Resealed(values, dict(left), await _retire(store, left))


async def _reseal_value(store: SealedStore, scope: str, key: str) -> int:
    box = store.box("values", scope)
    while True:
        found = await store.inner.get(scope, key)
        if found is None or key_of(found.value) == store.first_key:
            return 0
        text = box.open(place_of_value(key), found.value)
        try:
            await store.inner.put(scope, key, box.seal(place_of_value(key), text), etag=found.etag)
        except EtagMismatch:
            continue  # somebody wrote it just now; perhaps with an older key
        return 1


async def _retire(store: SealedStore, left: Mapping[str, int]) -> tuple[str, ...]:
    while True:
        found = await marker.read(store.inner)
        if found is None:
            return ()
        needed = {id: known for id, known in found.marker.keys.items() if id == store.first_key or id in left}
        retired = tuple(id for id in found.marker.keys if id not in needed)
        try:
            await marker.write(store.inner, marker.Marker(needed, PLAIN in left), found.etag)
        except EtagMismatch:
            continue
        return retired


def _others(dump: Dump, first: str) -> Iterator[str]:
    """The keys, other than the first, of what is stored of an execution."""
    head = dump.head
    texts: list[str | bytes] = [*dump.entries, *(mail.body for mail in dump.mail), *dump.blobs.values()]
    texts += [text for text in (head.state, head.note) if text]
    if head.status == "stuck" and head.awaits:
        texts.append(head.awaits)
    for text in texts:
        key = key_of(text) or PLAIN
        if key != first:
            yield key


async def _values(inner: Store) -> AsyncIterator[tuple[str, str]]:
    after = ""
    while scopes := await inner.scopes(after):
        for scope in scopes:
            if scope != marker.SCOPE:
                for key in await inner.keys(scope, limit=_ALL):
                    yield scope, key
        after = scopes[-1]


async def _ids(inner: Store) -> AsyncIterator[str]:
    cursor: str | None = None
    while True:
        page = await inner.executions(cursor=cursor, limit=200)
        for head in page.heads:
            yield head.id
        if page.cursor is None:
            return
        cursor = page.cursor
