"""``overwinter signal ID NAME [DATA]``: an event into an execution's mailbox, for ``ctx.wait_for``. It is durable when
the command returns, and arrives once however often the same ``--event-id`` is sent.

A name that is not the one that is waited for may be for later, or mistyped: what is waited for is said.
``--json``: ``{"execution", "awaited": name | null, "name", "event_id"}``; with
``--where`` ``{"count", "name", "event_id"}``.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ...state.ids import check_id
from .. import reach
from ..inputs import DATA, read_value
from ..options import by_default, complete_id, json_option, store_option
from ..selection import LIVE, confirm, matching, selection

if TYPE_CHECKING:
    from ...state.records import Filter, Head

JSON = "--json: {execution, awaited, name, event_id}; {count, name, event_id} with --where"


@click.command(epilog=JSON)
@click.argument("words", metavar="[ID] NAME [DATA]", nargs=-1, required=True, shell_complete=complete_id)
@click.option(
    "--where", multiple=True, metavar="KEY=VALUE", help="To all with status=, function=, prefix= …; then no ID."
)
@click.option("--yes", "-y", is_flag=True, help="Do not ask before a bulk signal.")
@click.option("--event-id", default=None, help="Sent again under the same id, it changes nothing.")
@click.option("--by", default=None, help="Who sends; you, when not given.")
@store_option
@json_option
def signal_command(
    words: Sequence[str],
    where: Sequence[str],
    yes: bool,
    event_id: str | None,
    by: str | None,
    store: str,
    as_json: bool,
) -> None:
    """Send the event NAME to an execution, or with --where to all that match.

    DATA is JSON, or plain text when it is none; "-" reads it from standard input.
    """
    least = 1 if where else 2
    if not least <= len(words) <= least + 1:
        raise click.UsageError("overwinter signal ID NAME [DATA], or overwinter signal --where KEY=VALUE NAME [DATA]")
    id, (name, *data) = ("", words) if where else (words[0], words[1:])
    chosen = f"cli-{uuid.uuid4().hex}" if event_id is None else check_id(event_id, "the id of an event")
    event = Event(name, read_value(data[0], DATA) if data else None, chosen)
    who = by_default() if by is None else by
    if where:
        count = reach.run(_send_all(store, selection(where, LIVE), event, who, ask=not yes))
        _report({"count": count}, event, "", as_json=as_json)
    else:
        head = reach.run(_send(store, id, event, who))
        _report({"execution": id, "awaited": _awaited(head)}, event, head.state, as_json=as_json)


def _report(target: dict[str, Any], event: Event, state: str, *, as_json: bool) -> None:
    """``state``: of the head, which tells what is taken."""
    from ..view.story import signalling
    from ..view.terminal import emit, say
    from ..view.text import counted

    if as_json:
        told = {"awaited": next(iter(target["awaited"]), None)} if "awaited" in target else {}
        emit({**target, **told, "name": event.name, "event_id": event.id})
        return
    id, awaited = target.get("execution"), target.get("awaited")
    say(f"sent {event.name} to {id or counted(target['count'], 'execution')}")
    if id and awaited and event.name not in awaited:
        names = " and ".join(repr(name) for name in awaited)
        say(f"{id} waits for {names}; {event.name!r} is kept until it asks for one", style="yellow")
        say(f"→ {signalling(id, awaited[0], state)}, if that was meant", style="dim")


def _awaited(head: Head) -> list[str]:
    """The events that an execution says it waits for."""
    from ...orchestrator.workflow.takes import events

    return events(head.state, head.awaits)


class Event(NamedTuple):
    """What is sent."""

    name: str
    data: object
    id: str


async def _send(dsn: str, id: str, event: Event, by: str) -> Head:
    """What the execution was before."""
    async with reach.control(dsn) as control:
        head = await control.show(id)
        await control.signal(id, event.name, event.data, event_id=event.id, source="cli", by=by)
    return head


async def _send_all(dsn: str, where: Filter, event: Event, by: str, *, ask: bool) -> int:
    async with reach.control(dsn) as control:
        count = await matching(control, where)
        if count and ask:
            confirm(f"send {event.name} to", count)
        return await control.signal_all(where, event.name, event.data, event_id=event.id, source="cli", by=by)
