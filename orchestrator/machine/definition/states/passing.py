"""Pass: hands on its input, what it makes of it, or a fixed result."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import Fields
from ..values import Path, Template
from .state import WHOLE, State, led


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(State):
    """``result`` is static: nothing in it is evaluated."""

    parameters: Template | None = None
    result: Template | None = None
    result_path: Path | None = WHOLE


def passing(name: str, fields: Fields) -> Pass:
    found = led(name, fields)
    if fields.language == "JSONata":
        made = Pass(**found)
    else:
        made = Pass(
            **found,
            parameters=fields.maybe_template("Parameters"),
            result=Template(fields.raw("Result"), "JSONPath", dynamic=False) if fields.has("Result") else None,
            result_path=fields.path("ResultPath", "$"),
        )
    fields.done()
    return made
