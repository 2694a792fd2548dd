"""``call``: another function, agent or workflow, whichever it is, with one input."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

from . import child
from .operation import Operation
from .scope import Scope
from .step import order
from .targets import NOTHING, Body, Served, applied, describe, durable_name

A = TypeVar("A")
T = TypeVar("T")


class Handing(Scope):
    """The part of a context that hands work to whoever does it."""

    __slots__ = ()

    @overload
    def call(self, target: str, input: Any = ...) -> Operation[Any]: ...
    @overload
    def call(self, target: Served[T], input: Any = ...) -> Operation[T]: ...
    @overload
    def call(self, target: Callable[[A], Awaitable[T]], input: A) -> Operation[T]: ...
    @overload
    def call(self, target: Body[T], input: Any = ...) -> Operation[T]: ...
    @overload
    def call(self, target: Callable[..., T], input: Any = ...) -> Operation[T]: ...
    def call(self, target: Any, input: Any = NOTHING) -> Operation[Any]:
        """Call ``target`` with ``input`` and await its output, typed as the target declares it.

        A function or tool is called as a step; an input that is a mapping is spread over its parameters when
        there are several. A workflow, an agent, or the name of one runs as an attached child execution.
        """
        run, op = self._run, self._next()
        if durable_name(target) is not None:
            return child.begin(run, op, target, input)
        fn = applied(target, input)
        return order(run, op, fn, (), {}, describe(target).name)
