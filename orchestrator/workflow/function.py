"""A workflow as the engine sees it: its name, the types of input and output, and deciders for its executions."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Coroutine, Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from ...state import codec
from ...state.errors import InvalidInput
from ...state.ids import check_name
from ..usercode.fields import EMPTY, Declared, declared, left_out
from ..usercode.resilience import DEFAULT, Policy, Retry
from .context import Context
from .decider import WorkflowDecider
from .targets import annotation, decoder, losses, writer

UNSAID: Any = object()


class Workflow:
    """``async def fn(ctx)`` or ``async def fn(ctx, input)``, made durable.

    ``retry`` is the default for its steps. Raises TypeError when the function has another form, InvalidInput for a name
    that can't be.
    """

    kind = "workflow"

    def __init__(
        self,
        fn: Callable[..., Coroutine[Any, Any, Any]],
        name: str | None = None,
        retry: Retry | None = None,
        *,
        output: Any = UNSAID,
        uses: Iterable[object] = (),
    ) -> None:
        self.fn = fn
        self._output = output
        self._uses = tuple(uses)
        self.name = check_name(fn.__name__ if name is None else name, "workflow", for_models=False)
        self.policy = DEFAULT if retry is None else Policy(retry=retry)
        self._parameter = _parameter(fn)
        self.__doc__ = fn.__doc__

    @property
    def place(self) -> str:
        """Where it is defined, as ``shop.py:41``."""
        code = inspect.unwrap(self.fn).__code__
        return f"{Path(code.co_filename).name}:{code.co_firstlineno}"

    @cached_property
    def input(self) -> Any:
        """The annotation of the input; None when the workflow takes none."""
        return None if self._declared is None else self._declared.annotation

    @cached_property
    def _declared(self) -> Declared | None:
        parameter = self._parameter
        return None if parameter is None else declared(annotation(self.fn, parameter.name), parameter.default)

    @cached_property
    def output(self) -> Any:
        """The type of what it returns: as declared, or its annotation."""
        return annotation(self.fn, "return") if self._output is UNSAID else self._output

    @cached_property
    def tools(self) -> tuple[object, ...]:
        """The agents, workflows and tools that its code names, and those it was declared to use."""
        return (*self._uses, *_named(self.fn))

    @cached_property
    def _decode(self) -> Callable[[Any], Any] | None:
        return decoder(self.input, f"the input of {self.name!r}")

    @cached_property
    def _lost(self) -> str:
        return losses(self.output, f"what {self.name!r} returns")

    def check(self, value: Any) -> Any:
        """The input as plain JSON, validated. Raises InvalidInput that names the fields, or says why what the
        workflow returns could not be recorded."""
        if self._lost:
            raise InvalidInput(self._lost)
        return self.accept(value)

    def accept(self, value: Any, limit: int | None = None) -> Any:
        """``check`` without a look at what the workflow returns: for one that is under way already."""
        if self._decode is None or self._without(value):
            value = codec.stored(value, limit)
            self._arguments(value)
            return value
        try:
            return codec.taker(self.input)(value, limit)
        except InvalidInput as error:
            cause = error.__cause__
            wrong = codec.complaints(cause, "input") if isinstance(cause, ValueError) else error
            raise type(error)(f"the input of {self.name} is not valid: {wrong}") from None

    def result(self, value: Any) -> Any:
        """What the function returned, as plain JSON. Raises InvalidInput when it does not fit or would not come back
        as it is."""
        try:
            return self._write(value)
        except InvalidInput as error:
            raise type(error)(f"the result of {self.name} can't be recorded: {error}") from None

    @cached_property
    def _write(self) -> codec.Writer:
        return writer(self.output, f"what {self.name!r} returns")

    def _without(self, value: Any) -> bool:
        """Whether the function is called without its input."""
        known = self._declared
        return known is None or (value is None and known.optional)

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
        if self._without(value):
            known = self._declared
            return () if known is None or known.default is not EMPTY else (left_out(known, "input"),)
        if self._decode is None:
            return (codec.copied(value),)
        try:
            return (self._decode(value),)
        except ValueError as error:
            wrong = codec.complaints(error, "input")
            raise InvalidInput(f"the input of {self.name} is not valid: {wrong}") from None

    def __repr__(self) -> str:
        return f"<Workflow {self.name}>"


def _named(fn: Callable[..., Any]) -> list[object]:
    """Served objects among the globals and closure variables of a function and of those nested in it, also those that
    stand in a list, a tuple, a set or a dict there."""
    scope = inspect.getclosurevars(fn)
    names = dict(scope.globals) | dict(scope.nonlocals)
    codes: list[types.CodeType] = [fn.__code__]
    while codes:
        code = codes.pop()
        names |= {name: fn.__globals__[name] for name in code.co_names if name in fn.__globals__}
        codes += [inner for inner in code.co_consts if isinstance(inner, types.CodeType)]
    found: list[object] = []
    for thing in names.values():
        held: Any = cast("dict[object, object]", thing).values() if isinstance(thing, dict) else thing
        for one in held if isinstance(thing, (list, tuple, set, frozenset, dict)) else (thing,):
            served: Any = getattr(one, "__overwinter__", one)
            if not isinstance(served, type) and getattr(served, "kind", None) in ("agent", "workflow", "tool"):
                found.append(one)
    return found


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
