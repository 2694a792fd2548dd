"""Values to JSON text and back, typed by annotations. What the journal gives back on replay is exactly what
the code got the first time, because both come from the same JSON text.

JSON here is RFC 8259: no NaN tokens (a non-finite float is written as a string, which the type ``float``
reads back), bytes as base64, Decimal, datetime and UUID as text.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from .errors import InvalidInput

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_PLAIN: tuple[Any, ...] = (Any, object, None, type(None))
_SCALARS: tuple[Any, ...] = (str, int, bool, float)


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
