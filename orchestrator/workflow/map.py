"""``map`` and ``parallel``: many branches at once, numbered ``<operation>.<index>``.

A branch that is a function is one step, a workflow or an agent is one child execution, an async function that
takes a context is a branch with operations of its own (``<operation>.<index>.<number>``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Self, TypeVar, cast, overload

from ...state.errors import InvalidInput
from ..usercode.fields import as_coroutine
from . import arguments, child
from .completion import Completion, Results
from .group import Group, Start
from .naming import named
from .operation import Operation
from .scope import Scope
from .step import order
from .targets import Body, Served, describe, durable_name

A = TypeVar("A")
T = TypeVar("T")
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
T5 = TypeVar("T5")
Branch = Body[T] | Awaitable[T] | Callable[[], T]
Naming = str | Callable[[Any], str]
"""The name of a step for an item, or what gives it."""


def _name(naming: Naming | None, item: Any) -> str | None:
    if naming is None:
        return None
    return named(naming if isinstance(naming, str) else naming(item), "the name of a map's step")


class Branching(Scope):
    """The part of a context that does many things at once."""

    __slots__ = ()

    @overload
    def map(
        self,
        fn: Callable[[Self, A], Awaitable[T]],
        items: Iterable[A],
        *,
        concurrency: int = ...,
    ) -> Operation[list[T]]: ...
    @overload
    def map(
        self, fn: Callable[[A], Awaitable[T]], items: Iterable[A], *, concurrency: int = ..., name: Naming | None = ...
    ) -> Operation[list[T]]: ...
    @overload
    def map(
        self, fn: Callable[[A], T], items: Iterable[A], *, concurrency: int = ..., name: Naming | None = ...
    ) -> Operation[list[T]]: ...
    @overload
    def map(self, fn: Served[T], items: Iterable[Any], *, concurrency: int = ...) -> Operation[list[T]]: ...
    @overload
    def map(
        self,
        fn: Callable[[Self, A], Awaitable[T]],
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
        name: Naming | None = ...,
        completion: Completion,
    ) -> Operation[Results[T]]: ...
    @overload
    def map(
        self,
        fn: Callable[[A], T],
        items: Iterable[A],
        *,
        concurrency: int = ...,
        name: Naming | None = ...,
        completion: Completion,
    ) -> Operation[Results[T]]: ...
    @overload
    def map(
        self,
        fn: Served[T],
        items: Iterable[Any],
        *,
        concurrency: int = ...,
        completion: Completion,
    ) -> Operation[Results[T]]: ...
    @overload
    def map(self, fn: str, items: Iterable[Any], *, concurrency: int = ...) -> Operation[list[Any]]: ...
    @overload
    def map(
        self,
        fn: str,
        items: Iterable[Any],
        *,
        concurrency: int = ...,
        completion: Completion,
    ) -> Operation[Results[Any]]: ...
    def map(
        self,
        fn: Any,
        items: Iterable[Any],
        *,
        concurrency: int = 100,
        completion: Completion | None = None,
        name: Naming | None = None,
    ) -> Operation[Any]:
        """Do ``fn`` with every item, ``concurrency`` at a time.

        ``fn``: a function or tool (a step each), an async function of (ctx, item) (a branch with operations of
        its own), or a workflow, an agent or the name of one (a child each). Without ``completion`` the values
        come as a list in the order of the items, and the first error is raised after the rest is cancelled.
        With one they come as Results; CompletionFailed when the rule can't be met any more. ``name`` names the steps
        (default: the function's name): a text, or a function of the item.
        """
        run, op = self._run, self._next()
        given = arguments.items(items, "ctx.map(items=…)")
        arguments.rule(completion, "ctx.map(completion=…)")
        arguments.naming(name, "ctx.map(name=…)")
        if name is not None and (durable_name(fn) is not None or describe(fn).branch):
            raise InvalidInput("name names the steps of a map over a function; branches and children go by their own")
        if durable_name(fn) is not None:
            start: Start = lambda index: child.begin(run, f"{op}.{index}", fn, given[index])  # noqa: E731  # one of three
        elif describe(fn).branch:
            start = lambda index: self._branch(op, index, fn, given[index])  # noqa: E731  # one of three
        else:
            start = lambda index: order(run, f"{op}.{index}", fn, (given[index],), {}, _name(name, given[index]))  # noqa: E731  # one of three
        with arguments.named_by("ctx.map"):
            group = Group(run, op, len(given), start, concurrency, completion)
        group.begin()
        return group

    @overload
    def parallel(  # pyright: ignore[reportOverlappingOverload]  # a list of one type, a tuple of several: as asyncio.gather
        self,
        a: Branch[T1],
        b: Branch[T2],
        /,
        *,
        concurrency: int | None = ...,
        names: Sequence[str] | None = ...,
    ) -> Operation[tuple[T1, T2]]: ...
    @overload
    def parallel(
        self,
        a: Branch[T1],
        b: Branch[T2],
        c: Branch[T3],
        /,
        *,
        concurrency: int | None = ...,
        names: Sequence[str] | None = ...,
    ) -> Operation[tuple[T1, T2, T3]]: ...
    @overload
    def parallel(
        self,
        a: Branch[T1],
        b: Branch[T2],
        c: Branch[T3],
        d: Branch[T4],
        /,
        *,
        concurrency: int | None = ...,
        names: Sequence[str] | None = ...,
    ) -> Operation[tuple[T1, T2, T3, T4]]: ...
    @overload
    def parallel(
        self,
        a: Branch[T1],
        b: Branch[T2],
        c: Branch[T3],
        d: Branch[T4],
        e: Branch[T5],
        /,
        *,
        concurrency: int | None = ...,
        names: Sequence[str] | None = ...,
    ) -> Operation[tuple[T1, T2, T3, T4, T5]]: ...
    @overload
    def parallel(
        self, *branches: Body[T] | Awaitable[T], concurrency: int | None = ..., names: Sequence[str] | None = ...
    ) -> Operation[list[T]]: ...
    @overload
    def parallel(
        self,
        *branches: Body[T] | Awaitable[T],
        concurrency: int | None = ...,
        completion: Completion,
        names: Sequence[str] | None = ...,
    ) -> Operation[Results[T]]: ...
    @overload
    def parallel(
        self, *branches: Callable[[], T], concurrency: int | None = ..., names: Sequence[str] | None = ...
    ) -> Operation[list[T]]: ...
    @overload
    def parallel(
        self,
        *branches: Callable[[], T],
        concurrency: int | None = ...,
        completion: Completion,
        names: Sequence[str] | None = ...,
    ) -> Operation[Results[T]]: ...
    def parallel(
        self,
        *branches: Any,
        concurrency: int | None = None,
        completion: Completion | None = None,
        names: Sequence[str] | None = None,
    ) -> Operation[Any]:
        """Do all branches at once. A branch is an async function of (ctx) with operations of its own, a function
        without arguments (a step), or an awaitable, such as an operation. Results and errors as in ``map``; like
        asyncio.gather it gives a list, which to type checkers is a tuple as far as five branches.

        ``names``, one for each branch, are told with their operations, errors and outcomes. They identify nothing: a
        running execution may be given others.
        """
        run, op = self._run, self._next()
        arguments.rule(completion, "ctx.parallel(completion=…)")
        called = arguments.names(names, len(branches), "ctx.parallel(names=…)")
        run.branches.update({f"{op}.{index}": name for index, name in enumerate(called)})
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

        with arguments.named_by("ctx.parallel"):
            group = Group(run, op, len(branches), start, concurrency, completion, called)
        if coroutines:
            group.add_done_callback(lambda _: [coroutine.close() for coroutine in coroutines])
        group.begin()
        return group

    def branch(self, fn: Body[T], *args: Any, name: str | None = None) -> Operation[T]:
        """Begin one branch: an async function of ``(ctx, *args)`` with operations of its own, numbered under this one.
        It gives what the function returns, runs on beside what follows, and can be cancelled. ``name`` is told with its
        operations, as in ``parallel``."""
        if durable_name(fn) is not None or not describe(fn).branch:
            raise InvalidInput(
                f"ctx.branch takes an async function whose first parameter is a ctx, not {fn!r}; ctx.call takes "
                "everything else"
            )
        called = None if name is None else named(name, "the name of a branch")
        op = self._next()
        if called is not None:
            self._run.branches[op] = called
        ctx = type(self)(self._run, f"{op}.")
        return cast("Operation[T]", self._run.loop.create_task(as_coroutine(fn, ctx, *args)))

    def _branch(self, op: str, index: int, fn: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        return self._run.loop.create_task(as_coroutine(fn, type(self)(self._run, f"{op}.{index}."), *args))
