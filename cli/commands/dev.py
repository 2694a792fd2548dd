"""``overwinter dev FILE`` and ``overwinter serve FILE``: functions, engine and HTTP in one process. ``dev`` watches the
file's folder and starts a new serving process after a change; ``serve`` (and ``dev --no-reload``) is that process.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .. import reach
from ..door import Bounds, door_options
from ..environment import env_file_option, tell_environment
from ..logs import log_format_option
from ..options import Load, duration_option, file_argument, load_options, store_option
from ..place import Place

Command = TypeVar("Command", bound=Callable[..., Any])


def address_options(command: Command) -> Command:
    for option in (
        click.option(
            "--token", envvar="OVERWINTER_TOKEN", default="", show_envvar=True, help="Bearer token to ask for."
        ),
        click.option(
            "--port", envvar="PORT", default=8080, show_default=True, show_envvar=True, type=click.IntRange(0, 65535)
        ),
        click.option(
            "--host",
            envvar="OVERWINTER_HOST",
            default="127.0.0.1",
            show_default=True,
            show_envvar=True,
            help="Address; beyond loopback a token is needed.",
        ),
    ):
        command = option(command)
    return command


console_option = click.option("--no-console", is_flag=True, help="Serve the API alone, without pages for people.")

wait_option = duration_option(
    "--wait",
    envvar="OVERWINTER_WAIT",
    default="60s",
    show_default=True,
    show_envvar=True,
    help="The longest time that a request is held open.",
)


@click.command()
@file_argument
@env_file_option(looks=True)
@address_options
@click.option("--no-reload", is_flag=True, help="Do not watch for changes.")
@click.option("--quiet", "-q", is_flag=True, help="Say only what goes wrong.")
@console_option
@door_options
@log_format_option
@store_option
def dev_command(
    file: str,
    host: str,
    port: int,
    token: str,
    no_reload: bool,
    quiet: bool,
    no_console: bool,
    bounds: Bounds,
    store: str,
) -> None:
    """Serve the agents, tools and workflows of FILE, and reload when it changes.

    Everything runs in one process: functions, orchestrator, HTTP and CloudEvents.
    """
    if not quiet:
        tell_environment()
    place = Place(file, host, port, store, token, bounds=bounds, desk=True, quiet=quiet, console=not no_console)
    if no_reload or os.name != "posix":
        _serve(place)
    else:
        from ...functions.http.guard import guard
        from ..reload import supervise

        guard(host, token or None)
        reach.run(supervise(place, Path(file).resolve().parent))


@click.command()
@file_argument
@env_file_option(looks=False)
@address_options
@click.option(
    "--delivery-token",
    envvar="OVERWINTER_DELIVERY_TOKEN",
    default="",
    show_envvar=True,
    help="A second token that lets events and sweeps in and nothing else.",
)
@wait_option
@load_options
@log_format_option
@door_options
@click.option("--fd", type=int, default=None, hidden=True)
@click.option("--again", is_flag=True, hidden=True)
@click.option("--quiet", is_flag=True, hidden=True)
@console_option
@store_option
def serve_command(
    file: str,
    host: str,
    port: int,
    token: str,
    delivery_token: str,
    wait: str,
    load: Load,
    bounds: Bounds,
    fd: int | None,
    again: bool,
    quiet: bool,
    no_console: bool,
    store: str,
) -> None:
    """Serve the agents, tools and workflows of FILE, without watching it.

    SIGTERM and Ctrl-C hand running executions over: what is recorded is never run again.
    """
    if fd is None:
        tell_environment()
    place = Place(file, host, port, store, token, fd, again, load, delivery_token, wait, bounds, fd is not None, quiet)
    _serve(place._replace(console=not no_console))


def _serve(place: Place) -> None:
    from ..serving import serve

    serve(place)
