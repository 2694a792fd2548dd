"""The code lines of a timeline's rows: the history of a workflow is replayed by its own code, in a thread, for so many
entries and so long; docs/http.md says for how many. Nothing happens by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from ..state.codec import dumps
from ..state.errors import StoreCorrupt, TimedOut
from ..state.records import Head
from .protocol.decider import Fact
from .protocol.entries import resolve
from .protocol.keeping import bring
from .reading import Reading
from .timeline.timeline import Timeline
from .usercode.threads import Threads
from .workflow.function import Workflow
from .workflow.lines import Lines, lines

MOST = 10_000  # entries
BYTES = 32 << 20  # of them, what lies in blobs included
SECONDS = 2.0  # of replaying
PATIENCE = 5.0  # seconds, with the wait for another one's
_KEPT = 4


class CodeLines:
    """Finds them for one process. One history is replayed at a time, and a code that does not come back takes the
    place of all others until it does."""

    def __init__(self, functions: Mapping[str, object], seconds: float = SECONDS) -> None:
        self._functions = functions
        self._seconds = seconds
        self._threads = Threads(1, 0)
        self._found: dict[tuple[str, int, int], Lines] = {}

    async def told(self, reading: Reading, found: Timeline) -> Timeline:
        """The timeline with the lines in its rows. Raises StoreError."""
        known = await self._known(reading, await reading.show(found.id))
        for bar in found.rows:
            bar.code = known.of(bar.op, bar.entry, f"{bar.kind} {bar.name}".rstrip())
        return found._replace(lines=known.why)

    async def _known(self, reading: Reading, head: Head) -> Lines:
        code = self._functions.get(head.function)
        if not isinstance(code, Workflow):
            here = head.kind == "workflow" and code is None
            return Lines((), f"{head.function} is not served here" if here else "only workflows have code lines")
        key = head.id, head.created, head.length
        if (known := self._found.pop(key, None)) is None:
            known = await self._replayed(reading, head, code)
        self._found[key] = known
        while len(self._found) > _KEPT:
            del self._found[next(iter(self._found))]
        return known

    async def _replayed(self, reading: Reading, head: Head, code: Workflow) -> Lines:
        first = 1 if head.length <= MOST else max(head.base, 1)
        try:
            entries, left = await _read(reading, head, first)
        except StoreCorrupt as error:
            return Lines((), str(error))
        look = partial(lines, code, head.id, first, entries, self._seconds)
        try:
            async with asyncio.timeout(PATIENCE):
                known: Lines = await self._threads.run("replay", look, timeout=f"{self._seconds * 2}s")
        except (TimedOut, TimeoutError):
            return Lines((), f"the code of {head.function} did not come back in time")
        if known.why or not left:
            return known
        return known._replace(why=left)


async def _read(reading: Reading, head: Head, first: int) -> tuple[list[Fact], str]:
    """The entries from ``first`` on as they can be replayed, and why these are not all."""
    entries: list[Fact] = await reading.excerpt(head.id, first - 1, MOST, BYTES)
    size, sound, damaged = 0, list[Fact](), ""
    for entry in entries:
        size += len(dumps(entry)) + _beside(entry)
        damaged = str(entry["error"]) if entry["type"] == "damaged" else ""
        if size > BYTES or damaged:
            break
        sound.append(entry)
    await resolve(reading.store, head.id, sound)
    await bring(reading.store, head.id, first, sound[:1])
    if damaged:
        return sound, damaged
    last = first + len(sound) - 1
    told: list[Any] = [f"entries before {first}"] * (first > 1) + [f"those after {last}"] * (last < head.length)
    return sound, f"the history is long, and {' and '.join(told)} were not looked at" if told else ""


def _beside(entry: Fact) -> int:
    """Bytes of it that lie in a blob."""
    there: Any = entry.get("blob")
    size: Any = cast("dict[str, Any]", there).get("size") if isinstance(there, dict) else 0
    return size if isinstance(size, int) else 0
