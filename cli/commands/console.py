"""``overwinter console --api URL``: the console on this machine, for a server anywhere."""

from __future__ import annotations

import asyncio
import signal
import socket

import click

from ..options import DEFAULT_URL


@click.command()
@click.option(
    "--api",
    envvar="OVERWINTER_URL",
    default=DEFAULT_URL,
    show_default=True,
    show_envvar=True,
    metavar="URL",
    help="The server whose executions are shown.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; beyond loopback a token is needed.")
@click.option("--port", default=8090, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--token",
    envvar="OVERWINTER_TOKEN",
    default="",
    show_envvar=True,
    help="Token to ask for here; the same as the server's, which is sent on.",
)
def console_command(api: str, host: str, port: int, token: str) -> None:
    """Show what a server does, in a browser.

    The page asks for the server's token itself, and keeps it until the tab is closed.
    """
    from ...functions.http.guard import guard
    from .. import looping
    from ..address import listen
    from ..logs import log_to_stderr

    guard(host, token or None)
    listening = listen(host, port)
    log_to_stderr()
    try:
        looping.run(_serve(api, token or None, listening))
    finally:
        listening.close()


async def _serve(api: str, token: str | None, listening: socket.socket) -> None:
    from rich.text import Text

    from ...console.function import ConsoleFunction
    from ...console.serving import PREFIX
    from ...functions.http.connection import config
    from ...functions.http.door import Door
    from ..address import url
    from ..serving import Unsignalled
    from ..view.terminal import console
    from ..view.text import clean

    app = ConsoleFunction(api, token)
    server = Unsignalled(config(app, Door(), log_level="warning", access_log=False, timeout_graceful_shutdown=2))

    def stop() -> None:
        server.should_exit = True
        app.proxy.cut()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    where = Text.assemble(("console ", "bold"), (f"{url(listening)}{PREFIX}/", "cyan"), f" of {clean(app.proxy.url)}")
    console(stderr=True).print(where, soft_wrap=True)
    try:
        await server.serve(sockets=[listening])
    finally:
        await app.proxy.close()
