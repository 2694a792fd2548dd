"""What all processes of a test write down, one line after another in one file: the order in which things happened.

A line is written by one ``write`` to a file opened for appending, so lines of several processes never mix, and
a line that stands before another was written before it. What a process was writing when it was killed may be
broken off; it harms no other line.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

Note = dict[str, Any]
PLACE = "OVERWINTER_TEST_NOTES"
"""The environment variable that names the file."""


@cache
def _file() -> int:
    return os.open(os.environ[PLACE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(what: str, **fields: Any) -> None:
    """Write one line."""
    os.write(_file(), f"\n{json.dumps({'what': what, **fields})}\n".encode())


def read_notes(path: Path) -> list[Note]:
    """All lines so far, in order."""
    found: list[Note] = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            found += [json.loads(line)] if line else []
        except ValueError:
            continue
    return found
