"""``overwinter logs ID``: what happened to an execution, an event a line; ``--follow`` goes on until it has ended. From
the store alone, or with ``--url`` of a running server.

``--json``: an event a line, ``{"at", "execution", "seq", "event", "op", "name", "branch", "status", "ms", "attempts",
"until", "error", "line"}``; ``seq`` is the number of its journal entry.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

import click

from ...state.quantities import seconds
from .. import reach
from ..exits import FAILED, OK, RUNNING
from ..options import duration_option, id_argument, json_option, store_option, text_option

if TYPE_CHECKING:
    from ..tailing import Source
    from ..view.log import Event, Log

JSON = (
    "--json: one event a line: {at, execution, seq, event, op, name, branch, status, ms, attempts, until, error, line}"
)


class Wanted(NamedTuple):
    """What is to be told, and until when."""

    follow: bool
    children: bool
    idle: bool
    last: int | None
    json: bool


@click.command(epilog=JSON)
@id_argument
@click.option("--follow", "-f", is_flag=True, help="Go on until it has ended; exit code 0: it completed.")
@click.option("--children", is_flag=True, help="Also of the executions that it begins, and those that they begin.")
@click.option(
    "--last", "-n", default=None, type=click.IntRange(0, 10**9), help="Of what has been, only so many events."
)
@click.option("--idle", is_flag=True, help="With --follow: also stop when a session is idle.")
@duration_option("--timeout", default=None, help='Stop following after "30s", "5m" … (exit code 5).')
@text_option("--url", unsaid="", help="Ask the running server there, in the place of the store.")
@click.option("--token", envvar="OVERWINTER_TOKEN", default="", show_envvar=True, help="Bearer token of the server.")
@store_option
@json_option
@click.pass_context
def logs_command(
    ctx: click.Context,
    id: str,
    follow: bool,
    children: bool,
    last: int | None,
    idle: bool,
    timeout: str | None,
    url: str,
    token: str,
    store: str,
    as_json: bool,
) -> None:
    """What happens to an execution, an event a line."""
    wanted = Wanted(follow, children, idle, last, as_json)
    limit = None if timeout is None else seconds(timeout)
    status = reach.run(_at_server(url, token, id, limit, wanted) if url else _at_store(store, id, limit, wanted))
    if not follow:
        return
    if status is None:
        from ..view.terminal import say

        say(f"still going on after {timeout}")
        ctx.exit(RUNNING)
    ctx.exit(OK if status in ("completed", "idle") else FAILED)


async def _at_store(dsn: str, id: str, limit: float | None, wanted: Wanted) -> str | None:
    from ..tailing import FromStore

    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        return await _told(FromStore(reading), id, limit, wanted)


async def _at_server(url: str, token: str, id: str, limit: float | None, wanted: Wanted) -> str | None:
    from ..server import Server
    from ..tailing import FromServer

    with Server(url, token) as server:
        return await _told(FromServer(server), id, limit, wanted)


async def _told(source: Source, id: str, limit: float | None, wanted: Wanted) -> str | None:
    """The status at the end; None when the time ran out."""
    try:
        return await asyncio.wait_for(_tell(source, id, wanted), limit)
    except TimeoutError:
        return None


async def _tell(source: Source, id: str, wanted: Wanted) -> str:
    from ..tailing import tail
    from ..view.log import Log

    log = Log(named=wanted.children)
    past: deque[Event] = deque(maxlen=wanted.last)
    holding = wanted.last is not None  # of what is there already only the last events are told
    news = tail(source, id, on=wanted.follow, children=wanted.children, idle=wanted.idle)
    async with aclosing(news):
        async for one in news:
            if one.status or (holding and one.looked):
                for event in past:
                    _put(log, event, wanted)
                past.clear()
                holding = False
            if one.status:
                return one.status
            for event in log.take(one.execution, one.number, one.entry) if one.number else ():
                if holding:
                    past.append(event)
                else:
                    _put(log, event, wanted)
    raise AssertionError("the last news has the status")


def _put(log: Log, event: Event, wanted: Wanted) -> None:
    from ..view.moments import now
    from ..view.terminal import console, emit

    if wanted.json:
        emit(event.as_json(), line=True)
        return
    out = console()
    line = log.line(event, now=now())
    out.print(line, soft_wrap=not out.is_terminal, crop=out.is_terminal)
