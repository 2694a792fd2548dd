"""Definitions of state machines that are named on the command line: files of JSON or YAML, ``-`` for standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..state.errors import InvalidInput
from .exits import NOT_FOUND, Exit
from .view.command import command

if TYPE_CHECKING:
    from ..orchestrator.machine.definition.document import Document
    from ..orchestrator.machine.definition.reading import Form

STDIN = "-"
LARGEST = 64 * 1024 * 1024  # bytes; far more than the reader takes, so that it can say so


def read_definition(name: str) -> Document:
    """Raises Unreadable when there is no JSON or YAML in it, Exit or InvalidInput when it can't be read at all."""
    from ..orchestrator.machine.definition.document import Unreadable
    from ..orchestrator.machine.definition.reading import read

    data = _bytes(name)
    if len(data) > LARGEST:
        raise InvalidInput(f"{name} has {len(data):,} bytes; no definition has as many")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start:,} is no UTF-8", None, advice="Save the file as UTF-8.") from None
    return read(text, form_of(name))


def shown(name: str) -> str:
    """The name for people."""
    return "standard input" if name == STDIN else name


def form_of(name: str) -> Form | None:
    """What the ending of a name says; None where it says nothing."""
    ending = Path(name).suffix.lower()
    return "yaml" if ending in (".yaml", ".yml") else "json" if ending == ".json" else None


def _bytes(name: str) -> bytes:
    if name == STDIN:
        return sys.stdin.buffer.read(LARGEST + 1)
    path = Path(name)
    if path.is_dir():
        inside = sorted(one.name for one in path.iterdir() if form_of(one.name) and one.is_file())
        first = command("asl check", *(str(path / one) for one in inside[:1]))
        advice = f"Name the files, for example: {first}" if inside else "There is no .json, .yaml or .yml file in it."
        raise InvalidInput(f"{name} is a folder; {advice[0].lower()}{advice[1:]}")
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Exit(f"there is no file {name}", code=NOT_FOUND) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InvalidInput(f"{name} can't be read: {error}") from None
