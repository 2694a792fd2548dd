"""What the parts of an engine need of it, so that none of them has to know the engine itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Protocol, TypeVar

from ...state.records import Accepted, Appended, Change, NewMail
from ...state.store import Store
from ..protocol.clock import SharedClock
from ..protocol.decider import Effect, Fact
from .delivery import Delivery
from .performing import Performer
from .quarantine import Suspects
from .sweeping import Sweeper
from .trials import Trials
from .turns import Turns
from .waiting import Waiters

A_co = TypeVar("A_co", covariant=True)
A_contra = TypeVar("A_contra", contravariant=True)


class Host(Protocol[A_contra]):
    """Where an activation lives."""

    store: Store
    clock: SharedClock
    owner: str
    loop: asyncio.AbstractEventLoop
    turns: Turns
    performer: Performer
    delivery: Delivery
    suspects: Suspects
    trials: Trials
    waiters: Waiters
    draining: bool

    def token(self) -> str: ...
    def append(self, change: Change) -> asyncio.Future[Appended]: ...
    async def deliver(self, activation: A_contra, effect: Effect) -> None: ...
    async def fill(self, id: str, facts: list[Fact]) -> None: ...
    def released(self, activation: A_contra, change: Change) -> None: ...
    def lost(self, activation: A_contra) -> None: ...
    def current(self, activation: A_contra) -> bool: ...
    def interrupted(self) -> bool: ...


class Holder(Protocol[A_co]):
    """Whose leases they are."""

    store: Store
    clock: SharedClock
    owner: str
    lease: int
    delivery: Delivery
    suspects: Suspects
    sweeper: Sweeper
    draining: bool
    moved: str

    @property
    def active(self) -> Mapping[str, A_co]: ...
    @property
    def asking(self) -> Mapping[str, object]:
        """Executions for which a lease may be on its way."""
        ...

    def token(self) -> str: ...
    def spawn(self, work: Coroutine[Any, Any, None]) -> None: ...
    async def post(self, id: str, mail: NewMail | None) -> Accepted: ...
