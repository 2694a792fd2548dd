"""Decorated functions stay plain functions: callable in tests as they were written, and loadable by platforms
that insist on ``types.FunctionType``. The durable object behind one hangs on it as ``__overwinter__``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


def target(original: Callable[P, R], served: object) -> Callable[P, R]:
    """A plain function that behaves as ``original`` and carries ``served`` (a Tool or a Workflow)."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    call.__overwinter__ = served  # type: ignore[attr-defined]
    return cast("Callable[P, R]", call)


def served(thing: object) -> object:
    """The Tool, Workflow or Agent behind a decorated function or object; the thing itself otherwise."""
    return getattr(thing, "__overwinter__", thing)
