"""How many things were done at once: a small histogram that costs an addition, and that metrics read."""

from __future__ import annotations

BITS = 10
"""Sizes are told apart by their bits: 1, 2 to 3, 4 to 7 … The last bucket has all from 1,024 on."""


class Sizes:
    """Made and read on one thread."""

    __slots__ = ("_counts", "total")

    def __init__(self) -> None:
        self.total = 0
        self._counts = [0] * (BITS + 1)

    def add(self, size: int) -> None:
        """So many at once; at least one."""
        self.total += size
        self._counts[min(size.bit_length() - 1, BITS)] += 1

    def numbers(self) -> dict[str, object]:
        """``changes`` altogether, and the ``transactions`` in which they were made, by their size."""
        return {"changes": self.total, "transactions": list(self._counts)}
