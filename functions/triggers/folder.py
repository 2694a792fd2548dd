"""Files that come into a folder. A file is known by its name, its time of change and its size: written anew it is
another one.

A folder is read by the moment at which a file came to be there as it is, which nobody can set back: also what was moved
or unpacked there with an old date is found, and a link that was put there to an old file. A file that was changed
within ``settle`` may still be written, and is left for the next look.

While a folder is listed, files come where the listing has been already. So a look goes back to the newest moment that
the look before the last had seen: whatever was not there yet when that one ended is no older. Where the clock of this
machine has been set back, files come with moments that have been there before, and a look goes back by an hour.
"""

from __future__ import annotations

import asyncio
import fnmatch
import os
import time
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any, cast
from urllib.parse import quote

from ...state.errors import InvalidInput
from ...state.quantities import Duration, seconds
from ..events.attributes import held
from ..events.event import CloudEvent
from .source import Found, Source, named

MOST = 500  # files of one look
BACK = 3_600_000_000_000  # nanoseconds that a look goes back when the clock was set back


class Folder(Source):
    """``path``: the folder, without those within it; ``pattern``: which names; hidden ones never. An event has the type
    ``overwinter.file``, the name as its subject, and ``path``, ``name``, ``size`` and ``modified`` (seconds since the
    epoch) as its data."""

    def __init__(
        self, path: str | Path, *, pattern: str = "*", every: Duration = "10s", settle: Duration = "1s"
    ) -> None:
        given = cast("object", path)
        if not isinstance(given, (str, Path)) or not str(given) or "\0" in str(given):
            raise InvalidInput(f"{path!r:.80} is no path of a folder")
        self.path = Path(path).absolute()
        self._pattern = pattern
        self._settle = int(seconds(settle) * 1e9)
        if "/" in named(f"the pattern for {self.path}", pattern):
            raise InvalidInput(f"{pattern[:80]!r} would match no name: a folder is read without those within it")
        super().__init__(f"folder {self.path} {pattern}", every)

    async def look(self, since: Any) -> Found:
        return await asyncio.to_thread(self._look, since or {"at": 0, "known": []})

    def _look(self, since: dict[str, Any]) -> Found:
        """``at``: the moment from which on files are looked at, ``known``: those of them that have been found,
        ``newest``: of these the last moment, ``looked``: the time of the look. Earlier releases know the first two."""
        now, known, begin = time.time_ns(), set(since["known"]), since["at"]
        newest = since.get("newest", begin)
        if now < since.get("looked", now):
            begin = newest = min(begin, now - BACK)
        there = sorted(one for one in self._files() if one[0] >= begin)
        unsettled = [moment for moment, stat, _ in there if now - self._settle < stat.st_mtime_ns <= now]
        found = [one for one in there if not now - self._settle < one[1].st_mtime_ns <= now]
        fresh = [one for one in found if _id(one[1], one[2]) not in known]
        more = len(fresh) > MOST and fresh[MOST][0] > fresh[0][0]
        at = min([newest, *unsettled])
        if more:  # all of one moment together: the next look begins there
            at = min(at, fresh[MOST][0])
            found = [one for one in found if one[0] <= fresh[MOST][0]]
            fresh = [one for one in fresh if one[0] <= fresh[MOST][0]]
        known = {_id(stat, name) for moment, stat, name in found if moment >= at}
        newest = min(now, max([newest, *(moment for moment, _, _ in found)]))  # to come are moments of a wrong clock
        events = [self._event(stat, name) for _, stat, name in fresh]
        return Found(events, {"at": at, "known": sorted(known), "newest": newest, "looked": now}, more)

    def _files(self) -> Iterator[tuple[int, os.stat_result, str]]:
        """When each came to be there as it is, by the clock of its file system. Raises OSError."""
        with os.scandir(self.path) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not fnmatch.fnmatchcase(entry.name, self._pattern):
                    continue
                try:
                    here, stat = entry.stat(follow_symlinks=False), entry.stat()
                except FileNotFoundError:  # it has gone meanwhile
                    continue
                except OSError:
                    if not entry.is_symlink():
                        raise
                    continue  # a link that leads nowhere
                if S_ISREG(stat.st_mode):
                    yield max(here.st_ctime_ns, stat.st_ctime_ns), stat, entry.name

    def _event(self, stat: os.stat_result, name: str) -> CloudEvent:
        shown = os.fsencode(name).decode("utf-8", "replace")
        return CloudEvent(
            type="overwinter.file",
            source=f"file://{quote(os.fsencode(self.path))}",
            id=_id(stat, name),
            subject=held(shown),
            data={
                "path": f"{self.path}/{shown}",
                "name": shown,
                "size": stat.st_size,
                "modified": stat.st_mtime_ns / 1e9,
            },
        )


def _id(stat: os.stat_result, name: str) -> str:
    return f"{quote(os.fsencode(name))}@{stat.st_mtime_ns}.{stat.st_size}"
