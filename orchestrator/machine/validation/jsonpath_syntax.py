"""The syntax of paths and of calls of intrinsic functions, as far as it must be known to judge them.

Both functions give what is wrong, or None, and the variables that are read on the way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

DEEPEST = 10
"""Calls within calls."""

FUNCTIONS: Mapping[str, tuple[int, int | None]] = {
    "Array": (0, None),
    "ArrayContains": (2, 2),
    "ArrayGetItem": (2, 2),
    "ArrayLength": (1, 1),
    "ArrayPartition": (2, 2),
    "ArrayRange": (3, 3),
    "ArrayUnique": (1, 1),
    "Base64Decode": (1, 1),
    "Base64Encode": (1, 1),
    "Format": (1, None),
    "Hash": (2, 2),
    "JsonMerge": (3, 3),
    "JsonToString": (1, 1),
    "MathAdd": (2, 2),
    "MathRandom": (2, 3),
    "StringSplit": (2, 2),
    "StringToJson": (1, 1),
    "UUID": (0, 0),
}
"""How many arguments each takes, at least and at most."""

_ROOT = re.compile(r"\$\$|\$(?P<name>[^\W\d]\w*)|\$")
_WORD = r"[^\s.\[\]()'\"*?@,]+"
_NAME = r"[^\s.\[\]()'\"*?,]+(?:\(\))?"
_TEXT = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_INDEX = r"-?[0-9]+"
_STEP = re.compile(
    rf"\.(?:{_NAME}|\*)|\.\.(?:{_NAME}|\*|(?=\[))"
    rf"|\.?\[\s*(?:\*|(?:{_TEXT})(?:\s*,\s*(?:{_TEXT}))*|(?:{_INDEX})(?:\s*,\s*(?:{_INDEX}))*"
    rf"|(?:{_INDEX})?\s*:\s*(?:{_INDEX})?(?:\s*:\s*(?:{_INDEX})?)?)\s*\]"
)
_REFERENCE = re.compile(rf"\$(?:\.(?:{_WORD})|\[\s*(?:{_TEXT}|[0-9]+)\s*\])*")
_CALL = re.compile(r"States\.(\w*)\(")
_LITERAL = re.compile(r"'(?:[^'\\]|\\.)*'|-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null", re.DOTALL)
_ARGUMENT_PATH = re.compile(r"\$(?:[^,()\[\]'\s]|\[(?:'(?:[^'\\]|\\.)*'|[^\]'])*\]|\(\))*")
_PLACEHOLDER = re.compile(r"\\.|(\{\})")


class Read(NamedTuple):
    """``mild``: it can be parsed, and would fail when it runs."""

    problem: str | None = None
    variables: frozenset[str] = frozenset()
    mild: bool = False


def read_path(text: str) -> Read:
    """A path: ``$.a[0]['b']``, ``$$.Execution.Id``, ``$name.a``, with wildcards, slices and filters."""
    root = _ROOT.match(text)
    if root is None:
        return Read("it does not begin with $")
    name = root["name"]
    variables = frozenset({name} if name else ())
    at = root.end()
    while at < len(text):
        step = _STEP.match(text, at)
        end = step.end() if step else _filter_end(text, at)
        if end is None:
            return Read(f"it can't be read from {text[at : at + 20]!r} on", variables)
        at = end
    return Read(None, variables)


def is_reference(text: str) -> bool:
    """Whether it is a path to one place of the input."""
    return _REFERENCE.fullmatch(text) is not None


def _filter_end(text: str, at: int) -> int | None:
    """Where ``[?(…)]`` ends."""
    opening = re.compile(r"\.?\[\s*\?").match(text, at)
    if opening is None:
        return None
    at, quote = opening.end(), ""
    closing = ["]"]
    while at < len(text) and closing:
        char = text[at]
        if quote:
            at += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "[(":
            closing.append("]" if char == "[" else ")")
        elif char in "])" and closing.pop() != char:
            return None
        at += 1
    return None if closing else at


def is_call(text: str) -> bool:
    """Whether it looks like a call of an intrinsic function."""
    return text.startswith("States.")


def read_call(text: str) -> Read:
    """A call: ``States.Format('{} of {}', $.a, States.UUID())``."""
    try:
        parser = _Parser(text)
        parser.call(1)
        if parser.at < len(text):
            raise _Wrong(f"after the call there is more: {text[parser.at : parser.at + 20]!r}")
    except _Wrong as error:
        return Read(str(error))
    return Read(parser.mild, frozenset(parser.variables), mild=parser.mild is not None)


class _Wrong(Exception):
    """The text is no call."""


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0
        self.mild: str | None = None
        self.variables: set[str] = set()

    def call(self, depth: int) -> None:
        found = _CALL.match(self._text, self.at)
        if found is None:
            raise _Wrong(f"a call such as States.UUID() should stand at {self._text[self.at : self.at + 20]!r}")
        name = found[1]
        if name not in FUNCTIONS:
            from .diagnostic import did_you_mean

            hint = did_you_mean(name, FUNCTIONS).replace('"', "", 1).replace("mean ", "mean States.").replace('"', "")
            raise _Wrong(f"there is no function States.{name}" + (f"; {hint[0].lower()}{hint[1:]}" if hint else ""))
        if depth > DEEPEST:
            raise _Wrong(f"calls stand within each other more than {DEEPEST} deep")
        self.at = found.end()
        arguments = self._arguments(depth)
        self._judge(name, arguments)

    def _arguments(self, depth: int) -> list[str]:
        found: list[str] = []
        self._space()
        if self._take(")"):
            return found
        while True:
            begin = self.at
            self._argument(depth)
            found.append(self._text[begin : self.at])
            self._space()
            if self._take(")"):
                return found
            if not self._take(","):
                where = self._text[self.at : self.at + 20]
                raise _Wrong("a comma or ) should stand " + (f"at {where!r}" if where else "at the end"))
            self._space()

    def _argument(self, depth: int) -> None:
        if self._text.startswith("States.", self.at):
            return self.call(depth + 1)
        found = _ARGUMENT_PATH.match(self._text, self.at)
        if found:
            read = read_path(found[0])
            if read.problem:
                raise _Wrong(f"{found[0]!r} is no path: {read.problem}")
            self.variables |= read.variables
        else:
            found = _LITERAL.match(self._text, self.at)
        if not found:
            near = self._text[self.at : self.at + 20]
            hint = "; texts stand in single quotes" if near.startswith('"') else ""
            raise _Wrong(f"{near!r} is no path, text, number or call{hint}")
        self.at = found.end()
        return None

    def _judge(self, name: str, arguments: list[str]) -> None:
        least, most = FUNCTIONS[name]
        if len(arguments) < least or (most is not None and len(arguments) > most):
            wants = f"{least}" if least == most else f"{least} or more" if most is None else f"{least} to {most}"
            self.mild = (
                f"States.{name} takes {wants} argument{'' if wants == '1' else 's'}, and is given {len(arguments)}"
            )
        elif name == "Format" and arguments[0].startswith("'"):
            holes = sum(1 for found in _PLACEHOLDER.finditer(arguments[0]) if found[1])
            if holes != len(arguments) - 1:
                self.mild = f"the text of States.Format has {holes} {{}} for {len(arguments) - 1} values"
        elif name == "JsonMerge" and arguments[2] == "true":
            self.mild = "States.JsonMerge merges only the first level: its third argument is false"

    def _space(self) -> None:
        while self._text[self.at : self.at + 1].isspace():
            self.at += 1

    def _take(self, char: str) -> bool:
        taken = self._text.startswith(char, self.at)
        self.at += taken
        return taken
