"""The tool that a thing is: a ``@tool``, a plain function, the method of an object."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from ...state.errors import InvalidInput
from ..framework.target import served
from .methods import one_for
from .tool import Tool


def made(thing: object, whose: str) -> Tool | None:
    """None for what is no function. Raises InvalidInput, in which ``whose`` it is ("agent 'desk'"), for a method of no
    object."""
    it: Any = served(thing)
    if not isinstance(it, Tool) and (not callable(it) or isinstance(it, type)):
        return None
    tool = it if isinstance(it, Tool) else _wrapped(it)
    if tool.unbound:
        raise InvalidInput(f"{whose}: {tool.unbound}")
    return tool


def _wrapped(function: Callable[..., Any]) -> Tool:
    """A plain function as a tool; the same one for all that name it, where it can be noted."""
    if isinstance(function, MethodType):
        return one_for(function, lambda: Tool(function))
    tool = Tool(function)
    if isinstance(function, FunctionType):
        function.__overwinter__ = tool  # type: ignore[attr-defined]  # where served() looks
    return tool
