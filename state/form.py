"""The one way in which typed values become JSON and come back, by their annotation.

``write`` gives what is stored, and has read it back first: what comes from the journal is what went in, or it is
refused by name. ``read`` takes what ``write`` gave, by field names and by aliases, and what earlier releases wrote.
Without an annotation a value comes back as plain JSON (``stored``). docs/values.md says what that means for each
kind of type.

Types bring code of their own: validators, serializers, comparisons. Whatever that raises is a verdict on the value, as
``TypeFailed`` where it is read and as InvalidInput where it is written; KeyboardInterrupt alone is passed on.
"""

from __future__ import annotations

import math
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator, ValidationError, to_json

from .errors import InvalidInput, PayloadTooLarge
from .losses import Losses
from .sameness import at, beyond, difference, fields_of, folded, nonfinite
from .text import cleaned, dumps, readable

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_LIST: Any = list  # of a type that is only known at run time
_ARRAYS = (list, tuple, set, frozenset, deque)
_TEXT = 1_000  # characters of an error's text
_BITS = 2**13  # bits of an integer that every reader takes


def stored(value: Any, limit: int | None = None) -> Any:
    """The value as plain JSON, as a later replay would read it. A model becomes an object, a tuple a list, a date
    its text. Raises InvalidInput that names what can't be told from JSON (NaN, keys that are no text, secrets …),
    PayloadTooLarge when its text has more than ``limit`` bytes."""
    kind: object = type(value)  # pyright: ignore[reportUnknownVariableType]  # of any type
    if value is None or kind is bool or (kind is int and value.bit_length() < _BITS):
        return value
    if kind is str and (limit is None or len(value) * 6 < limit) and value.isascii():
        return value
    text = dumps(value)
    found = readable(text, limit)
    return found if found == value else _settled(value, found, "")


def mended(value: Any, limit: int | None = None) -> Any:
    """``stored``, for texts from outside that nobody can be asked to correct: they are made storable."""
    try:
        return stored(value, limit)
    except PayloadTooLarge:
        raise
    except InvalidInput:
        try:
            return stored(cleaned(value), limit)
        except RecursionError as error:
            raise InvalidInput(f"a {type(value).__name__} can't be stored as JSON ({error})") from None


def _settled(value: Any, found: Any, place: str) -> Any:
    """``found`` as it is to be stored. Raises InvalidInput where it is not what ``value`` was."""
    if isinstance(value, float) and not math.isfinite(value):
        raise _lost(place, f"{value} is no number in JSON; use None, or annotate it as float")
    if hasattr(value, "get_secret_value"):
        raise _lost(place, "a secret is written as asterisks; take it from the environment inside the function")
    if isinstance(value, _ARRAYS):
        items = zip(cast("list[Any]", value), found, strict=True)
        return [_settled(one, other, at(place, index)) for index, (one, other) in enumerate(items)]
    if isinstance(value, dict):
        return _settled_items(value, found, place)  # pyright: ignore[reportUnknownArgumentType]  # keys of any type
    fields = fields_of(value)
    if fields is None:
        return found
    try:
        own = form(type(value))
    except (RuntimeError, NameError):  # its annotations mean nothing to pydantic, which dumps by value all the same
        return found | _settled_items({name: fields[name] for name in fields if name in found}, found, place)
    return own.typed(value)


def _settled_items(value: dict[Any, Any], found: dict[str, Any], place: str) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            what = f"the key {str(key)[:40]!r} is a {type(key).__name__}, and keys in JSON are text"
            raise _lost(place, f"{what}; annotate the dict, or use text")
    return {str(key): _settled(item, found[key], at(place, key)) for key, item in value.items()}


def _lost(place: str, what: str) -> InvalidInput:
    return InvalidInput(f"{place or 'it'} can't be stored as JSON: {what}")


