"""The order of cells within their rows, in which few lines cross."""

from __future__ import annotations

from .cells import LARGE, Cell

SWEEPS = 12


def order(rows: list[list[Cell]]) -> None:
    _firstorder(rows)
    cells = sum(map(len, rows))
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS if cells < LARGE else 2):
        if not fewest:
            break
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            _sort(row, down=down)
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, found in zip(rows, best, strict=True):
        row[:] = found
        _number(row)


def _firstorder(rows: list[list[Cell]]) -> None:
    """As cells are reached from the top, so that what belongs together stands together."""
    found: list[list[Cell]] = [[] for _ in rows]
    seen: set[int] = set()
    for start in (cell for row in rows for cell in row if not cell.above):
        stack = [start]
        while stack:
            cell = stack.pop()
            if id(cell) in seen:
                continue
            seen.add(id(cell))
            found[cell.row].append(cell)
            stack.extend(other for other, _ in reversed(cell.below))
    for row, order in zip(rows, found, strict=True):
        row[:] = order
        _number(row)


def _number(row: list[Cell]) -> None:
    for at, cell in enumerate(row):
        cell.at = at


def _sort(row: list[Cell], *, down: bool) -> None:
    """By the mean of their neighbours in the row before; who has none stays where it is."""

    def mean(cell: Cell) -> float:
        joined = cell.above if down else cell.below
        return sum(other.at for other, _ in joined) / len(joined) if joined else cell.at

    row.sort(key=mean)
    _number(row)


def _crossings(rows: list[list[Cell]]) -> int:
    """How many lines cross, between each two rows."""
    total = 0
    for row in rows:
        ends = [at for cell in row for at in sorted(other.at for other, _ in cell.below)]
        tree = [0] * (max(ends, default=0) + 2)
        for number, end in enumerate(ends):
            at, before = end + 1, 0
            while at:
                before += tree[at]
                at &= at - 1
            total += number - before
            at = end + 1
            while at < len(tree):
                tree[at] += 1
                at += at & -at
    return total
