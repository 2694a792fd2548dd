"""Executions as a table for people, fitted to the width, plain when piped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ...orchestrator.protocol.stuck import DAMAGED
from ...orchestrator.workflow.takes import taken, waits
from ...state.records import FINAL, Head
from .moments import ago, clock
from .story import STATUS_STYLES
from .text import clean, excerpt

Cell = tuple[str, str]


def head_table(heads: Sequence[Head], width: int, now: int) -> Iterator[Text]:
    """ID, FUNCTION, STATUS, UPDATED, and what it waits for or says about itself."""
    rows: list[list[Cell]] = [
        [
            (clean(head.id), "bold"),
            (clean(head.function), "dim" if head.kind == "workflow" else ""),
            (head.status, STATUS_STYLES.get(head.status, "")),
            (ago(head.updated, now), "dim"),
            (doing(head, now), ""),
        ]
        for head in heads
    ]
    yield from table(["ID", "FUNCTION", "STATUS", "CHANGED", "WAITING FOR / NOTE"], rows, width)


def doing(head: Head, now: int) -> str:
    """What it waits for and until when, and its status line."""
    parts: list[str] = []
    if head.deaths:
        parts.append("its process died" if head.deaths == 1 else f"{head.deaths} processes died with it")
    if head.awaits and (head.status not in FINAL or head.awaits.startswith(DAMAGED)):
        wakes = f" (wakes {clock(head.wake, now)})" if head.wake and head.wake > now else ""
        example = taken(head.state, head.awaits)
        more = [excerpt(thing, 40) for thing in waits(head.state, head.awaits)[1:4]]
        such = f", such as {clean(example)}" if example else ""
        parts.append(excerpt(head.awaits, 80) + such + "".join(f"; {thing}" for thing in more) + wakes)
    if head.note:
        parts.append(excerpt(head.note, 120))
    return " · ".join(parts)


def table(titles: Sequence[str], rows: Sequence[Sequence[Cell]], width: int) -> Iterator[Text]:
    """Aligned columns; the last takes what is left, and the others give way when there is too
    little, the first one (what one would type) at the very end."""
    widths = [max(cell_len(title), *(cell_len(row[i][0]) for row in rows), 0) for i, title in enumerate(titles)]
    gaps = 2 * (len(titles) - 1)
    least = min(widths[-1], max(18, width // 4))
    while sum(widths[:-1]) + gaps + least > width:
        widest = max(range(1, len(widths) - 1), key=widths.__getitem__)
        if widths[widest] <= 8:
            widest = 0
            if widths[0] <= 16:
                break
        widths[widest] -= 1
    widths[-1] = max(width - sum(widths[:-1]) - gaps, 8)
    yield _joined([(title, "bold dim") for title in titles], widths)
    for row in rows:
        yield _joined(row, widths)


def _joined(cells: Sequence[Cell], widths: Sequence[int]) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    for (content, style), width in zip(cells, widths, strict=True):
        if text:
            text.append("  ")
        text.append(_fit(content, width), style)
    text.rstrip()
    return text


def _fit(content: str, width: int) -> str:
    if cell_len(content) <= width:
        return set_cell_size(content, width)
    return set_cell_size(set_cell_size(content, width - 1).rstrip() + "…", width)


def tally(counts: Mapping[str, int]) -> Text:
    """ "3 running · 12 waiting · 240 completed"."""
    text = Text()
    for status, style in STATUS_STYLES.items():
        if counts.get(status):
            text.append(" · " if text else "", "dim")
            text.append(f"{counts[status]:,} {status}", style)
    return text
