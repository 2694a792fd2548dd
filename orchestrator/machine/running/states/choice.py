"""Choice: goes where the first rule leads that holds, or to its default."""

from __future__ import annotations

from typing import Any

from ...definition.states.choice import Choice
from ...definition.values import Template
from ..execution import Behaviour, Execution
from ..failure import NO_CHOICE, Failure
from ..frame import Frame
from ..scope import Scope


def begin(run: Execution, frame: Frame, state: Choice) -> None:
    scope = run.scope(frame, frame.input)
    if state.language == "JSONPath":
        scope = scope.of(scope.filtered(state.input_path))
    met = (rule for number, rule in enumerate(state.rules) if scope.holds(rule, f"Choices[{number}]/Condition"))
    rule = next(met, None)
    if rule is None and state.next is None:
        run.fall(frame, Failure(NO_CHOICE, f"No choice of the state '{frame.state}' is met, and it has no Default."))
        return
    output, assign = (state.output, state.assign) if rule is None else (rule.output, rule.assign)
    found = _output(scope, frame, state, output)
    run.assign(frame, scope, assign)
    run.leave(frame, found, state.next if rule is None else rule.next)


def _output(scope: Scope, frame: Frame, state: Choice, output: Template | None) -> Any:
    if state.language == "JSONata":
        given = output if output is not None else state.output
        return scope.template(given, "Output") if given is not None else frame.input
    return scope.filtered(state.output_path)


BEHAVIOUR = Behaviour(begin)
