"""One serving process: load the file, open the store, run the engine, answer HTTP until told to stop.

On SIGTERM or SIGINT it takes no new connection, lets open requests and then running steps end, commits, and releases
its leases, so that the next process goes on at once. All of that within the grace period, counted from the signal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from ..functions.http.guard import guard
from .address import adopt, listen
from .descriptors import connections_within_reach

if TYPE_CHECKING:
    from .dev import Place

FOR_REQUESTS = 5
"""Seconds that open requests get to end before they are cut, at most; in a short grace period a third of it."""
LOOK_FOR_PARENT = 1.0


def serve(place: Place) -> None:
    """Serve until a signal. Raises InvalidInput (the file), StoreError, Exit (the address)."""
    guard(place.host, place.token or None, place.delivery_token or None)
    server = listen(place.host, place.port) if place.fd is None else adopt(place.fd)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(place, server))
    finally:
        server.close()


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(place: Place, listening: socket.socket) -> None:
    from ..functions.http.app import create_app
    from ..functions.http.connection import config
    from ..functions.http.door import Door
    from ..functions.loading import functions_of, load
    from ..orchestrator.runtime import Runtime
    from ..state.quantities import seconds
    from .view.serving import announce

    functions = functions_of(load(Path(place.file)))
    grace = seconds(place.load.grace)
    for_requests = min(FOR_REQUESTS, math.ceil(grace / 3))
    limits = place.bounds.limits()
    settings = replace(place.load.settings(), grace=max(0.0, grace - for_requests))
    door = Door(replace(limits, connections=connections_within_reach(limits.connections)))
    async with Runtime(functions, place.store, settings) as runtime:
        app = create_app(
            runtime,
            token=place.token or None,
            delivery_token=place.delivery_token or None,
            max_body=door.limits.body,
            max_held=door.limits.held,
            max_requests=door.limits.requests,
            longest_wait=place.wait,
        )
        runtime.engine.health.add_numbers("door", door.numbers)
        server = uvicorn.Server(
            config(
                app,
                door,
                log_level="warning",
                access_log=False,
                backlog=door.limits.connections,
                timeout_graceful_shutdown=for_requests,
            )
        )
        with _stopping(server):
            announce(functions, place, listening)
            parent = asyncio.create_task(_outlive_nobody(server, place))
            await server.serve(sockets=[listening])
            parent.cancel()


@contextlib.contextmanager
def _stopping(server: uvicorn.Server) -> Generator[None, None, None]:
    """Signals ask the server to stop; a second one cuts open requests off.

    The server has handlers of its own while it serves, and raises the signal again at its end: without these it
    would end the process there, before the engine has handed over.
    """
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        try:
            loop.add_signal_handler(number, stop)
        except NotImplementedError:
            signal.signal(number, lambda _number, _frame: stop())
    yield


async def _outlive_nobody(server: uvicorn.Server, place: Place) -> None:
    """Under a watching parent: stop when it is gone, however it went."""
    if place.fd is None:
        return
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110  # no event tells of a parent's end
        await asyncio.sleep(LOOK_FOR_PARENT)
    server.should_exit = True
