"""Errors of states: their names, and which retrier or catcher they fit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

ALL = "States.ALL"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"
HEARTBEAT = "States.HeartbeatTimeout"
RUNTIME = "States.Runtime"
BRANCH_FAILED = "States.BranchFailed"
TOO_MANY = "States.ExceedToleratedFailureThreshold"
READER_FAILED = "States.ItemReaderFailed"
WRITER_FAILED = "States.ResultWriterFailed"
DATA_LIMIT = "States.DataLimitExceeded"
IN_DOUBT = "InDoubt"
_UNCAUGHT = (RUNTIME, DATA_LIMIT)
"""What ``States.ALL`` does not mean. ``States.Runtime`` is never caught or tried again at all."""


class Failure(NamedTuple):
    """``error`` is a name, ``cause`` a text for people; either may be missing where a Fail state says none. ``also`` is
    another name by which a retrier or a catcher may mean it: a heartbeat that is missed is reported as a timeout."""

    error: str | None = None
    cause: str | None = None
    also: str = ""

    def as_json(self) -> dict[str, Any]:
        """The error output that a catcher puts into the state's input."""
        return {"Error": self.error or "", "Cause": self.cause or ""}


def fits(names: Sequence[str], failure: Failure) -> bool:
    """Whether a retrier or catcher of these names means the error."""
    error = failure.error or ""
    if error == RUNTIME:
        return False
    if error in names or (failure.also and failure.also in names):
        return True
    if TASK_FAILED in names and error not in (TIMEOUT, *_UNCAUGHT):
        return True
    return ALL in names and error not in _UNCAUGHT


def retries(names: Sequence[str], failure: Failure) -> bool:
    """Whether a retrier of these names means the error. A call that may have taken effect is not repeated unless a
    retrier says so by its name."""
    return fits(names, failure) and (failure.error != IN_DOUBT or IN_DOUBT in names)


def of_exception(encoded: Mapping[str, Any]) -> Failure:
    """What a function raised, as the journal holds it: the name of its class, and a cause as Lambda would give it. What
    another machine failed with stays what it is."""
    kind, message = str(encoded.get("kind", "Error")), str(encoded.get("message", ""))
    name, given = kind.rpartition(".")[2], encoded.get("data")
    if name == "StateFailed" and isinstance(given, dict):
        data = cast("dict[str, Any]", given)
        return Failure(str(data.get("error", "")), str(data.get("cause", "")))
    if name == "TimedOut":
        return Failure(TIMEOUT, message or None)
    told = {"errorMessage": message, "errorType": name}
    return Failure(name, json.dumps(told, ensure_ascii=False, separators=(",", ":")))
