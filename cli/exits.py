"""Exit codes and the one place where an expected error becomes a sentence, advice and a code.

0 done · 1 the execution or the check failed · 2 usage or invalid input · 3 not found ·
4 the store or the server is unavailable · 5 still running when the timeout passed · 74 the output can't be written ·
130 interrupted · 141 nobody reads the output any more
"""

from __future__ import annotations

from ..state.errors import (
    ExecutionCancelled,
    ExecutionFailed,
    ExecutionStuck,
    InvalidInput,
    OverwinterError,
    StoreError,
    TimedOut,
    UnknownExecution,
    UnknownFunction,
)

OK, FAILED, USAGE, NOT_FOUND, UNAVAILABLE, RUNNING, UNWRITTEN, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 3, 4, 5, 74, 130, 141


class Exit(OverwinterError):
    """An expected end of a command: a sentence, advice on what to do next, and the exit code."""

    def __init__(self, message: str, *, code: int = FAILED, advice: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.advice = advice


def code(error: OverwinterError) -> int:
    """The exit code of an error."""
    if isinstance(error, Exit):
        return error.code
    if isinstance(error, (UnknownExecution, UnknownFunction)):
        return NOT_FOUND
    if isinstance(error, InvalidInput):
        return USAGE
    if isinstance(error, StoreError):
        return UNAVAILABLE
    return RUNNING if isinstance(error, TimedOut) else FAILED


def advice(error: OverwinterError) -> str:
    """What to do next, when the error's own sentence does not say it."""
    if isinstance(error, Exit):
        return error.advice
    from .again import gone
    from .view.command import command

    execution = getattr(error, "execution", "") or "ID"
    if isinstance(error, UnknownExecution):
        return "overwinter ps --all lists what there is; --store or OVERWINTER_STATE chooses another store."
    show = command("show", execution)
    if isinstance(error, (ExecutionFailed, ExecutionStuck, ExecutionCancelled)) and gone():
        return "It was in memory and is gone; in a store that lasts it could be looked at."
    if isinstance(error, ExecutionFailed):
        return f"{show} tells why; {command('retry', execution)} goes on from the failed step."
    if isinstance(error, ExecutionStuck):
        return f"Fix the code, then: {command('resume', execution)}"
    if isinstance(error, ExecutionCancelled):
        return f"{show} tells by whom and why."
    return ""
