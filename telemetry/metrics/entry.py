"""What metrics need of a journal entry. Entries are the texts that docs/journal.md describes.

Most of all entries are steps that went well. Of these only the time counts, so they are put aside as they are, and
many are read at once: that costs a tenth of parsing each.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

Fact = dict[str, Any]

_BEGINNING = '{"type":"'
_STEP = '{"type":"step","op":"'
_SHORT = 1024
_MS = re.compile(r'^\{"type":"step","op":"[^"\\]*","name":"[^"\\]*(?:\\.[^"\\]*)*","at":\d+,"ms":(\d+)', re.MULTILINE)
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
    """Whether it is a step that went well at once, in a short text: of such ones only the time counts. What merely looks
    as if it said more is read as a whole."""
    return len(text) <= _SHORT and text.startswith(_STEP) and '"error":' not in text and '"n":' not in text


def times_of(texts: Sequence[str]) -> Mapping[str, int]:
    """How often which milliseconds stand in plain steps."""
    return Counter(_MS.findall("\n".join(texts)))


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
