"""The checks and numbers of an engine and its store, as ``/readyz`` and ``/stats`` show them."""

from __future__ import annotations

import asyncio
from typing import Protocol, runtime_checkable

from ...state.errors import StoreError, StoreLost
from ...state.quantities import seconds
from .engine import Engine
from .watchdog import Watchdog

FRESH = 1.0
"""Seconds for which an answer of the store is believed: who asks more often makes it no more work."""


@runtime_checkable
class Numbered(Protocol):
    """A store that has numbers to show."""

    def numbers(self) -> dict[str, object]: ...


class Probe:
    """Whether the store takes a change now, tried with one that nobody reads: full, locked, read-only, damaged or gone
    is said before an event is lost on it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked = 0.0
        self._asking: asyncio.Task[str] | None = None

    async def reason(self) -> str:
        """Why it does not; "" when it does."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._asked >= FRESH):
            self._asked, self._asking = now, asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> str:
        store = self._engine.store
        try:
            await store.probe()
            await store.next_wake()
        except StoreLost as error:
            return str(error)
        except StoreError as error:
            return f"the store takes nothing in ({type(error).__name__}): {error}"
        return ""


def show_vitals(engine: Engine) -> Watchdog | None:
    """Let the engine's ``health`` tell of it. The watchdog, when there is to be one, is still to be started."""

    engine.health.add_check("moved", lambda: engine.moved)
    engine.health.add_check("store", Probe(engine).reason)
    engine.health.add_check("threads", engine.performer.threads.exhausted)
    engine.health.add_numbers("engine", lambda: _numbers(engine))
    engine.health.add_numbers("threads", engine.performer.threads.numbers)
    engine.health.add_numbers("circuits", engine.performer.circuits)
    within: object = getattr(engine.store, "inner", engine.store)
    if isinstance(within, Numbered):
        engine.health.add_numbers("store", within.numbers)
    bound = seconds(engine.settings.watchdog or 0)
    if not bound:
        return None
    watchdog = Watchdog(bound)
    engine.health.add_check("loop", watchdog.reason)
    engine.health.add_numbers("loop", watchdog.numbers)
    return watchdog


def _numbers(engine: Engine) -> dict[str, object]:
    return {
        "active": len(engine.active),
        "max_active": engine.settings.max_active,
        "cached": len(engine.cache),
        "cache": engine.settings.cache,
        "taken": engine.taken,
        "waiters": len(engine.waiters),
    }
