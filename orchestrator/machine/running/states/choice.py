"""Choice: goes where the first rule leads that holds, or to its default."""

from __future__ import annotations

from typing import Any

from ...definition.states.choice import Choice
from ...definition.values import Template
from ...language.failure import QueryError
from ..execution import Behaviour, Execution
from ..failure import RUNTIME
from ..frame import Frame
from ..scope import Scope

NOWHERE = "Failed to transition out of the state. The state does not point to a next state."
"""AWS has this for States.NoChoiceMatched, of which only its documentation speaks."""


def begin(run: Execution, frame: Frame, state: Choice) -> None:
    scope = run.scope(frame, frame.input)
    if state.language == "JSONPath":
        scope = scope.of(scope.filtered(state.input_path))
    for number, rule in enumerate(state.rules):
        place = f"Choices[{number}]/"
        if scope.holds(rule, f"{place}Condition"):
            break
    else:
        if state.next is None:
            raise QueryError(RUNTIME, NOWHERE)
        place, rule = "", None
    output, assign = (state.output, state.assign) if rule is None else (rule.output, rule.assign)
    found = _output(scope, frame, state, output, f"{place}Output")
    run.assign(frame, scope, assign, f"{place}Assign")
    run.leave(frame, found, state.next if rule is None else rule.next)


def _output(scope: Scope, frame: Frame, state: Choice, output: Template | None, field: str) -> Any:
    if state.language == "JSONata":
        return scope.template(output, field) if output is not None else frame.input
    return scope.filtered(state.output_path)


BEHAVIOUR = Behaviour(begin)
