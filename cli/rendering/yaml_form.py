"""Documents as YAML: mappings, lists, texts, numbers and booleans, which is all that manifests have in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./()-]+)*")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_UNSAFE = re.compile("[^\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]")


def written(documents: Iterable[Mapping[str, Any]], comment: str = "") -> str:
    """All of them in one text, with a comment before the first."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return head + "---\n".join("".join(f"{line}\n" for line in _mapping(one)) for one in documents)


def _mapping(value: Mapping[str, Any]) -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            yield f"{_text(key)}:"
            yield from (f"  {line}" for line in _mapping(cast("Mapping[str, Any]", item)))
        elif isinstance(item, (list, tuple)) and item:
            yield f"{_text(key)}:"
            yield from (f"  {line}" for line in _list(cast("Sequence[Any]", item)))
        else:
            yield f"{_text(key)}: {_scalar(item)}"


def _list(value: Sequence[Any]) -> Iterator[str]:
    for item in value:
        lines: Iterable[str]
        if isinstance(item, Mapping) and item:
            lines = _mapping(cast("Mapping[str, Any]", item))
        elif isinstance(item, (list, tuple)) and item:
            lines = _list(cast("Sequence[Any]", item))
        else:
            lines = (_scalar(item),)
        for number, line in enumerate(lines):
            yield f"{'  ' if number else '- '}{line}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (Mapping, list, tuple)):  # an empty one
        return "{}" if isinstance(value, Mapping) else "[]"
    return json.dumps(value)


def _text(text: str) -> str:
    """As it is where that can be nothing else, else in quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
