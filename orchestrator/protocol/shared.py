"""Where the entries of ``ctx.kv(scope)`` lie: in a place of the store that is no execution's and none of the runtime's.

An execution's own entries lie under its id and go with it, and the runtime's marks lie under names that no id can be
(``state.ids.RESERVED``). So shared ones lie under their scope with PLACE before it, which begins with a space as no id
does. An execution that bears the name of a scope, whoever chose its id, can neither read nor take along what is shared.

Before the first release they lay under the plain name. What is found there, when no execution bears that name, is moved
as it is asked for: by a read that finds nothing in the new place, a listing, a removal, and a write that asks whether
there is one. That costs those one read, and a read that finds its value nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ...state.errors import EtagMismatch, InvalidInput
from ...state.ids import RESERVED
from ...state.records import Value
from ...state.store import Store

PLACE = " kv/"


def place_of(scope: str) -> str:
    """Where a shared scope lies. Raises InvalidInput for a name that is the runtime's own."""
    if scope in RESERVED:
        raise InvalidInput(f"the scope {scope!r} is the runtime's own; choose another name")
    return PLACE + scope


def scope_of(place: str) -> str:
    """The name of the scope that lies there, or that lay there before the first release."""
    return place.removeprefix(PLACE)


def is_shared(place: str) -> bool:
    return place.startswith(PLACE)


async def get(store: Store, place: str, key: str) -> Value | None:
    found = await store.get(place, key)
    if found is None and is_shared(place) and await _adopt(store, place, [key]):
        return await store.get(place, key)
    return found


async def put(store: Store, place: str, key: str, value: str, etag: str | None) -> str:
    if etag == "" and is_shared(place):
        await _adopt(store, place, [key])
    return await store.put(place, key, value, etag=etag)


async def remove(store: Store, place: str, key: str, etag: str | None) -> bool:
    if is_shared(place):
        await _adopt(store, place, [key])
    return await store.remove(place, key, etag=etag)


async def keys(store: Store, place: str, prefix: str) -> list[str]:
    if is_shared(place):
        await _adopt(store, place, await store.keys(scope_of(place), prefix))
    return list(await store.keys(place, prefix))


async def _adopt(store: Store, place: str, names: Sequence[str]) -> bool:
    """Move what lies under the plain name, unless it is an execution's own. Whether there was any. It never replaces
    what was written since, and is gone from the old place afterwards, so that what is removed later stays removed."""
    old = scope_of(place)
    found = [(key, value) for key in names if (value := await store.get(old, key)) is not None]
    if not found or await store.head(old) is not None:
        return False
    for key, value in found:
        with suppress(EtagMismatch):  # it was written anew, or another process has moved it
            await store.put(place, key, value.value, etag="")
        await store.remove(old, key)
    return True
