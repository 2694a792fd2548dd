"""Dead letters as people see them: events that could not be taken, and executions that an event began and that failed.

They are listed, shown, edited, sent again and dropped, by their id or by what it begins with. What is sent again is a
new attempt, in an execution of its own, for that one subscription.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...orchestrator.reading import Reading
from ...state.codec import stored
from ...state.errors import InvalidInput, UnknownExecution
from ...state.store import Store
from ..events.http import from_json, to_json
from . import failed
from .announcing import Announced
from .dead_letters import DeadLetter, DeadLetters
from .taking import Taking


class Sorting:
    """The dead letters of one store."""

    def __init__(self, store: Store, taking: Taking) -> None:
        self._store = store
        self._reading = Reading(store)
        self._letters = DeadLetters(store)
        self._taking = taking
        self._announced = Announced(store)

    async def all(self, subscription: str = "") -> Sequence[DeadLetter]:
        """Of one subscription, or of all, the latest first."""
        found = {letter.id: letter for letter in await self._letters.all(subscription)}
        for name in [subscription] if subscription else await self._announced.now():
            async for letter in failed.failed(self._reading, name):
                found.setdefault(letter.id, letter)  # what was edited stands before what was given
        return sorted(found.values(), key=lambda letter: (-letter.last, letter.id))

    async def find(self, id: str) -> DeadLetter:
        """Raises UnknownExecution, and InvalidInput when several begin with that."""
        if (kept := await self._letters.get(id)) is not None:
            return kept
        head = await self._reading.find(id) if id else None
        if head is not None:
            letter = await failed.letter_of(self._reading, head)
            if letter is not None:
                return letter
        alike = [letter for letter in await self.all() if id and letter.id.startswith(id)]
        if len(alike) > 1:
            raise InvalidInput(f"{len(alike)} dead letters begin with {id!r}: {alike[0].id}, {alike[1].id} …; say more")
        if not alike:
            raise UnknownExecution(
                f"there is no dead letter {id!r}; `overwinter dead-letters list` shows what there is"
            )
        return alike[0]

    async def edit(self, id: str, event: Any) -> DeadLetter:
        """Put another event in its place; what is sent again is that one. Raises InvalidInput, UnknownExecution."""
        whole = stored(to_json(from_json(event)))  # 1e999 is no number in JSON, but json.loads reads it
        letter = (await self.find(id))._replace(event=whole)
        await self._letters.put(letter)
        return letter

    async def send(self, id: str) -> str:
        """Give it to its subscription once more; the id of the execution that it went to. Raises InvalidInput when it
        can't be taken now either: then it stays, with one attempt more."""
        letter = await self.find(id)
        subscription = (await self._announced.now()).get(letter.subscription)
        if subscription is None:
            raise InvalidInput(
                f"nothing subscribes as {letter.subscription!r} any more; drop the dead letter {letter.id}"
            )
        attempt = letter.attempts + 1
        try:
            to = await self._taking.deliver(subscription, from_json(letter.event), attempt)
        except InvalidInput:
            await self._letters.put(letter._replace(attempts=attempt))
            raise
        await self.drop(letter.id)
        return to

    async def drop(self, id: str) -> None:
        """Nobody has to look at it any more. Raises UnknownExecution."""
        letter = await self.find(id)
        await self._letters.drop(letter.id)
        if letter.execution:
            await failed.settle(self._reading, letter.execution)
