"""Where in the user's code an error came from: files, lines and functions, outermost first, and no values.

Kept are the frames of the program's own code, that is, what is neither this library nor installed beside it; when there
are none, those of installed libraries. Files are named as from the folder they are imported from.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any, cast

Frame = tuple[str, int, str]
"""File, line, function."""

FIRST, LAST = 3, 9
"""How many frames are kept from the beginning and from the end of a longer trace."""

_PACKAGE = Path(__file__).parents[2]
_ROOMS = tuple(
    f"{_PACKAGE / room}/" for room in ("cli", "functions", "orchestrator", "patterns", "security", "state", "testing")
)


def frames(error: BaseException) -> list[Frame]:
    """Where it was raised, and through what it came."""
    own: list[Frame] = []
    others: list[Frame] = []
    trace: TracebackType | None = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        kind = _kind(code.co_filename)
        if kind:
            frame = (_named(code.co_filename), trace.tb_lineno, code.co_qualname)
            (own if kind == "own" else others).append(frame)
        trace = trace.tb_next
    return bounded(own or others)


def caller(within: CodeType) -> str:
    """ "shop.py:31", the line of the program's own code that has called what runs now, looked for as far down as the
    function of that code; "" when there is none."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # inspect.currentframe is the same
    while frame is not None and frame.f_code is not within:
        if _kind(frame.f_code.co_filename) == "own":
            return f"{_named(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def bounded(found: list[Frame]) -> list[Frame]:
    """At most so many that a record stays small, and none twice in a row, as recursion makes them."""
    plain = [frame for index, frame in enumerate(found) if index == 0 or frame != found[index - 1]]
    return plain if len(plain) <= FIRST + LAST else [*plain[:FIRST], *plain[-LAST:]]


def read(record: object) -> list[Frame]:
    """The frames of a recorded error; what is no frame is left out."""
    if not isinstance(record, list):
        return []
    return [
        (file, line, function)
        for file, line, function in (frame for frame in record if isinstance(frame, (list, tuple)) and len(frame) == 3)  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]  # JSON
        if isinstance(file, str) and isinstance(line, int) and isinstance(function, str)
    ]


def without(record: Any) -> Any:
    """A recorded error for somebody who only uses the program: what went wrong, and not where in its code."""
    if isinstance(record, list):
        return [without(item) for item in record]  # pyright: ignore[reportUnknownVariableType]  # JSON
    if not isinstance(record, dict):
        return record
    held = cast("dict[str, Any]", record)
    error = "kind" in held and "message" in held
    return {key: without(value) for key, value in held.items() if not (error and key == "trace")}


@lru_cache(maxsize=1024)
def _kind(file: str) -> str:
    """ "own", "installed", or "" for what says nothing about the program: this library, Python's own, no file."""
    if file.startswith("<") or file.startswith(_ROOMS):
        return ""
    if file.startswith(_folders("purelib", "platlib")) or "/site-packages/" in file or "/dist-packages/" in file:
        return "installed"
    return "" if file.startswith(_folders("stdlib", "platstdlib")) else "own"


@lru_cache(maxsize=2)
def _folders(*names: str) -> tuple[str, ...]:
    """Where Python keeps these; asked at the first error, because the answer takes milliseconds to load."""
    import sysconfig

    return tuple({f"{path}/" for name in names if (path := sysconfig.get_path(name))})


@lru_cache(maxsize=1024)
def _named(file: str) -> str:
    """The file as from the nearest folder that things are imported from; never a whole path of this machine."""
    path = Path(file)
    folders = [Path(folder or ".").absolute() for folder in (*sys.path, "")]
    inside = [folder for folder in folders if path.is_relative_to(folder)]
    if inside:
        return path.relative_to(max(inside, key=lambda folder: len(folder.parts))).as_posix()
    return "/".join(path.parts[-2:])
