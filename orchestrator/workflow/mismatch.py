"""Where code and journal disagree, in words that say what to do. Nothing here costs anything until they do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..decider import Fact

_HERE = str(Path(__file__).parent)
_ASYNCIO = str(Path(asyncio.__file__).parent)


def identity(entry: Fact) -> tuple[str, str]:
    """Kind and name of the operation that an entry belongs to."""
    if entry["type"] in ("ordered", "timer"):
        return entry.get("kind", ""), entry.get("name", "")
    return "step", entry.get("name", "")


def asked(id: str, op: str, wanted: tuple[str, str], entry: Fact) -> str:
    """The code asked for something else than the journal holds."""
    return (
        f"{_caller()} asked for {said(wanted)} as operation {op}, but the journal recorded "
        f"{said(identity(entry))} there{_advice(id)}"
    )


def unasked(id: str, entry: Fact, main: asyncio.Task[Any] | None, ending: Fact | None) -> str:
    """The journal goes on with something that the code has not asked for."""
    recorded = f"the journal goes on with {_entry(entry)}, but "
    if ending is None:
        return f"{recorded}the code has not asked for that{place(main)}{_advice(id)}"
    if ending["type"] == "failed":
        error = ending["error"]
        how = f"has failed with {error['kind'].removeprefix('builtins.')}: {error['message']}"
    else:
        how = "has returned" if ending["type"] == "completed" else "has ended as cancelled"
    return f"{recorded}the code {how}{_advice(id)}"


def said(operation: tuple[str, str]) -> str:
    kind, name = operation
    return f"{kind} {name!r}" if name else f"a {kind}"


def place(task: asyncio.Task[Any] | None) -> str:
    """Where a task is suspended, as ``; it waits at shop.py:41``."""
    if task is None or task.done():
        return ""
    awaited: Any = task.get_coro()
    found: str = ""
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None and _foreign(frame.f_code):
            found = _line(frame)
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return f"; it waits at {found}" if found else ""


def _entry(entry: Fact) -> str:
    op = entry.get("op")
    where = f" (operation {op})" if op is not None else ""
    if entry["type"] in ("child", "decided", "callback", "beat", "sent"):
        return f"a {entry['type']!r} entry{where}"
    if op is None:
        return f"a {entry['type']!r} entry"
    return f"{said(identity(entry))}{where}"


def _advice(id: str) -> str:
    return (
        ". The code has changed under a running execution: restore what it was, or make the change so that "
        f"running executions still ask for the same, then `overwinter resume {id}`"
    )


def _caller() -> str:
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # inspect.currentframe is the same
    while frame is not None and not _foreign(frame.f_code):
        frame = frame.f_back
    return "the code" if frame is None else _line(frame)


def _foreign(code: CodeType) -> bool:
    """Whether the code is the user's: neither asyncio's nor ours."""
    return not code.co_filename.startswith((_HERE, _ASYNCIO, "<frozen"))


def _line(frame: FrameType) -> str:
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
