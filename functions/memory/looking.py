"""What people ask of memories: which there are, everything about a user, and that it be gone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ...state.store import Store
from .index import Index
from .scope import PLACE, Scope, scope_at
from .stored import Entry, Stored


class Wanted(NamedTuple):
    """Which scopes; None: any."""

    agent: str | None = None
    user: str | None = None
    tenant: str | None = None

    def means(self, scope: Scope) -> bool:
        return all(asked is None or asked == told for asked, told in zip(self, scope, strict=True))


class Held(NamedTuple):
    """How many memories a scope has, and when the last was made, in ms."""

    scope: Scope
    memories: int
    latest: int


async def scopes(store: Store, wanted: Wanted, since: Scope | None = None) -> AsyncGenerator[Scope]:
    """Those in the order of their places, from ``since`` on."""
    after = PLACE
    if since is not None:
        after = since.place
        if wanted.means(since):
            yield since
    while page := await store.scopes(after):
        for place in page:
            if not place.startswith(PLACE):
                return
            after = place
            scope = scope_at(place)
            if scope is not None and wanted.means(scope):
                yield scope


async def held(store: Store, wanted: Wanted) -> list[Held]:
    found: list[Held] = []
    async for scope in scopes(store, wanted):
        count = latest = 0
        async for entries in Stored(store, scope).entries():
            count += len(entries)
            latest = max(latest, *(entry.at for entry in entries))
        found.append(Held(scope, count, latest))
    return found


class Last(NamedTuple):
    """A memory that was told of; whoever reads on wants those after it, also when it has gone since."""

    scope: Scope
    at: int
    id: str


async def memories(store: Store, wanted: Wanted, after: Last | None = None) -> AsyncGenerator[tuple[Scope, Entry]]:
    """All of them, a scope after the other, within it the oldest first."""
    async for scope in scopes(store, wanted, after and after.scope):
        found = [entry async for entries in Stored(store, scope).entries() for entry in entries]
        for entry in sorted(found, key=lambda entry: (entry.at, entry.id)):
            if after is None or scope != after.scope or (entry.at, entry.id) > (after.at, after.id):
                yield scope, entry


async def search(store: Store, wanted: Wanted, question: str, most: int) -> list[tuple[Scope, Entry]]:
    """Those with any of the words, the best of each scope."""
    return [
        (scope, found.entry)
        async for scope in scopes(store, wanted)
        for found in await Index("").search(Stored(store, scope), question, None, most)
    ]


async def erase(store: Store, wanted: Wanted, ids: Sequence[str] = ()) -> int:
    """Everything of these scopes, or the memories of those ids. How many there were; durable when it returns."""
    erased = 0
    for scope in [scope async for scope in scopes(store, wanted)]:
        stored = Stored(store, scope)
        if not ids:
            erased += await stored.erase()
        erased += await stored.remove([id for id in ids if await stored.entry(id) is not None])
    return erased


def as_json(scope: Scope, entry: Entry) -> dict[str, Any]:
    """A memory as it is exported."""
    at = datetime.fromtimestamp(entry.at / 1000, UTC).isoformat(timespec="milliseconds")
    told = {"agent": scope.agent, "tenant": scope.tenant, "user": scope.user}
    return {**told, "id": entry.id, "at": at, "text": entry.text, "by": entry.by}
