"""What expressions of a state can see: its input, its result, the context object, variables."""

from __future__ import annotations

import math
from typing import Any

from ..definition.states.choice import Rule
from ..definition.values import Expression, Number, Path, Template, Text
from ..language import jsonata, paths
from ..language.failure import QUERY, RUNTIME, QueryError
from ..language.kinds import kind_of
from ..language.numbers import json_text
from ..language.scope import Scope as Seen
from .compiled import Compiled

LONGEST = 99_999_999
"""Seconds that AWS lets a Task or a Wait take; more is not refused here."""
_BELOW = {
    "MaxConcurrency": "Expected non-negative integer for MaxConcurrency, got '{}' instead.",
    "ToleratedFailureCount": "ToleratedFailureCount cannot be negative.",
}


class Scope:
    """``seen.data`` is what ``$`` means by JSONPath, ``seen.states`` is ``$states`` by JSONata."""

    __slots__ = ("compiled", "seen")

    def __init__(self, seen: Seen, compiled: Compiled) -> None:
        self.seen = seen
        self.compiled = compiled

    @property
    def data(self) -> Any:
        return self.seen.data

    def of(self, data: Any) -> Scope:
        """The same, with another ``$``."""
        return Scope(self.seen._replace(data=data), self.compiled)

    # -- evaluating: all of it raises QueryError -----------------------------------------------------

    def path(self, path: Path) -> Any:
        """What a path gives."""
        return self.seen.data if path.text == "$" else paths.read(self.compiled.path(path), self.seen)

    def found(self, path: Path) -> Any:
        """What a path gives, or MISSING."""
        return self.compiled.path(path).find(self.seen)

    def items(self, path: Path) -> Any:
        """What ItemsPath gives."""
        return self.seen.data if path.text == "$" else paths.read_reference(self.compiled.path(path), self.seen)

    def placed(self, path: Path, input: Any, value: Any) -> Any:
        """ResultPath: the input with a value at that place. Neither is changed."""
        return value if path.text == "$" else paths.write(self.compiled.path(path), input, value)

    def filtered(self, path: Path | None) -> Any:
        """InputPath and OutputPath: ``null`` is an empty object."""
        return {} if path is None else self.path(path)

    def template(self, given: Template, field: str) -> Any:
        if given.language == "JSONata":
            return self.compiled.query(given, field).render(self.seen)
        return self.compiled.payload(given).render(self.seen) if given.dynamic else given.source

    def holds(self, rule: Rule, field: str) -> bool:
        """Whether a rule of a Choice is met."""
        if isinstance(rule.test, bool):
            return rule.test
        if not isinstance(rule.test, Expression):
            return self.compiled.rule(rule).holds(self.seen)
        found: bool = self._expected(rule.test, field, "boolean")
        return found

    def number(self, given: Number | None, field: str, default: int | None = None) -> int | None:
        """A whole number that is not negative, or ``default``."""
        found = self.share(given, field)
        if found is None:
            return default
        if not math.isfinite(found) or found < 0 or int(found) != found:
            raise QueryError(QUERY if isinstance(given, Expression) else RUNTIME, _unfit(given, field, found))
        return int(found)

    def share(self, given: Number | None, field: str) -> int | float | None:
        """A number of any kind."""
        if given is None or isinstance(given, (int, float)):
            return given
        if isinstance(given, Expression):
            found: int | float = self._expected(given, field, "number")
            return found
        value = self.path(given)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            what = f"The {field}Path parameter does not reference an integer value: {given.text} == {json_text(value)}"
            raise QueryError(RUNTIME, what)
        return value

    def text(self, given: Text | None, field: str) -> str | None:
        if given is None or isinstance(given, str):
            return given
        if isinstance(given, Expression):
            found: str = self._expected(given, field, "string")
            return found
        value = self.compiled.computation(given, f"{field}Path").evaluate(self.seen)
        if not isinstance(value, str):
            raise QueryError(
                RUNTIME, f"The field '{field}Path' must reference a text: {given.text} == {json_text(value)}"
            )
        return value

    def _expected(self, given: Expression, field: str, kind: str) -> Any:
        found = jsonata.compile_expression(given.text).evaluate(self.seen, field, None)
        if kind_of(found) != kind:
            cause = (
                f"The JSONata expression '{given.text}' specified for the field '{field}' returned an unexpected "
                f"result type. Expected '{kind}', but was '{kind_of(found)}' for value: {paths.shown(found)}"
            )
            raise QueryError(QUERY, cause)
        return found


def _unfit(given: Number | None, field: str, found: int | float) -> str:
    if math.isfinite(found) and int(found) == found:
        return _BELOW.get(field, f"{field} must be between 0 and {LONGEST} but was: {{}}").format(json_text(found))
    if isinstance(given, Path):
        return f"The {field}Path parameter does not reference an integer value: {given.text} == {json_text(found)}"
    return f"The {field} field cannot be parsed as an integer: {json_text(found)}"
