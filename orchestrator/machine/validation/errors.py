"""Retry and Catch: the names that they list, and what each says beside."""

from __future__ import annotations

from typing import Any

from ..definition.plain import is_list, items_of, members_of
from . import kinds
from .assigning import assign
from .diagnostic import did_you_mean
from .evaluated import evaluated
from .place import Place
from .shape import Shape, both, jsonata, look, paths

ALL = "States.ALL"
NAMES = (
    ALL,
    "States.BranchFailed",
    "States.DataLimitExceeded",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.Runtime",
    "States.TaskFailed",
    "States.Timeout",
)
LONGEST = 99_999_999  # seconds or attempts
LONGEST_DELAY = 31_622_399


def retry(place: Place, value: Any) -> None:
    """A list of retriers."""
    items = _items(place, value)
    for index, item in enumerate(items):
        inner = place.at(index)
        found = look(inner, item, _RETRIER, "a retrier", required=("ErrorEquals",))
        if found:
            _delays(inner, found)
    _catch_all(place, items)


def catch(place: Place, value: Any) -> None:
    """A list of catchers."""
    items = _items(place, value)
    for index, item in enumerate(items):
        look(place.at(index), item, _CATCHER, "a catcher", required=("ErrorEquals", "Next"))
    _catch_all(place, items)


def _items(place: Place, value: Any) -> list[Any]:
    if not is_list(value):
        kinds.wrong_type(place, value, "a list")
    return items_of(value)


def _names(place: Place, value: Any) -> None:
    for index, name in enumerate(kinds.lists(place, value)):
        inner = place.at(index)
        kinds.text(inner, name)
        if not isinstance(name, str):
            continue
        if not name:
            inner.error("error-names", "the name of an error is not empty")
        elif name.startswith("States.") and name not in NAMES:
            hint = did_you_mean(name, NAMES)
            inner.warning(
                "error-names", f"the language has no error {name!r:.80}", code="UNKNOWN_ERROR_NAME", advice=hint
            )
        elif name.casefold() in _FOLDED and name not in NAMES:
            hint = did_you_mean(name, NAMES)
            inner.warning(
                "error-names", f"{name!r} is no error of the language", code="UNKNOWN_ERROR_NAME", advice=hint
            )


_FOLDED = {name.casefold() for name in NAMES}


def _catch_all(place: Place, items: list[Any]) -> None:
    """AWS looks for States.ALL in the list of names, and says so at its place there."""
    for index, item in enumerate(items):
        listed = items_of(members_of(item).get("ErrorEquals"))
        if ALL not in listed:
            continue
        inner = place.at(index, "ErrorEquals", listed.index(ALL))
        if len(listed) > 1:
            inner.error(
                "catch-all", "States.ALL stands alone in its list", advice="It means all of the others as well."
            )
        elif index < len(items) - 1:
            inner.error("catch-all", "what follows States.ALL is never reached", advice="Let it be the last.")


def _delays(place: Place, found: dict[str, Any]) -> None:
    interval, most = found.get("IntervalSeconds", 1), found.get("MaxDelaySeconds")
    if isinstance(interval, int) and isinstance(most, int) and most <= interval and most > 0:
        place.at("MaxDelaySeconds").strict("retry", f"it is no more than IntervalSeconds ({interval})")


def _caught(place: Place, value: Any) -> None:
    evaluated(place.reading("errorOutput"), value)


def _assigned(place: Place, value: Any) -> None:
    assign(place.reading("errorOutput"), value)


_RETRIER: Shape = {
    **both(
        ErrorEquals=_names,
        IntervalSeconds=kinds.number(1, LONGEST),
        MaxAttempts=kinds.number(0, LONGEST),
        BackoffRate=kinds.number(1, whole=False),
        MaxDelaySeconds=kinds.number(0, LONGEST_DELAY, above=True),
        JitterStrategy=kinds.one_of("FULL", "NONE"),
        Comment=kinds.text,
    )
}
_CATCHER: Shape = {
    **both(ErrorEquals=_names, Next=kinds.text, Assign=_assigned, Comment=kinds.text),
    **paths(ResultPath=kinds.result_path),
    **jsonata(Output=_caught),
}
