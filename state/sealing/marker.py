"""The one value in a sealed store that is not sealed: which keys it is sealed with, and whether anything is not.

Every process reads it when it opens the store, so a wrong or a missing key is found out at the start and not in
the middle of somebody's conversation. It holds a known text sealed with each key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...security.address import shown
from ..codec import dumps, loads
from ..errors import EtagMismatch, SchemaMismatch, StoreCorrupt, StoreSealed
from ..store import Store
from .keys import VARIABLE, Keys

if TYPE_CHECKING:
    from .box import Box

SCOPE, KEY = "overwinter.store", "sealed"
_OF_STORES = frozenset({SCOPE, "overwinter.doctor"})  # hold no payload
_FORMAT = 1
_KNOWN = "overwinter"


class Marker(NamedTuple):
    """``keys``: id to the known text sealed with it. ``plain``: there may be texts from before sealing."""

    keys: Mapping[str, str]
    plain: bool


class Found(NamedTuple):
    marker: Marker
    etag: str


async def read(inner: Store) -> Found | None:
    """The marker of a store. Raises SchemaMismatch when a newer release has made it, StoreCorrupt."""
    value = await inner.get(SCOPE, KEY)
    if value is None:
        return None
    try:
        record: dict[str, Any] = loads(value.value)
        if record["format"] != _FORMAT:
            raise SchemaMismatch(
                f"{shown(inner.dsn)} is sealed in format {record['format']}, which this release does not "
                "know; upgrade this process"
            )
        return Found(Marker(dict(record["keys"]), bool(record["plain"])), value.etag)
    except (ValueError, TypeError, KeyError):
        raise StoreCorrupt(f"the entry {SCOPE}/{KEY} of {shown(inner.dsn)} is not what it should be") from None


async def write(inner: Store, marker: Marker, etag: str) -> None:
    """Raises EtagMismatch when another process was faster."""
    text = dumps({"format": _FORMAT, "plain": marker.plain, "keys": marker.keys})
    await inner.put(SCOPE, KEY, text, etag=etag)


async def refuse_sealed(store: Store) -> None:
    """For a process without keys: raises StoreSealed when the opened store is sealed. One read."""
    found = await read(store)
    if found is not None and found.marker.keys:
        raise StoreSealed(
            f"the payloads in {shown(store.dsn)} are sealed with key {', '.join(found.marker.keys)}; "
            f"say in {VARIABLE} where that key is (env:NAME or file:/path)"
        )


async def check(inner: Store, keys: Keys, box: Box, but: Collection[str] = ()) -> Marker:
    """The marker of an opened store, or what it would be. ``but``: ids of keys that are being given up.

    Raises StoreSealed for a key that is missing, StoreCorrupt for one that is wrong, or when ``keys`` are strict
    and the store may hold what is not sealed.
    """
    return (await _checked(inner, keys, box, but)).marker


async def introduce(inner: Store, keys: Keys, box: Box, but: Collection[str] = ()) -> None:
    """Note in the marker which key seals from now on. Raises as ``check`` does."""
    while True:
        marker, etag = await _checked(inner, keys, box, but)
        if keys.first.id in marker.keys:
            return
        marker = marker._replace(keys={**marker.keys, keys.first.id: box.seal("known text", _KNOWN)})
        try:
            return await write(inner, marker, etag)
        except EtagMismatch:
            continue


async def forget(inner: Store, key: str) -> bool:
    """Strike a key from the marker of an opened, bare store, though texts may still be sealed with it: the way out
    when a key is lost for good. Those executions wait then. True when it was there."""
    while True:
        found = await read(inner)
        if found is None or key not in found.marker.keys:
            return False
        kept = {id: known for id, known in found.marker.keys.items() if id != key}
        try:
            await write(inner, found.marker._replace(keys=kept), found.etag)
        except EtagMismatch:
            continue
        return True


async def _checked(inner: Store, keys: Keys, box: Box, but: Collection[str]) -> Found:
    found = await read(inner) or Found(Marker({}, await _holds_anything(inner)), "")
    kept = {id: known for id, known in found.marker.keys.items() if id not in but}
    _check(shown(inner.dsn), found.marker._replace(keys=kept), keys, box)
    return found


def _check(dsn: str, marker: Marker, keys: Keys, box: Box) -> None:
    missing = [id for id in marker.keys if id not in keys.by_id]
    if missing:
        raise StoreSealed(
            f"{dsn} holds payloads sealed with key {', '.join(missing)}, which this process does not have "
            f"(it has {', '.join(keys.by_id)}); name that key in {VARIABLE} too, after the one that is to seal; "
            f"when it is lost for good: overwinter store forget-key {missing[0]}"
        )
    for id, known in marker.keys.items():
        if box.open("known text", known) != _KNOWN:
            raise StoreCorrupt(f"the known text of key {id} in {dsn} is another")
    if keys.strict and marker.plain:
        raise StoreCorrupt(
            f"{dsn} may hold payloads from before it was sealed, and {VARIABLE} says strict; move the store "
            "to a new one, or reseal it and let the old executions go, or leave strict out"
        )


async def _holds_anything(inner: Store) -> bool:
    scopes = await inner.scopes(limit=len(_OF_STORES) + 1)
    return bool(set(scopes) - _OF_STORES) or bool((await inner.executions(limit=1)).heads)
