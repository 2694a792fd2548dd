"""Intrinsic functions on texts: formatting, splitting, JSON, Base64, hashes."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import re
from typing import Any, NoReturn

from ..numbers import format_text, json_text
from .arguments import Unfit, text

CHARACTERS = 10_000
"""Longest text that is encoded, decoded or hashed."""
ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}

_PLACES = re.compile(r"\\(.)|(\{\})|([{}])", re.DOTALL)
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")


def fill(template: Any, *values: Any) -> str:
    """``{}`` in turn becomes each value; ``\\{``, ``\\}``, ``\\\\`` and ``\\'`` are the signs themselves. A brace
    without its other half makes the template invalid."""
    parts: list[str] = []
    pattern, at, used = text(template), 0, 0
    for found in _PLACES.finditer(pattern):
        parts.append(pattern[at : found.start()])
        at = found.end()
        if found[2]:
            parts.append(format_text(values[used]) if used < len(values) else "")
            used += 1
        elif found[3]:
            one, other = ("{", "}") if found[3] == "{" else ("}", "{")
            raise Unfit(f": matching '{other}' not found for '{one}'.", "template")
        else:
            parts.append(found[1])
    if used != len(values):
        raise Unfit(": number of arguments do not match the occurrences of {}.")
    return "".join(parts) + pattern[at:]


def split(value: Any, delimiters: Any) -> list[str]:
    """Any sign of the second text divides; empty parts are left out."""
    whole, signs = text(value), text(delimiters)
    parts = re.split(f"[{re.escape(signs)}]", whole) if signs else [whole]
    return [part for part in parts if part]


def to_json(value: Any) -> str:
    return json_text(value)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def finite(digits: str) -> float:
    """A number of a JSON text. Raises ValueError for one that no double can hold."""
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def from_json(value: Any) -> Any:
    """An empty text is null."""
    whole = text(value)
    try:
        return json.loads(whole, parse_constant=_no_constant, parse_float=finite) if whole.strip() else None
    except (ValueError, RecursionError):
        raise Unfit from None


def encode(value: Any) -> str:
    return base64.b64encode(_bytes(text(value, CHARACTERS))).decode("ascii")


def decode(value: Any) -> str:
    """As MIME has it: what is no letter of Base64 (line breaks) is passed over. What is no UTF-8 becomes U+FFFD."""
    letters = _NOT_BASE64.sub("", text(value, CHARACTERS)).rstrip("=")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4)).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        raise Unfit from None


def digest(value: Any, algorithm: Any) -> str:
    name = ALGORITHMS.get(text(algorithm))
    if name is None:
        raise Unfit
    whole = text(value if isinstance(value, str) else json_text(value), CHARACTERS)
    return hashlib.new(name, _bytes(whole), usedforsecurity=False).hexdigest()


def _bytes(whole: str) -> bytes:
    return whole.encode("utf-8", "replace")  # half a surrogate pair has no bytes; Java writes ? too
