"""``overwinter model-server NAME=MODEL …``: models served as functions of their own, with their keys and litellm in
this process alone. ``serve FILE`` does the same for each ``ModelFunction`` in a file, which may have settings too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from ..door import Bounds, door_options
from ..environment import env_file_option, tell_environment
from ..logs import log_format_option
from ..options import Load, load_options, store_option
from ..place import Place
from .dev import address_options, wait_option

ROOMY = Bounds(max_body="48MB", max_held="256MB")
"""Conversations hold images."""
_bounded: Callable[[Callable[..., Any]], Callable[..., Any]] = partial(door_options, usual=ROOMY)


@click.command()
@click.argument("models", metavar="NAME=MODEL...", nargs=-1, required=True)
@click.option(
    "--media-host",
    "media_hosts",
    multiple=True,
    metavar="HOST",
    help="A host of which callers may name images. May be repeated.",
)
@env_file_option(looks=False)
@address_options
@wait_option
@load_options
@log_format_option
@_bounded
@store_option
def model_server_command(
    models: tuple[str, ...],
    media_hosts: tuple[str, ...],
    host: str,
    port: int,
    token: str,
    wait: str,
    load: Load,
    bounds: Bounds,
    store: str,
) -> None:
    """Serve models as functions: agents anywhere ask them by model="function:NAME".

    The answers to calls that may come again are kept in the store for two days.
    """
    from ..serving import serve

    tell_environment()
    place = Place("", host, port, store, token, load=load, wait=wait, bounds=bounds)
    serve(place._replace(models=models, media_hosts=media_hosts))
