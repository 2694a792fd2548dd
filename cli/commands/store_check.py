"""``overwinter store check``: is everything in the store sound? Exit code 1 when something is wrong; remarks are 0.
Processes may be at work meanwhile; nothing is changed.

``--json``: ``{"ok", "executions", "entries", "blobs", "wrong", "remarks", "findings": [{id, level, what, advice}]}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

import click

from ...state.records import EVERYTHING, Filter
from .. import reach
from ..exits import FAILED
from ..options import json_option, store_option
from ..selection import selection

if TYPE_CHECKING:
    from ...orchestrator.upkeep.auditing import Finding

SHOWN = 200
MARKS = {"wrong": ("✗", "bold red"), "remark": ("!", "yellow")}
JSON = (
    "--json: {ok, executions, entries, blobs, wrong, remarks, findings: [{id, level: wrong or remark, what, advice}]}"
)


class Outcome(NamedTuple):
    """What was looked at and what was found."""

    executions: int
    entries: int
    blobs: int
    findings: Sequence[Finding]

    def count(self, level: str) -> int:
        return sum(finding.level == level for finding in self.findings)


@click.command(epilog=JSON)
@click.option("--where", multiple=True, metavar="KEY=VALUE", help="Only those with status=, function=, prefix= …")
@store_option
@json_option
@click.pass_context
def check_command(ctx: click.Context, where: Sequence[str], store: str, as_json: bool) -> None:
    """Look at every execution, its journal, mail and blobs, and at the store itself."""
    outcome = reach.run(_check(store, selection(where, ()) if where else EVERYTHING))
    wrong, remarks = outcome.count("wrong"), outcome.count("remark")
    if as_json:
        from ..view.terminal import emit

        found = [finding._asdict() for finding in outcome.findings]
        sizes = {"executions": outcome.executions, "entries": outcome.entries, "blobs": outcome.blobs}
        emit({"ok": not wrong, **sizes, "wrong": wrong, "remarks": remarks, "findings": found})
    else:
        _print(outcome, wrong, remarks)
    ctx.exit(FAILED if wrong else 0)


async def _check(dsn: str, where: Filter) -> Outcome:
    from ...orchestrator.upkeep.auditing import audit
    from ..store_progress import progress

    executions = entries = blobs = 0
    findings: list[Finding] = []
    async with reach.control(dsn) as reading:
        total = sum((await reading.counts()).values()) if where == EVERYTHING else 0
        with progress() as report:
            async with aclosing(audit(reading.store, where)) as looked:
                async for checked in looked:
                    executions += checked.id != ""
                    entries, blobs = entries + checked.entries, blobs + checked.blobs
                    findings += checked.findings
                    report("checking", executions, total)
    return Outcome(executions, entries, blobs, findings)


def _print(outcome: Outcome, wrong: int, remarks: int) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..view.terminal import console, say
    from ..view.text import clean, counted

    out = console()
    advice: dict[str, None] = {}
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold", max_width=40)
    grid.add_column(overflow="fold")
    for finding in sorted(outcome.findings, key=lambda finding: list(MARKS).index(finding.level))[:SHOWN]:
        mark, style = MARKS[finding.level]
        who = Text(clean(finding.id) or "the store", "bold" if finding.id else "dim")
        grid.add_row(Text(mark, style), who, Text(clean(finding.what)))
        advice |= {clean(finding.advice): None} if finding.advice else {}
    if outcome.findings:
        out.print(grid)
    for line in advice:  # below, since a cell would break the commands in it
        out.print(Text(f"→ {line}", "dim"), soft_wrap=True)
    if len(outcome.findings) > SHOWN:
        out.print(Text(f"… and {len(outcome.findings) - SHOWN:,} more; --json lists all", "dim"))
    looked = ", ".join(
        (
            counted(outcome.executions, "execution"),
            counted(outcome.entries, "journal entry", "journal entries"),
            counted(outcome.blobs, "blob"),
        )
    )
    verdict = f"{wrong:,} wrong" if wrong else "nothing is wrong"
    also = f", {counted(remarks, 'remark')}" if remarks else ""
    out.print(Text.assemble(f"{looked}: ", (verdict, "bold red" if wrong else "green"), also), soft_wrap=True)
    if wrong:
        say("→ overwinter store export FILE keeps what can be read; a backup of the store has the rest", style="dim")
