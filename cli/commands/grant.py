"""``overwinter grant FUNCTION``: a token that delivers events to one function and opens nothing else, for the URL of
a Trigger; ``--subscription NAME``: to one subscription, ``--sweep``: that sweeps. It is made of the delivery token,
which must be that of the server; nothing is stored.

``--json``: ``{"path", "token"}``, the path as a URL has it. The token is for the path that a server reads there.
"""

from __future__ import annotations

import click

from ..exits import USAGE, Exit
from ..options import json_option, text_option

SHORTEST = 16
"""Characters of a delivery token, as a server asks for them."""


@click.command(epilog="--json: {path, token}")
@click.argument("function", required=False)
@text_option("--subscription", metavar="NAME", help="A token for POST /subscriptions/NAME instead.")
@click.option("--sweep", is_flag=True, help="A token for POST /sweep instead.")
@json_option
def grant_command(function: str | None, subscription: str | None, sweep: bool, as_json: bool) -> None:
    """Print the token that delivers events to FUNCTION (or a subscription, or sweeps) and opens nothing else.

    It is made of OVERWINTER_DELIVERY_TOKEN, and ends with it.
    """
    import os
    from urllib.parse import quote

    from ...functions.http.capability import EVENTS, SUBSCRIPTIONS, SWEEP, capability

    if (function is not None) + (subscription is not None) + sweep != 1:
        raise click.UsageError("name a function (overwinter grant FUNCTION), or say --subscription NAME or --sweep")
    secret = os.environ.get("OVERWINTER_DELIVERY_TOKEN", "")
    if len(secret) < SHORTEST:
        advice = "Set it to that of the server, by the environment: an argument can be read by others."
        wrong = f"is too short; it needs {SHORTEST} characters" if secret else "is not set"
        raise Exit(f"OVERWINTER_DELIVERY_TOKEN {wrong}", code=USAGE, advice=advice)
    path = SWEEP if function is None else EVENTS + function
    if subscription is not None:
        path = SUBSCRIPTIONS + subscription
    token = capability(secret, path)
    if as_json:
        from ..view.terminal import emit

        emit({"path": quote(path), "token": token})
        return
    click.echo(token)
