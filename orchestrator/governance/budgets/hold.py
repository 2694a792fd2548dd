"""The worst that one model call can take, before it is made.

What it reads is estimated from the characters of what is sent, or counted where the agent counts tokens; what it
writes is bounded, because the call is made with a limit on its output: the one that is asked for, the model's own, and
what the budget leaves, whichever is least. What is read is priced as what the provider stores of it would be, the
dearest way to read.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal
from typing import NamedTuple

from .amount import ZERO, Amount

_EXACT = Context(prec=100)
CHARACTERS = 3
"""To a token, of a text that nobody counts. Of English there are four, of figures and other languages less."""
USUAL = 4_096
"""Tokens that a model may write of which nobody knows the most: all that there are allow as many."""
LEAST = 16
"""A call that may write fewer is not worth being made."""

SEVERAL = 4


class Terms(NamedTuple):
    """What is known of a model before it is asked. ``beside``: characters that it reads beside the conversation
    (instructions, tools). ``output``: tokens that it may write, None: nobody knows. ``read`` and ``write``: dollars for
    one token, the dearest there are; None: nobody knows. ``keeps``: who asks it again under the same key gets the same
    answer, and it is not paid twice."""

    beside: int = 0
    output: int | None = None
    read: Decimal | None = None
    write: Decimal | None = None
    keeps: bool = False

    @property
    def priced(self) -> bool:
        return self.read is not None and self.write is not None


class Hold(NamedTuple):
    """What is set aside for one call: ``input`` and ``output`` tokens; the cost, None: nobody knows it."""

    input: int
    output: int
    cost: Decimal | None

    @property
    def amount(self) -> Amount:
        return Amount(self.input + self.output, self.cost or ZERO, model_calls=1)


class Room(NamedTuple):
    """What a budget leaves. None: it does not count that."""

    tokens: int | None
    cost: Decimal | None

    def ample(self, hold: Hold) -> bool:
        """Whether there is room for several such calls, so that the next one need not be looked at before its time."""
        if self.tokens is not None and self.tokens < SEVERAL * (hold.input + hold.output):
            return False
        return self.cost is None or (hold.cost is not None and self.cost >= SEVERAL * hold.cost)


def reading(characters: int, counted: int | None, terms: Terms) -> int:
    """Tokens that a call reads, of a conversation of so many characters; it has ``counted`` ones if that is known."""
    beside = -(-terms.beside // CHARACTERS)
    return beside + (counted if counted is not None else -(-characters // CHARACTERS))


def wanted(input: int, terms: Terms) -> Hold:
    """What it would take without any budget."""
    output = USUAL if terms.output is None else terms.output
    return Hold(input, output, cost(input, output, terms))


def fit(input: int, terms: Terms, room: Room) -> Hold | None:
    """What is held of that room; None when the call does not fit into it. Where the price is not known, a room for
    money holds the call as long as there is any: all that is left is held."""
    output = USUAL if terms.output is None else terms.output
    if terms.priced and output >= LEAST and (room.tokens is None or input + output <= room.tokens):
        whole = cost(input, output, terms)
        if room.cost is None or (whole is not None and whole <= room.cost and room.cost > 0):
            return Hold(input, output, whole)
    if room.tokens is not None:
        output = min(output, room.tokens - input)
    if room.cost is not None:
        if room.cost <= 0:
            return None
        if terms.read is not None and terms.write is not None:
            rest = _EXACT.subtract(room.cost, _EXACT.multiply(terms.read, Decimal(input)))
            if rest < 0:
                return None
            if terms.write:
                output = min(output, int((rest / terms.write).to_integral_value(ROUND_DOWN)))
    if output < LEAST:
        return None
    return Hold(input, output, cost(input, output, terms) if terms.priced else room.cost)


def cost(input: int, output: int, terms: Terms) -> Decimal | None:
    """Dollars for so many tokens; None: nobody knows."""
    if terms.read is None or terms.write is None:
        return None
    read, wrote = _EXACT.multiply(terms.read, Decimal(input)), _EXACT.multiply(terms.write, Decimal(output))
    return _EXACT.add(read, wrote)


def overshoot(characters: int) -> tuple[int, int]:
    """Tokens by which one call may read more than was held for it, of a conversation of so many characters that nobody
    counts: of ASCII text, and of any. No text has more tokens than bytes, and it is held with a third of its
    characters."""
    held = characters // CHARACTERS
    return characters - held, 4 * characters - held
