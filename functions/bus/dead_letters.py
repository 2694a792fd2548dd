"""Events that a subscriber could not take, kept with the reason until somebody has looked at them.

A letter has the id under which its event would have begun an execution, so the same event makes one letter. They lie in
the store's key-value part, in a place that goes along when a store is moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ...orchestrator.errors.failures import encode
from ...orchestrator.protocol.shared import place_of
from ...state.codec import dumps, loads
from ...state.ids import can_exist
from ...state.store import Store

PLACE = place_of("overwinter.dead-letters")
MOST = 100_000
"""How many are looked through by a listing."""


class DeadLetter(NamedTuple):
    """``event`` in its JSON form, for ``subscription``; ``error`` as the journal has errors; how many ``attempts``
    there were, the first and the last of them when (milliseconds since 1970). ``execution``: the one that failed, ""
    when none was begun."""

    id: str
    subscription: str
    function: str
    event: Mapping[str, Any]
    error: Mapping[str, Any]
    attempts: int
    first: int
    last: int
    execution: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if name != "execution" or value}

    @property
    def reason(self) -> str:
        """Why, in one text."""
        return str(self.error.get("message", "")) or str(self.error.get("kind", ""))


def from_text(text: str) -> DeadLetter:
    told = cast("dict[str, Any]", loads(text))
    return DeadLetter(**{name: told[name] for name in DeadLetter._fields if name in told})


def letter(
    id: str, subscription: str, function: str, event: Mapping[str, Any], error: BaseException, attempt: int, at: int
) -> DeadLetter:
    """What is kept of an event that could not be taken for the first time."""
    return DeadLetter(id, subscription, function, event, encode(error), attempt, at, at)


class DeadLetters:
    """Those of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep(self, letter: DeadLetter) -> None:
        """Put it down. What is there of an earlier attempt is counted in."""
        if (before := await self.get(letter.id)) is not None:
            letter = letter._replace(first=before.first, attempts=max(letter.attempts, before.attempts))
        await self.put(letter)

    async def all(self, subscription: str = "", limit: int = MOST) -> Sequence[DeadLetter]:
        """Of one subscription, or of all, the latest first."""
        names = await self._store.keys(PLACE, f"{subscription}:" if subscription else "", limit)
        found = [value for name in names if (value := await self._store.get(PLACE, name)) is not None]
        return sorted((from_text(value.value) for value in found), key=lambda letter: letter.last, reverse=True)

    async def get(self, id: str) -> DeadLetter | None:
        """The one of that id."""
        found = await self._store.get(PLACE, id) if id and can_exist(id) else None
        return None if found is None else from_text(found.value)

    async def put(self, letter: DeadLetter) -> None:
        """As it is, in place of what is there."""
        await self._store.put(PLACE, letter.id, dumps(letter.as_json()))

    async def drop(self, id: str) -> bool:
        """Forget it. Whether it was there."""
        return await self._store.remove(PLACE, id)
