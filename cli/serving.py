"""One serving process: load the file, open the store, run the engine, answer HTTP until told to stop.

On SIGTERM or SIGINT it takes no new connection, lets open requests and then running steps end, commits, and releases
its leases, so that the next process goes on at once. All of that within the grace period, counted from the signal; a
second signal cuts it short. A process that can't be brought to that ends all the same (``ending``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import signal
import socket
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn

from ..functions.http.guard import guard
from ..state.daemons import let_go
from ..state.errors import InvalidInput
from . import looping
from .address import adopt, listen
from .descriptors import connections_within_reach
from .ending import ending_in_time
from .exits import FAILED, OK
from .logs import log_to_stderr

if TYPE_CHECKING:
    from ..functions.http.late import Late
    from ..functions.http.limits import Measured
    from ..functions.runtime import Runtime
    from .place import Place

FOR_REQUESTS = 5
"""Seconds that open requests get to end before they are cut, at most; in a short grace period a third of it."""
LOOK_FOR_PARENT = 1.0
ACCEPTED = 0.01
"""Seconds in which a connection that was accepted becomes one that is known."""


def serve(place: Place) -> None:
    """Serve until a signal. Raises InvalidInput (the file), StoreError, Exit (the address)."""
    guard(place.host, place.token or None, place.delivery_token or None)
    server = listen(place.host, place.port) if place.fd is None else adopt(place.fd)
    log_to_stderr()
    try:
        looping.run(_serve(place, server), _loop_factory())
    finally:
        server.close()


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(place: Place, listening: socket.socket) -> None:
    from ..functions.http.connection import config
    from ..functions.http.door import Door
    from ..functions.runtime import Runtime
    from ..state.quantities import seconds
    from .announcing import announce

    functions = await _loaded(place, listening)
    if functions is None:
        return
    grace = seconds(place.load.grace)
    for_requests = min(FOR_REQUESTS, math.ceil(grace / 3))
    limits = place.bounds.limits()
    settings = replace(place.load.settings(), grace=max(0.0, grace - for_requests))
    door = Door(replace(limits, connections=connections_within_reach(limits.connections)))
    late = late_replies()
    async with Runtime(functions, place.store, settings, unnamed=[late.function] if late else ()) as runtime:
        app = _app(place, runtime, door.limits, late)
        server = Unsignalled(
            config(
                _told(app, runtime, quiet=place.quiet) if place.desk else app,
                door,
                log_level="warning",
                access_log=False,
                backlog=door.limits.connections,
                timeout_graceful_shutdown=for_requests,
            )
        )

        def stop(number: int) -> None:
            server.should_exit = True
            app.state.closing.begin()
            loop.call_later(for_requests, app.state.closing.cut)  # before uvicorn, which cancels without a word
            if number > 1:
                app.state.closing.cut()
                server.force_exit = True
                runtime.engine.ending.hurry()

        loop = asyncio.get_running_loop()
        pool = let_go(loop)
        runtime.engine.health.add_numbers("to_thread", pool.numbers)
        runtime.engine.health.add_check("to_thread", pool.exhausted)
        with ending_in_time(grace, stop, code=FAILED) as ending:
            if not place.quiet:
                announce(functions, place, listening)
            beside = asyncio.gather(_outlive_nobody(place), *([_tell_findings(functions)] if place.desk else []))
            await server.serve(sockets=[listening])
            await app.state.models.finish(settings.grace)
            beside.cancel()
            await asyncio.gather(beside, return_exceptions=True)
            await runtime.close()
            ending.over(OK)


def _app(place: Place, runtime: Runtime, limits: Measured, late: Late | None) -> Any:
    from ..functions.http.app import create_app

    return create_app(
        runtime,
        late=late,
        token=place.token or None,
        delivery_token=place.delivery_token or None,
        max_body=limits.body,
        max_held=limits.held,
        max_requests=limits.requests,
        longest_wait=place.wait,
        pages=_pages(place),
    )


def _pages(place: Place) -> Mapping[str, Any]:
    if not place.console or place.models:
        return {}
    from ..console.serving import PREFIX, Console

    return {PREFIX: Console(playground=place.desk)}


async def _loaded(place: Place, listening: socket.socket) -> Mapping[str, Any] | None:
    """The functions of the file. Under a watching parent None, when they can't be served: its next process can."""
    from ..functions.invocation.loading import functions_of, load, sound

    if place.models:
        return _models(place.models, place.media_hosts)
    try:
        return sound(functions_of(load(Path(place.file))))
    except InvalidInput as error:
        if place.fd is None:
            raise
        await _stand_in(error, place, listening)
        return None


