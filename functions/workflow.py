"""``@workflow``: an async function becomes a durable workflow and stays a plain function."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, overload

from ..orchestrator.resilience import Retry
from ..orchestrator.workflow.function import Workflow
from .target import target

P = ParamSpec("P")
T = TypeVar("T")
Flow = Callable[P, Coroutine[Any, Any, T]]


@overload
def workflow(fn: Flow[P, T], /) -> Flow[P, T]: ...
@overload
def workflow(*, name: str | None = ..., retry: Retry | None = ...) -> Callable[[Flow[P, T]], Flow[P, T]]: ...
def workflow(
    fn: Flow[..., Any] | None = None, /, *, name: str | None = None, retry: Retry | None = None
) -> Callable[..., Any]:
    """Make ``async def fn(ctx)`` or ``async def fn(ctx, input)`` a workflow, served as ``name`` (default: the
    function's). Input and output are typed by the annotations. ``retry`` is the default of its steps.

    Raises TypeError when the function has another form.
    """

    def decorate(fn: Flow[P, T]) -> Flow[P, T]:
        return target(fn, Workflow(fn, name, retry))

    return decorate if fn is None else decorate(fn)
