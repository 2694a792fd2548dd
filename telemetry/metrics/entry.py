"""What metrics need of a journal entry, read without reading its value where that can be avoided.

Entries are the texts that docs/journal.md describes. Of a call that went well everything that counts stands before its
result, which may be large: it is cut out of the text. All others are parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

Fact = dict[str, Any]

_BEGINNING = '{"type":"'
_CALL = re.compile(
    r'\{"type":"(?P<type>step|tool|check|hook|listed)","op":"[^"\\]*","name":"(?P<name>[^"\\]*)","at":\d+,'
    r'"ms":(?P<ms>\d+)(?:,"n":(?P<n>\d+))?[,}]'
)
_TOTAL = ("input", "output", "cache_read", "cache_write", "reasoning", "audio_in", "audio_out", "image_in", "image_out")
READ = frozenset({"input", "cache_read", "cache_write", "audio_in", "image_in"})
"""The parts of a usage that the model has read; the others it has written."""


class Call(NamedTuple):
    """A call that has ended: its kind, the last attempt's milliseconds, and how many there were."""

    kind: str
    name: str
    ms: int
    attempts: int
    failed: bool = False


def type_of(text: str) -> str:
    """The type of an entry; "" when it is to be parsed to know it."""
    if text.startswith(_BEGINNING):
        end = text.find('"', 9)
        return text[9:end]
    return ""


def quick(text: str) -> Call | None:
    """A call that went well, or None when its entry has to be parsed to be sure."""
    found = _CALL.match(text)
    if found is None or '"error":' in text:
        return None
    kind, name, ms, n = found.groups()
    return Call(kind, name, int(ms), 1 if n is None else int(n))


def parsed(text: str, blobs: Mapping[str, bytes]) -> Fact | None:
    """The entry, with what a blob of the same commit holds put in place; None when it can't be read."""
    try:
        fact: object = json.loads(text)
        if not isinstance(fact, dict):
            return None
        entry = cast("Fact", fact)
        away = mapping(entry.get("blob"))
        if away and (body := blobs.get(str(away.get("digest")))) is not None:
            entry[str(away.get("field"))] = json.loads(body)
    except ValueError:
        return None
    return entry


def call_of(entry: Fact) -> Call:
    """The call that a parsed entry ends."""
    return Call(
        str(entry.get("type", "")),
        str(entry.get("name", "")),
        whole(entry.get("ms")),
        max(1, whole(entry.get("n"))),
        entry.get("error") is not None,
    )


def parts(usage: Mapping[str, Any]) -> dict[str, int]:
    """Tokens by part."""
    return {name: tokens for name in _TOTAL if (tokens := whole(usage.get(name)))}


def mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def whole(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
