"""The annotations of a user's function, and what to call it when one of them can't be used."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

_MISSING: Any = object()


def annotation(fn: Callable[..., Any], parameter: str) -> Any:
    """The annotation of a parameter, or of "return"; Any when there is none. Raises TypeError naming it."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    if not hasattr(fn, "__annotations__"):
        fn = getattr(fn, "__call__", fn)  # noqa: B004  # an object that is called through its class
    try:
        found = getattr(fn, "__annotations__", {}).get(parameter, Any)
        if isinstance(found, str):
            found = _evaluate(fn, found)
    except NameError as error:
        raise TypeError(
            f"an annotation of {name_of(fn)} can't be resolved ({error}); define the type at module level"
        ) from None
    if parameter == "return" and typing.get_origin(found) in (Awaitable, Coroutine):
        found = typing.get_args(found)[-1]
    return found


def name_of(fn: Any) -> str:
    """Its name; of a lambda, what it calls."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    name = getattr(fn, "__name__", None)
    if name is None:
        return str(getattr(fn, "name", type(fn).__name__))
    if name == "<lambda>":
        called: tuple[str, ...] = fn.__code__.co_names
        return f"lambda:{called[0]}" if called else "lambda"
    return str(name)


def _evaluate(fn: Callable[..., Any], text: str) -> Any:
    fn = inspect.unwrap(fn)
    code: types.CodeType | None = getattr(fn, "__code__", None)
    names: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars if code else (), getattr(fn, "__closure__", None) or (), strict=False):
        names[name] = getattr(cell, "cell_contents", _MISSING)
    return eval(text, getattr(fn, "__globals__", {}), names)
