"""Many like rows made few: the items of a large map, the thousand steps of a loop. The first, the last, the
failed and the open ones stay; the rest becomes one line with count and range, so a timeline stays readable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...orchestrator.timeline.row import FAILED, OPEN, Row

SIBLINGS = 8
"""How many rows under one operation are shown as they are."""
TOP = 60
"""The same for operations that stand under no other."""


class Gap(NamedTuple):
    """Rows that are not shown, all of one kind."""

    kind: str
    hidden: int  # how many
    shortest: int  # ms
    longest: int


def condense(rows: Sequence[Row]) -> list[Row | Gap]:
    """The rows to show, in order, with gaps where like ones were left out."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.op:
            groups.setdefault((_parent(row.op), row.kind), []).append(row)
    gaps: dict[int, Gap] = {}
    hidden: set[int] = set()
    for (parent, kind), members in groups.items():
        limit = SIBLINGS if parent else TOP
        if len(members) <= limit:
            continue
        left_out = _left_out(members, limit)
        if len(left_out) > 1:
            hidden.update(id(row) for row in left_out)
            took = [row.ms or 0 for row in left_out]
            gaps[id(left_out[0])] = Gap(kind, len(left_out), min(took), max(took))
    shown: list[Row | Gap] = []
    for row in rows:
        if id(row) in gaps:
            shown.append(gaps[id(row)])
        elif id(row) not in hidden:
            shown.append(row)
    return shown


def _left_out(members: Sequence[Row], limit: int) -> list[Row]:
    edge = limit // 2
    kept = {id(row) for row in [*members[: edge - 1], *members[-1:]]}
    for state in (FAILED, OPEN):
        kept.update(id(row) for row in _first(edge, (row for row in members if row.state == state)))
    return [row for row in members if id(row) not in kept]


def _first(count: int, rows: Iterable[Row]) -> list[Row]:
    from itertools import islice

    return list(islice(rows, count))


def _parent(op: str) -> str:
    return op.rpartition(".")[0]
