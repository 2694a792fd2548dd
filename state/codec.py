"""Values to JSON text and back, typed by annotations. What the journal gives back on replay is exactly what
the code got the first time, because both come from the same JSON text.

JSON here is RFC 8259: no NaN tokens (a non-finite float is written as a string, which the type ``float``
reads back), bytes as base64, Decimal, datetime and UUID as text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from .text import DEPTH, clean, cleaned, copied, dumps, loads, readable

__all__ = [
    "DEPTH",
    "adapter",
    "clean",
    "cleaned",
    "copied",
    "decoder",
    "dumps",
    "loads",
    "plain",
    "readable",
]

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_PLAIN: tuple[Any, ...] = (Any, object, None, type(None))
_SCALARS: tuple[Any, ...] = (str, int, bool, float)


def plain(value: Any) -> Any:
    """The value as plain JSON types, as a later replay would read it."""
    if value is None or value is True or value is False or type(value) in (int, str):
        return value
    return loads(dumps(value))


@lru_cache(maxsize=4096)
def _cached_adapter(annotation: Any) -> TypeAdapter[Any]:
    return _adapter(annotation)


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    # Imported late: it is half of a cold start, and a process that handles scalars and plain data needs none of it.
    from pydantic import ConfigDict, PydanticUserError, TypeAdapter

    config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="strings")
    try:
        return TypeAdapter(annotation, config=config)
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(annotation)  # a model or dataclass brings its own configuration


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """The pydantic adapter of an annotation, cached when the annotation is hashable."""
    try:
        return _cached_adapter(annotation)
    except TypeError:
        return _adapter(annotation)


def decoder(annotation: Any) -> Callable[[Any], Any] | None:
    """A function from plain JSON to the annotated type; None when nothing is to be done."""
    if annotation in _PLAIN:
        return None
    if annotation in _SCALARS:
        return partial(_scalar, annotation)
    validate = adapter(annotation).validate_json

    def decode(value: Any) -> Any:
        return validate(to_json(value))

    return decode


def _scalar(annotation: type, value: Any) -> Any:
    return value if type(value) is annotation else adapter(annotation).validate_json(to_json(value))
