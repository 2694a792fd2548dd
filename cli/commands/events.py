"""``overwinter events tail|replay``: what a broker carries, and once more what it still has.

``--json``: a line ``{"at", "event"}`` for each of ``tail``; ``replay`` ends with ``{"events", "taken"}``: how many were
read and how often one was handed to a subscription that wants it. One that it has taken before changes nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from .. import reach
from ..options import json_option, store_option

if TYPE_CHECKING:
    from ...functions.bus.retained import Kept

BROKER = click.option(
    "--broker", envvar="OVERWINTER_BROKER", default="", metavar="DSN", help="The broker; OVERWINTER_BROKER otherwise."
)


@click.group("events")
def events_command() -> None:
    """What a broker carries, and still has."""


@events_command.command("tail", epilog="--json: a line {at, event} for each")
@click.option(
    "--from", "since", default="", metavar="TIME", help="Those that are kept from then on, first: 1h, or a date."
)
@click.option("--count", type=click.IntRange(min=1), default=None, metavar="N", help="End after so many.")
@BROKER
@json_option
def tail_command(since: str, count: int | None, broker: str, as_json: bool) -> None:
    """Show events as they are published, until Ctrl-C."""
    from ...functions.bus.retained import Reached, following, kept, retaining

    place = retaining(broker or os.environ.get("OVERWINTER_BROKER", ""))

    async def work() -> None:
        shown, reached = 0, Reached()
        if since:
            async for one in kept(place, moment(since), 2**53, reached):
                _show(one, as_json=as_json)
                shown += 1
                if shown == count:
                    return
        async for one in following(place, reached):
            _show(one, as_json=as_json)
            shown += 1
            if shown == count:
                return

    reach.run(work())


@events_command.command("replay", epilog="--json: {events, taken}")
@click.option("--from", "first", required=True, metavar="TIME", help="1h, 2d, or a date with a time zone.")
@click.option("--to", "last", default="", metavar="TIME", help="Until then; now otherwise.")
@click.option("--subscription", default="", metavar="NAME", help="For this one alone; all otherwise.")
@BROKER
@store_option
@json_option
def replay_command(first: str, last: str, subscription: str, broker: str, store: str, as_json: bool) -> None:
    """Hand kept events to the subscriptions in the store that want them: a new one, or one that has missed some.

    What a subscription has taken before it does not take again.
    """
    from ...functions.bus.retained import kept, retaining
    from ...state.errors import InvalidInput

    place = retaining(broker)

    async def work() -> tuple[int, int]:
        from ...functions.bus.announcing import Announced
        from ...functions.bus.dead_letters import DeadLetters
        from ...functions.bus.filters import attributes_of
        from ...functions.bus.outside import Outside
        from ...functions.bus.taking import Taking

        events = taken = 0
        async with reach.control(store) as control:
            await control.prepare()
            known = dict(await Announced(control.store).now())
            if subscription and subscription not in known:
                raise InvalidInput(
                    f"there is no subscription {subscription!r}; overwinter subscriptions list shows all"
                )
            taking = Taking(Outside(control.store, control.clock), DeadLetters(control.store))
            wanted = [known[subscription]] if subscription else list(known.values())
            async for one in kept(place, moment(first), moment(last) if last else control.clock()):
                events += 1
                attributes = attributes_of(one.event)
                for each in wanted:
                    if each.matches(attributes):
                        await taking.take(each, one.event)
                        taken += 1
        return events, taken

    events, taken = reach.run(work())
    from ..view.terminal import emit, say
    from ..view.text import counted

    if as_json:
        emit({"events": events, "taken": taken})
        return
    say(f"{counted(events, 'event')} read, handed over {counted(taken, 'time')}")


def moment(said: str) -> int:
    """Milliseconds since 1970 of "1h" (so long ago) or "2026-11-29T10:00:00Z". Raises InvalidInput."""
    from datetime import datetime

    from ...state.errors import InvalidInput
    from ...state.quantities import milliseconds
    from ..view.moments import now

    try:
        found = datetime.fromisoformat(said)
        if found.tzinfo is None:
            found = found.astimezone()
        return int(found.timestamp() * 1000)
    except ValueError:
        pass
    try:
        return now() - milliseconds(said)
    except ValueError:
        raise InvalidInput(f"{said!r:.40} is no time; write 1h for an hour ago, or 2026-11-29T10:00:00Z") from None


def _show(one: Kept, *, as_json: bool) -> None:
    from ...functions.events.http import to_json
    from ..view.moments import clock
    from ..view.terminal import emit, say
    from ..view.text import clean, excerpt

    if as_json:
        emit({"at": one.at, "event": to_json(one.event)}, line=True)
        return
    event = one.event
    about = f" {event.subject}" if event.subject else ""
    say(clean(f"{clock(one.at)} {event.type}{about} from {event.source} #{event.id} {excerpt(event.data)}"))
