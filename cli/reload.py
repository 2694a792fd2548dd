"""Watching for ``overwinter dev``: one serving process at a time, replaced after a change. The listening socket
stays here, so connections made during a reload wait instead of being refused. A file that does not load shows
its error, answers 503 with it, and is tried again after the next change.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .address import listen
from .again import GIVEN
from .environment import NAME, environment, present
from .standin import stand_in
from .view.terminal import say

if TYPE_CHECKING:
    from .place import Place

GRACE = 20.0
"""Seconds that a serving process gets to hand over before it is killed."""


async def supervise(place: Place, folder: Path) -> None:
    """Serve, watch ``folder`` and replace until SIGTERM or SIGINT; a second one hurries the serving process."""
    listening = listen(place.host, place.port)
    stop, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: (hurry if stop.is_set() else stop).set())
    changes: asyncio.Queue[str] = asyncio.Queue()
    watching = asyncio.create_task(_watch(folder, changes, stop))
    try:
        again = False
        while not stop.is_set():
            await _one(place, listening, changes, stop, hurry, again=again)
            again = True
    finally:
        stop.set()
        await watching
        listening.close()


async def _one(
    place: Place,
    listening: socket.socket,
    changes: asyncio.Queue[str],
    stop: asyncio.Event,
    hurry: asyncio.Event,
    *,
    again: bool,
) -> None:
    """One serving process, until it should be replaced or everything should stop."""
    if gone := _gone(place.file):
        say(f"{gone} · waiting for a change", style="red")
        await _stand_in(gone, changes, stop, listening)
        return
    process = await _start(place, listening, again=again)
    ended = asyncio.create_task(process.wait())
    changed = asyncio.create_task(changes.get())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([ended, changed, stopped], return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not stop.is_set() and not changed.done():
            await _after_end(ended.result(), changed, stopped, listening)
        if changed.done() and not stop.is_set() and not place.quiet:
            say(f"{changed.result()} has changed", style="dim")
    finally:
        changed.cancel()
        stopped.cancel()
        await _end(process, ended, hurry)
        await ended


def _gone(file: str) -> str:
    return "" if Path(file).is_file() else f"there is no file {file} any more; put it back"


async def _stand_in(detail: str, changes: asyncio.Queue[str], stop: asyncio.Event, listening: socket.socket) -> None:
    """Answer with ``detail`` until something changes."""
    waiting = [asyncio.create_task(changes.get()), asyncio.create_task(stop.wait())]
    async with stand_in(listening, detail):
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def _after_end(
    code: int, changed: asyncio.Task[str], stopped: asyncio.Task[bool], listening: socket.socket
) -> None:
    """The serving process ended by itself: after a kill go on at once, after an error wait for a change, and let no
    client wait with us."""
    if code < 0:
        say(f"the serving process was ended by {signal.Signals(-code).name}; starting again", style="yellow")
        return
    say("waiting for a change", style="dim")
    async with stand_in(listening, f"the serving process ended with code {code}; its terminal says why"):
        await asyncio.wait([changed, stopped], return_when=asyncio.FIRST_COMPLETED)


async def _start(place: Place, listening: socket.socket, *, again: bool) -> asyncio.subprocess.Process:
    fd = listening.fileno()
    arguments = ["serve", place.file, "--host", place.host, "--fd", str(fd)]
    if (store := click.get_current_context().meta.get(GIVEN)) is not None:
        arguments += ["--store", store]  # so that what is suggested names it too
    if path := present(place.file):
        arguments += ["--env-file", path]
    environ = {
        **environment().without(),
        **place.bounds.environment(),
        "OVERWINTER_STATE": place.store,
        "OVERWINTER_TOKEN": place.token,
    }  # not arguments: those are public
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "overwinter.cli.main",
        *arguments,
        *(["--again"] if again else []),
        *(["--quiet"] if place.quiet else []),
        *([] if place.console else ["--no-console"]),
        pass_fds=[fd],
        env=environ,
    )


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int], hurry: asyncio.Event) -> None:
    """Ask it to hand over, once more when somebody is in a hurry, and insist after the grace period."""
    if process.returncode is not None:
        return
    process.terminate()
    hurried = asyncio.create_task(hurry.wait())
    try:
        async with asyncio.timeout(GRACE):
            await asyncio.wait([ended, hurried], return_when=asyncio.FIRST_COMPLETED)
            if hurried.done() and process.returncode is None:
                process.terminate()
            await asyncio.wait([ended])
    except TimeoutError:
        say(f"the serving process did not stop within {GRACE:.0f}s and is killed", style="yellow")
        process.kill()
    finally:
        hurried.cancel()


async def _watch(folder: Path, changes: asyncio.Queue[str], stop: asyncio.Event) -> None:
    """Names of Python files, and of a ``.env``, that change in the file's folder and below."""
    from watchfiles import PythonFilter, awatch  # pyright: ignore[reportUnknownVariableType]  # trio is optional

    sources = PythonFilter(extra_extensions=(NAME,))
    async for batch in awatch(folder, watch_filter=sources, stop_event=stop, debounce=200, step=50):
        names = sorted({Path(path).name for _, path in batch})
        while not changes.empty():
            changes.get_nowait()
        changes.put_nowait(", ".join(names[:3]))
