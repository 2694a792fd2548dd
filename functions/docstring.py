"""What a docstring says about a function and each of its parameters, in Google, numpy or reST style.

``read`` never fails: text it can't take apart is description.
"""

from __future__ import annotations

import inspect
import re
from typing import NamedTuple

_GOOGLE = re.compile(r"^(Args|Arguments|Parameters|Params):\s*$")
_SECTION = re.compile(r"^[A-Z][A-Za-z ]{2,20}:\s*$")
_NUMPY = re.compile(r"^(\w[\w, *]*?)\s*(?::.*)?$")
_ITEM = re.compile(r"^\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_REST = re.compile(r"^:(?:param|parameter|arg|argument)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_FIELD = re.compile(r"^:\w+[^:]*:")


class Description(NamedTuple):
    """``text`` is what comes before the first section, ``parameters`` maps names to their descriptions."""

    text: str
    parameters: dict[str, str]


def read(docstring: str | None) -> Description:
    """Take a docstring apart."""
    lines = inspect.cleandoc(docstring or "").splitlines()
    text: list[str] = []
    parameters: dict[str, str] = {}
    index = 0
    while index < len(lines):
        line = lines[index]
        underlined = _underlined(lines, index)
        if _GOOGLE.match(line):
            index = _google(lines, index + 1, parameters)
        elif underlined and line.strip() in ("Parameters", "Other Parameters"):
            index = _numpy(lines, index + 2, parameters)
        elif match := _REST.match(line):
            index = _block(lines, index + 1, 0, match[1], match[2], parameters)
        elif underlined:
            index += 2
            while index < len(lines) and not _underlined(lines, index):
                index += 1
        elif _SECTION.match(line) or _FIELD.match(line):
            index = _skip(lines, index + 1)
        else:
            text.append(line)
            index += 1
    return Description("\n".join(text).strip(), parameters)


def _underlined(lines: list[str], index: int) -> bool:
    return index + 1 < len(lines) and re.fullmatch(r"-{3,}\s*", lines[index + 1]) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _google(lines: list[str], index: int, found: dict[str, str]) -> int:
    depth: int | None = None
    while index < len(lines):
        line = lines[index]
        if not line.strip():
            index += 1
            continue
        if _indent(line) == 0:
            break
        depth = _indent(line) if depth is None else depth
        match = _ITEM.match(line.strip()) if _indent(line) == depth else None
        if match is None:
            index += 1
        else:
            index = _block(lines, index + 1, depth, match[1], match[2], found)
    return index


def _numpy(lines: list[str], index: int, found: dict[str, str]) -> int:
    while index < len(lines):
        line = lines[index]
        if not line.strip():
            index += 1
            continue
        match = None if _underlined(lines, index) or _indent(line) else _NUMPY.match(line)
        if match is None:
            break
        start = index + 1
        index = _block(lines, start, 0, "", "", found)
        described = found.pop("", "")
        for name in match[1].split(","):
            found[name.strip(" *")] = described
    return index


def _block(lines: list[str], index: int, depth: int, name: str, first: str, found: dict[str, str]) -> int:
    """Gather a description: its first words and the deeper indented lines that follow."""
    words = [first.strip()] if first.strip() else []
    while index < len(lines) and (not lines[index].strip() or _indent(lines[index]) > depth):
        if lines[index].strip():
            words.append(lines[index].strip())
        index += 1
    found[name] = " ".join(words)
    return index


def _skip(lines: list[str], index: int) -> int:
    """Past a section that is not about parameters (Returns, Raises, Examples …)."""
    while index < len(lines) and (not lines[index].strip() or _indent(lines[index]) > 0):
        index += 1
    return index
