"""Whether the file that is open is the one at its path. A process goes on writing into a file that was deleted, moved
away or replaced, and everybody else sees another one, or none: so the path is looked at while the file is open.

Compared are device and inode of the file, its log and the log's index, and whether the file was emptied. The file is
never opened for that: closing it again would drop every lock that SQLite holds on it in this process, and the next
process to leave would take itself for the last one and delete the log. What is written over the file in place is not
noticed so; SQLite finds such a file damaged.
"""

from __future__ import annotations

import time
from pathlib import Path

from ..errors import StoreLost

EVERY = 1.0
"""Seconds between two looks of a process that is busy. One that was idle looks before its next change."""

_PARTS = ("", "-wal", "-shm")
_HEADER = 100
"""Bytes that every file of SQLite's begins with."""
_Mark = tuple[int, int]


class Place:
    """The path of one open file. ``look`` may be asked from any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names = [Path(f"{path}{part}") for part in _PARTS]
        self._marks: list[_Mark | None] = []
        self._looked = 0.0

    def remember(self) -> None:
        """What is there now is what was opened."""
        self._marks = [_mark(name) for name in self._names]
        self._looked = time.monotonic()

    def look_now_and_then(self) -> None:
        """Look, unless that was done a moment ago. Raises StoreLost."""
        if time.monotonic() - self._looked > EVERY:
            self.look()

    def look(self) -> None:
        """Raises StoreLost when what is at the path is not what was opened."""
        found = [_mark(name) for name in self._names]
        for name, opened, now in zip(self._names, self._marks, found, strict=True):
            if opened is not None and opened != now:
                what = "was deleted or moved away" if now is None else "was replaced by another file"
                raise StoreLost(f"{name} {what} while {self._advice()}")
        if not _is_whole(self._names[0]):
            raise StoreLost(f"{self._path} was emptied while {self._advice()}")
        self._marks = [opened or now for opened, now in zip(self._marks, found, strict=True)]  # a log that is new
        self._looked = time.monotonic()

    def _advice(self) -> str:
        return (
            "this process had it open; what it wrote since may be lost, and nothing more is taken in. Put the file "
            "back if it was moved, else start the process again"
        )


def _mark(name: Path) -> _Mark | None:
    try:
        found = name.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _is_whole(name: Path) -> bool:
    return name.stat().st_size >= _HEADER
