"""What stands between a state's input and its output, as AWS's TestState shows it to whoever asks."""

from __future__ import annotations

from typing import Any

from ..definition.states.passing import Pass
from ..definition.states.state import WHOLE, State
from ..definition.values import Number, Path, Template
from ..language.failure import QueryError
from ..language.scope import Scope as Seen
from ..running.compiled import Compiled
from ..running.scope import Scope

Noted = dict[str, Any]
"""What the fields of a state came to, by their names in the definition."""
NUMBERS = {
    "MaxConcurrency": "maxConcurrency",
    "ToleratedFailureCount": "toleratedFailureCount",
    "ToleratedFailurePercentage": "toleratedFailurePercentage",
}


class Observed(Scope):
    """Notes what is evaluated."""

    __slots__ = ("noted",)

    def __init__(self, seen: Seen, compiled: Compiled, noted: Noted) -> None:
        super().__init__(seen, compiled)
        self.noted = noted

    def of(self, data: Any) -> Scope:
        return Observed(self.seen._replace(data=data), self.compiled, self.noted)

    def items(self, path: Path) -> Any:
        self.noted["ItemsPath"] = found = super().items(path)
        return found

    def placed(self, path: Path, input: Any, value: Any) -> Any:
        self.noted["ResultPath"] = found = super().placed(path, input, value)
        return found

    def template(self, given: Template, field: str) -> Any:
        self.noted[field] = found = super().template(given, field)
        return found

    def number(self, given: Number | None, field: str, default: int | None = None) -> int | None:
        found = super().number(given, field, default)
        return default if field == "MaxConcurrency" else found  # of all items is told what they are given

    def share(self, given: Number | None, field: str) -> int | float | None:
        found = super().share(given, field)
        if found is not None:
            self.noted[field] = found
        return found


def inspected(state: State, scope: Scope, noted: Noted, result: Noted) -> dict[str, Any]:
    """AWS's ``inspectionData`` of a state that was tried out: what did not come to pass is not there. ``scope`` sees
    the state's input; ``result`` holds a ``value`` when the state had one."""
    told: dict[str, Any] = {"input": scope.seen.states["input"]}
    if state.language == "JSONata":
        if "Arguments" in noted or getattr(state, "arguments", state) is None:
            told["afterArguments"] = noted.get("Arguments", told["input"])
        told |= {"result": result["value"]} if result else {}
    else:
        told |= _by_paths(state, scope, noted, result)
    if "ItemSelector" in noted:
        told["afterItemSelector"] = noted["ItemSelector"]
    return told | {told_as: noted[field] for field, told_as in NUMBERS.items() if field in noted}


def _by_paths(state: State, scope: Scope, noted: Noted, result: Noted) -> dict[str, Any]:
    try:
        data = scope.of(scope.seen.states["input"]).filtered(state.input_path)
    except QueryError:
        return {}
    told: dict[str, Any] = {"afterInputPath": data}
    given: Template | None = getattr(state, "parameters", None) or getattr(state, "arguments", None)
    if hasattr(state, "parameters") or hasattr(state, "arguments"):
        if given is not None and "Parameters" not in noted:
            return told
        told["afterParameters"] = noted.get("Parameters", data)
    if "ItemsPath" in noted:
        told["afterItemsPath"] = noted["ItemsPath"]
    if isinstance(state, Pass):
        made = state.result.source if state.result is not None else told["afterParameters"]
        result = {"value": made}
    if not result:
        return told
    told["result"] = result["value"]
    if getattr(state, "result_selector", None) is not None and "ResultSelector" not in noted:
        return told
    told["afterResultSelector"] = noted.get("ResultSelector", result["value"])
    where: Path | None = getattr(state, "result_path", WHOLE)
    if where is None:
        told["afterResultPath"] = scope.seen.states["input"]
    elif "ResultPath" in noted:
        told["afterResultPath"] = noted["ResultPath"]
    return told
