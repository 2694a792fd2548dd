"""``overwinter subscriptions list|drop``: which functions get which events, as the processes on a store have announced.

``--json``: ``list`` an array of ``{"name", "function", "kind", "filters", "gives"?, "session"?}``, ``drop``
``{"dropped": name}``.
"""

from __future__ import annotations

from typing import Any

import click

from .. import reach
from ..options import json_option, store_option


@click.group("subscriptions")
def subscriptions_command() -> None:
    """Which functions get which events."""


@subscriptions_command.command("list", epilog="--json: [{name, function, kind, filters, gives?, session?}]")
@store_option
@json_option
def list_command(store: str, as_json: bool) -> None:
    """All that were announced in the store."""
    from ...functions.bus.announcing import Announced

    async def work() -> list[dict[str, Any]]:
        async with reach.opened(store) as place:
            known = await Announced(place).now()
            return [{"name": name, **one.as_json()} for name, one in sorted(known.items())]

    found = reach.run(work())
    if as_json:
        from ..view.terminal import emit

        emit(found)
        return
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
