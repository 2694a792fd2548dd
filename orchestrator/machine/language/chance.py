"""Random numbers and UUIDs that come out the same when a transition is decided again.

A ``Chance`` is made of a seed that is stored or derived from what is stored, one for each transition, and gives a
sequence: ask it in the same order and it answers the same. Numbers with a seed of their own are those of
``java.util.Random``, because that is what AWS gives (``$random(42)`` is 0.7275636800328681).
"""

from __future__ import annotations

import random
from uuid import UUID

_MULTIPLIER, _MASK = 0x5DEECE66D, (1 << 48) - 1


class Chance:
    """Nothing is computed before the first number is asked for: nearly no transition needs one."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._source: random.Random | None = None

    def bits(self, count: int) -> int:
        if self._source is None:
            self._source = random.Random(self._seed)
        return self._source.getrandbits(count)

    def fraction(self) -> float:
        """A number of 53 bits, 0 ≤ n < 1."""
        return self.bits(53) / (1 << 53)

    def uuid(self) -> str:
        """A UUID of version 4."""
        return str(UUID(int=self.bits(128), version=4))


class NoChance(Chance):
    """For scopes in which nothing is to be drawn: whoever draws all the same has forgotten to give a seed, and would
    get something else when the transition is decided again."""

    def __init__(self) -> None:
        super().__init__(0)

    def bits(self, count: int) -> int:
        raise RuntimeError("a scope has to be given a Chance before anything in it draws random numbers or UUIDs")


class Seeded:
    """``java.util.Random`` of a seed."""

    def __init__(self, seed: int) -> None:
        self._state = (seed ^ _MULTIPLIER) & _MASK

    def _next(self, bits: int) -> int:
        self._state = (self._state * _MULTIPLIER + 0xB) & _MASK
        return self._state >> (48 - bits)

    def fraction(self) -> float:
        high = self._next(26) << 27
        return (high + self._next(27)) / (1 << 53)

    def below(self, bound: int) -> int:
        """0 ≤ n < bound, for a bound from 1 to 2³¹-1."""
        if bound & (bound - 1) == 0:
            return (bound * self._next(31)) >> 31
        while True:
            drawn = self._next(31)
            value = drawn % bound
            if drawn - value + bound - 1 < 1 << 31:  # else the last, incomplete stretch of numbers: draw again
                return value
