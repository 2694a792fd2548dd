"""What a meter needs of the runtime that it measures, so that it knows no more of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ...orchestrator.engine.engine import Engine
from ...orchestrator.engine.extensions import Extensions
from ...state.records import Filter, Page
from ...state.store import Store


class Measured(Protocol):
    """A runtime."""

    @property
    def store(self) -> Store: ...
    @property
    def engine(self) -> Engine: ...
    @property
    def extensions(self) -> Extensions: ...
    def clock(self) -> int: ...
    async def counts(self) -> Mapping[str, int]: ...
    async def page(self, where: Filter, cursor: str | None = None, limit: int = 50) -> Page: ...
