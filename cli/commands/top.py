"""``overwinter top``: what goes on in a store, live. Keys: ``q`` quits, ``s`` takes the next order of the executions,
``u`` ``a`` ``t`` ``f`` ``c`` a certain one.

``--json``: ``{"now", "counts", "counted", "seen", "active", "owners": [{owner, executions}], "due": {id, lag_ms},
"functions": {name: {status: number}}, "executions": [head…], "approvals": [head…], "doubts": [head…], "stuck":
[head…], "operations": [{execution, op, kind, name, ms, open}], "per_minute": {tokens, cost}}``.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import click

from .. import reach
from ..leaving import leaving
from ..options import json_option, store_option

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

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
@store_option
@json_option
def top_command(once: bool, by: str, store: str, as_json: bool) -> None:
    """What goes on, live: active, waiting, slowest, cost, and what wants somebody."""
    from ..view.terminal import console, emit

    out = console()
    if as_json or once or not out.is_terminal:
        picture = reach.run(_once(store))
        if as_json:
            emit(document(picture))
            return
        from ..view.board import board

        for line in board(picture, out.width, None, by):
            out.print(line)
        return
    reach.run(_live(store, out, by))


async def _once(dsn: str) -> Picture:
    from ..overview import Overview

    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        return await Overview(reading).look()


async def _live(dsn: str, out: Console, by: str) -> None:
    from rich.live import Live

    from ..overview import Overview

    async with reach.control(dsn) as reading:
        await reach.tell_moved(reading.store)
        screen = Screen(Overview(reading), by)
        with leaving(), _keys(screen), Live(console=out, screen=True, auto_refresh=False) as live:
            while not screen.over:
                await screen.look()
                live.update(screen.drawn(out), refresh=True)
                while not screen.over and await screen.pressed(EVERY):
                    live.update(screen.drawn(out), refresh=True)


class Screen:
    """What is shown, and what a key changes."""

    def __init__(self, overview: Overview, by: str) -> None:
        self.by = by
        self.over = False
        self._overview = overview
        self._picture: Picture | None = None
        self._changed = asyncio.Event()

    async def look(self) -> None:
        self._picture = await self._overview.look()

    def drawn(self, out: Console) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        from ..view.board import KEYS, board

        lines = [] if self._picture is None else board(self._picture, out.width, out.height - 1, self.by)
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


@contextlib.contextmanager
def _keys(screen: Screen) -> Generator[None]:
    """Keys are heard as they are pressed, where a terminal can be told so."""
    try:
        import termios
        import tty
    except ImportError:  # not on Windows
        yield
        return
    try:
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
    except (OSError, ValueError, termios.error):
        yield
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

    tty.setcbreak(number)
    loop.add_reader(number, hear)
    try:
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def document(picture: Picture) -> dict[str, Any]:
    """The picture for programs."""
    due = None if picture.due is None else {"id": picture.due.id, "lag_ms": picture.lag}
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
