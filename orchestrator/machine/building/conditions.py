"""What the rules of a Choice ask in JSONPath, written as Python does: ``(var("$.n") > 5) & ~var("$.s").matches("a*")``.

An operand's type chooses the comparison: numbers, text, true and false, moments (``datetime``). ``compare`` says it by
name, also with a path beside.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NoReturn

from ....state.errors import InvalidInput
from .expressions import Reference, moment

Operand = str | int | float | bool | datetime
Operator = Literal[
    "StringEquals", "StringLessThan", "StringGreaterThan", "StringLessThanEquals", "StringGreaterThanEquals",
    "NumericEquals", "NumericLessThan", "NumericGreaterThan", "NumericLessThanEquals", "NumericGreaterThanEquals",
    "TimestampEquals", "TimestampLessThan", "TimestampGreaterThan", "TimestampLessThanEquals",
    "TimestampGreaterThanEquals", "BooleanEquals", "StringMatches", "IsNull", "IsPresent", "IsNumeric", "IsString",
    "IsBoolean", "IsTimestamp",
]  # fmt: skip


class Condition:
    """A rule without its target. Conditions are joined by ``&``, ``|`` and ``~``."""

    __slots__ = ("fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    def __and__(self, other: Condition) -> Condition:
        return Condition({"And": [*self._parts("And"), *other._parts("And")]})

    def __or__(self, other: Condition) -> Condition:
        return Condition({"Or": [*self._parts("Or"), *other._parts("Or")]})

    def __invert__(self) -> Condition:
        return Condition({"Not": self.fields})

    def __bool__(self) -> NoReturn:
        raise TypeError("a condition is only known while the machine runs; join them by &, | and ~, with brackets")

    def _parts(self, join: str) -> list[Any]:
        return list(self.fields.get(join, [self.fields]))


class Variable:
    """A place in a state's input, or a variable of the machine."""

    __slots__ = ("path",)
    __hash__ = None  # type: ignore[assignment]  # == makes a condition

    def __init__(self, path: str) -> None:
        self.path = path

    def compare(self, operator: Operator, operand: Operand | Reference) -> Condition:
        """By the name of the language; with a path, against what stands there."""
        if isinstance(operand, Reference):
            return Condition({"Variable": self.path, f"{operator}Path": operand.text})
        return Condition(
            {"Variable": self.path, operator: moment(operand) if isinstance(operand, datetime) else operand}
        )

    def __eq__(self, operand: Operand) -> Condition:  # type: ignore[override]
        return self._ordered("Equals", operand)

    def __ne__(self, operand: Operand) -> Condition:  # type: ignore[override]
        return ~self._ordered("Equals", operand)

    def __lt__(self, operand: Operand) -> Condition:
        return self._ordered("LessThan", operand)

    def __gt__(self, operand: Operand) -> Condition:
        return self._ordered("GreaterThan", operand)

    def __le__(self, operand: Operand) -> Condition:
        return self._ordered("LessThanEquals", operand)

    def __ge__(self, operand: Operand) -> Condition:
        return self._ordered("GreaterThanEquals", operand)

    def matches(self, pattern: str) -> Condition:
        """``*`` stands for any text, ``\\\\*`` for the star itself."""
        return self.compare("StringMatches", pattern)

    def is_null(self, holds: bool = True) -> Condition:
        return self.compare("IsNull", holds)

    def is_present(self, holds: bool = True) -> Condition:
        return self.compare("IsPresent", holds)

    def is_numeric(self, holds: bool = True) -> Condition:
        return self.compare("IsNumeric", holds)

    def is_string(self, holds: bool = True) -> Condition:
        return self.compare("IsString", holds)

    def is_boolean(self, holds: bool = True) -> Condition:
        return self.compare("IsBoolean", holds)

    def is_timestamp(self, holds: bool = True) -> Condition:
        return self.compare("IsTimestamp", holds)

    def _ordered(self, order: str, operand: object) -> Condition:
        if isinstance(operand, Reference):
            raise InvalidInput(
                f'what {operand.text} holds is not known: say compare("Numeric{order}", path(…)) or another'
            )
        if isinstance(operand, bool):
            if order != "Equals":
                raise InvalidInput("true and false have no order; compare them with ==")
            return Condition({"Variable": self.path, "BooleanEquals": operand})
        if isinstance(operand, datetime):
            return Condition({"Variable": self.path, f"Timestamp{order}": moment(operand)})
        if isinstance(operand, str):
            return Condition({"Variable": self.path, f"String{order}": operand})
        if isinstance(operand, (int, float)):
            return Condition({"Variable": self.path, f"Numeric{order}": operand})
        raise InvalidInput(f"{operand!r:.80} can't be compared; is_null() asks for null")


def var(path: str) -> Variable:
    """``var("$.amount") > 500``; ``var("$name")`` is a variable."""
    return Variable(path)
