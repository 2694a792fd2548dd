"""What a docstring says about a function and each of its parameters, in Google, numpy or reST style.

``read`` never fails, and loses nothing that a model could use: what it does not know is description. Left out is what
tells a caller's code, not a model: what is returned and raised, and types, which the annotations say.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Collection, Iterable
from typing import NamedTuple

_PARAMETERS = frozenset(
    {"args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters"}
    | {"other arguments", "other args"}
)
_UNTOLD = frozenset(
    {"return", "returns", "yield", "yields", "raise", "raises", "except", "exceptions", "receives", "warns"}
)
_TITLE = re.compile(r"^([A-Za-z][A-Za-z ]*?)\s*:\s*$")
_NUMPY = re.compile(r"^(\*{0,2}\w[\w, *]*?)\s*(?::.*)?$")
_ITEM = re.compile(r"^\*{0,2}(\w+)\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*:\s*(.*)$")
_REST = re.compile(r"^:(?:param|parameter|arg|argument|key|keyword|kwarg)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)$")
_REST_UNTOLD = re.compile(r"^:(?:type\s+[^:]*|rtype|returns?|yields?|raises?\b[^:]*|except(?:ion)?\b[^:]*)\s*:")


class Description(NamedTuple):
    """``text`` is all that is not about parameters, ``parameters`` maps names to their descriptions."""

    text: str
    parameters: dict[str, str]


def read(docstring: str | None, names: Collection[str] | None = None) -> Description:
    """Take a docstring apart. ``names`` are the function's parameters: what is said about others, as of those that a
    signature gathers in ``**options``, stays in the text. None: take whatever is described."""
    return _Reading(inspect.cleandoc(docstring or "").splitlines(), names).done()


class _Reading:
    """Goes through the lines once; ``_at`` is the next one."""

    def __init__(self, lines: list[str], names: Collection[str] | None) -> None:
        self._lines = lines
        self._names = names
        self._text: list[str] = []
        self._found: dict[str, str] = {}
        self._at = 0

    def done(self) -> Description:
        while self._at < len(self._lines):
            self._next()
        return Description("\n".join(self._text).strip(), self._found)

    def _next(self) -> None:
        line = self._lines[self._at]
        titled = _TITLE.match(line)
        title = titled[1].lower() if titled else ""
        under = line.strip().lower() if self._underlined(self._at) else ""
        if under in _PARAMETERS:
            self._numpy()
        elif under in _UNTOLD:
            self._at = self._paragraphs(self._at + 2)
        elif title in _PARAMETERS:
            self._google()
        elif title in _UNTOLD or _REST_UNTOLD.match(line):
            self._at = self._end(self._at + 1, 0)
        elif (match := _REST.match(line)) and self._known(match[1]):
            self._take((match[1],), match[2], 0)
        else:
            self._text.append(line)
            self._at += 1

    def _google(self) -> None:
        """A section of indented items. Its title stays in the text when something of it does."""
        title, end = self._lines[self._at], self._end(self._at + 1, 0)
        self._at += 1
        kept: list[str] = []
        depth = next((_indent(line) for line in self._lines[self._at : end] if line.strip()), 0)
        while self._at < end:
            line = self._lines[self._at]
            match = _ITEM.match(line.strip()) if _indent(line) == depth else None
            if match and self._known(match[1]):
                self._take((match[1],), match[2], depth)
            else:
                kept.append(line)
                self._at += 1
        if any(line.strip() for line in kept):
            self._text += [title, *kept]

    def _numpy(self) -> None:
        """A section of items that each have their description below, indented."""
        self._at += 2
        while self._at < len(self._lines):
            line = self._lines[self._at]
            if not line.strip():
                self._at += 1
                continue
            match = None if self._underlined(self._at) or _indent(line) else _NUMPY.match(line)
            names = [name.strip(" *") for name in match[1].split(",")] if match else []
            if not names or not all(map(self._known, names)):
                return
            self._take(names, "", 0)

    def _take(self, names: Iterable[str], first: str | None, depth: int) -> None:
        """A description: its first words and the deeper indented lines that follow."""
        end = self._end(self._at + 1, depth)
        words = [first or "", *self._lines[self._at + 1 : end]]
        said = " ".join(filter(None, map(str.strip, words)))
        for name in names:
            self._found[name] = " ".join(filter(None, (self._found.get(name), said)))  # also when it is told of twice
        self._at = end

    def _known(self, name: str) -> bool:
        return self._names is None or name in self._names

    def _underlined(self, index: int) -> bool:
        below = self._lines[index + 1] if index + 1 < len(self._lines) else ""
        return bool(self._lines[index].strip()) and re.fullmatch(r"-{3,}\s*", below) is not None

    def _end(self, index: int, depth: int) -> int:
        """Past the blank lines and those that are indented deeper."""
        while index < len(self._lines) and (not self._lines[index].strip() or _indent(self._lines[index]) > depth):
            index += 1
        return index

    def _paragraphs(self, index: int) -> int:
        """Past a section of numpy's style that is not told: its first paragraph, and the items that follow."""
        lines = self._lines
        while index < len(lines) and lines[index].strip() and not self._underlined(index):
            index += 1
        index = self._end(index, 0)
        while index + 1 < len(lines) and not self._underlined(index) and _indent(lines[index + 1]) > 0:
            index = self._end(index + 1, 0)
        return index


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
