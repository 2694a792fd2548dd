"""Where a thread stands: the line of somebody's own code, and for which execution it runs. Read from another thread,
from the frames alone, so that nothing has to be noted on the way of a step."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from ..protocol.decider import Invoke
from .activation import Activation
from .performing import Performer

_OURS = ("cli", "functions", "orchestrator", "security", "state", "telemetry", "testing")
_WAITING = ("asyncio", "selectors", "uvloop")  # where an event loop waits for something to happen
_LOOPS = ("_run_once", "run_forever", "run_until_complete", "run")
_INVOKE = Performer.invoke.__code__


class Standing(NamedTuple):
    """``where`` reads "render (shop.py:12)"; "" when the event loop waits."""

    where: str
    execution: str
    call: str  # the name of the step, model or tool; "" in a workflow's own code

    def __str__(self) -> str:
        told = self.where or "code that can't be named"
        if self.call:
            told += f", called as {self.call!r}"
        return f"{told}, by {self.execution}" if self.execution else told


def standing(thread: int | None) -> Standing:
    """Where the thread of that ident is at this moment."""
    frame = None if thread is None else sys._current_frames().get(thread)  # pyright: ignore[reportPrivateUsage]  # it is documented
    if frame is None:
        return Standing("", "", "")
    own = next((one for one in _outwards(frame) if _origin(one) == "own"), None)
    if own is None and _root(frame) not in _WAITING:
        own = frame
    execution, call = next(filter(None, map(_purpose, _outwards(frame))), ("", ""))
    where = ""
    if own is not None:
        where = f"{own.f_code.co_qualname} ({Path(own.f_code.co_filename).name}:{own.f_lineno})"
    return Standing(where, execution, call)


def _outwards(frame: FrameType) -> Iterator[FrameType]:
    """The frame and its callers, up to the event loop."""
    one: FrameType | None = frame
    while one is not None and not (one.f_code.co_name in _LOOPS and _root(one) == "asyncio"):
        yield one
        one = one.f_back


def _purpose(frame: FrameType) -> tuple[str, str] | None:
    """Execution and call, when this is the frame of ours that knows them."""
    if frame.f_code is _INVOKE:
        execution, call = frame.f_locals.get("execution"), frame.f_locals.get("call")
        return str(execution), call.name if isinstance(call, Invoke) else ""
    if _origin(frame) == "ours" and frame.f_code.co_varnames[:1] == ("self",):
        held = frame.f_locals.get("self")
        return (held.id, "") if isinstance(held, Activation) else None
    return None


def _origin(frame: FrameType) -> str:
    """Whose code it is: "ours", the library's; "others", a library's or Python's; "own", somebody's own."""
    name, _, room = str(frame.f_globals.get("__name__", "")).partition(".")
    if name == __name__.partition(".")[0] and room.partition(".")[0] in _OURS:
        return "ours"
    return "others" if frame.f_code.co_filename.startswith(_foreign()) else "own"


@cache
def _foreign() -> tuple[str, ...]:
    """Where code lies that is nobody's own; asked when somebody looks, because it takes milliseconds to load."""
    import sysconfig

    return (*{sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}, "<frozen")


def _root(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
