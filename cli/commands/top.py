"""``overwinter top``: what goes on in a store, live, or with ``--url`` at a running server. Keys: ``q`` quits, ``s``
takes the next order of the executions, ``u`` ``a`` ``t`` ``f`` ``c`` a certain one. A store or server that goes away is
said to be away, and asked again until it is back.

``--json``: ``{"now", "counts", "counted", "seen", "active", "owners": [{owner, executions}], "due": {id, lag_ms},
"functions": {name: {status: number}}, "executions": [head…], "approvals": [head…], "doubts": [head…], "stuck":
[head…], "operations": [{execution, op, kind, name, ms, open}], "per_minute": {tokens, cost}}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Any

import click

from ...state.errors import StoreError
from .. import reach
from ..exits import UNAVAILABLE, Exit
from ..leaving import leaving
from ..options import json_option, store_option, text_option
from ..stopping import stopping

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from ..overview import Overview, Picture

JSON = "--json: {now, counts, active, owners, due, functions, executions, approvals, doubts, stuck, operations, …}"
EVERY = 1.0
"""Seconds between two looks."""
ORDERS = {"u": "changed", "a": "age", "t": "status", "f": "function", "c": "cost"}
LISTED = 200  # executions of the document
_SEQUENCE = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|O.|[^\x1b\\[O])", re.DOTALL)


@click.command(epilog=JSON)
@click.option("--once", is_flag=True, help="Look once, print it, and end; so it is when the output is no terminal.")
@click.option(
    "--sort",
    "by",
    default="changed",
    show_default=True,
    type=click.Choice(list(ORDERS.values())),
    help="Order at first.",
)
@text_option("--url", unsaid="", help="Look at the running server there, in the place of the store.")
@click.option("--token", envvar="OVERWINTER_TOKEN", default="", show_envvar=True, help="Bearer token of the server.")
@store_option
@json_option
def top_command(once: bool, by: str, url: str, token: str, store: str, as_json: bool) -> None:
    """What goes on, live: active, waiting, slowest, cost, and what wants somebody."""
    from ..view.terminal import console, emit

    out = console()
    if as_json or once or not out.is_terminal:
        picture = reach.run(_once(store, url, token))
        if as_json:
            emit(document(picture))
            return
        from ..view.board import board

        for line in board(picture, out.width, None, by):
            out.print(line)
        return
    reach.run(_live(store, url, token, out, by))


@contextlib.asynccontextmanager
async def _looking(dsn: str, url: str, token: str) -> AsyncGenerator[Overview]:
    from ..looking import FromServer, FromStore
    from ..overview import Overview

    if url:
        from ..server import Server

        with Server(url, token) as server:
            yield Overview(FromServer(server))
        return
    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        yield Overview(FromStore(reading))


async def _once(dsn: str, url: str, token: str) -> Picture:
    async with _looking(dsn, url, token) as overview:
        return await overview.look()


async def _live(dsn: str, url: str, token: str, out: Console, by: str) -> None:
    from rich.live import Live

    async with _looking(dsn, url, token) as overview:
        screen = Screen(overview, by)
        await screen.look()  # what can't be reached at first ends the command
        live = Live(console=out, screen=True, auto_refresh=False)
        with leaving(), _keys(screen) as keys, live, stopping(_Stopped(screen, live, keys, out)):
            live.update(screen.drawn(out), refresh=True)
            while not screen.over:
                while not screen.over and await screen.pressed(EVERY):
                    live.update(screen.drawn(out), refresh=True)
                await _looked(screen, live, out)


async def _looked(screen: Screen, live: Live, out: Console) -> None:
    """One look more. Keys are heeded meanwhile: a store that is away may take long to say so."""
    if screen.over:
        return
    looking = asyncio.ensure_future(screen.look())
    try:
        while not screen.over and not looking.done():
            key = asyncio.ensure_future(screen.pressed(EVERY))
            await asyncio.wait({looking, key}, return_when=asyncio.FIRST_COMPLETED)
            key.cancel()
            live.update(screen.drawn(out), refresh=True)
        if looking.done():
            looking.result()
    finally:
        looking.cancel()


class _Stopped:
    """What is done around a stop of the process (Ctrl-Z, ``fg``): the terminal is as it was meanwhile."""

    def __init__(self, screen: Screen, live: Live, keys: Keys, out: Console) -> None:
        self._screen, self._live, self._keys, self._out = screen, live, keys, out

    def before(self) -> None:
        self._live.stop()
        self._keys.restore()

    def after(self) -> None:
        self._keys.take()
        self._live.start()
        self._live.update(self._screen.drawn(self._out), refresh=True)


class Screen:
    """What is shown, and what a key changes."""

    def __init__(self, overview: Overview, by: str) -> None:
        self.by = by
        self.over = False
        self._overview = overview
        self.away = ""
        self._since = ""
        self._picture: Picture | None = None
        self._changed = asyncio.Event()

    async def look(self) -> None:
        """Look again. What was there once and is away is said, and what was seen last stays."""
        try:
            self._picture = await self._overview.look()
        except (StoreError, Exit) as error:
            if self._picture is None or (isinstance(error, Exit) and error.code != UNAVAILABLE):
                raise
            self._since = self._since if self.away else time.strftime("%H:%M:%S")
            self.away = f"away since {self._since}, asked again: {error}"
        else:
            self.away = ""

    def drawn(self, out: Console) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from ..view.board import KEYS, board
        from ..view.text import clean

        height = out.height - 2 if self.away else out.height - 1
        lines = [] if self._picture is None else board(self._picture, out.width, height, self.by)
        if self.away:
            lines.insert(0, Text(clean(self.away), "bold red", no_wrap=True, overflow="ellipsis"))
        blank = [Text()] * (out.height - 1 - len(lines))
        return Group(*lines, *blank, Text(KEYS, "reverse", no_wrap=True, overflow="ellipsis"))

    def press(self, key: str) -> None:
        """A key of the terminal."""
        orders = list(ORDERS.values())
        if key in ("q", "Q", "\x1b", "\x03", "\x04"):
            self.over = True
        elif key == "s":
            self.by = orders[(orders.index(self.by) + 1) % len(orders)]
        elif key in ORDERS:
            self.by = ORDERS[key]
        else:
            return
        self._changed.set()

    async def pressed(self, within: float) -> bool:
        """Whether a key has changed something before the next look is due."""
        try:
            if not self._changed.is_set():
                await asyncio.wait_for(self._changed.wait(), within)
        except TimeoutError:
            return False
        self._changed.clear()
        return True


def typed(pressed: str) -> str:
    """What a terminal sent without its sequences: an arrow begins with the character of Esc, and is not it."""
    return _SEQUENCE.sub("", pressed)


class Keys:
    """How the terminal hands on keys: as they are pressed, or as it was before."""

    def __init__(self, number: int | None) -> None:
        self._number = number
        self._before: list[Any] = []

    def take(self) -> None:
        if self._number is not None:
            import termios
            import tty

            self._before = termios.tcgetattr(self._number)
            tty.setcbreak(self._number)

    def restore(self) -> None:
        if self._number is not None:
            import termios

            termios.tcsetattr(self._number, termios.TCSADRAIN, self._before)


@contextlib.contextmanager
def _keys(screen: Screen) -> Generator[Keys]:
    """Keys are heard as they are pressed, where a terminal can be told so."""
    number = _terminal()
    keys = Keys(number)
    if number is None:
        yield keys
        return
    loop = asyncio.get_running_loop()

    def hear() -> None:
        import os

        try:
            pressed = os.read(number, 64)
        except OSError:
            pressed = b""
        for key in typed(pressed.decode("utf-8", "replace")) if pressed else "q":  # the terminal is gone
            screen.press(key)

    keys.take()
    loop.add_reader(number, hear)
    try:
        yield keys
    finally:
        loop.remove_reader(number)
        keys.restore()


def _terminal() -> int | None:
    """The terminal that keys come from."""
    try:
        import termios
    except ImportError:  # not on Windows
        return None
    try:
        number = sys.stdin.fileno()
        termios.tcgetattr(number)
    except (OSError, ValueError, termios.error):
        return None
    return number


def document(picture: Picture) -> dict[str, Any]:
    """The picture for programs."""
    due = None if picture.due is None else {"id": picture.due or None, "lag_ms": picture.lag}
    heads = picture.heads[-LISTED:][::-1]
    return {
        "now": picture.now,
        "counts": dict(picture.counts),
        "counted": picture.counted,
        "seen": picture.seen,
        "active": picture.active,
        "owners": [{"owner": owner, "executions": held} for owner, held in sorted(picture.owners.items())],
        "due": due,
        "functions": {name: dict(counts) for name, counts in picture.functions().items()},
        "executions": [reach.head_json(head) for head in heads],
        "approvals": [reach.head_json(head) for head in picture.approvals],
        "doubts": [reach.head_json(head) for head in picture.doubts],
        "stuck": [reach.head_json(head) for head in picture.stuck],
        "operations": [one._asdict() for one in picture.operations],
        "per_minute": {"tokens": picture.spent.tokens, "cost": float(picture.spent.cost)},
    }
