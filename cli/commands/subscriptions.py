"""``overwinter subscriptions list|drop``: which functions get which events, as the processes on a store have announced.

``list --file FILE`` looks into a file instead, and ``list --render knative`` prints a Trigger for each, ``list --render
aws`` the queue that their events come by.

``--json``: ``list`` an array of ``{"name", "function", "kind", "filters", "gives"?, "session"?, "kept"?}``, ``drop``
``{"dropped": name, "kept": ""}``; ``kept`` says why a broker keeps something for one that was given up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..options import json_option, store_option, text_option
from ..rendering.options import check, of_aws, of_broker, render_options, tell

if TYPE_CHECKING:
    from ...functions.bus.retiring import Retired
    from ...functions.bus.subscription import Subscription


@click.group("subscriptions")
def subscriptions_command() -> None:
    """Which functions get which events."""


@subscriptions_command.command("list", epilog="--json: [{name, function, kind, filters, gives?, session?, kept?}]")
@click.option("--file", type=click.Path(exists=True, dir_okay=False), help="Those of a file, not of the store.")
@render_options
@text_option("--broker", unsaid="", metavar="DSN", envvar="OVERWINTER_BROKER", help="With --render: the Broker.")
@text_option("--dead-letters", unsaid="", metavar="SERVICE", help="With --render: takes what can't be delivered.")
@store_option
@json_option
def list_command(
    file: str | None,
    render: str | None,
    service: str,
    namespace: str,
    broker: str,
    dead_letters: str,
    store: str,
    as_json: bool,
) -> None:
    """All that were announced in the store, or those of a file."""
    check(render, service, as_json=as_json, namespace=namespace, dead_letters=dead_letters)
    if render == "aws" and (namespace or dead_letters):
        raise click.UsageError("--namespace and --dead-letters are Knative's; leave them out with --render aws")
    aws = of_aws(broker) if render == "aws" else None
    target = of_broker(service, namespace, broker, dead_letters) if render == "knative" else None
    left: Mapping[str, Retired] = {}
    if file is not None:
        known = _of_file(file)
    else:
        known, left = reach.run(_announced(store))
    if aws is not None:
        from ..rendering.aws import queue

        tell(queue(known, aws, service))
        return
    if target is not None:
        from ..rendering.knative import triggers

        tell(triggers(known, target))
        return
    found = [{"name": one.name, **one.as_json()} for one in known]
    found += [{"name": name, **one.subscription.as_json(), "kept": one.kept} for name, one in sorted(left.items())]
    if as_json:
        from ..view.terminal import emit

        emit(found)
        return
    _show(found)


async def _announced(store: str) -> tuple[list[Subscription], Mapping[str, Retired]]:
    """Those that there are, and those that were given up while a broker still keeps something for them."""
    from ...functions.bus.announcing import Announced
    from ...functions.bus.retiring import retired

    async with reach.opened(store) as place:
        known = await Announced(place).now()
        return [known[name] for name in sorted(known)], await retired(place)


def _of_file(file: str) -> list[Subscription]:
    from pathlib import Path

    from ...functions.bus.subscription import subscriptions_of
    from ...functions.invocation.loading import functions_of, load

    known = subscriptions_of(functions_of(load(Path(file))))
    return [known[name] for name in sorted(known)]


def _show(found: list[dict[str, Any]]) -> None:
    from rich.text import Text

    from ..view.heads import table
    from ..view.terminal import console
    from ..view.text import clean

    out = console()
    if not found:
        out.print(Text("no subscriptions", "dim"))
        return
    rows = [
        [(clean(one["name"]), "bold"), (clean(one["function"]), ""), (one["kind"], "dim"),
         (clean(_what(one)), "")]
        for one in found
    ]  # fmt: skip
    for line in table(["NAME", "FUNCTION", "KIND", "EVENTS"], rows, out.width):
        out.print(line)


def _what(one: dict[str, Any]) -> str:
    from ..view.text import json_text

    if "kept" in one:
        why = f": {one['kept']}" if one["kept"] else ""
        return f"none, it was given up; the broker still keeps its place{why}"
    return " and ".join(json_text(filter) for filter in one["filters"])


@subscriptions_command.command("drop", epilog="--json: {dropped, kept}")
@click.argument("name")
@text_option("--broker", unsaid="", metavar="DSN", envvar="OVERWINTER_BROKER", help="Which may keep events for it.")
@click.option("--force", is_flag=True, help="Also let go of events that it has not taken.")
@store_option
@json_option
def drop_command(name: str, broker: str, force: bool, store: str, as_json: bool) -> None:
    """Take back a subscription that no code has any more, and what the broker keeps for it. A process that has it
    announces it again."""
    kept = reach.run(_dropped(name, broker, store, force=force))
    from ..view.terminal import emit, say

    if as_json:
        emit({"dropped": name, "kept": kept})
        return
    say(f"the subscription {name} is taken back; a process whose code has it keeps it, and announces it when it starts")
    if kept:
        say(f"the broker still keeps its place: {kept}", style="yellow")


async def _dropped(name: str, dsn: str, store: str, *, force: bool) -> str:
    """Why the broker keeps something for it all the same; "" when it does not."""
    from ...functions.bus.announcing import forget
    from ...functions.bus.broker import Keeping
    from ...functions.bus.opening import open_broker
    from ...functions.bus.retiring import retire, retired
    from ...state.errors import InvalidInput

    broker = open_broker(dsn)
    async with reach.opened(store) as place:
        found = await forget(place, name, kept=isinstance(broker, Keeping))
        if not found and name not in await retired(place):
            raise InvalidInput(f"there is no subscription {name!r}; overwinter subscriptions list shows all")
        if not isinstance(broker, Keeping):
            return (await retired(place))[name].kept if not found else ""
        return (await retire(place, broker, only=name, force=force)).get(name, "")
