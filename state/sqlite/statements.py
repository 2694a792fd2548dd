"""The SQL beside this file, read once: ``SQL`` holds the statements by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parent
_NAME = "-- name: "


def script(name: str) -> str:
    """The text of a .sql file beside this one."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """The parts of a script that follow ``-- name: x`` lines, comments left out, by name."""
    parts: dict[str, list[str]] = {}
    lines: list[str] = []  # what stands before the first name belongs to nobody
    for line in text.splitlines():
        if line.startswith(_NAME):
            lines = parts[line.removeprefix(_NAME).strip()] = []
        elif not line.startswith("--"):
            lines.append(line)
    return {name: "\n".join(lines).strip() for name, lines in parts.items()}


SQL: Mapping[str, str] = sections(script("statements.sql"))
