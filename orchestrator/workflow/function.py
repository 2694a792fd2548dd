"""A workflow as the engine sees it: its name, the types of input and output, and deciders for its executions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from ...state.codec import plain
from ...state.errors import InvalidInput
from ..resilience import DEFAULT, Policy, Retry
from .context import Context
from .decider import WorkflowDecider
from .targets import annotation, decoder


class Workflow:
    """``async def fn(ctx)`` or ``async def fn(ctx, input)``, made durable.

    ``retry`` is the default for its steps. Raises TypeError when the function has another form.
    """

    kind = "workflow"

    def __init__(
        self, fn: Callable[..., Coroutine[Any, Any, Any]], name: str | None = None, retry: Retry | None = None
    ) -> None:
        self.fn = fn
        self.name = name or fn.__name__
        self.policy = DEFAULT if retry is None else Policy(retry=retry)
        self._parameter = _parameter(fn)
        self.__doc__ = fn.__doc__

    @cached_property
    def input(self) -> Any:
        """The annotation of the input; None when the workflow takes none."""
        return None if self._parameter is None else annotation(self.fn, self._parameter.name)

    @cached_property
    def output(self) -> Any:
        """The annotation of what it returns."""
        return annotation(self.fn, "return")

    @cached_property
    def _decode(self) -> Callable[[Any], Any] | None:
        return decoder(self.input, f"the input of {self.name!r}")

    def check(self, value: Any) -> Any:
        """The input as plain JSON, validated. Raises InvalidInput that names the fields."""
        value = plain(value)
        self._arguments(value)
        return value

    def body(self, ctx: Context, input: Any) -> Coroutine[Any, Any, Any]:
        """The coroutine of one life. Raises InvalidInput."""
        return self.fn(ctx, *self._arguments(input))

    def decider(self, id: str) -> WorkflowDecider:
        return WorkflowDecider(self, id)

    def _arguments(self, value: Any) -> tuple[Any, ...]:
        if self._parameter is None:
            if value is not None:
                raise InvalidInput(f"{self.name} takes no input; leave it out")
            return ()
        if value is None and self._parameter.default is not inspect.Parameter.empty:
            return ()
        if self._decode is None:
            return (plain(value),)
        try:
            return (self._decode(value),)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(str(part) for part in found['loc']) or 'input'}: {found['msg']}"
                for found in error.errors(include_url=False, include_context=False, include_input=False)
            )
            raise InvalidInput(f"the input of {self.name} is not valid: {wrong}") from None

    def __repr__(self) -> str:
        return f"<Workflow {self.name}>"


def _parameter(fn: Callable[..., Any]) -> inspect.Parameter | None:
    """The input parameter. Raises TypeError when the function can't be a workflow."""
    shape = f"a workflow is `async def {getattr(fn, '__name__', 'name')}(ctx)` or `(ctx, input)`"
    if not inspect.iscoroutinefunction(fn):
        raise TypeError(f"{shape}; this is {type(fn).__name__} without async")
    parameters = list(inspect.signature(fn).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if not 1 <= len(positional) <= 2 or len(positional) != len(parameters):
        raise TypeError(f"{shape}; this one has the parameters ({', '.join(p.name for p in parameters)})")
    return positional[1] if len(positional) == 2 else None
