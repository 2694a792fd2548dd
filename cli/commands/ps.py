"""``overwinter ps``: executions, newest first. Without ``--all`` or a filter, those that have not ended.

``--json``: ``{"executions": [head…], "cursor": text | null, "counts": {status: number}}``; a head is ``{id,
function, kind, status, version, length, created, updated, wake, awaits, takes, note, parent, owner, deaths,
definition, tokens, cost}``: the digest of a state machine's definition, and what an agent has used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click

from ...state.records import FINAL, STATUSES, Filter, Page
from .. import reach
from ..options import json_option, store_option, text_option

LIVE = tuple(status for status in STATUSES if status not in FINAL)


JSON = "--json: {executions: [{id, function, kind, status, created, updated, wake, awaits, takes …}], cursor, counts}"


@click.command(epilog=JSON)
@click.option("--status", multiple=True, type=click.Choice(STATUSES), metavar="STATUS", help="Only these; repeatable.")
@text_option("--function", unsaid="", help="Only of this workflow or agent.")
@text_option("--prefix", unsaid="", help="Only ids that start so.")
@text_option("--parent", help="Only children of this execution.")
@click.option("--all", "-a", "everything", is_flag=True, help="Also those that have ended.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@text_option("--cursor", help="Go on where the last page ended.")
@store_option
@json_option
def ps_command(
    status: Sequence[str],
    function: str,
    prefix: str,
    parent: str | None,
    everything: bool,
    limit: int,
    cursor: str | None,
    store: str,
    as_json: bool,
) -> None:
    """List executions, newest first.

    Without a filter: those that have not ended, or the newest ones when all have.
    """
    chosen = bool(status or function or prefix or parent is not None or everything or cursor)
    where = Filter(status if chosen else LIVE, function, prefix, parent)
    page, counts = reach.run(_read(store, where, cursor, limit, widen=not chosen))
    if as_json:
        from ..view.terminal import emit

        shape = [reach.head_json(head) for head in page.heads]
        emit({"executions": shape, "cursor": page.cursor, "counts": dict(counts)})
        return
    _print(page, counts)


async def _read(
    dsn: str, where: Filter, cursor: str | None, limit: int, *, widen: bool
) -> tuple[Page, Mapping[str, int]]:
    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        page = await reading.page(where, cursor, limit)
        if widen and not page.heads:
            page = await reading.page(Filter(), cursor, min(limit, 10))
        return page, await reading.counts()


def _print(page: Page, counts: Mapping[str, int]) -> None:
    from ..view.command import command
    from ..view.heads import head_table, tally
    from ..view.moments import now
    from ..view.terminal import console

    out = console()
    if page.heads:
        for line in head_table(page.heads, out.width, now()):
            out.print(line)
    summed = tally(counts)
    notes = console(stderr=True)
    notes.print(
        summed if summed else "no executions yet: overwinter run FILE FUNCTION, or overwinter invoke", soft_wrap=True
    )
    if page.cursor:
        notes.print(f"more: {command('ps', cursor=page.cursor)} (with the same filters)", style="dim", soft_wrap=True)
