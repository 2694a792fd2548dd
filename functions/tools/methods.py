"""Methods as tools: that of an object is one; that of a class alone is not, since nobody says of which object."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, TypeVar

T = TypeVar("T")

_RECEIVERS = ("self", "cls")
_NESTED = "<locals>"
_bound: weakref.WeakValueDictionary[tuple[int, int], Any] = weakref.WeakValueDictionary()


def owner(function: Callable[..., Any]) -> str:
    """The class that the function was written in, when it takes an object of that first; "" for every other."""
    if not isinstance(function, FunctionType):
        return ""
    parents = function.__qualname__.split(".")[:-1]
    first = next(iter(inspect.signature(function).parameters), "")
    return parents[-1] if parents and parents[-1] != _NESTED and first in _RECEIVERS else ""


def one_for(method: MethodType, make: Callable[[], T]) -> T:
    """What ``make`` gives, the same for the same method of the same object as long as somebody has it: the agents that
    name it have one tool. What is made keeps the object, so no other can take its place meanwhile."""
    key = (id(method.__func__), id(method.__self__))
    found: T | None = _bound.get(key)
    if found is None:
        found = _bound[key] = make()
    return found
