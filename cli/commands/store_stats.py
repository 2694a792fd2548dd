"""``overwinter store stats``: what is in the store and who works on it.

``--json``: ``{"store", "executions", "counts", "functions": [{function, kind, counts}], "entries", "mail", "due",
"overdue_ms", "next", "leased", "owners": [{owner, executions}], "bytes", "remarks": [{name, state, detail, advice}]}``.
``due`` have a wake time that has passed, the oldest of them ``overdue_ms`` ago; ``bytes`` is null where unknown.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..options import json_option, store_option

if TYPE_CHECKING:
    pass

JSON = "--json: {store, executions, counts, functions, entries, mail, due, overdue_ms, next, leased, owners, bytes …}"
MARKS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "bold red")}


@click.command(epilog=JSON)
@store_option
@json_option
def stats_command(store: str, as_json: bool) -> None:
    """Counts by status and function, journal entries, mail, what is due, living processes, size, settings."""
    document = reach.run(_stats(store))
    if as_json:
        from ..view.terminal import emit

        emit(document)
        return
    _print(document)


async def _stats(dsn: str) -> dict[str, Any]:
    from ...orchestrator.protocol.clock import present
    from ...orchestrator.sums import summed
    from ...security.address import shown
    from ..store_progress import progress

    async with reach.control(dsn) as reading:
        store = reading.store
        with progress() as report:
            tally = await summed(reading, report)
        functions = [
            {"function": function, "kind": kind, "counts": dict(counts)}
            for (function, kind), counts in sorted(tally.functions.items(), key=lambda item: -item[1].total())
        ]
        owners = await store.owners(await present(store))
        return {
            "store": shown(dsn),
            "executions": tally.executions,
            "counts": await reading.counts(),
            "functions": functions,
            "entries": tally.entries,
            "mail": tally.mail,
            "due": tally.due,
            "overdue_ms": tally.overdue_ms,
            "next": await store.next_wake(),
            "leased": tally.leased,
            "owners": [{"owner": owner, "executions": held} for owner, held in sorted(owners.items())],
            "bytes": _bytes(reach.sqlite_path(dsn)),
            "remarks": [remark._asdict() for remark in await store.survey()],
        }


def _bytes(path: Path | None) -> int | None:
    if path is None:
        return None
    return sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())


def _print(document: dict[str, Any]) -> None:
    from rich.text import Text

    from ...state.quantities import span
    from ..view.heads import Cell, table, tally
    from ..view.moments import ago, now
    from ..view.terminal import console
    from ..view.text import clean, counted, size

    out = console()
    place = Text.assemble((clean(document["store"]), "bold"))
    if document["bytes"] is not None:
        place.append(f"  {size(document['bytes'])}", "dim")
    out.print(place, soft_wrap=True)
    if not document["executions"]:
        out.print(Text("no executions yet", "dim"))
    else:
        rows: list[list[Cell]] = []
        for line in document["functions"]:
            counts = line["counts"]
            rows.append(
                [
                    (clean(line["function"]), "bold"),
                    (line["kind"], "dim"),
                    (f"{sum(counts.values()):,}", ""),
                    (tally(counts).plain, ""),
                ]
            )
        for text in table(["FUNCTION", "KIND", "EXECUTIONS", "OF THEM"], rows, out.width):
            out.print(text)
        out.print(tally(document["counts"]))
    facts = [
        counted(document["entries"], "journal entry", "journal entries"),
        counted(document["mail"], "mail") + " waiting",
    ]
    facts.append(f"{document['due']:,} due, the oldest for {span(document['overdue_ms'])}" if document["due"] else "")
    facts.append(f"next wake {ago(document['next'], now())}" if document["next"] and not document["due"] else "")
    out.print(Text(" · ".join(fact for fact in facts if fact)))
    for owner in document["owners"]:
        held = counted(owner["executions"], "execution") if owner["executions"] else "idle"
        out.print(Text.assemble(("● ", "green"), clean(owner["owner"]), (f"  {held}", "dim")), soft_wrap=True)
    if not document["owners"]:
        left = f"; {document['leased']:,} were left by one that died, and are due" if document["leased"] else ""
        out.print(Text(f"no process is at work{left}", "dim"))
    for remark in document["remarks"]:
        mark, style = MARKS.get(remark["state"], MARKS["warn"])
        out.print(Text.assemble((f"{mark} ", style), (remark["name"], "bold"), "  ", clean(remark["detail"])))
        if remark["advice"]:
            out.print(Text.assemble("  → ", (clean(remark["advice"]), style)), soft_wrap=True)
