"""``overwinter subscriptions list|drop``: which functions get which events, as the processes on a store have announced.

``list --file FILE`` looks into a file instead, and ``list --render knative`` prints a Trigger for each.

``--json``: ``list`` an array of ``{"name", "function", "kind", "filters", "gives"?, "session"?}``, ``drop``
``{"dropped": name}``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..options import json_option, store_option, text_option
from ..rendering.options import check, of_broker, render_options, tell

if TYPE_CHECKING:
    from ...functions.bus.subscription import Subscription


@click.group("subscriptions")
def subscriptions_command() -> None:
    """Which functions get which events."""


@subscriptions_command.command("list", epilog="--json: [{name, function, kind, filters, gives?, session?}]")
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
    check(render, service, as_json=as_json)
    target = None if render is None else of_broker(service, namespace, broker, dead_letters)
    known = _of_file(file) if file is not None else reach.run(_announced(store))
    if target is not None:
        from ..rendering.knative import triggers

        tell(triggers(known, target))
        return
    found = [{"name": one.name, **one.as_json()} for one in known]
    if as_json:
        from ..view.terminal import emit

        emit(found)
        return
    _show(found)


async def _announced(store: str) -> list[Subscription]:
    from ...functions.bus.announcing import Announced

    async with reach.opened(store) as place:
        known = await Announced(place).now()
        return [known[name] for name in sorted(known)]


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
    from ..view.text import clean, json_text

    out = console()
    if not found:
        out.print(Text("no subscriptions", "dim"))
        return
    rows = [
        [(clean(one["name"]), "bold"), (clean(one["function"]), ""), (one["kind"], "dim"),
         (clean(" and ".join(json_text(filter) for filter in one["filters"])), "")]
        for one in found
    ]  # fmt: skip
    for line in table(["NAME", "FUNCTION", "KIND", "EVENTS"], rows, out.width):
        out.print(line)


@subscriptions_command.command("drop", epilog="--json: {dropped}")
@click.argument("name")
@store_option
@json_option
def drop_command(name: str, store: str, as_json: bool) -> None:
    """Take back a subscription that no code has any more. A process that has it announces it again."""
    from ...functions.bus.announcing import forget
    from ...state.errors import InvalidInput

    async def work() -> None:
        async with reach.opened(store) as place:
            if not await forget(place, name):
                raise InvalidInput(f"there is no subscription {name!r}; overwinter subscriptions list shows all")

    reach.run(work())
    from ..view.terminal import emit, say

    if as_json:
        emit({"dropped": name})
        return
    say(f"the subscription {name} is taken back; a process whose code has it keeps it, and announces it when it starts")