class TypeFailed(ValueError):
    """The code of a type itself raised what is no verdict on a value: a ZeroDivisionError in a validator, say."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"the code of its type raised {type(error).__name__}: {_text_of(error)}".rstrip(": "))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT]
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001  # the edge to user code: an error may have any __str__
        return f"an error whose text can't be read ({type(broken).__name__})"


class Form:
    """The JSON form of one annotation."""

    __slots__ = ("_losses", "_serializer", "_validator", "name")

    def __init__(self, annotation: Any) -> None:
        target = adapter(annotation)
        schema = _alone(annotation, target.core_schema)
        self.name = str(getattr(annotation, "__name__", annotation))
        self._validator = target.validator if schema is None else SchemaValidator(schema)
        self._serializer = target.serializer if schema is None else SchemaSerializer(schema)
        self._losses = Losses(target.core_schema if schema is None else schema)

    @property
    def lost(self) -> list[str]:
        """What values of this type would lose, whatever they are."""
        return self._losses.found

    @property
    def by_alias(self) -> bool:
        """Whether fields are written under their aliases."""
        return self._losses.by_alias

    @property
    def computed(self) -> bool:
        """Whether computed fields are written."""
        return not self._losses.round_trip

    def read(self, value: Any) -> Any:
        """Plain JSON as the annotated type. Raises ValidationError, TypeFailed; both are ValueErrors."""
        return self.parse(to_json(value))

    def parse(self, text: str | bytes) -> Any:
        """JSON text as the annotated type. Raises as ``read`` does."""
        try:
            return self._validator.validate_json(text, by_alias=True, by_name=True)
        except (ValidationError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise TypeFailed(error) from error

    def write(self, value: Any, limit: int | None = None) -> Any:
        """A value of the annotated type, or plain data that fits it, as plain JSON that comes back as it is.
        Raises InvalidInput that says what doesn't."""
        try:
            return self._written(value, limit)
        except (InvalidInput, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise InvalidInput(str(TypeFailed(error))) from error

    def _written(self, value: Any, limit: int | None) -> Any:
        try:
            text = self._dumped(value, "error")
        except PydanticSerializationError:  # it has not the annotated type, or no JSON form at all
            found = stored(value, limit)
            try:
                self._reached(found, self.read(found))
            except ValueError as error:
                raise InvalidInput(complaints(error)) from error
            self._told(value)
            return found
        return self._same(value, text, limit)

    def typed(self, value: Any) -> Any:
        """``write`` for an instance of the type."""
        try:
            return self._same(value, self._dumped(value, "none"), None)
        except PydanticSerializationError as error:
            raise InvalidInput(f"a {self.name} can't be stored as JSON ({error})") from None
        except (InvalidInput, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise InvalidInput(str(TypeFailed(error))) from error

    def take(self, value: Any, limit: int | None = None) -> Any:
        """``write`` for what comes in from outside: no number in it may be NaN or infinite, whatever its type says,
        because no comparison holds for it."""
        found = self.write(value, limit)
        if self._losses.floats:
            try:
                place = nonfinite(self.read(found))
            except ValueError as error:
                raise InvalidInput(complaints(error)) from error
            if place:
                raise InvalidInput(f"{place}: a finite number is wanted")
        return found

    def accept(self, value: Any) -> Any:
        """``read`` for what comes in from outside. Raises ValidationError, ValueError for such a number."""
        found = self.read(value)
        if self._losses.floats and (place := nonfinite(found)):
            raise ValueError(f"{place}: a finite number is wanted")
        return found

    def mended(self, value: Any, limit: int | None = None) -> Any:
        """``write`` with its texts made storable where they are not."""
        try:
            return self.write(value, limit)
        except PayloadTooLarge:
            raise
        except InvalidInput:
            better = self._cleaned(value)
            if better is None:
                raise
        return self.write(better, limit)

    def _cleaned(self, value: Any) -> Any:
        """The value's data with its texts made storable; None when they were, or when it has no data."""
        about = self._losses
        try:
            data = self._serializer.to_python(
                value, mode="json", by_alias=about.by_alias, round_trip=about.round_trip, warnings="none"
            )
            better = cleaned(data)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001  # the edge to user code: what can't be dumped has no texts to mend
            return None
        return None if better == data else better

    def _dumped(self, value: Any, warnings: Any) -> str:
        about = self._losses
        text = self._serializer.to_json(value, by_alias=about.by_alias, round_trip=about.round_trip, warnings=warnings)
        return text.decode()

    def _same(self, value: Any, text: str, limit: int | None) -> Any:
        found = readable(text, limit)
        try:
            again = self.parse(text)
        except ValueError as error:
            hint = f" ({place} is no number in JSON)" if (place := nonfinite(value)) else ""
            raise InvalidInput(complaints(error) + hint) from error
        lost = self._losses.found  # then nothing is excused by a part that has no type
        differs = difference(value, again, None if lost else stored)
        if differs is not None and (lost or found != value):  # plain data may become what the annotation says
            raise InvalidInput("; ".join(lost) or differs)
        if differs is not None:
            self._reached(found, again)
        self._told(value)
        return found

    def _told(self, value: Any) -> None:
        """Which of two hours a time means."""
        if self._losses.times and (place := folded(value)):
            raise InvalidInput(f"{place}: fold=1 would be lost; use a time with a zone")

    def _reached(self, found: Any, again: Any) -> None:
        """Plain data may become what the annotation says, but no integer an infinity."""
        if self._losses.floats and nonfinite(again) and (place := beyond(found)):
            raise InvalidInput(f"{place}: an integer that no float can hold; declare it as int")


def complaints(error: ValueError, whole: str = "value") -> str:
    """What is wrong where, in one line. ``whole`` names the value itself."""
    if not isinstance(error, ValidationError):
        return f"{whole}: {error}"
    found = error.errors(include_url=False, include_context=False, include_input=False)[:10]
    return "; ".join(f"{'.'.join(str(part) for part in one['loc']) or whole}: {one['msg']}" for one in found)


def form(annotation: Any) -> Form:
    """The form of an annotation, cached when it is hashable. Raises what pydantic raises for what it can't take."""
    try:
        return _cached_form(annotation)
    except TypeError:
        return Form(annotation)


@lru_cache(maxsize=4096)
def _cached_form(annotation: Any) -> Form:
    return Form(annotation)


def adapter(annotation: Any) -> TypeAdapter[Any]:
    """The pydantic adapter of an annotation, cached when the annotation is hashable."""
    try:
        return _cached_adapter(annotation)
    except TypeError:
        return _adapter(annotation)


@lru_cache(maxsize=4096)
def _cached_adapter(annotation: Any) -> TypeAdapter[Any]:
    return _adapter(annotation)


def _config() -> Any:
    from pydantic import ConfigDict

    return ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="strings")


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    # Imported late: it is half of a cold start, and a process that handles scalars and plain data needs none of it.
    from pydantic import PydanticUserError, TypeAdapter

    try:
        return TypeAdapter(annotation, config=_config())
    except PydanticUserError as error:
        if error.code != "type-adapter-config-unused":
            raise
        return TypeAdapter(annotation)  # a model or dataclass brings its own configuration


def _alone(annotation: Any, own: Any) -> Any:
    """The core schema of a dataclass or TypedDict that has no configuration of its own: alone it gets the same one as
    inside of a list. None for any other type."""
    from pydantic import TypeAdapter

    inner = own["schema"] if own["type"] == "definitions" else own
    if inner["type"] not in ("dataclass", "typed-dict") or hasattr(inner.get("cls"), "__pydantic_config__"):
        return None
    wrapped: Any = TypeAdapter(_LIST[annotation], config=_config()).core_schema
    if wrapped["type"] == "definitions":
        return {**wrapped, "schema": wrapped["schema"]["items_schema"]}
    return wrapped["items_schema"]
