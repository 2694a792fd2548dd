"""JSONata as far as it must be known to judge it: whether it can be parsed, and what it reads.

With the ``jlens`` engine an expression is compiled, and what it reads is known for certain. Without it, variables are
looked for in the text, and what can't be known is taken to be right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple, cast

STATES = ("input", "result", "errorOutput", "context")
FUNCTIONS = ("partition", "range", "hash", "random", "uuid", "parse")
"""What AWS has beside JSONata's own functions."""

# Possessive, and what is not ended ends with the text: so no text makes any of these slow.
_ASIDE = re.compile(
    r"/\*.*?(?:\*/|\Z)|\"(?:[^\"\\]|\\.)*+(?:\"|\Z)|'(?:[^'\\]|\\.)*+(?:'|\Z)|`[^`]*+(?:`|\Z)", re.DOTALL
)
_UNKNOWN = re.compile(r"\$eval\s*\(|\?\?|(?<!\()\?:")
_LOCAL = re.compile(r"\$(\w+)\s*:=|(?:function|λ)\s*\(([^()]{0,500})\)")
_CALLED = re.compile(r"\$(\w+)\s*\(")
_VARIABLE = re.compile(r"\$([^\W\d]\w*)")
_HALF = re.compile("[\ud800-\udfff]")
_LONGEST = 100_000


class Reads(NamedTuple):
    """``names``: fields that nothing leads to. ``states``: what is read of ``$states``. ``whole``: ``$$`` or ``$``,
    where it stands alone."""

    problem: str | None = None
    unsupported: str | None = None
    names: tuple[str, ...] = ()
    whole: str = ""
    states: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()


@lru_cache(maxsize=1024)
def read_jsonata(text: str) -> Reads:
    """What an expression reads, or why it can't be one."""
    if not text.strip():
        return Reads("it is empty")
    if _HALF.search(text):
        return Reads("it holds half of a surrogate pair, which is no character")
    plain = _ASIDE.sub(" '' ", text)
    if found := _UNKNOWN.search(plain):
        return Reads(unsupported=f"{found[0].rstrip('( ')} is not supported by AWS")
    try:
        import jlens
    except ModuleNotFoundError:
        return _guessed(plain)
    if len(text) > _LONGEST:
        return _guessed(plain)
    try:
        compiled = jlens.Expression(text)
    except jlens.JlensError as error:
        return Reads(str(error))
    # What a function that it does not know reads, the engine can't tell; that AWS's read their arguments, it is told.
    called = [name for name in FUNCTIONS if f"${name}" in plain]
    reads = compiled.reads(dict.fromkeys(called, _nothing)) if called else compiled.reads()
    return _known(cast("Mapping[str, Any]", reads), plain)


def _nothing(*_: Any) -> None:
    """Stands for a function of AWS while an expression is looked at."""


def _known(reads: Mapping[str, Any], plain: str) -> Reads:
    bound = dict(cast("Mapping[str, Any]", reads.get("bindings") or {}))
    states: Any = bound.pop("states", None)
    fields: Any = reads.get("input")
    names = tuple(cast("Mapping[str, Any]", fields)) if isinstance(fields, Mapping) else ()
    parts = frozenset(cast("Mapping[str, Any]", states)) if isinstance(states, Mapping) else frozenset[str]()
    variables = frozenset(bound) - {*FUNCTIONS} - {found[1] for found in _LOCAL.finditer(plain) if found[1]}
    return Reads(None, None, names, _whole(plain) if fields is True else "", parts, variables)


def _guessed(plain: str) -> Reads:
    local: set[str] = set(FUNCTIONS)
    for found in _LOCAL.finditer(plain):
        local |= {found[1]} if found[1] else set(_VARIABLE.findall(found[2]))
    local |= set(_CALLED.findall(plain))
    found_names = frozenset(_VARIABLE.findall(plain)) - local - {"states"}
    states = frozenset(re.findall(r"\$states\.(\w+)", plain))
    return Reads(None, None, (), _whole(plain), states, found_names)


def _whole(plain: str) -> str:
    if re.search(r"\$\$(?!\w)", plain):
        return "$$"
    return "$" if re.match(r"\s*\$(?![\w$])", plain) else ""
