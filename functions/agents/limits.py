"""What an agent may take, and how much of the past it reads: plain data, checked when it is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from ...orchestrator.agent.conversation import RESULT, Window
from ...state.errors import InvalidInput
from ...state.quantities import Duration, count, milliseconds, money, size
from ..models.tokenizing import counter
from .compacting import Way


@dataclass(frozen=True, slots=True, init=False)
class Limits:
    """What one run, or the answer to one message, may take. None: no limit.

    ``iterations`` counts model calls, ``tokens`` those the provider reports (all parts), ``cost`` is in
    US dollars ("0.50"), ``time`` a duration of work ("5m"); waiting for an approval does not count. ``repairs`` is how
    often the model is asked again because its answer did not fit, was empty or cut off, called a tool that there is
    not, or a validator sent it back. ``repeats`` is how often the same tool may have the same outcome for the same
    arguments, ``handoffs`` how often the conversation may be handed to another agent.
    """

    iterations: int | None
    tokens: int | None
    cost: Decimal | None
    time: int | None  # milliseconds
    repairs: int | None
    repeats: int | None
    handoffs: int | None

    def __init__(
        self,
        iterations: int | None = 20,
        tokens: int | None = None,
        cost: str | int | float | Decimal | None = None,
        time: Duration | None = None,
        repairs: int | None = 3,
        repeats: int | None = 3,
        handoffs: int | None = 10,
    ) -> None:
        try:
            bounds = (
                ("iterations", iterations, 1),
                ("tokens", tokens, 1),
                ("repairs", repairs, 0),
                ("repeats", repeats, 2),
                ("handoffs", handoffs, 0),
            )
            for name, value, least in bounds:
                if value is not None:
                    count(value, least, f"{name} (None: no limit)")
            object.__setattr__(self, "cost", None if cost is None else money(cost))
            object.__setattr__(self, "time", None if time is None else milliseconds(time))
        except ValueError as error:
            raise InvalidInput(f"limits: {error}") from None
        object.__setattr__(self, "iterations", iterations)
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "repairs", repairs)
        object.__setattr__(self, "repeats", repeats)
        object.__setattr__(self, "handoffs", handoffs)


class History(NamedTuple):
    """How much of a conversation the model reads: at most so many messages, so much text, so many tokens. Where no
    tokens are given, what is left out is 200 messages and 64 KB; where they are, it is no bound.

    ``compaction``: what is done, in this order, when it is more: ``Shorten()``, ``Drop()``, ``Summarize(model)``, or a
    function of what leaves (``Leaving``) that returns the text in its place. Without, whole past turns leave, oldest
    first, at the end of a turn. ``tokenizer`` counts the tokens of a text; by default the model's own where it is known
    and at hand, else an estimate. ``result``: how much of one tool result is read ("64KB"); of a longer one
    beginning and end, and the model is offered a tool, ``read_result``, that reads the rest.
    """

    messages: int | None = None
    size: str | int | None = None
    tokens: int | None = None
    compaction: Way | Sequence[Way] = ()
    tokenizer: Callable[[str], int] | None = None
    result: str | int = RESULT


DEFAULT_LIMITS = Limits()
DEFAULT_HISTORY = History()
MESSAGES = 200
SIZE = "64KB"


def window(history: History | str | int, model: str = "") -> Window:
    """What the loop keeps of a conversation with that model. Raises InvalidInput."""
    if isinstance(history, (int, float)):
        history = History(messages=history)  # pyright: ignore[reportArgumentType]  # counted below
    elif isinstance(history, str):
        history = History(size=history)
    messages, text, tokens = history.messages, history.size, history.tokens
    if tokens is None:
        messages, text = MESSAGES if messages is None else messages, SIZE if text is None else text
    if history.tokenizer is not None and not callable(history.tokenizer):  # pyright: ignore[reportUnnecessaryComparison]  # as users may give it
        raise InvalidInput("history: tokenizer= is a function of a text that gives a number of tokens")
    try:
        kept = Window(
            None if messages is None else count(messages, 1, "messages"),
            None if text is None else size(text),
            None if tokens is None else count(tokens, 1, "tokens"),
            None if tokens is None else counter(model, history.tokenizer),
            not history.compaction,
            size(history.result),
        )
    except ValueError as error:
        raise InvalidInput(f"history: {error}") from None
    if kept.result < 1:
        raise InvalidInput("history: result= leaves at least one character of a tool result")
    if any(bound is not None and bound < 1 for bound in kept[:3]):
        raise InvalidInput("history must keep at least one message")
    return kept
