"""Schedules as the engine sees them: executions of one function, which each process serves beside its own. What keeps
them is loaded when there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ...state.errors import InvalidInput
from .naming import FUNCTION, KIND

if TYPE_CHECKING:
    from .decider import ScheduleDecider


class Scheduling:
    """The function behind every schedule."""

    name = FUNCTION
    kind = KIND

    def check(self, value: Any) -> Any:
        from .spec import read

        told = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        spec: Any = told.get("spec")
        if not isinstance(spec, dict):
            raise InvalidInput("a schedule is made by runtime.schedules.create, or by overwinter schedule add")
        read(cast("dict[str, Any]", spec), told.get("input"))
        return told

    def decider(self, id: str) -> ScheduleDecider:
        from .decider import ScheduleDecider

        return ScheduleDecider(id)
