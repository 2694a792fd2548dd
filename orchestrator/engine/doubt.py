"""What it means that the outcome of a call is not known that must not be made twice."""

from __future__ import annotations

from collections.abc import Callable

from ...state.errors import InDoubt, TimedOut
from ..protocol.decider import Invoke
from ..usercode.resilience import Policy


def late_of(policy: Policy) -> Callable[[str], Exception]:
    """The error of an attempt whose time is over: what must not happen twice may have happened, or may yet. Where a
    contract says what follows from that, it is looked into first."""
    return doubtful if policy.at_most_once and policy.contract is None else TimedOut


def must_not_recur(call: Invoke) -> bool:
    """Whether a model is told of the call's outcome and would make it again if it were told of a failure, though that
    must not happen. Code that makes a call hears what was wrong with it."""
    return call.policy.at_most_once and call.report == "tool"


def doubtful(told: str) -> InDoubt:
    return InDoubt(f"{told}; it may have taken effect")
