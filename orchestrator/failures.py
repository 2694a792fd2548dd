"""Errors into the journal and back. An exception returns as its own class, with message and data.

Only classes that are already loaded are looked up (never imported), and only exceptions are made.
"""

from __future__ import annotations

import builtins
import sys
from typing import Any

from ..state import errors
from ..state.codec import clean, dumps, mended
from ..state.errors import InvalidInput, StepFailed

MESSAGE_LIMIT = 8 * 1024
DETAIL_LIMIT = 64 * 1024
"""Characters of JSON that arguments, or one attribute, of an error may have; above it they are left out."""
Failure = dict[str, Any]


def encode(error: BaseException) -> Failure:
    """``{"kind": "module.Class", "message", "args"?, "data"?, "op"?}``; what has no JSON form is left out."""
    cls = type(error)
    failure: Failure = {"kind": f"{cls.__module__}.{cls.__qualname__}", "message": clean(str(error)[:MESSAGE_LIMIT])}
    args = _plain(list(error.args))
    if args is not None and args != [failure["message"]]:
        failure["args"] = args
    data = {key: _plain(value) for key, value in vars(error).items() if not key.startswith("_")}
    data = {key: value for key, value in data.items() if value is not None}
    if data:
        failure["data"] = data
    operation = getattr(error, "_overwinter_op", None)
    if operation is not None:
        failure["op"] = operation
    return failure


def decode(failure: Failure) -> Exception:
    """The exception that ``encode`` was given, or StepFailed when its class is not loaded here."""
    kind = str(failure.get("kind", ""))
    message = str(failure.get("message", ""))
    data: dict[str, Any] = failure.get("data") or {}
    cls = _find(kind)
    if cls is None:
        return StepFailed(message, kind=kind, data=data)
    args: tuple[Any, ...] = tuple(failure.get("args", [message]))
    try:
        # Not __init__: its signature is the class's own affair, except where the interpreter keeps state in it.
        error = cls(*args) if cls.__module__ == "builtins" else cls.__new__(cls, *args)
        error.args = args
        error.__dict__.update(data)
    except (TypeError, ValueError, AttributeError, LookupError, RuntimeError):  # it can't be made from its arguments
        return StepFailed(message, kind=kind, data=data)
    return error


def interrupted() -> StepFailed:
    """The outcome of a call that cancelled itself (raised CancelledError without being cancelled)."""
    return StepFailed("the call raised CancelledError by itself", kind="asyncio.CancelledError")


def mark(error: BaseException, op: str) -> None:
    """Remember which operation an error came from, so that ``retry`` knows where to start again."""
    error._overwinter_op = op  # type: ignore[attr-defined]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseException):
        return None
    try:
        found = mended(value)
    except InvalidInput:
        return None
    return found if len(dumps(found)) <= DETAIL_LIMIT else None


def _find(kind: str) -> type[Exception] | None:
    module_name, _, name = kind.rpartition(".")
    if module_name == "builtins":
        found: Any = getattr(builtins, name, None)
    elif module_name == errors.__name__:
        found = getattr(errors, name, None)
    else:
        found = _nested(kind)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _nested(kind: str) -> Any:
    parts = kind.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:cut]))
        if found is not None:
            for part in parts[cut:]:
                found = getattr(found, part, None)
            return found
    return None
