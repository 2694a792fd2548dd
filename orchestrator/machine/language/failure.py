"""The one exception of this room: an error name of the language and a cause for people.

The interpreter catches it in one place and makes of it what ``Retry`` and ``Catch`` see. It puts the name of the state
before the cause, so no cause here names one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

RUNTIME = "States.Runtime"
"""Cannot be caught or retried: the definition does not fit the data. AWS has it for paths that find nothing too,
where its specification speaks of States.ParameterPathFailure."""
QUERY = "States.QueryEvaluationError"
REFERENCE_PATH = "States.ReferencePathConflict"
DATA_LIMIT = "States.DataLimitExceeded"

P = ParamSpec("P")
T = TypeVar("T")


class QueryError(Exception):
    """``cause``. Raised for whatever an expression, a path or a template can't do with what it is given."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(cause)
        self.error = error
        self.cause = cause


def bounded(evaluate: Callable[P, T]) -> Callable[P, T]:
    """Make data that is nested deeper than the interpreter's stack an error of the data, not a defect."""

    @wraps(evaluate)
    def within(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return evaluate(*args, **kwargs)
        except RecursionError:
            raise QueryError(RUNTIME, "The data is nested too deeply to be evaluated.") from None

    return within
