"""``map`` and ``parallel``: many branches at once, numbered ``<operation>.<index>``.

A branch that is a function is one step, a workflow or an agent is one child execution, an async function that
takes a context is a branch with operations of its own (``<operation>.<index>.<number>``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from . import child
from .completion import Completion, Results
from .group import Group, Start
from .operation import Operation
from .scope import Scope
from .step import order
from .targets import Body, Served, describe, durable_name

if TYPE_CHECKING:
    from .context import Context

A = TypeVar("A")
T = TypeVar("T")


class Branching(Scope):
    """The part of a context that does many things at once."""

    __slots__ = ()

    @overload
    def map(
        self, fn: Callable[[Context, A], Awaitable[T]], items: Iterable[A], *, concurrency: int = ...
    ) -> Operation[list[T]]: ...
    @overload
    def map(
        self, fn: Callable[[A], Awaitable[T]], items: Iterable[A], *, concurrency: int = ...
    ) -> Operation[list[T]]: ...
    @overload
    def map(self, fn: Callable[[A], T], items: Iterable[A], *, concurrency: int = ...) -> Operation[list[T]]: ...
    @overload
    def map(self, fn: Served[T], items: Iterable[Any], *, concurrency: int = ...) -> Operation[list[T]]: ...
    @overload
    def map(
        self,
        fn: Callable[[Context, A], Awaitable[T]],
        items: Iterable[A],
        *,
        concurrency: int = ...,
        completion: Completion,
    ) -> Operation[Results[T]]: ...
    @overload
    def map(
        self,
        fn: Callable[[A], Awaitable[T]],
        items: Iterable[A],
        *,
        concurrency: int = ...,
        completion: Completion,
    ) -> Operation[Results[T]]: ...
    @overload
    def map(
        self, fn: Callable[[A], T], items: Iterable[A], *, concurrency: int = ..., completion: Completion
    ) -> Operation[Results[T]]: ...
    @overload
    def map(
        self, fn: Served[T], items: Iterable[Any], *, concurrency: int = ..., completion: Completion
    ) -> Operation[Results[T]]: ...
    @overload
    def map(self, fn: str, items: Iterable[Any], *, concurrency: int = ...) -> Operation[list[Any]]: ...
    @overload
    def map(
        self, fn: str, items: Iterable[Any], *, concurrency: int = ..., completion: Completion
    ) -> Operation[Results[Any]]: ...
    def map(
        self,
        fn: Any,
        items: Iterable[Any],
        *,
        concurrency: int = 100,
        completion: Completion | None = None,
    ) -> Operation[Any]:
        """Do ``fn`` with every item, ``concurrency`` at a time.

        ``fn``: a function or tool (a step each), an async function of (ctx, item) (a branch with operations of
        its own), or a workflow, an agent or the name of one (a child each). Without ``completion`` the values
        come as a list in the order of the items, and the first error is raised after the rest is cancelled.
        With one they come as Results; CompletionFailed when the rule can't be met any more.
        """
        run, op, given = self._run, self._next(), list(items)
        if durable_name(fn) is not None:
            start: Start = lambda index: child.begin(run, f"{op}.{index}", fn, given[index])  # noqa: E731  # one of three
        elif describe(fn).branch:
            start = lambda index: self._branch(op, index, fn, given[index])  # noqa: E731  # one of three
        else:
            start = lambda index: order(run, f"{op}.{index}", fn, (given[index],), {})  # noqa: E731  # one of three
        group = Group(run, op, len(given), start, concurrency, completion)
        group.begin()
        return group

    @overload
    def parallel(self, *branches: Body[T] | Awaitable[T], concurrency: int | None = ...) -> Operation[list[T]]: ...
    @overload
    def parallel(
        self, *branches: Body[T] | Awaitable[T], concurrency: int | None = ..., completion: Completion
    ) -> Operation[Results[T]]: ...
    @overload
    def parallel(self, *branches: Callable[[], T], concurrency: int | None = ...) -> Operation[list[T]]: ...
    @overload
    def parallel(
        self, *branches: Callable[[], T], concurrency: int | None = ..., completion: Completion
    ) -> Operation[Results[T]]: ...
    def parallel(
        self, *branches: Any, concurrency: int | None = None, completion: Completion | None = None
    ) -> Operation[Any]:
        """Do all branches at once. A branch is an async function of (ctx) with operations of its own, a function
        without arguments (a step), or an awaitable, such as an operation. Results and errors as in ``map``."""
        run, op = self._run, self._next()
        coroutines = [branch for branch in branches if asyncio.iscoroutine(branch)]
        run.loop.expect(coroutines)

        def start(index: int) -> asyncio.Future[Any]:
            branch = branches[index]
            if asyncio.isfuture(branch):
                return branch
            if asyncio.iscoroutine(branch):
                return run.loop.create_task(branch)
            if describe(branch).branch:
                return self._branch(op, index, branch)
            return order(run, f"{op}.{index}", branch, (), {})

        group = Group(run, op, len(branches), start, concurrency, completion)
        if coroutines:
            group.add_done_callback(lambda _: [coroutine.close() for coroutine in coroutines])
        group.begin()
        return group

    def _branch(self, op: str, index: int, fn: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        from .context import Context

        return self._run.loop.create_task(fn(Context(self._run, f"{op}.{index}."), *args))
