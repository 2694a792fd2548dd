"""Where code and journal disagree, in words that say what to do. Nothing here costs anything until they do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol, cast

from ...state.codec import dumps
from ..errors.attributes import cut, storable
from ..errors.groups import said_in
from ..protocol.decider import Fact

_HERE = str(Path(__file__).parent)
_ASYNCIO = str(Path(asyncio.__file__).parent)
_EXCERPT = 300
_RETYPE = (
    ". Either the code has changed under a running execution, or another process that made this has another type for "
    "it: bring both together, or make a type that takes what was recorded too (a default, a union), then "
    "`overwinter resume "
)


class Waits(Protocol):
    """An operation, as far as its description needs it; it is a future as well."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def op(self) -> str: ...


def identity(entry: Fact) -> tuple[str, str]:
    """Kind and name of the operation that an entry belongs to."""
    if entry["type"] in ("ordered", "timer"):
        return entry.get("kind", ""), entry.get("name", "")
    return "step", entry.get("name", "")


def args_of(entry: Fact) -> str | None:
    """The fingerprint of what the operation of an entry was given; None when the entry does not say, as those of
    operations without arguments and of older releases. An approval's is the digest of what was asked."""
    found: str | None = entry.get("args", entry.get("digest"))
    return found


def differ(args: str | None, entry: Fact) -> bool:
    """Whether the code gives an operation something else than what was recorded."""
    if args is None:
        return False
    recorded = entry.get("args", entry.get("digest"))
    return recorded is not None and recorded != args


def given(id: str, op: str, wanted: tuple[str, str], args: str | None, entry: Fact) -> str:
    """The code asked for the same operation with something else."""
    return (
        f"{_caller()} asked for {said(wanted)} as operation {op} with other arguments than the journal recorded there: "
        f"their fingerprint is {args or 'that of none'}, recorded is {args_of(entry)}. Either the code has changed "
        "under a running execution, or what it passes differs from run to run: the order of a set, the time, chance, "
        "the environment. Make it pass the same again (sort sets; ctx.now(), ctx.random()), or leave out of the "
        f"comparison what may differ (fingerprint=False), then `overwinter resume {id}`"
    )


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
        how = f"has failed with {said_in(ending['error'])}"
    else:
        how = "has returned" if ending["type"] == "completed" else "has ended as cancelled"
    return f"{recorded}the code {how}{_advice(id)}"


def unfit(id: str, waiting: Waits, what: str, value: Any, error: Exception) -> str:
    """What was recorded no longer has the type that the code declares for it."""
    return f"{_waits(waiting)} {what}, recorded as {shown(value)}, which does not fit: {problems(error)}{_RETYPE}{id}`"


def unfit_input(id: str, place: str, kind: str, value: Any, error: Exception) -> str:
    """The input that an execution was started or went on with no longer has the type that its function declares."""
    what = "an input that was accepted" if kind == "start" else "a checkpoint"
    return f"{place} is to begin with {what}, recorded as {shown(value)}, but {error}{_RETYPE}{id}`"


def result(waiting: Waits) -> str:
    """What is awaited, by its kind."""
    name = {"step": "the result of step", "child": "the output of child", "callback": "the value of callback"}
    return f"{name.get(waiting.kind, waiting.kind)} {waiting.name!r} (operation {waiting.op})"


def misfit(what: str, name: str, value: Any, error: Exception, example: str = "") -> str:
    """Something from outside that does not have the type that the code waits for, of which there may be an example."""
    such = f"; such as this would: {example}" if example else ""
    found = f"{problems(error)} ({shown(value)})"
    return f"the {what} {name!r} does not have the type that the execution waits for: {found}{such}"


def shown(value: Any) -> str:
    """A value as an excerpt of its JSON."""
    return cut(dumps(value), _EXCERPT)


def problems(error: Exception) -> str:
    """What a validation found, in one line."""
    found: Any = getattr(error, "errors", None)
    if not callable(found):
        return cut(str(error), _EXCERPT)
    listed: Any = found(include_url=False, include_context=False, include_input=False)
    return storable(
        "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}".removeprefix(": ") for one in listed[:5]
        )
    )


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


def _waits(waiting: Waits) -> str:
    """The line that asks for what is at hand, or that waits for it."""
    line = _line_of(cast("asyncio.Future[Any]", waiting))
    if line:
        return f"{line} waits for"
    caller = _caller()
    return "the code waits for" if caller == "the code" else f"{caller} asked for"


def _line_of(future: asyncio.Future[Any]) -> str:
    """Where the task that awaits a future is suspended, through whatever gathers futures."""
    callbacks: Any = getattr(future, "_callbacks", None)
    for callback, *_ in callbacks or ():
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, asyncio.Task):
            return place(owner).removeprefix("; it waits at ") or _line_of(owner)  # pyright: ignore[reportUnknownArgumentType]  # a task of anything
        if isinstance(owner, asyncio.Future):
            return _line_of(owner)  # pyright: ignore[reportUnknownArgumentType]  # a future of anything
    return ""


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
