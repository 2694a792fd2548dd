"""What is known of a type's fields, without a value of it: of models, dataclasses, typed dicts and named tuples."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence, Set
from types import NoneType, UnionType
from typing import Annotated, Any, Final, NotRequired, Required, Union, cast, get_args, get_origin, get_type_hints

from typing_extensions import ReadOnly, is_typeddict

from ...state.formless import FORMLESS

_AROUND = (Annotated, Required, NotRequired, ReadOnly)
UNKNOWN: Final[Any] = object()
"""A type of which nothing is known."""


def fields(annotation: Any) -> dict[str, Any] | None:
    """The fields of a type with their types; None when it has none, or they are not known. Of a union: those of all its
    members."""
    found: dict[str, Any] = {}
    for member in _members(annotation):
        names = _names(member)
        if names is None:
            return None
        hints = _hints(member)
        found |= {name: hints.get(name, UNKNOWN) for name in names}
    return found


def attribute_of(annotation: Any, name: str) -> Any:
    """The type of an attribute or a key; UNKNOWN when that can't be told, None when there is no such thing."""
    known = fields(annotation)
    if known is None or name in known:
        return UNKNOWN if known is None else known[name]
    plain = all(is_typeddict(member) for member in _members(annotation))
    there = hasattr(dict, name) if plain else any(hasattr(member, name) for member in _members(annotation))
    return UNKNOWN if there else None


def label(annotation: Any) -> str:
    """What people call it."""
    return " or ".join(str(getattr(member, "__name__", member)) for member in _members(annotation))


def item_of(annotation: Any) -> Any:
    """The type of the items of a sequence or set."""
    members = _members(annotation)
    if len(members) != 1:
        return UNKNOWN
    origin, arguments = get_origin(members[0]), get_args(members[0])
    if not isinstance(origin, type) or not issubclass(origin, (Sequence, Set)) or not arguments:
        return UNKNOWN
    return arguments[0] if origin is not tuple or arguments[1:] == (...,) else UNKNOWN


def values_of(value: object) -> dict[str, Any]:
    """The values of its fields."""
    names = _names(type(value))
    if names is not None:
        return {name: getattr(value, name) for name in names}
    if not isinstance(value, Mapping):
        return {}
    given = cast("Mapping[object, Any]", value)
    return {name: item for name, item in given.items() if isinstance(name, str)}


def _members(annotation: Any) -> list[Any]:
    """The types that a value may have, None apart."""
    while (within := get_origin(annotation) in _AROUND) or type(annotation).__name__ == "TypeAliasType":
        annotation = get_args(annotation)[0] if within else annotation.__value__
    if get_origin(annotation) in (Union, UnionType):
        several = [one for member in get_args(annotation) for one in _members(member)]
        return [one for one in several if one is not NoneType]
    return [annotation]


def _names(kind: Any) -> list[str] | None:
    if is_typeddict(kind):
        return list(kind.__annotations__)
    if not inspect.isclass(kind) or get_args(kind):
        return None
    known: Any = kind
    if dataclasses.is_dataclass(known):
        return [field.name for field in dataclasses.fields(known)]
    model: Any = getattr(known, "__pydantic_fields__", None)
    if isinstance(model, dict):
        return [*cast("dict[str, Any]", model), *getattr(known, "__pydantic_computed_fields__", {})]
    named: Any = getattr(known, "_fields", None) if issubclass(kind, tuple) else None
    return list(named) if isinstance(named, tuple) else None  # pyright: ignore[reportUnknownArgumentType]  # texts


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return get_type_hints(kind, include_extras=True)
    except (*FORMLESS, TypeError, AttributeError):  # of a name that is defined later
        return {}
