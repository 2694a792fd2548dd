"""JSON text to a document, by RFC 8259 and not more: no comments, no NaN, no byte order mark, no halves of surrogate
pairs. Numbers must have a finite value, nesting ends at 128 levels. Keys that stand twice are found; the last one
counts, as with other readers.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .document import DEPTH, Document, Duplicate, Lines, Mark, Pointer, Unreadable

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_STRING = re.compile(
    r'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
)  # possessive: no text makes it slow
_WORD = re.compile(r"\w+")
_HALF = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}
_DIGITS = 4_300  # of an integer that the store's reader takes
_SHOWN = 500  # characters of the text in the location of a syntax error, as AWS shows them


def read_json(text: str) -> Document:
    """Raises Unreadable at the first place that is no JSON."""
    return _Scanner(text).document()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = Lines(text)
        self._marks: dict[Pointer, Mark] = {}
        self._duplicates: list[Duplicate] = []

    def document(self) -> Document:
        if self._text.startswith("\ufeff"):
            raise self._error(0, "the text begins with a byte order mark", "Save the file as UTF-8 without BOM.")
        start = self._skip(0)
        self._marks[()] = self._lines.mark(start)
        value, end = self._value(start, ())
        end = self._skip(end)
        if end < len(self._text):
            raise self._error(end, f"after the definition there is more: {self._near(end)}")
        return Document(value, self._marks, self._duplicates, len(self._text.encode("utf-8", "surrogatepass")))

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        return match.end() if match else at

    def _value(self, at: int, pointer: Pointer) -> tuple[Any, int]:
        char = self._text[at : at + 1]
        if char in ("{", "[") and char and len(pointer) >= DEPTH:
            mark = self._lines.mark(at)
            raise Unreadable(f"it is nested more than {DEPTH} levels deep", mark, code="TOO_DEEPLY_NESTED")
        if char == "{":
            return self._object(at + 1, pointer)
        if char == "[":
            return self._array(at + 1, pointer)
        if char == '"':
            return self._string(at)
        if char and char in "-0123456789":
            return self._number(at)
        word = _WORD.match(self._text, at)
        if word and word[0] in _WORDS:
            return _WORDS[word[0]], word.end()
        if not char:
            raise self._error(at, "the text ends where a value should be")
        end = word.end() if word else at
        raise self._error(end, f"{self._near(at)} is no JSON value", _advice(word[0] if word else char))

    def _object(self, at: int, pointer: Pointer) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        at = self._skip(at)
        if self._text.startswith("}", at):
            return found, at + 1
        while True:
            if not self._text.startswith('"', at):
                raise self._error(at, f"a key in double quotes should stand here, not {self._near(at)}", _COMMA)
            begin = at
            key, at = self._string(at)
            at = self._skip(at)
            if not self._text.startswith(":", at):
                raise self._error(at, f"a colon should stand after the key {key!r:.80}, not {self._near(at)}")
            place, mark = (*pointer, key), self._lines.mark(begin)
            if key in found:
                self._duplicates.append(Duplicate(place, mark))
            self._marks[place] = mark
            found[key], at = self._value(self._skip(at + 1), place)
            at = self._skip(at)
            if self._text.startswith("}", at):
                return found, at + 1
            if not self._text.startswith(",", at):
                raise self._error(at, f"a comma or }} should stand here, not {self._near(at)}")
            at = self._skip(at + 1)

    def _array(self, at: int, pointer: Pointer) -> tuple[list[Any], int]:
        found: list[Any] = []
        at = self._skip(at)
        if self._text.startswith("]", at):
            return found, at + 1
        while True:
            place = (*pointer, len(found))
            self._marks[place] = self._lines.mark(at)
            value, at = self._value(at, place)
            found.append(value)
            at = self._skip(at)
            if self._text.startswith("]", at):
                return found, at + 1
            if not self._text.startswith(",", at):
                raise self._error(at, f"a comma or ] should stand here, not {self._near(at)}")
            at = self._skip(at + 1)

    def _string(self, at: int) -> tuple[str, int]:
        match = _STRING.match(self._text, at)
        if match is None:
            raise self._error(at, f"this string is not ended, or holds what must be escaped: {self._near(at)}")
        value: str = json.loads(match[0]) if "\\" in match[0] else match[0][1:-1]
        if _HALF.search(value):
            raise self._error(at, "this string holds half of a surrogate pair, which is no character")
        return value, match.end()

    def _number(self, at: int) -> tuple[int | float, int]:
        match = _NUMBER.match(self._text, at)
        if match is None or self._text[match.end() : match.end() + 1].isalnum():
            raise self._error(at, f"{self._near(at)} is no number as JSON writes them")
        if match[1] or match[2]:
            number = float(match[0])
            if number in (float("inf"), float("-inf")):
                raise self._error(at, f"{match[0]:.40} is larger than any number")
            return number, match.end()
        if len(match[0]) > _DIGITS:
            raise self._error(at, f"this number has more than {_DIGITS:,} digits", "Pass it as text.")
        return int(match[0]), match.end()

    def _near(self, at: int) -> str:
        piece = self._text[at : at + 20].split("\n", 1)[0]
        return repr(piece) if piece else "the end of the line" if at < len(self._text) else "the end of the text"

    def _error(self, at: int, message: str, advice: str = "") -> Unreadable:
        mark = self._lines.mark(at)
        shown, rest = self._text[:_SHOWN], len(self._text) - _SHOWN
        cut = f"[truncated {rest} chars]" if rest > 0 else ""
        place = f'[Source: (String)"{shown}"{cut}; line: {mark.line}, column: {mark.column}]'
        return Unreadable(message, mark, location=place, advice=advice)


_COMMA = "Keys stand in double quotes, and no comma after the last member."


def _advice(word: str) -> str:
    if word in ("NaN", "Infinity"):
        return "JSON has no such number."
    if word in ("True", "False", "None"):
        return f"JSON writes {'null' if word == 'None' else word.lower()}."
    if word == "'":
        return "JSON's strings stand in double quotes."
    if word in ("/", "#"):
        return 'JSON has no comments; states have a "Comment".'
    return ""
