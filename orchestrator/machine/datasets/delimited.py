"""Rows of text files, as Step Functions reads them: fields between commas (or what else is said), quoted or not.

In quotation marks a field may have commas and line ends. Two quotation marks are one, in a quoted field and in any
other. A backslash takes the sign behind it as it is, and is gone itself. A row with too few fields has empty texts for
the rest; what is more than the header is left out, and so are empty lines. Every value is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .bucket import Refused
from .content import LONGEST, Content, text_of

DELIMITERS = {"COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "SPACE": " ", "TAB": "\t"}


class Rows:
    """The items of a file. ``header``: its columns; without them its first row says them."""

    def __init__(self, content: Content, delimiter: str, header: Sequence[str], cursor: dict[str, Any]) -> None:
        self._content = content
        self._row = _Row(DELIMITERS[delimiter])
        self._header: list[str] = list(cursor.get("header") or header)
        self._line: int = cursor.get("line", 0)

    def __iter__(self) -> Iterator[tuple[None, dict[str, str]]]:
        for row in self._rows():
            if not self._header:
                self._header = row
                if len(set(row)) < len(row):
                    raise Refused("CSV headers cannot contain duplicates.")
            elif len(row) > 1 or row[0]:
                yield None, self._item(row)

    def cursor(self) -> dict[str, Any]:
        """Behind the item that was given last."""
        return {"at": self._content.at, "line": self._line, "header": self._header}

    def _item(self, row: list[str]) -> dict[str, str]:
        if len(row) < len(self._header):
            row += [""] * (len(self._header) - len(row))
        return dict(zip(self._header, row, strict=False))  # what is more than the header is left out

    def _rows(self) -> Iterator[list[str]]:
        began = 0
        for line in self._content.lines():
            began = began if self._row.open else self._line + 1
            self._line += 1
            text = text_of(line, self._content.key, f"line {self._line}")
            row = self._row.feed(text.removeprefix("\ufeff") if self._line == 1 else text)
            if row is not None:
                yield row
        if self._row.open:
            raise Refused(f"{self._content.key}: the quotation mark of line {began} has no other that closes it")


class _Row:
    """One row after the other, each put together of one line or more. ``open``: it goes on in the next line."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._special = re.compile(f'["\\\\{re.escape(delimiter)}]')
        self._fields: list[str] = []
        self._part: list[str] = []
        self._size = 0
        self.open = False

    def feed(self, line: str) -> list[str] | None:
        """The row, when the line ends it."""
        content = line.removesuffix("\n").removesuffix("\r")
        if not self.open and '"' not in content and "\\" not in content:
            return content.split(self._delimiter)
        self._take(content)
        if self.open:
            self._part.append(line[len(content) :])
            self._size += len(line)
            if self._size > LONGEST:
                raise Refused(f"a row has more than {LONGEST:,} characters; a quotation mark may be missing")
            return None
        fields = [*self._fields, "".join(self._part)]
        self._fields, self._part, self._size = [], [], 0
        return fields

    def _take(self, text: str) -> None:
        at, fresh = 0, not self.open  # nothing of the field was read yet
        while found := self._special.search(text, at):
            if found.start() > at:
                self._part.append(text[at : found.start()])
                fresh = False
            sign, at = found[0], found.end()
            if sign == self._delimiter and not self.open:
                self._fields.append("".join(self._part))
                self._part, fresh = [], True
                continue
            if sign == "\\":
                self._part.append(text[at : at + 1])
                at += 1
            elif sign == '"' and fresh:
                self.open = True
            elif sign == '"' and text.startswith('"', at):
                self._part.append('"')
                at += 1
            elif sign == '"' and self.open:
                self.open = False
            else:
                self._part.append(sign)
            fresh = False
        self._part.append(text[at:])
