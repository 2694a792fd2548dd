"""``overwinter show ID``: a readable timeline of one execution.

``--json``: ``{"execution": head, "entries": [journal entry…], "first": n, "mail": n, "totals": {…},
"waiting": [{op, kind, name, since, until, what, role, digest, child}…], "children": [head…]}``, ``"states"`` of a
state machine's, as docs/state-machines.md says, and ``"budget": {used, beside, granted, warned}`` of an agent's that
has used something beside its own answers, or was granted more. Entries are as docs/journal.md says, the first one
having number ``first``. ``--waterfall --json``: the timeline, as docs/http.md says.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..options import id_argument, json_option, store_option, text_option

if TYPE_CHECKING:
    from ...orchestrator.machine.history.states import Flow
    from ...orchestrator.reading import Reading
    from ...orchestrator.timeline.row import Row
    from ...orchestrator.timeline.timeline import Timeline
    from ...state.records import Head
    from ..view.story import Story

WINDOW = 20_000
"""How many of the last entries are read without ``--full``."""


_DOUBT = ("doubt", "since", "key", "arguments", "why", "rule")
JSON = "--json: {execution, entries, first, mail, totals, waiting: [{op, kind, name, since, until …}], children}"


@click.command(epilog=JSON)
@id_argument
@click.option("--full", is_flag=True, help="Everything: all rows, whole values, all turns.")
@click.option("--last", default=12, show_default=True, type=click.IntRange(1), help="Turns of a session to show.")
@click.option("--waterfall", is_flag=True, help="Draw what ran when: bars along time, idle stretches squeezed.")
@text_option(
    "--lines",
    unsaid="",
    metavar="FILE",
    help="With --waterfall: which line of FILE asked for what, learnt by replaying.",
)
@store_option
@json_option
def show_command(id: str, full: bool, last: int, waterfall: bool, lines: str, store: str, as_json: bool) -> None:
    """What an execution did, how long it took, what it cost, and what it waits for."""
    if lines and not waterfall:
        raise click.UsageError("--lines goes with --waterfall")
    if as_json:
        from ..view.terminal import emit

        emit(reach.run(_timed(store, id, full, lines) if waterfall else _document(store, id)))
        return
    if waterfall:
        _draw(store, id, full, lines)
        return
    from ..view.story import tell
    from ..view.terminal import console, put

    story = reach.run(_story(store, id, full=full))
    out = console()
    for line in tell(story, out.width, full=full, last=last, bars=out.is_terminal):
        put(out, line)


def _draw(dsn: str, id: str, full: bool, lines: str) -> None:
    from ..view.story import ending, heading
    from ..view.terminal import console, put
    from ..view.waterfall import waterfall

    story, found = reach.run(_both(dsn, id, full, lines))
    out = console()
    for line in heading(story):
        put(out, line)
    out.print()
    for line in (*waterfall(found, out.width, full=full), *ending(story, out.width)):
        put(out, line)


async def _both(dsn: str, id: str, full: bool, lines: str) -> tuple[Story, Timeline]:
    story = await _story(dsn, id, full=full)
    async with reach.control(dsn) as reading:
        return story, await _timeline(reading, id, full, lines)


async def _timed(dsn: str, id: str, full: bool, lines: str) -> dict[str, Any]:
    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        return (await _timeline(reading, id, full, lines)).as_json()


async def _timeline(reading: Reading, id: str, full: bool, lines: str) -> Timeline:
    found = await (reading.timeline(id, last=None) if full else reading.timeline(id))
    if not lines:
        return found
    from ...functions.invocation.loading import functions_of, load, sound
    from ...orchestrator.code_lines import CodeLines

    return await CodeLines(sound(functions_of(load(Path(lines))))).told(reading, found)


async def _story(dsn: str, id: str, *, full: bool) -> Story:
    from ..view.story import Story
    from ..view.timeline import Timeline

    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        found = await reading.story(id, last=None if full else WINDOW)
        timeline = Timeline()
        for number, entry in found.entries:
            timeline.add(number, await reading.entire(found.head.id, entry) if full else entry)
        from ..view.moments import now

        told = Story(found.head, timeline, found.children, found.mail, found.first - 1, found.head.awaits, now())
        return told if told.earlier else told._replace(states=await _states(reading, id))


async def _document(dsn: str, id: str) -> dict[str, Any]:
    from ..view.timeline import Timeline

    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        found = await reading.story(id)
        timeline = Timeline()
        for number, entry in found.entries:
            timeline.add(number, entry)
        return {
            "execution": reach.head_json(found.head),
            "first": found.first,
            "entries": [entry for _, entry in found.entries],
            "mail": found.mail,
            "totals": timeline.totals.json(),
            "waiting": [_waiting(row) for row in timeline.waiting.values()],
            "children": [reach.head_json(child) for child in found.children],
            **({"budget": spent} if (spent := _spent(found.head)) else {}),
            **({"states": flow.as_json()} if (flow := await _states(reading, id)) is not None else {}),
        }


def _spent(head: Head) -> dict[str, Any]:
    from ..view.spending import spent

    return spent(head)


async def _states(reading: Reading, id: str) -> Flow | None:
    """The states of a state machine's execution; None when it is none, or has written none yet."""
    from ...orchestrator.machine.history.telling import states

    replayed = await reading.replayed(id)
    return None if replayed is None or replayed.problem else states(replayed)


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
        **({name: row.facts.get(name) for name in _DOUBT} if row.facts.get("doubt") else {}),
        "child": row.facts.get("id") if row.kind == "child" else None,
    }
