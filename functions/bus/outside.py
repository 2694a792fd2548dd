"""The subscriber's side from a process that serves nothing: what it takes lies in the store until somebody serves
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...orchestrator.protocol.decider import Function
from ...state.records import Accepted, NewExecution, NewMail
from ...state.store import Store
from .dead_letters import DeadLetters
from .sorting import Sorting
from .taking import Taking


class Outside:
    """An open store to post into. ``clock`` is the time that its processes go by."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self.store = store
        self.functions: Mapping[str, Function] = {}
        self.clock = clock

    async def post(
        self, id: str, mail: NewMail | None, *, create: NewExecution | None = None, by: str = ""
    ) -> Accepted:
        return await self.store.accept(id, mail, now=self.clock(), create=create)


def sorting(store: Store, clock: Callable[[], int]) -> Sorting:
    """The dead letters of an open store."""
    return Sorting(store, Taking(Outside(store, clock), DeadLetters(store)))
