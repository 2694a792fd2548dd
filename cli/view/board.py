"""What goes on in a store, on one screen: counts, then what wants somebody, then what runs. It fits the height."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ...state.quantities import span
from ...state.records import Head
from .heads import Cell, doing, table, tally
from .moments import ago, coarse
from .story import STATUS_STYLES
from .text import clean, cost, counted, excerpt, tokens

if TYPE_CHECKING:
    from ..overview import Operation, Picture

SORTS = ("changed", "age", "status", "function", "cost")
KEYS = "q quit   s sort   u changed  a age  t status  f function  c cost"


def sorted_heads(picture: Picture, by: str) -> list[Head]:
    """Executions that go on, in that order."""
    keys: dict[str, Callable[[Head], Any]] = {
        "changed": lambda head: -head.updated,
        "age": lambda head: head.created,
        "status": lambda head: (list(STATUS_STYLES).index(head.status), -head.updated),
        "function": lambda head: (head.function, -head.updated),
        "cost": lambda head: (-picture.costs.get(head.id, 0), -head.updated),
    }
    return sorted(picture.heads, key=keys[by])


def board(picture: Picture, width: int, height: int | None, by: str) -> list[Text]:
    """The lines; with a ``height`` no more than that."""
    lines = [*_summary(picture, width), *_processes(picture)]
    room = 1_000 if height is None else max(height - len(lines) - 1, 4)
    parts: list[Sequence[Text]] = []
    people = [*picture.approvals, *picture.doubts, *picture.stuck]
    if people:
        parts.append(list(_wanting(picture, people, width, max(room // 4, 3))))
    if picture.operations:
        parts.append(list(_operations(picture.operations[: max(room // 4, 3)], width)))
    functions = list(_functions(picture, width, max(room // 4, 3)))
    parts += [functions] if functions else []
    for part in parts:
        lines += [Text(), *part]
    left = 1_000 if height is None else height - len(lines) - 2
    if left > 1 and picture.heads:
        lines += [Text(), *_executions(picture, width, left - 1, by)]
    return lines if height is None else lines[:height]


def _summary(picture: Picture, width: int) -> Iterator[Text]:
    yield tally(picture.counts) or Text("no executions yet", "dim")
    spent = picture.spent
    parts = [f"active {picture.active:,}", f"approvals {len(picture.approvals):,}"]
    if picture.approvals:
        parts[-1] += f" (oldest {coarse(picture.now - picture.approvals[0].updated)})"
    parts += [f"in doubt {len(picture.doubts):,}", f"stuck {len(picture.stuck):,}"]
    parts += [f"cost {cost(spent.cost)}/min", f"{tokens(spent.tokens)} tokens/min"]
    text = Text(no_wrap=True, overflow="ellipsis")
    for number, part in enumerate(parts):
        hot = part.startswith(("in doubt", "stuck")) and not part.endswith(" 0")
        text.append(" · " if number else "", "dim").append(part, "bold red" if hot else "bold" if number == 0 else "")
    text.truncate(width, overflow="ellipsis")
    yield text


def _processes(picture: Picture) -> Iterator[Text]:
    lag = f"the oldest due for {span(picture.lag)}" if picture.due is not None else "nothing overdue"
    total = sum(picture.counts.values())
    seen = "" if picture.seen >= total else f" · {picture.seen:,} of {total:,} looked at so far"
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(counted(len(picture.owners), "process", "processes") if picture.owners else "no process is at work")
    text.append(f" · {lag}", "bold red" if picture.lag > 10_000 else "dim")
    yield text.append(seen, "dim")
    for owner, held in sorted(picture.owners.items(), key=lambda one: -one[1])[:4]:
        yield Text.assemble(("  ● ", "green"), clean(owner), (f"  {counted(held, 'lease')}", "dim"), no_wrap=True)


def _wanting(picture: Picture, heads: Sequence[Head], width: int, most: int) -> Iterator[Text]:
    rows: list[list[Cell]] = [
        [
            (clean(head.id), "bold"),
            (head.status, STATUS_STYLES.get(head.status, "")),
            (coarse(max(picture.now - head.updated, 0)), ""),
            (excerpt(head.awaits, 120), "yellow"),
        ]
        for head in heads[:most]
    ]
    yield from table(["WANTS SOMEBODY", "STATUS", "SINCE", "WHAT"], rows, width)
    if len(heads) > most:
        yield Text(f"… {len(heads) - most:,} more", "dim")


def _operations(operations: Sequence[Operation], width: int) -> Iterator[Text]:
    rows: list[list[Cell]] = [
        [
            (clean(one.name) or one.kind, "bold"),
            (one.kind, "dim"),
            (span(one.ms) + ("…" if one.open else ""), "yellow" if one.open else ""),
            (clean(f"{one.execution} {one.op}"), "dim"),
        ]
        for one in operations
    ]
    yield from table(["SLOWEST", "KIND", "TOOK", "OF"], rows, width)


def _functions(picture: Picture, width: int, most: int) -> Iterator[Text]:
    found = sorted(picture.functions().items(), key=lambda one: -sum(one[1].values()))
    rows: list[list[Cell]] = [
        [(clean(name), "bold"), (f"{sum(counts.values()):,}", ""), (tally(counts).plain, "")]
        for name, counts in found[:most]
    ]
    if rows:
        yield from table(["FUNCTION", "GO ON", "OF THEM"], rows, width)


def _executions(picture: Picture, width: int, most: int, by: str) -> Iterator[Text]:
    """Columns as there is room for them, and for the cost when there is any."""
    wide, costly = width >= 80, bool(picture.costs)
    rows: list[list[Cell]] = []
    for head in sorted_heads(picture, by)[:most]:
        spent = cost(picture.costs[head.id]) if head.id in picture.costs else ""
        rows.append([
            (clean(head.id), "bold"),
            *([(clean(head.function), "dim")] if wide else []),
            (head.status, STATUS_STYLES.get(head.status, "")),
            (ago(head.updated, picture.now) if wide else coarse(max(picture.now - head.updated, 0)), "dim"),
            *([(spent, "")] if costly else []),
            (doing(head, picture.now), ""),
        ])  # fmt: skip
    titles = [f"ID (by {by})", *(["FUNCTION"] if wide else []), "STATUS", "CHANGED", *(["COST/MIN"] if costly else [])]
    yield from table([*titles, "WAITING FOR / NOTE"], rows, width)
