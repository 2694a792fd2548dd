"""The grammar of intrinsic functions: a call, whose arguments are texts, numbers, words, paths and calls again.

A text stands in single quotes; within it a backslash makes a quote, a brace or a backslash a sign like any other, and
before anything else it is an error. At most ten calls may stand within each other.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..failure import RUNTIME, QueryError
from ..paths import Path, compile_path

NESTED = 10
INFINITE = float("inf")

_NAME = re.compile(r"States\.[A-Za-z0-9]+")
_TEXT = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?(?=[\s,)]|$)", re.ASCII)
_WORD = re.compile(r"(?:true|false|null)(?=[\s,)]|$)")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SPACE = re.compile(r"[ \t\r\n]*")
_WORDS = {"true": True, "false": False, "null": None}


class Literal(NamedTuple):
    """``raw``: a text before its escapes were resolved, for States.Format, to which an escaped brace is no place."""

    value: Any
    raw: str | None = None


class Call(NamedTuple):
    """``text``: the call as it is written, for causes."""

    name: str
    arguments: tuple[Any, ...]  # of Literal, Path and Call; mypy knows no recursive tuples here
    text: str


Argument = Literal | Path | Call


def parse(text: str) -> Call:
    """Raises QueryError (States.Runtime) that says where the text ceases to be a call."""
    parser = _Parser(text)
    call = parser.call(1)
    parser.space()
    if parser.at != len(text):
        raise parser.wrong("the end of the text")
    return call


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def wrong(self, expected: str) -> QueryError:
        found = f"'{self.text[self.at : self.at + 20]}'" if self.at < len(self.text) else "the end"
        cause = (
            f"'{self.text}' is not a valid intrinsic function call: expected {expected} at {self.at}, found {found}."
        )
        return QueryError(RUNTIME, cause)

    def space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def call(self, depth: int) -> Call:
        begin = self.at
        self.space()
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise self.wrong("the name of a function (States.…)")
        if depth > NESTED:
            cause = f"'{self.text}': at most {NESTED} intrinsic functions may stand within each other."
            raise QueryError(RUNTIME, cause)
        self.at = name.end()
        self.space()
        self._sign("(")
        arguments: list[Argument] = []
        self.space()
        if not self._is(")"):
            arguments.append(self.argument(depth))
            while self._is(","):
                self.at += 1
                arguments.append(self.argument(depth))
            if not self._is(")"):
                raise self.wrong("a comma or )")
        self.at += 1
        return Call(name[0], tuple(arguments), self.text[begin : self.at].strip())

    def argument(self, depth: int) -> Argument:
        self.space()
        argument = self._argument(depth)
        self.space()
        return argument

    def _argument(self, depth: int) -> Argument:
        if self._is("'"):
            return self._text()
        if self._is("$"):
            return self._path()
        if found := _NUMBER.match(self.text, self.at):
            number = float(found[0]) if found[1] or found[2] or len(found[0]) > 300 else int(found[0])
            if number in (INFINITE, -INFINITE):
                raise self.wrong("a number that a double can hold")
            self.at = found.end()
            return Literal(number)
        if found := _WORD.match(self.text, self.at):
            self.at = found.end()
            return Literal(_WORDS[found[0]])
        return self.call(depth + 1)

    def _text(self) -> Literal:
        found = _TEXT.match(self.text, self.at)
        if found is None:
            raise self.wrong("a text that ends with '")
        raw = found[1]
        for escape in _ESCAPE.finditer(raw):
            if escape[1] not in "'\\{}":
                self.at += 1 + escape.start()
                raise self.wrong("\\', \\{, \\} or \\\\")
        self.at = found.end()
        return Literal(_ESCAPE.sub(r"\1", raw), raw)

    def _path(self) -> Path:
        """A path ends at a comma or bracket that is not within brackets or quotes of its own."""
        begin, depth, quote = self.at, 0, ""
        while self.at < len(self.text):
            sign = self.text[self.at]
            if quote:
                self.at += sign == "\\"
                quote = "" if sign == quote else quote
            elif sign in "'\"" and depth:
                quote = sign
            elif sign in "[(":
                depth += 1
            elif sign in "])" and depth:
                depth -= 1
            elif sign in ",) \t\r\n" and not depth:
                break
            self.at += 1
        return compile_path(self.text[begin : self.at].strip())

    def _is(self, sign: str) -> bool:
        return self.text.startswith(sign, self.at)

    def _sign(self, sign: str) -> None:
        if not self._is(sign):
            raise self.wrong(sign)
        self.at += 1
