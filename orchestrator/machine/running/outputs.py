"""From a state's result to its output: what it selects of it, what it assigns, where it puts it. All of it raises
QueryError."""

from __future__ import annotations

from typing import Any

from ..definition.states.state import WHOLE, State
from ..definition.values import Path, Template
from .execution import Execution
from .frame import Frame
from .scope import Scope


def finish(run: Execution, frame: Frame, state: State, result: Any) -> None:
    """The state has its result, and is left with its output."""
    if state.language == "JSONata":
        scope = run.scope(frame, result, result=result)
        output = scope.template(state.output, "Output") if state.output is not None else result
    else:
        scope = run.scope(frame, result)
        selector: Template | None = getattr(state, "result_selector", None)
        if selector is not None:
            scope = scope.of(scope.template(selector, "ResultSelector"))
        output = placed(scope, state, frame.input, scope.data)
    run.assign(frame, scope, state.assign)
    run.leave(frame, output, state.next)


def placed(scope: Scope, state: State, input: Any, result: Any) -> Any:
    """ResultPath and OutputPath."""
    where: Path | None = getattr(state, "result_path", WHOLE)
    whole = input if where is None else scope.placed(where, input, result)
    return scope.of(whole).filtered(state.output_path)


def passed(run: Execution, frame: Frame, state: State, next: str | None) -> None:
    """The output of a state that has no result: its input."""
    scope = run.scope(frame, frame.input)
    if state.language == "JSONata":
        output = scope.template(state.output, "Output") if state.output is not None else frame.input
    else:
        scope = scope.of(scope.filtered(state.input_path))
        output = scope.filtered(state.output_path)
    run.assign(frame, scope, state.assign)
    run.leave(frame, output, next)


def arguments(scope: Scope, state: State, given: Template | None) -> Any:
    """Arguments, or what InputPath and Parameters make of the input."""
    if state.language == "JSONata":
        return scope.seen.states["input"] if given is None else scope.template(given, "Arguments")
    value = scope.of(scope.seen.states["input"]).filtered(state.input_path)
    return value if given is None else scope.of(value).template(given, "Parameters")
