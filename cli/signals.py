"""``overwinter signal ID NAME [DATA]``: an event into an execution's mailbox, for ``ctx.wait_for``. It is durable when
the command returns, and arrives once however often the same ``--event-id`` is sent.

``--json``: ``{"execution", "name", "event_id"}``.
"""

from __future__ import annotations

import uuid

import click

from . import reach
from .inputs import DATA, read_value
from .options import by_default, id_argument, json_option, store_option

JSON = "--json: {execution, name, event_id}"


@click.command(epilog=JSON)
@id_argument
@click.argument("name")
@click.argument("data", metavar="[DATA]", required=False)
@click.option("--event-id", default="", help="Sent again under the same id, it changes nothing.")
@click.option("--by", default=None, help="Who sends; you, when not given.")
@store_option
@json_option
def signal_command(
    id: str, name: str, data: str | None, event_id: str, by: str | None, store: str, as_json: bool
) -> None:
    """Send the event NAME to an execution.

    DATA is JSON, or plain text when it is none; "-" reads it from standard input.
    """
    value = None if data is None else read_value(data, DATA)
    sent = event_id or f"cli-{uuid.uuid4().hex}"
    reach.run(_send(store, id, name, value, sent, by_default() if by is None else by))
    if as_json:
        from .view.terminal import emit

        emit({"execution": id, "name": name, "event_id": sent})
        return
    from .view.terminal import say

    say(f"sent {name} to {id}")


async def _send(dsn: str, id: str, name: str, data: object, event_id: str, by: str) -> None:
    from ..orchestrator.control import Control

    async with reach.opened(dsn) as store:
        await reach.known(store, id)
        await Control(store).signal(id, name, data, event_id=event_id, source="cli", by=by)
