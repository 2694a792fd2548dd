"""What an agent may take, and how much of the past it reads: plain data, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from ...orchestrator.agent.conversation import Window
from ...state.errors import InvalidInput
from ...state.quantities import Duration, count, milliseconds, money, size


@dataclass(frozen=True, slots=True, init=False)
class Limits:
    """What one run, or the answer to one message, may take. None: no limit.

    ``iterations`` counts model calls, ``tokens`` those the provider reports (all parts), ``cost`` is in
    US dollars ("0.50"), ``time`` a duration of work ("5m"); waiting for an approval does not count. ``repairs`` is how
    often the model is asked again because its answer did not fit, was empty or cut off, or a validator sent it back.
    """

    iterations: int | None
    tokens: int | None
    cost: Decimal | None
    time: int | None  # milliseconds
    repairs: int | None

    def __init__(
        self,
        iterations: int | None = 20,
        tokens: int | None = None,
        cost: str | int | float | Decimal | None = None,
        time: Duration | None = None,
        repairs: int | None = 3,
    ) -> None:
        try:
            for name, value, least in (("iterations", iterations, 1), ("tokens", tokens, 1), ("repairs", repairs, 0)):
                if value is not None:
                    count(value, least, f"{name} (None: no limit)")
            object.__setattr__(self, "cost", None if cost is None else money(cost))
            object.__setattr__(self, "time", None if time is None else milliseconds(time))
        except ValueError as error:
            raise InvalidInput(f"limits: {error}") from None
        object.__setattr__(self, "iterations", iterations)
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "repairs", repairs)


class History(NamedTuple):
    """How much of a session's past the model reads: at most so many messages and so much text."""

    messages: int = 200
    size: str | int = "64KB"


DEFAULT_LIMITS = Limits()
DEFAULT_HISTORY = History()


def window(history: History | str | int) -> Window:
    """What the loop keeps. Raises InvalidInput."""
    if isinstance(history, (int, float)):
        history = History(messages=history)  # pyright: ignore[reportArgumentType]  # counted below
    elif isinstance(history, str):
        history = History(size=history)
    try:
        kept = Window(count(history.messages, 1, "messages"), size(history.size))
    except ValueError as error:
        raise InvalidInput(f"history: {error}") from None
    if kept.messages < 1 or kept.characters < 1:
        raise InvalidInput("history must keep at least one message")
    return kept