def _models(given: Sequence[str], media_hosts: Sequence[str]) -> Mapping[str, Any]:
    """Model functions of ``NAME=MODEL``. Raises InvalidInput."""
    from ..functions.models.function import ModelFunction

    found: dict[str, Any] = {}
    for item in given:
        name, equals, model = item.partition("=")
        if not (name and equals and model):
            raise InvalidInput(
                f"{item[:80]!r} names no model function; write NAME=MODEL, fast=openai/gpt-5-mini for one"
            )
        if name in found:
            raise InvalidInput(f"two model functions are named {name!r}")
        made = found[name] = ModelFunction(name, model, media_hosts=media_hosts)
        if why := made.lost:
            raise InvalidInput(why)
    return found


def _told(app: Any, runtime: Runtime, *, quiet: bool) -> Any:
    """The app, and what it does is told."""
    from ..orchestrator.protocol import failure_log
    from . import telling

    if quiet:
        failure_log.log.setLevel(logging.CRITICAL)  # the teller says them
    teller = telling.Teller(quiet=quiet)
    teller.look_on(runtime)
    telling.hear_the_log(teller)
    return telling.Door(app, teller)


async def _tell_findings(functions: Mapping[str, Any]) -> None:
    """At a desk a missing key is told at the start, while the server serves already."""
    from ..functions.invocation.looking import look
    from .telling import WRONG
    from .view.terminal import say

    for finding in await asyncio.to_thread(look, functions):
        say(f"{WRONG if finding.certain else '!'} {finding.text}", style="red" if finding.certain else "yellow")


async def _stand_in(error: InvalidInput, place: Place, listening: socket.socket) -> None:
    """Say what is wrong with the file, and answer so too, until the watching parent has seen it change."""
    from .main import complain
    from .standin import stand_in
    from .view.terminal import say

    complain(error, as_json=False)
    if not place.quiet:
        say("waiting for a change", style="dim")
    over = asyncio.Event()
    with ending_in_time(0.0, lambda _: over.set(), code=FAILED):
        parent = asyncio.create_task(_outlive_nobody(place))
        async with stand_in(listening, str(error)):
            await over.wait()
        parent.cancel()


class Unsignalled(uvicorn.Server):
    """Leaves signals alone: uvicorn would take them only while it serves, and raise them again at its end, which
    would end the process before the engine has handed over."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """A server of asyncio drops whom it has accepted when it is closed in the same moment, so nobody is accepted
        any more before that."""
        loop = asyncio.get_running_loop()
        for own in sockets or ():
            loop.remove_reader(own)
        await asyncio.sleep(ACCEPTED)
        await super().shutdown(sockets)


def late_replies() -> Late | None:
    """Where there is a sink for them."""
    if not os.environ.get("K_SINK"):
        return None
    from ..functions.http.events import reply_of
    from ..functions.http.late import from_environment

    return from_environment(reply_of)


async def _outlive_nobody(place: Place) -> None:
    """Under a watching parent: stop when it is gone, however it went."""
    if place.fd is None:
        return
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110  # no event tells of a parent's end
        await asyncio.sleep(LOOK_FOR_PARENT)
    signal.raise_signal(signal.SIGTERM)
