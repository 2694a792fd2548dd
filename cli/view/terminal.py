"""The two streams of a command. Colours, tables and live displays only where a person reads; plain lines when
piped; NO_COLOR and COLUMNS are honoured. Nothing is parsed as markup, so user data can't style itself.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...security.redaction import redacted
from ..again import again
from .text import JSON, clean_lines, json_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

PIPED_WIDTH = 160


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr, as wide as the terminal, wider when piped so that less is cut."""
    import os

    from rich.console import Console

    class Piped(Console):
        """Leaves it to the command's outer edge what it means that nobody reads: rich would end with 1, a failure."""

        def on_broken_pipe(self) -> None:
            raise

    made = Piped(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPED_WIDTH
    return made


def show(*parts: RenderableType) -> None:
    """Print to stdout."""
    out = console()
    for part in parts:
        out.print(part)


def put(out: Console, line: Text) -> None:
    """Print a line, as wide as it is when its overflow is to be ignored."""
    out.print(line, soft_wrap=line.overflow == "ignore")


def say(sentence: str, *, style: str = "") -> None:
    """A line for people, on stderr, so that stdout stays clean for results."""
    console(stderr=True).print(clean_lines(again(redacted(sentence))), style=style or None, soft_wrap=True)


def emit(value: JSON, *, line: bool = False) -> None:
    """One JSON document on stdout; on one line for JSON Lines or when piped."""
    indent = None if line or not sys.stdout.isatty() else 2
    sys.stdout.write(json_text(value, indent=indent) + "\n")
    sys.stdout.flush()


def interactive() -> bool:
    """Whether a person sits at the other end and can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
