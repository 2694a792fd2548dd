"""A queue as the engine sees it: a function that is served, and that nobody calls by hand."""

from __future__ import annotations

from typing import Any

from ...state.errors import InvalidInput
from .decider import QueueDecider
from .pace import Pace


def name_of(subscription: str) -> str:
    """The name of a subscription's queue; its one execution has the same id."""
    return f"{subscription}~queue"


class Queue:
    """In front of the function ``target``, of ``target_kind``; ``letters`` is the scope in which dead letters are
    kept."""

    kind = "queue"

    def __init__(self, subscription: str, target: str, target_kind: str, pace: Pace, letters: str) -> None:
        self.name = name_of(subscription)
        self.subscription = subscription
        self.target = target
        self.target_kind = target_kind
        self.pace = pace
        self.letters = letters

    def check(self, value: Any) -> Any:
        raise InvalidInput(f"{self.name} is a queue; what it is for is delivered to it")

    def decider(self, id: str) -> QueueDecider:
        return QueueDecider(self)
