"""Sums over all executions of a store: by function and status, entries, mail, what is due and what is held."""

from __future__ import annotations

from collections import Counter

from ..state.records import EVERYTHING, FINAL, Head
from .protocol.clock import present
from .reading import Reading
from .upkeep.moving import Report, silent

STEP = 1000
"""Executions between two reports."""


class Sums:
    """What is summed over all executions."""

    def __init__(self) -> None:
        self.functions: dict[tuple[str, str], Counter[str]] = {}
        self.executions = self.entries = self.mail = self.leased = self.due = self.overdue_ms = 0

    def add(self, head: Head, mail: int, now: int) -> None:
        self.executions += 1
        self.functions.setdefault((head.function, head.kind), Counter())[head.status] += 1
        self.entries += head.length
        self.mail += mail
        if head.owner is not None:
            self.leased += 1
        elif head.wake is not None and head.wake <= now:
            self.due += 1
            self.overdue_ms = max(self.overdue_ms, now - head.wake)


async def summed(reading: Reading, report: Report = silent) -> Sums:
    """Every head is read once, and the mailboxes of those that have had mail."""
    sums, now = Sums(), await present(reading.store)
    total = sum((await reading.counts()).values())
    async for head in reading.all(EVERYTHING):
        mail = 0 if head.status in FINAL or not head.arrivals else (await reading.store.mailbox(head.id, 1))[0]
        sums.add(head, mail, now)
        if sums.executions % STEP == 0:
            report("counting", sums.executions, total)
    report("counting", sums.executions, total)
    return sums
