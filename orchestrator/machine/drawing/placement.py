"""Where cells stand within their rows, whose order is set: near what they are joined with, and above each other where
there is room."""

from __future__ import annotations

from collections.abc import Sequence

from .cells import GAP, LARGE, NARROW, Cell

SWEEPS = 48


def _apart(one: Cell, other: Cell) -> float:
    """How far the centres of neighbours in a row must be from each other."""
    gap = GAP if one.node is not None and other.node is not None else NARROW
    return (one.size.width + other.size.width) / 2 + gap


def place(rows: list[list[Cell]]) -> None:
    for row in rows:
        at = 0.0
        for index, cell in enumerate(row):
            at += _apart(row[index - 1], cell) if index else 0
            cell.x = at
        middle = at / 2
        for cell in row:
            cell.x -= middle
    sweeps = SWEEPS if sum(map(len, rows)) < LARGE else 8
    for sweep in range(sweeps):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            _settle(row, both=sweep >= sweeps // 2, down=down)
        if sweep > sweeps // 2 and sweep % 4 == 3:
            _straighten(rows)


def _straighten(rows: list[list[Cell]]) -> None:
    """Put what is joined most strongly above each other, one run after another, where their rows have room."""
    every = [cell for row in rows for cell in row]
    above = {id(cell): _main(cell.above) for cell in every}  # once for each: thousands may be joined with one
    beneath = {id(cell): _main(cell.below) for cell in every}
    for cell in every:
        if (over := above[id(cell)]) is not None and beneath[id(over)] is cell:
            continue  # it is in the run of that
        low, high = _room(cell, rows)
        run, wanted, below = [cell], [cell.x], beneath[id(cell)]
        while below is not None and above[id(below)] is run[-1]:
            least, most = _room(below, rows)
            if max(low, least) > min(high, most):
                _move(run, wanted, low, high)
                run, wanted, low, high = [], [], least, most
            low, high = max(low, least), min(high, most)
            run.append(below)
            wanted.append(below.x)
            below = beneath[id(below)]
        _move(run, wanted, low, high)


def _main(joined: Sequence[tuple[Cell, float]]) -> Cell | None:
    """The most strongly joined; of several, the one nearest to their middle."""
    strongest = max((weight for _, weight in joined), default=0)
    found = [cell for cell, weight in joined if weight == strongest]
    middle = sum(cell.x for cell in found) / max(len(found), 1)
    return min(found, key=lambda one: (round(abs(one.x - middle), 1), one.at), default=None)


def _room(cell: Cell, rows: list[list[Cell]]) -> tuple[float, float]:
    """How far a cell may go to both sides."""
    row, at = rows[cell.row], cell.at
    left = row[at - 1].x + _apart(row[at - 1], cell) if at else -1e9
    right = row[at + 1].x - _apart(cell, row[at + 1]) if at + 1 < len(row) else 1e9
    return min(left, cell.x), max(right, cell.x)


def _move(run: Sequence[Cell], wanted: Sequence[float], low: float, high: float) -> None:
    x = min(max(sum(wanted) / len(wanted), low), high)
    for cell in run:
        cell.x = x


def _settle(row: list[Cell], *, both: bool, down: bool) -> None:
    """Move the cells of a row to where their neighbours want them, by least squares, none closer than it may be: those
    that would be are moved as one block."""
    blocks: list[tuple[float, float, int]] = []  # where its first cell is, its weight, how many cells
    offset, offsets = 0.0, list[float]()
    for index, cell in enumerate(row):
        offset += _apart(row[index - 1], cell) if index else 0
        offsets.append(offset)
        joined = [*cell.above, *cell.below] if both else cell.above if down else cell.below
        weight = sum(strength for _, strength in joined)
        wanted = sum(other.x * strength for other, strength in joined) / weight if joined else cell.x
        block = (wanted - offset, weight or 0.01, 1)
        while blocks and blocks[-1][0] > block[0]:
            at, heavy, count = blocks.pop()
            whole = heavy + block[1]
            block = ((at * heavy + block[0] * block[1]) / whole, whole, count + block[2])
        blocks.append(block)
    index = 0
    for at, _, count in blocks:
        for cell, offset in zip(row[index : index + count], offsets[index : index + count], strict=True):
            cell.x = at + offset
        index += count
