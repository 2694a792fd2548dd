"""``overwinter show ID``: a readable timeline of one execution.

``--json``: ``{"execution": head, "entries": [journal entry…], "first": n, "mail": n, "totals": {…},
"waiting": [{op, kind, name, since, until, what, role, digest, child}…], "children": [head…]}``. Entries are
as docs/journal.md says, the first one having number ``first``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ...state.records import Filter, Head
from .. import reach
from ..options import id_argument, json_option, store_option

if TYPE_CHECKING:
    from ...state.store import Store
    from ..view.story import Story
    from ..view.timeline import Row

WINDOW = 20_000
"""How many of the last entries are read without ``--full``."""


JSON = "--json: {execution, entries, first, mail, totals, waiting: [{op, kind, name, since, until …}], children}"


@click.command(epilog=JSON)
@id_argument
@click.option("--full", is_flag=True, help="Everything: all rows, whole values, all turns.")
@click.option("--last", default=12, show_default=True, type=click.IntRange(1), help="Turns of a session to show.")
@store_option
@json_option
def show_command(id: str, full: bool, last: int, store: str, as_json: bool) -> None:
    """What an execution did, how long it took, what it cost, and what it waits for."""
    if as_json:
        from ..view.terminal import emit

        emit(reach.run(_document(store, id)))
        return
    from ..view.story import tell
    from ..view.terminal import console

    story = reach.run(_story(store, id, full=full))
    out = console()
    for line in tell(story, out.width, full=full, last=last, bars=out.is_terminal):
        out.print(line)


async def _story(dsn: str, id: str, *, full: bool) -> Story:
    from ..view.story import Story
    from ..view.timeline import Timeline

    async with reach.opened(dsn) as store:
        await reach.tell_moved(store)
        head = await reach.known(store, id)
        timeline = Timeline()
        after = 0 if full else max(head.length - WINDOW, 0)
        async for number, entry in reach.entries(store, id, after=after):
            timeline.add(number, await _whole(store, head.id, entry) if full else entry)
        mail, _ = await store.mailbox(id, 1)
        children = await _children(store, head)
        from ..view.moments import now

        return Story(head, timeline, children, mail, after, head.awaits, now())


async def _document(dsn: str, id: str) -> dict[str, Any]:
    from ..view.timeline import Timeline

    async with reach.opened(dsn) as store:
        await reach.tell_moved(store)
        head = await reach.known(store, id)
        timeline = Timeline()
        entries: list[dict[str, Any]] = []
        async for number, entry in reach.entries(store, id):
            timeline.add(number, entry)
            entries.append(entry)
        mail, _ = await store.mailbox(id, 1)
        return {
            "execution": reach.head_json(head),
            "first": 1,
            "entries": entries,
            "mail": mail,
            "totals": timeline.totals.json(),
            "waiting": [_waiting(row) for row in timeline.waiting.values()],
            "children": [reach.head_json(child) for child in await _children(store, head)],
        }


def _waiting(row: Row) -> dict[str, Any]:
    return {
        "op": row.op,
        "kind": row.kind,
        "name": row.name,
        "since": row.at,
        "until": row.until,
        "attempts": row.attempts,
        "what": row.facts.get("what"),
        "role": row.facts.get("role"),
        "digest": row.facts.get("digest"),
        "child": row.facts.get("id") if row.kind == "child" else None,
    }


async def _children(store: Store, head: Head) -> list[Head]:
    page = await store.executions(Filter(parent=head.id), limit=100)
    return list(page.heads)[::-1]


async def _whole(store: Store, id: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with the field that lies in a blob put back, as far as the blob is there."""
    import json

    there: dict[str, Any] | None = entry.get("blob")
    if not isinstance(there, dict):
        return entry
    data = await store.blob(id, str(there.get("digest")))
    try:
        return entry if data is None else {**entry, str(there.get("field")): json.loads(data)}
    except ValueError:
        return entry
