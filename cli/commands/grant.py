"""``overwinter grant FUNCTION``: the token that delivers events to one function and opens nothing else, for the URL of
a Trigger. It is made of the delivery token, which must be that of the server; nothing is stored.

``--json``: ``{"path", "token"}``.
"""

from __future__ import annotations

import click

from ..exits import USAGE, Exit
from ..options import json_option


@click.command(epilog="--json: {path, token}")
@click.argument("function", required=False)
@click.option("--sweep", is_flag=True, help="A token for POST /sweep instead.")
@json_option
def grant_command(function: str | None, sweep: bool, as_json: bool) -> None:
    """Print the token that delivers events to FUNCTION, or sweeps, and opens nothing else.

    It is made of OVERWINTER_DELIVERY_TOKEN, and ends with it.
    """
    import os

    from ...functions.http.capability import EVENTS, SWEEP, capability

    if (function is None) != sweep:
        raise click.UsageError("name a function (overwinter grant FUNCTION), or say --sweep")
    secret = os.environ.get("OVERWINTER_DELIVERY_TOKEN", "")
    if len(secret) < 16:
        advice = "Set it to that of the server, by the environment: an argument can be read by others."
        raise Exit("OVERWINTER_DELIVERY_TOKEN is not set", code=USAGE, advice=advice)
    path = SWEEP if function is None else EVENTS + function
    token = capability(secret, path)
    if as_json:
        from ..view.terminal import emit

        emit({"path": path, "token": token})
        return
    click.echo(token)
