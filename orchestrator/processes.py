"""Who works on a store: the processes that live, what each holds, and how far behind they are with what is due."""

from __future__ import annotations

from typing import NamedTuple

from .protocol.clock import present
from .reading import Reading

MOST = 1000
"""Executions that are due and are counted; of more it is only said that there are."""


class Processes(NamedTuple):
    """``leases`` by the process that holds them. ``due`` executions wait to be taken, ``more`` than are counted, the
    first of them for ``lag`` ms; ``next`` is the earliest wake time of those that nobody holds."""

    now: int
    leases: dict[str, int]
    due: int
    more: bool
    lag: int
    next: int | None


async def processes(reading: Reading) -> Processes:
    """By the clock of the store. Raises StoreError."""
    store = reading.store
    now = await present(store)
    leases = dict(await store.owners(now))
    wake = await store.next_wake()
    waiting = len(await store.due(now, MOST + 1))
    lag = 0 if wake is None else max(0, now - wake)
    return Processes(now, leases, min(waiting, MOST), waiting > MOST, lag, wake)
