"""Files that come into a folder. A file is known by its name, its time of change and its size: written anew it is
another one.

A folder is read by the moment at which a file came to be there as it is, which nobody can set back: also what was moved
or unpacked there with an old date is found. A file that was changed within ``settle`` may still be written, and is left
for the next look.
"""

from __future__ import annotations

import asyncio
import fnmatch
import os
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any
from urllib.parse import quote

from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds
from ..events.event import CloudEvent
from .source import Found, Source

MOST = 500  # files of one look


class Folder(Source):
    """``path``: the folder, without those within it; ``pattern``: which names; hidden ones never. An event has the type
    ``overwinter.file``, the name as its subject, and ``path``, ``name``, ``size`` and ``modified`` (seconds since the
    epoch) as its data."""

    def __init__(
        self, path: str | Path, *, pattern: str = "*", every: Duration = "10s", settle: Duration = "1s"
    ) -> None:
        self.path = Path(path).absolute()
        self._pattern = pattern
        self._settle = int(seconds(settle) * 1e9)
        if not pattern:
            raise InvalidInput(f"the pattern for {self.path} is empty; leave it out for all files")
        super().__init__(f"folder {self.path} {pattern}", every)

    async def look(self, since: Any) -> Found:
        return await asyncio.to_thread(self._look, since or {"at": 0, "known": []})

    def _look(self, since: dict[str, Any]) -> Found:
        now, known = time.time_ns(), set(since["known"])
        there = sorted(one for one in self._files() if one[0] >= since["at"])
        unsettled = [moment for moment, stat, _ in there if now - self._settle < stat.st_mtime_ns <= now]
        found = [one for one in there if not now - self._settle < one[1].st_mtime_ns <= now]
        fresh = [one for one in found if _id(one[1], one[2]) not in known]
        more = len(fresh) > MOST and fresh[MOST][0] > fresh[0][0]
        if more:  # all of one moment together: the next look begins there
            found = [one for one in found if one[0] <= fresh[MOST][0]]
            fresh = [one for one in fresh if one[0] <= fresh[MOST][0]]
        at = min([found[-1][0] if found else since["at"], *unsettled])
        known = {_id(stat, name) for moment, stat, name in found if moment >= at}
        events = [self._event(stat, name) for _, stat, name in fresh]
        return Found(events, {"at": at, "known": sorted(known)}, more)

    def _files(self) -> Iterator[tuple[int, os.stat_result, str]]:
        """When each came to be there as it is, by the clock of its file system."""
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not fnmatch.fnmatchcase(entry.name, self._pattern):
                    continue
                try:
                    stat = entry.stat()
                except FileNotFoundError:  # it has gone meanwhile
                    continue
                if S_ISREG(stat.st_mode):
                    yield stat.st_ctime_ns, stat, entry.name

    def _event(self, stat: os.stat_result, name: str) -> CloudEvent:
        shown = os.fsencode(name).decode("utf-8", "replace")
        return CloudEvent(
            type="overwinter.file",
            source=f"file://{quote(os.fsencode(self.path))}",
            id=_id(stat, name),
            subject=shown,
            data={
                "path": f"{self.path}/{shown}",
                "name": shown,
                "size": stat.st_size,
                "modified": stat.st_mtime_ns / 1e9,
            },
        )


def _id(stat: os.stat_result, name: str) -> str:
    return f"{quote(os.fsencode(name))}@{stat.st_mtime_ns}.{stat.st_size}"
