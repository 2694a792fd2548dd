"""JSON texts: written from values, read back, and kept within what every reader of them takes.

JSON here is RFC 8259: no NaN tokens, bytes as base64, Decimal, datetime and UUID as text. The reader takes 201
levels of nesting and integers of 4,300 digits, and no half of a surrogate pair. So a value may have ``DEPTH``
levels: what is accepted is wrapped by facts, lists of facts and answers, and must be readable in each of them.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic_core import from_json, to_json

from .errors import InvalidInput, PayloadTooLarge

DEPTH = 128
"""Levels of nesting that one value may have: a list of lists of numbers has two."""

_READ = 201  # levels that the reader takes; what is left above DEPTH is for what a value is wrapped in
_OPEN, _SHUT = "[" * (_READ - DEPTH), "]" * (_READ - DEPTH)


def dumps(value: Any) -> str:
    """JSON text of a value: plain JSON types, pydantic models, dataclasses, datetime, Decimal, UUID, sets …

    A pydantic model's own configuration decides how its bytes and non-finite floats are written.
    Raises InvalidInput naming the type that has no JSON form.
    """
    try:
        return to_json(value, bytes_mode="base64", inf_nan_mode="strings").decode()
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidInput(
            f"a {type(value).__name__} can't be stored as JSON ({error}); "
            "return plain data, a pydantic model or a dataclass"
        ) from None


def loads(text: str | bytes) -> Any:
    """Plain JSON value of a text. Raises ValueError."""
    return from_json(text, allow_inf_nan=False, cache_strings="keys")


def copied(value: Any) -> Any:
    """Plain JSON that was read from the store, as an object of its own."""
    return loads(dumps(value)) if type(value) in (dict, list) else value


def readable(text: str, limit: int | None = None) -> Any:
    """The plain JSON value of a text that is about to be stored. Raises InvalidInput when it could not be read back
    in every wrapping, PayloadTooLarge when it has more than ``limit`` bytes."""
    if limit is not None and len(text) * 4 > limit and (size := len(text.encode())) > limit:
        raise PayloadTooLarge(
            f"it has {size:,} bytes, the limit is {limit:,}; store it elsewhere and pass a reference to it"
        )
    try:
        if len(text) < 2 * DEPTH or text.count("[") + text.count("{") <= DEPTH:
            return loads(text)
        value = loads(_OPEN + text + _SHUT)
    except ValueError as error:
        raise InvalidInput(_unreadable(str(error))) from None
    for _ in _OPEN:
        value = value[0]
    return value


def _unreadable(problem: str) -> str:
    if "recursion" in problem:
        return f"it is nested more than {DEPTH} levels deep; flatten it, or store the parts under keys of their own"
    if "number out of range" in problem:
        return "it holds an integer of more than 4,300 digits; pass it as text"
    return f"it can't be read back from JSON ({problem})"


def clean(text: str) -> str:
    """The text with what has no UTF-8 form replaced: each half of a surrogate pair that stands alone becomes U+FFFD,
    two that belong together the character they mean."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def cleaned(value: Any) -> Any:
    """Plain data with ``clean`` done to all its texts, keys too. Raises RecursionError when it has no end."""
    if isinstance(value, str):
        return clean(value)
    kind = cast("Any", type(value))
    if kind is dict:
        return {clean(key) if isinstance(key, str) else key: cleaned(item) for key, item in value.items()}
    if kind is list or kind is tuple:
        return [cleaned(item) for item in value]
    return value
