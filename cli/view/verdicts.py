"""What became of the cases of a definition, for people: one line each, and below it what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...orchestrator.machine.trial.verdict import NOTHING, Difference
from .heads import Cell, table
from .terminal import console, put
from .text import clean, clean_lines, counted, json_text, shorten

if TYPE_CHECKING:
    from rich.text import Text

    from ...orchestrator.machine.trial.cases import Verdict

SHOWN = 8
"""Differences of one case that are shown; --json has all."""
WIDEST = 200
STYLES = {"SUCCEEDED": "green", "CAUGHT_ERROR": "yellow", "RETRIABLE": "yellow", "FAILED": "red"}


def show_verdicts(file: str, verdicts: Sequence[Verdict]) -> None:
    """All of them, and the sum."""
    from rich.text import Text

    out = console()
    rows: list[Sequence[Cell]] = [_row(one) for one in verdicts]
    lines = table(["", "CASE", "STATE", "CAME TO", "NEXT"], rows, out.width)
    put(out, next(lines))
    for line, verdict in zip(lines, verdicts, strict=True):
        put(out, line)
        for said in _told(verdict, clean(file)):
            put(out, said)
    failed = sum(not one.passed for one in verdicts)
    summed = f"{failed} failed" if failed else "all as expected"
    out.print(Text.assemble(f"{counted(len(verdicts), 'case')}: ", (summed, "bold red" if failed else "green")))


def _row(one: Verdict) -> list[Cell]:
    mark: Cell = ("✓", "green") if one.passed else ("✗", "bold red")
    state = clean(one.case.state) if one.case.state else "(all)"
    if one.tested is None:
        return [mark, (clean(one.case.name), "bold"), (state, "dim"), ("not tried", "red"), ("", "")]
    status, error = one.tested.status, one.tested.error
    said = f"{status} {clean(error)}" if error else status
    following = clean(one.tested.next_state or "")
    return [mark, (clean(one.case.name), "bold"), (state, "dim"), (said, STYLES[status]), (following, "")]


def _told(one: Verdict, file: str) -> Iterator[Text]:
    from rich.text import Text

    if one.passed:
        return
    line = one.case.line
    yield Text(f"   {file}:{line}" if line is not None else f"   {file}", "dim", overflow="ignore")
    if one.problem:
        yield Text(f"   {clean_lines(one.problem)}", "red", overflow="ignore")
    for difference in one.differences[:SHOWN]:
        yield Text(f"   {difference.field}{clean(difference.pointer)}")
        yield Text(f"     expected  {_value(difference.expected)}", "green", overflow="ignore")
        yield Text(f"     came out  {_value(difference.actual)}", "red", overflow="ignore")
    if (more := len(one.differences) - SHOWN) > 0:
        yield Text(f"   … and {more:,} more; --json lists all", "dim")
    if _unexpected(one.differences) and one.tested is not None and one.tested.cause:
        yield Text(f"   cause: {shorten(clean(one.tested.cause), 2 * WIDEST)}", "dim", overflow="ignore")


def _unexpected(differences: Sequence[Difference]) -> bool:
    """Whether it failed where nobody expected that, so that its cause matters and is not among what differs."""
    fields = {one.field for one in differences}
    return bool(fields & {"status", "error"}) and not fields & {"cause", "causeContains"}


def _value(value: Any) -> str:
    return "nothing" if value is NOTHING else shorten(json_text(value), WIDEST)
