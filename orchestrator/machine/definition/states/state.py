"""What all states have in common, and how it is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..fields import Fields, Malformed
from ..values import Path, QueryLanguage, Template

WHOLE = Path("$")


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """``next`` is None where a state ends its flow. ``input_path`` and ``output_path`` are None for ``null``: an empty
    object. ``output`` (JSONata) and the paths (JSONPath) exclude each other; the ones that are not used are at rest."""

    name: str
    language: QueryLanguage
    comment: str | None = None
    next: str | None = None
    input_path: Path | None = WHOLE
    output_path: Path | None = WHOLE
    output: Template | None = None
    assign: Template | None = None


def described(name: str, fields: Fields) -> dict[str, Any]:
    """What every state has."""
    fields.raw("Type")
    fields.raw("QueryLanguage", None)
    return {"name": name, "language": fields.language, "comment": fields.maybe_text("Comment")}


def shaped(name: str, fields: Fields) -> dict[str, Any]:
    """And its input and output."""
    found = described(name, fields)
    if fields.language == "JSONata":
        return {**found, "output": fields.maybe_template("Output")}
    return {**found, "input_path": fields.path("InputPath", "$"), "output_path": fields.path("OutputPath", "$")}


def led(name: str, fields: Fields) -> dict[str, Any]:
    """And what follows it."""
    found = shaped(name, fields)
    ends, follows = fields.flag("End"), fields.maybe_text("Next")
    if ends == (follows is not None):
        raise Malformed("either Next or End should stand", fields.pointer)
    return {**found, "assign": fields.maybe_template("Assign"), "next": follows}


def resulting(fields: Fields) -> dict[str, Any]:
    """What becomes of a result."""
    if fields.language == "JSONata":
        return {}
    return {"result_selector": fields.maybe_template("ResultSelector"), "result_path": fields.path("ResultPath", "$")}
