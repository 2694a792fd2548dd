"""What becomes of errors: they are tried again, or caught. Both name errors as the language does, or by the class of
the exception that a function raises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .chains import Place, Target
from .expressions import template

Name = str | type[BaseException]
WHOLE: Any = object()
"""No ResultPath is said, which means the whole input."""


@dataclass(frozen=True)
class Retrier:
    """Made by ``retry``."""

    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Catcher:
    """Made by ``catch``. Without ``then``, the flow goes on with what follows the state."""

    errors: Sequence[str]
    then: Target | None
    result_path: Any
    output: object
    assign: Mapping[str, object] | None
    comment: str | None

    def written(self, place: Place) -> dict[str, Any]:
        made: dict[str, Any] = {"ErrorEquals": list(self.errors)}
        if self.comment is not None:
            made["Comment"] = self.comment
        if self.result_path is not WHOLE:
            made["ResultPath"] = self.result_path
        if self.output is not WHOLE:
            made["Output"] = template(self.output, place.note)
        if self.assign is not None:
            made["Assign"] = template(self.assign, place.note)
        return {**made, "Next": place.entry(self.then)}


def retry(
    *errors: Name,
    interval_seconds: int | None = None,
    max_attempts: int | None = None,
    backoff_rate: float | None = None,
    max_delay_seconds: int | None = None,
    jitter_strategy: Literal["FULL", "NONE"] | None = None,
    comment: str | None = None,
) -> Retrier:
    """Try again what failed with one of these; with any, when none is named. What is left out is as the language has
    it: three times, after one second, then twice as long each time."""
    given = {
        "Comment": comment,
        "IntervalSeconds": interval_seconds,
        "MaxAttempts": max_attempts,
        "BackoffRate": backoff_rate,
        "MaxDelaySeconds": max_delay_seconds,
        "JitterStrategy": jitter_strategy,
    }
    said = {name: value for name, value in given.items() if value is not None}
    return Retrier({"ErrorEquals": _names(errors), **said})


def catch(
    *errors: Name,
    then: Target | None = None,
    result_path: str | None = WHOLE,
    output: object = WHOLE,
    assign: Mapping[str, object] | None = None,
    comment: str | None = None,
) -> Catcher:
    """Go on with ``then`` when one of these happened; any, when none is named. ``result_path`` (None: nowhere), in
    JSONata ``output``, says where the error goes."""
    return Catcher(_names(errors), then, result_path, output, assign, comment)


def _names(errors: Sequence[Name]) -> list[str]:
    found = [one if isinstance(one, str) else one.__name__ for one in errors]
    return ["States.Timeout" if one == "TimedOut" else one for one in found] or ["States.ALL"]
