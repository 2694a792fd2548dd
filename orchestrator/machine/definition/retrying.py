"""Retriers and catchers: what becomes of a state's errors. The first of a list that names the error is taken."""

from __future__ import annotations

from dataclasses import dataclass

from .fields import Fields, Malformed
from .values import Path, Template


@dataclass(frozen=True, slots=True)
class Retrier:
    """Which errors are tried again, and when: after ``interval_seconds``, each time ``backoff_rate`` times as long, at
    most ``max_delay_seconds``; with ``jitter``, at a random moment up to that."""

    error_equals: tuple[str, ...]
    interval_seconds: int
    max_attempts: int
    backoff_rate: float
    max_delay_seconds: int | None
    jitter: bool


@dataclass(frozen=True, slots=True)
class Catcher:
    """Where errors lead. ``result_path`` says where the error goes in the state's input (None: it is dropped)."""

    error_equals: tuple[str, ...]
    next: str
    result_path: Path | None
    output: Template | None
    assign: Template | None
    comment: str | None


def retriers(fields: Fields) -> tuple[Retrier, ...]:
    return fields.each("Retry", _retrier)


def catchers(fields: Fields) -> tuple[Catcher, ...]:
    return fields.each("Catch", _catcher)


def _retrier(fields: Fields) -> Retrier:
    made = Retrier(
        _errors(fields),
        fields.integer("IntervalSeconds", 1) or 0,
        fields.integer("MaxAttempts", 3) or 0,
        float(fields.number("BackoffRate", 2.0)),
        fields.integer("MaxDelaySeconds", None),
        fields.one_of("JitterStrategy", ("FULL", "NONE"), "NONE") == "FULL",
    )
    fields.maybe_text("Comment")
    fields.done()
    return made


def _catcher(fields: Fields) -> Catcher:
    jsonata = fields.language == "JSONata"
    made = Catcher(
        _errors(fields),
        fields.text("Next"),
        Path("$") if jsonata else fields.path("ResultPath", "$"),
        fields.maybe_template("Output") if jsonata else None,
        fields.maybe_template("Assign"),
        fields.maybe_text("Comment"),
    )
    fields.done()
    return made


def _errors(fields: Fields) -> tuple[str, ...]:
    names = fields.items("ErrorEquals")
    if not names or not all(isinstance(name, str) for name in names):
        raise Malformed("names of errors should stand", fields.at("ErrorEquals"))
    return tuple(names)
