"""Rehydrated executions, kept after their release and used again as long as nobody else has moved them."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, Protocol, TypeVar

from ..protocol.decider import Decider


class Rested(Protocol):
    """What is kept: an execution as of ``version``."""

    id: str
    version: int
    decider: Decider


T = TypeVar("T", bound=Rested)


class Cache(Generic[T]):
    """At most ``size`` of them; the one that has rested longest makes room."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._kept: OrderedDict[str, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, id: str) -> bool:
        return id in self._kept

    def version(self, id: str) -> int | None:
        """That of what is kept."""
        kept = self._kept.get(id)
        return None if kept is None else kept.version

    def look(self, id: str) -> T | None:
        """What is kept, which stays where it is."""
        return self._kept.get(id)

    def keep(self, rested: T) -> None:
        self._kept[rested.id] = rested
        if len(self._kept) > self.size:
            self._kept.popitem(last=False)[1].decider.close()

    def take(self, id: str, version: int) -> T | None:
        """What is kept, if it is of that version. An older one is of no use to anybody."""
        kept = self._kept.pop(id, None)
        if kept is None or kept.version == version:
            return kept
        kept.decider.close()
        return None

    def close(self) -> None:
        for kept in self._kept.values():
            kept.decider.close()
        self._kept.clear()
