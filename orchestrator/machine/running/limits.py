"""Limits that AWS sets and that are not there here, for those who ask for them: who deploys there as well learns of
them before.

An execution ends with its 25,000th event, as a failure; it lasts a year; what a state is given or hands on has 256 KiB
at most, and variables have their own quotas. Numbers and causes are AWS's.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ..language import variables
from .failure import DATA_LIMIT, RUNTIME, Failure

Name = Literal["", "aws"]


class HistoryFull(Exception):
    """No event has room any more. It is no failure of a state: the execution ends."""


class Limits(NamedTuple):
    """``events`` of a history, ``payload`` in bytes of JSON, ``seconds`` that an execution lasts; None: no limit."""

    name: Name = ""
    events: int | None = None
    payload: int | None = None
    seconds: int | None = None
    variables: variables.Quotas | None = None

    def too_large(self, who: str, value: Any) -> Failure | None:
        """The failure of a state or resource whose value has too many bytes."""
        if self.payload is None or variables.size(value) <= self.payload:
            return None
        return Failure(
            DATA_LIMIT,
            f"The state/task '{who}' returned a result with a size exceeding the maximum number of bytes service "
            "limit.",
        )

    @property
    def full(self) -> Failure:
        return Failure(RUNTIME, f"The execution reached the maximum number of history events ({self.events}).")


LIMITS: dict[str, Limits] = {
    "": Limits(),
    "aws": Limits("aws", 25_000, 262_144, 31_536_000, variables.AWS),
}
"""By the name that a machine is made with and that stands in journals."""
