"""Following an execution as it goes on, by reading its journal and head in turn; used by ``watch`` and ``run``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..state.records import FINAL, Head

if TYPE_CHECKING:
    from ..orchestrator.reading import Reading

FASTEST, SLOWEST = 0.05, 0.5  # seconds between two looks: close while something happens, calmer when not


class News(NamedTuple):
    """What is new since the last look: numbered entries, and the head as it is now."""

    entries: list[tuple[int, dict[str, Any]]]
    head: Head
    ended: bool


async def follow(reading: Reading, id: str, *, after: int = 0) -> AsyncIterator[News]:
    """Looks until the execution has ended or is stuck; the last news has ``ended`` set.

    Raises UnknownExecution when it does not exist or is deleted meanwhile.
    """
    pause = FASTEST
    while True:
        head = await reading.show(id)
        fresh = [found async for found in reading.numbered(id, after)]
        after = fresh[-1][0] if fresh else after
        ended = (after >= head.length or not fresh) and await rests(reading, head)  # not fresh: what lacks won't come
        yield News(fresh, head, ended)
        if ended:
            return
        pause = FASTEST if fresh else min(pause * 1.5, SLOWEST)
        await asyncio.sleep(pause)


async def rests(reading: Reading, head: Head) -> bool:
    """Ended or stuck, and not asked to go on since."""
    if head.status not in ("failed", "stuck"):
        return head.status in FINAL
    rests = await reading.at_rest(head.id)
    return rests is not None and rests.version == head.version
