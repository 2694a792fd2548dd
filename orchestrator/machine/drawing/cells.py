"""What a layout is made of: rows of cells, each a box or a place that a line passes through."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

GAP = 28.0
"""Between two boxes of a row."""
ROW = 18.0
"""Between two rows; there is one for labels between each two of boxes."""
NARROW = 14.0
"""Between lines, and beside labels."""
LARGE = 20_000
"""Cells, from which on less care is taken."""

Node = Hashable


class Size(NamedTuple):
    width: float
    height: float


class Spot(NamedTuple):
    """A centre."""

    x: float
    y: float


@dataclass(slots=True, eq=False)
class Cell:
    """A box, or a place that a line passes through. ``above`` and ``below``: what it is joined with, how strongly."""

    size: Size
    row: int
    node: Node | None = None
    shared: bool = False  # by lines to the same target
    x: float = 0.0
    at: int = 0
    above: list[tuple[Cell, float]] = field(default_factory=list["tuple[Cell, float]"])
    below: list[tuple[Cell, float]] = field(default_factory=list["tuple[Cell, float]"])
