"""A call that was approved, has begun, and would now be made by another tool than the one that was approved.

It may be resolved as done or given up. To be made once more (after a crash, as not done, or by a retry of its policy)
it would have to be asked anew: so it is denied, and whoever orders it again asks.
"""

from __future__ import annotations

from typing import NoReturn

from ....state.errors import Denied
from ...protocol.decider import Invoke
from ...protocol.failed import Failed
from .proposal import CHANGED


def unless(invoke: Invoke, approved: str, version: str) -> Invoke:
    """The call; of a tool of that ``version`` when another one was ``approved`` it is denied as soon as it is made.
    "" is no version. What is sent elsewhere was sent, and is asked about under its key."""
    if approved in ("", version) or invoke.away is not None:
        return invoke
    return invoke._replace(call=_Denied(invoke.name), threaded=False)


class _Denied:
    """Stands in the place of the tool."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self) -> NoReturn:
        why = f"{self._name} was not made once more: {CHANGED}; what is ordered anew is asked anew"
        raise Failed(Denied(why, reason=CHANGED))
