"""``@workflow``: an async function becomes a durable workflow and stays a plain function."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ParamSpec, TypeVar, overload

from ..orchestrator.usercode.resilience import Retry
from ..orchestrator.workflow.function import UNSAID, Workflow
from .framework.target import target

P = ParamSpec("P")
T = TypeVar("T")
Flow = Callable[P, Coroutine[Any, Any, T]]


@overload
def workflow(fn: Flow[P, T], /) -> Flow[P, T]: ...
@overload
def workflow(
    *, name: str | None = ..., retry: Retry | None = ..., output: Any = ..., uses: Iterable[object] = ...
) -> Callable[[Flow[P, T]], Flow[P, T]]: ...
def workflow(
    fn: Flow[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    retry: Retry | None = None,
    output: Any = UNSAID,
    uses: Iterable[object] = (),
) -> Callable[..., Any]:
    """Make ``async def fn(ctx)`` or ``async def fn(ctx, input)`` a workflow, served as ``name`` (default: the
    function's). Input and output are typed by the annotations; ``output`` stands in where an annotation can't
    say it. ``retry`` is the default of its steps. The agents, workflows and tools that the function names are
    served with it; ``uses`` adds those that it reaches in another way.

    Raises TypeError when the function has another form, InvalidInput for a name that can't be.
    """

    def decorate(fn: Flow[P, T]) -> Flow[P, T]:
        return target(fn, Workflow(fn, name, retry, output=output, uses=uses))

    return decorate if fn is None else decorate(fn)
