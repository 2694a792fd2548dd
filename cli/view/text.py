"""User data made safe and short for a terminal. Everything that came from a store, a server or a file goes
through ``clean`` before it is shown: control characters (escape sequences that would move the cursor or change
a title), bidirectional overrides and lone surrogates become visible escapes. Rich markup is never parsed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

JSON = Any  # a plain JSON value, as the journal holds it

_HARMFUL = "\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
_UNSAFE = re.compile(f"[\x00-\x1f{_HARMFUL}]")
_JSON_UNSAFE = re.compile(f"[{_HARMFUL}]")
_JOINER = "\u200d"  # holds emoji together; it can't do harm


def clean(text: str) -> str:
    """One line of visible characters: line breaks and tabs as spaces, everything dangerous as ``\\x1b``."""
    return _UNSAFE.sub(_visible, text)


def clean_lines(text: str) -> str:
    """As ``clean``, keeping line breaks."""
    return "\n".join(clean(line) for line in text.splitlines())


def _visible(match: re.Match[str]) -> str:
    char = match[0]
    if char in "\n\r\t\u2028\u2029":
        return " "
    if char == _JOINER:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def json_text(value: JSON, *, indent: int | None = None) -> str:
    """JSON for programs and people: readable letters, but nothing a terminal would act on."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _JSON_UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters, the last of them an ellipsis when something was cut."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def excerpt(value: JSON, limit: int = 400) -> str:
    """One safe line that gives the gist of a JSON value: text as it is, objects as ``key: value``."""
    return shorten(clean(_gist(value, limit, top=True)), limit)


def _gist(value: JSON, room: int, *, top: bool = False) -> str:
    if isinstance(value, str):
        text = shorten(value.strip(), room + 1)
        return text if top else f'"{text}"'
    if value is None:
        return "none" if top else "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return _mapping(cast("Mapping[str, JSON]", value), room, top=top)
    if isinstance(value, list):
        return _sequence(cast("Sequence[JSON]", value), room)
    return str(value)


def _mapping(value: Mapping[str, JSON], room: int, *, top: bool) -> str:
    if "$blob" in value:
        return f"[{size(value.get('size'))} in a blob]"
    parts: list[str] = []
    used = 0
    for key, item in value.items():
        part = f"{key}: {_gist(item, max(room - used, 0))}"
        parts.append(part)
        used += len(part) + 2
        if used > room:
            break
    inner = ", ".join(parts)
    return inner if top and parts else "{" + inner + "}"


def _sequence(value: Sequence[JSON], room: int) -> str:
    parts: list[str] = []
    used = 0
    for item in value:
        part = _gist(item, max(room - used, 0))
        parts.append(part)
        used += len(part) + 2
        if used > room:
            break
    return "[" + ", ".join(parts) + "]"


def size(count: JSON) -> str:
    """Bytes for people: "812B", "256KB", "1.4MB"."""
    if not isinstance(count, (int, float)):
        return "?"
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1024:
            return f"{amount:.0f}{unit}" if unit == "B" or amount >= 10 else f"{amount:.1f}{unit}"
        amount /= 1024
    return f"{amount:.1f}GB"


def tokens(count: int) -> str:
    """A number of tokens for people: "312", "4.1k", "1.2M"."""
    if count < 1000:
        return str(count)
    if count < 999_950:
        return f"{count / 1000:.1f}k"
    return f"{count / 1_000_000:.1f}M"


def cost(amount: float | Decimal) -> str:
    """Money in the model's currency, with as many digits as say something: "0.50", "0.0031"."""
    if amount >= 0.1 or amount == 0:
        return f"{amount:.2f}"
    return f"{amount:.4f}" if amount >= 0.0001 else f"{amount:.1e}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """ "1 step", "3 steps", "1,204 replies"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or noun + 's'}"
