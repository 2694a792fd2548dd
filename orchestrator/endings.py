"""How an execution's end reads in code: its output as a typed value, or the error that is raised for it."""

from __future__ import annotations

from typing import Any

from ..state.codec import decoder
from ..state.errors import ExecutionCancelled, ExecutionFailed, ExecutionStuck, ExecutionTerminated, InvalidInput
from .control import error_of
from .errors.groups import said
from .protocol.decider import Fact


def typed_output(value: Any, function: object | None, id: str) -> Any:
    """What a function gave, as the type that it declares now. Raises InvalidInput when that does not fit."""
    decode_value = decoder(getattr(function, "output", Any))
    try:
        return value if decode_value is None else decode_value(value)
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"{id} gave a value that does not fit what its function declares now ({error}); read it with typed=False"
        ) from None


def end_error(id: str, ending: Fact) -> Exception:
    """What is raised for an execution that did not complete: by its final entry, or ``stuck``."""
    kind = ending["type"]
    if kind == "failed":
        cause = error_of(ending)
        error: Exception = ExecutionFailed(f"{id} failed: {said(cause)}", execution=id, cause=cause)
        error.__cause__ = cause
        return error
    if kind == "stuck":
        return ExecutionStuck(f"{id} is stuck: {ending['error']}", execution=id)
    ended = ExecutionCancelled if kind == "cancelled" else ExecutionTerminated
    return ended(f"{id} was {kind}: {ending.get('reason') or 'no reason given'}", execution=id)
