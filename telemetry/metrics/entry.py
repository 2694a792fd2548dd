"""What metrics need of a journal entry. Entries are the texts that docs/journal.md describes.

Most of all entries are steps that went well. Of these nothing is read but that: parsing all of them would cost more
than everything else here together.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

Fact = dict[str, Any]

MOST = 2**53
"""What one entry may add. More than a float can hold would spoil the sum, and every reading of it after that."""

_BEGINNING = '{"type":"'
STEP = '{"type":"step"'
_WELL = re.compile(
    r'\{"type":"step","op":"[^"\\]*","name":"[^"\\]*(?:\\.[^"\\]*)*","at":\d+,"ms":\d+(?:,"args":"\w+")?,"value":'
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


def is_plain(text: str) -> bool:
    """Whether it is a step that went well at the first attempt. What merely looks as if it said more is looked at more
    closely, and then parsed."""
    if not text.startswith(STEP):
        return False
    return ('"error":' not in text and '"n":' not in text) or _WELL.match(text) is not None


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
    except (ValueError, RecursionError):
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
    """A number that somebody else has said: 0 when it is none, MOST at the most."""
    return min(value, MOST) if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
