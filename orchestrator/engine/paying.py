"""What the process of an engine spends from accounts that executions share: it hears of commits from the first hold on,
gives back what is left of accounts that nobody has asked for a while, and all of it when the process ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from ...state.errors import OverwinterError
from ...state.store import Store
from ..governance.budgets.purse import Purse
from .extensions import Active, Extensions

log = logging.getLogger("overwinter")
IDLE = 60
"""Seconds after which it is given back."""
RECOVERS = 10
"""Each time in so many, it is looked after what processes had drawn that have died."""


class Payer(Protocol):
    """An engine."""

    @property
    def store(self) -> Store: ...
    @property
    def owner(self) -> str: ...
    @property
    def active(self) -> Mapping[str, Active]: ...
    @property
    def clock(self) -> Callable[[], int]: ...
    def spawn(self, work: Coroutine[Any, Any, None], /) -> object: ...


def purse_of(engine: Payer, extensions: Extensions) -> Purse:
    """Its purse. Nothing is heard of, and nothing is done, before anything is held."""

    def begun() -> None:
        extensions.hear(purse.committed)
        engine.spawn(_now_and_then(purse))

    purse = Purse(engine.store, engine.owner, engine.clock, engine.active, begun=begun)
    return purse


async def _now_and_then(purse: Purse) -> None:
    for minute in itertools.count(1):
        await asyncio.sleep(IDLE)
        try:
            await purse.rest(IDLE * 1000)
            if minute % RECOVERS == 0:
                await purse.recover()
        except OverwinterError as error:
            log.warning("what is left of shared budgets can't be given back now (%s)", error)


async def give_back(purse: Purse) -> None:
    """The process ends. What can't be given back is found by whoever looks after its slices."""
    try:
        await purse.close()
    except OverwinterError as error:
        log.warning("what is left of shared budgets is not given back (%s); it is recovered by itself", error)
