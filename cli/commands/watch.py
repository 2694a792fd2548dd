"""``overwinter watch ID``: follow an execution until it ends. A session does not end by itself; stop with Ctrl-C,
``--idle`` or ``--timeout``. ``--json``: one journal entry per line, each with its number as ``seq``.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

import click

from ...state.quantities import seconds
from ...state.records import Head
from .. import reach
from ..exits import FAILED, OK, RUNNING
from ..follow import follow
from ..leaving import leaving
from ..options import duration_option, id_argument, json_option, store_option

if TYPE_CHECKING:
    from ...orchestrator.reading import Reading


JSON = "--json: one journal entry per line, with its number as seq; with --stream one event: {id, event, data}."


@click.command(epilog=JSON)
@id_argument
@duration_option("--timeout", default=None, help='Stop after "30s", "5m" … (exit code 5).')
@click.option("--idle", is_flag=True, help="Also stop when a session is idle, its messages answered.")
@click.option("--new", is_flag=True, help="Only what happens from now on.")
@click.option("--stream", is_flag=True, help="Show what is said while it is being said.")
@store_option
@json_option
@click.pass_context
def watch_command(
    ctx: click.Context, id: str, timeout: str | None, idle: bool, new: bool, stream: bool, store: str, as_json: bool
) -> None:
    """Follow an execution until it ends. Exit code 0 when it completed, 1 when not."""
    limit = None if timeout is None else seconds(timeout)
    shown = Shown(idle, new, stream, as_json)
    head = reach.run(_watch(store, id, limit, shown))
    if head is None:
        from ..view.command import command
        from ..view.terminal import say

        say(f"still running after {timeout}; {command('show', id)} tells what it waits for")
        ctx.exit(RUNNING)
    ctx.exit(OK if head.status in ("completed", "idle") else FAILED)


class Shown(NamedTuple):
    """What is wanted to be seen, and until when."""

    idle: bool
    new: bool
    stream: bool
    json: bool


async def _watch(dsn: str, id: str, limit: float | None, shown: Shown) -> Head | None:
    """The head at the end; None when the time ran out."""
    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        head = await reading.show(id)
        after, idle = head.length if shown.new else 0, shown.idle
        if shown.stream:
            work = _listen(reading, id, after, shown)
        else:
            work = _print_json(reading, id, after, idle) if shown.json else _display(reading, id, after, idle)
        try:
            return await asyncio.wait_for(work, limit)
        except TimeoutError:
            return None


def _rests(head: Head, told: int) -> bool:
    """Whether a session has nothing to do, and all of it has been told."""
    return head.status == "idle" and told >= head.length


async def _listen(reading: Reading, id: str, after: int, shown: Shown) -> Head:
    from ...orchestrator.streaming.position import position
    from ..view.speech import Speech
    from ..view.terminal import console, emit

    head = await reading.show(id)
    if shown.idle and _rests(head, after):
        return head
    speech = Speech(console(stderr=True), id, live=sys.stdout.isatty(), messages=True)
    async with aclosing(reading.events(id, after=f"{after}.0" if after else "")) as events:
        async for event in events:
            if shown.json:
                emit({"id": event.id, "event": event.type, "data": event.data}, line=True)
            elif event.type in ("reply", "end") and "result" in event.data:
                speech.result(event.data["result"])
            elif event.type in ("reply", "end"):
                speech.failed(event.data)
            else:
                speech.take(event.type, event.data)
            if event.type == "reply" and shown.idle and _rests(await reading.show(id), position(event.id).seq + 1):
                break
    return await reading.show(id)


async def _print_json(reading: Reading, id: str, after: int, idle: bool) -> Head:
    from ..view.terminal import emit

    async for news in follow(reading, id, after=after):
        for number, entry in news.entries:
            emit({"seq": number, **entry}, line=True)
        if news.ended or (idle and news.head.status == "idle"):
            return news.head
    raise AssertionError("follow ends with the last news")


async def _display(reading: Reading, id: str, after: int, idle: bool) -> Head:
    from ..view.live import Display
    from ..view.story import Story, ending
    from ..view.terminal import console, put

    out = console()
    with leaving(), Display(out) as display:
        async for news in follow(reading, id, after=after):
            display.take(news.entries, news.head)
            if news.ended or (idle and news.head.status == "idle"):
                break
        else:
            raise AssertionError("follow ends with the last news")
    from ..view.moments import now

    story = Story(news.head, display.timeline, problem=news.head.awaits, now=now())
    for line in ending(story, out.width):
        put(out, line)
    return news.head
