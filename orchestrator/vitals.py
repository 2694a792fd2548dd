"""The checks and numbers of an engine and its store, as ``/readyz`` and ``/stats`` show them."""

from __future__ import annotations

from ..state.errors import StoreError
from .engine import Engine


def show_vitals(engine: Engine) -> None:
    """Let the engine's ``health`` tell of it."""

    async def store() -> str:
        try:
            await engine.store.next_wake()
        except StoreError as error:
            return f"the store does not answer: {error}"
        return ""

    engine.health.add_check("moved", lambda: engine.moved)
    engine.health.add_check("store", store)
    engine.health.add_numbers("engine", engine.numbers)
