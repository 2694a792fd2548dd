"""``call``: another function, agent or workflow, whichever it is, with one input."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

from ...state.errors import InvalidInput
from . import child
from .naming import named
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
    def call(self, target: str, input: Any = ..., *, output: type[T]) -> Operation[T]: ...
    @overload
    def call(self, target: str, input: Any = ...) -> Operation[Any]: ...
    @overload
    def call(self, target: Served[T], input: Any = ..., *, name: str | None = ...) -> Operation[T]: ...
    @overload
    def call(self, target: Callable[[A], Awaitable[T]], input: A, *, name: str | None = ...) -> Operation[T]: ...
    @overload
    def call(self, target: Body[T], input: Any = ..., *, name: str | None = ...) -> Operation[T]: ...
    @overload
    def call(self, target: Callable[..., T], input: Any = ..., *, name: str | None = ...) -> Operation[T]: ...
    def call(
        self, target: Any, input: Any = NOTHING, *, name: str | None = None, output: Any = NOTHING
    ) -> Operation[Any]:
        """Call ``target`` with ``input`` and await its output, typed as the target declares it, or as ``output`` where
        only its name is given.

        A function or tool is called as a step; an input that is a mapping is spread over its parameters when
        there are several; ``name`` (default: its own) identifies the step on replay. A workflow, an agent, or the name
        of one runs as an attached child execution, which goes by its own name.
        """
        run, op, durable = self._run, self._next(), durable_name(target)
        if durable is not None:
            if name is not None:
                raise InvalidInput(f"name is that of a step; {durable!r} is a child execution and goes by its own")
            return child.begin(run, op, target, input, output=output)
        describe(target)  # refuses what can't be called
        if output is not NOTHING:
            raise InvalidInput(child.OUTPUT)
        fn = applied(target, input)
        called = describe(target).name if name is None else named(name, "a step's name (None: the function's)")
        return order(run, op, fn, (), {}, called)
