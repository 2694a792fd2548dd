"""What newer JSONata has and Step Functions has not, found in the text: the engine would take it."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""(?P<signature>(?<=\))\s*<[a-z<>()?:+\-]*>\s*(?=\{))"""  # function($a)<s?:s>{…}
    r"""|(?P<space>\s+|/\*.*?\*/)"""
    r"""|(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)"""
    r"""|(?P<name>[\w$]+)"""
    r"""|(?P<close>[)\]}])"""
    r"""|(?P<later>\?:|\?\?)"""
    r"""|(?P<sign>.)""",
    re.DOTALL,
)
_REGEX = re.compile(r"/(?:[^/\\\n]|\\.)*/[a-z]*")
_WORDS = ("and", "or", "in")


def later_operator(text: str) -> tuple[str, int] | None:
    """The first ``?:`` or ``??`` and where it stands, outside of strings, names, comments and regular expressions."""
    if "?:" not in text and "??" not in text:
        return None
    at, operand = 0, False  # whether what came last can be divided: if not, a slash begins a regular expression
    while at < len(text):
        if text[at] == "/" and not operand and not text.startswith("/*", at) and (regex := _REGEX.match(text, at)):
            at, operand = regex.end(), True
            continue
        found = _TOKEN.match(text, at)
        if found is None:
            return None
        if found.lastgroup == "later":
            return found[0], at
        if found.lastgroup != "space":
            operand = found.lastgroup in ("quoted", "close") or (found.lastgroup == "name" and found[0] not in _WORDS)
        at = found.end()
    return None
