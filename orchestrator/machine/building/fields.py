"""The fields of the language as keywords of Python: ``result_path`` is ``ResultPath``, a ``Reference`` for
``timeout_seconds`` is ``TimeoutSecondsPath``. What is left out stays out; None is null, where a field may be that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict

from .chains import Target
from .errors import Catcher, Retrier
from .expressions import Expression, Note, Reference, moment, template

QueryLanguage = Literal["JSONPath", "JSONata"]
Number = int | Reference | Expression
Share = float | Reference | Expression
Text = str | Reference


class Common(TypedDict, total=False):
    """Of every state."""

    comment: str
    query_language: QueryLanguage


class Leading(TypedDict, total=False):
    """Of states that others follow: another one than what stands next in the chain, or none."""

    next: Target
    end: bool


class Ending(Common, total=False):
    """Succeed."""

    input_path: str | None
    output_path: str | None
    output: object


class Shaping(Ending, total=False):
    """Of those that can assign variables."""

    assign: Mapping[str, object]


class Passing(Shaping, Leading, total=False):
    """Pass."""

    result: object
    result_path: str | None
    parameters: object


class Waiting(Shaping, Leading, total=False):
    """Wait: one of both."""

    seconds: Number
    timestamp: Text | datetime


class Failing(Common, total=False):
    """Fail."""

    error: Text
    cause: Text


class Resulting(Shaping, Leading, total=False):
    """Task, Parallel and Map: what becomes of a result."""

    result_selector: Mapping[str, object]
    result_path: str | None
    retry: Sequence[Retrier]
    catch: Sequence[Catcher]


class Calling(Resulting, total=False):
    """Task and Parallel."""

    parameters: object
    arguments: object


class Timing(Calling, total=False):
    """Task."""

    timeout_seconds: Number
    heartbeat_seconds: Number
    credentials: Mapping[str, object]


class Iterating(Resulting, total=False):
    """Map."""

    items_path: str
    items: object
    item_selector: object
    item_reader: Mapping[str, object]
    item_batcher: Mapping[str, object]
    result_writer: Mapping[str, object]
    max_concurrency: Number
    tolerated_failure_count: Number
    tolerated_failure_percentage: Share
    label: str


TEMPLATES = frozenset(
    {"parameters", "arguments", "result_selector", "output", "assign", "item_selector", "items", "credentials",
     "item_reader", "item_batcher", "result_writer"}
)  # fmt: skip
_APART = frozenset({"next", "end", "retry", "catch"})
"""What leads from state to state."""


def known(kind: str, shape: Any, given: Mapping[str, object]) -> None:
    """Raises TypeError for a field that there is not, also where no type checker looks."""
    for name in given:
        if name not in shape.__optional_keys__:
            raise TypeError(f"a {kind} state has no field {name!r}")


def written(given: Mapping[str, object], note: Note) -> dict[str, Any]:
    """Fields as the language has them. Raises InvalidInput."""
    made: dict[str, Any] = {}
    for name, value in given.items():
        if name in _APART:
            continue
        field = pascal(name)
        if name in TEMPLATES:
            made[field] = template(value, note)
        elif isinstance(value, Reference):
            made[field if name.endswith("_path") else f"{field}Path"] = value.text
        elif isinstance(value, datetime):
            made[field] = moment(value)
        else:
            made[field] = template(value, note, static=True)
    return made


def pascal(name: str) -> str:
    """``csv_headers`` is ``CSVHeaders``."""
    return "".join("CSV" if part == "csv" else part[:1].upper() + part[1:] for part in name.split("_"))
