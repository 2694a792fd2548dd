"""What ``retry`` means for replay: which entries are left out, so that the failed operation is open again, and
which may be dropped, because only the failure led to them. Successes of parallel operations stay. A call that ended in
doubt is not made again: it is in doubt again, until somebody says what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from ..governance.approvals.proposal import ESCALATION, REMINDER, op_of
from ..governance.doubts import doubt_of
from ..protocol.decider import Fact
from ..protocol.journal import went_wrong


class Journal(NamedTuple):
    """Entries to apply. ``loose`` are the positions in ``entries`` that are dropped when the code has not asked
    for them. ``renewed``: operations that begin again, with the time and the number of the retry. ``positions``:
    where each stood in the journal, when some were left out. ``reopened``: those that begin again, or
    are in doubt again; ``seen``: those of which something is left."""

    entries: Sequence[Fact]
    loose: frozenset[int] = frozenset()
    renewed: dict[str, tuple[int, int]] = {}
    positions: Sequence[int] | None = None
    reopened: Set[str] = frozenset()
    seen: Set[str] = frozenset()


def reopened(entries: Sequence[Fact]) -> Journal:
    """The journal as replay is to read it."""
    if not any(entry["type"] == "retry" for entry in entries):
        return Journal(entries)
    ops = _operations(entries)
    left_out: set[int] = set()
    doubts: dict[int, Fact] = {}
    loose: set[int] = set()
    renewed: dict[str, tuple[int, int]] = {}
    every: set[str] = set()
    for count, (failed, retried) in enumerate(_retries(entries), start=1):
        left_out.add(failed)
        again, begun = _again(entries, ops, left_out, failed, retried)
        every |= again
        for op in again:
            renewed[op] = (entries[retried]["at"], count)
        for index in range(failed):
            if ops[index] in again and index not in left_out and (doubt := doubt_of(entries[index])) is not None:
                doubts[index] = doubt
        again -= {str(doubt["op"]) for doubt in doubts.values()}
        gone = again | {f"{op}.cancel" for op in again}
        left_out |= {index for index in range(failed) if ops[index] in gone and entries[index]["type"] != "skipped"}
        loose |= set(range(begun, retried))
    kept = [index for index in range(len(entries)) if index not in left_out]
    return Journal(
        [doubts.get(index, entries[index]) for index in kept],
        frozenset(position for position, index in enumerate(kept) if index in loose),
        renewed,
        kept,
        every,
        {found for index in kept if (found := ops[index]) is not None},
    )


def _operations(entries: Sequence[Fact]) -> list[str | None]:
    """The operation of each entry; what tells of a child may carry its id only, and an id may be ordered again."""
    children: dict[str, str] = {}
    ops: list[str | None] = []
    for entry in entries:
        if entry["type"] == "ordered" and entry["kind"] == "child":
            children[entry["id"]] = entry["op"]
        ops.append(op_of(entry) or (children.get(entry["id"]) if entry["type"] == "child" else None))
    return ops


def _retries(entries: Sequence[Fact]) -> Iterator[tuple[int, int]]:
    """Positions of each failure and of the retry that followed it."""
    failed: int | None = None
    for index, entry in enumerate(entries):
        if entry["type"] == "failed":
            failed = index
        elif entry["type"] == "retry" and failed is not None:
            yield failed, index
            failed = None


def _again(
    entries: Sequence[Fact], ops: list[str | None], left_out: set[int], failed: int, retried: int
) -> tuple[set[str], int]:
    """The operations that begin again, and the position from which entries belong to the failure."""
    wanted = entries[retried].get("op") or entries[failed]["error"].get("op")
    again: set[str] = set()
    begun = failed
    open_children: set[str] = set()
    for index in range(failed):
        op, entry = ops[index], entries[index]
        if op is None or index in left_out:
            continue
        if entry["type"] == "ordered" and entry["kind"] == "child" and not entry["detached"]:
            open_children.add(op)
        elif entry["type"] == "child":
            open_children.discard(op)
        if wanted is None or not went_wrong(entry) or entry.get("kind") in (REMINDER, ESCALATION):
            continue
        if op == wanted or op.startswith(f"{wanted}."):
            again.add(op)
            begun = min(begun, index)
    return again | open_children, begun
