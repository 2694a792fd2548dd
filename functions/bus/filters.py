"""Which events a subscription means: filters as data, in the dialects of the CloudEvents Subscriptions API.

``{"exact": {"type": "order.paid"}}``, ``prefix`` and ``suffix`` compare context attributes, all that are named;
``{"all": […]}``, ``{"any": […]}`` and ``{"not": …}`` combine filters. An attribute that an event does not have matches
nothing. Numbers and booleans are compared as CloudEvents writes them: ``7``, ``true``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from ...state.errors import InvalidInput
from ...state.quantities import briefly
from ..events.event import CloudEvent

Filter = Mapping[str, Any]
_COMPARED: Mapping[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
}
_DATA = frozenset({"data", "data_base64"})
_DEEPEST = 20


def checked(filter: Any, depth: int = 0) -> Filter:
    """The filter as it is kept. Raises InvalidInput that says what is wrong with it."""
    if not _is_object(filter) or len(filter) != 1:
        raise InvalidInput(
            f'a filter is an object of one dialect, like {{"prefix": {{"type": "order."}}}}, not {briefly(filter)}'
        )
    if depth > _DEEPEST:
        raise InvalidInput(f"filters are nested more than {_DEEPEST} deep")
    ((dialect, said),) = cast("Mapping[Any, Any]", filter).items()
    if dialect in _COMPARED:
        return {dialect: _attributes(dialect, said)}
    if dialect in ("all", "any"):
        if not isinstance(said, (list, tuple)) or not said:
            raise InvalidInput(f"the filter {dialect!r} takes a list of one filter or more")
        return {dialect: [checked(one, depth + 1) for one in cast("Sequence[object]", said)]}
    if dialect == "not":
        return {"not": checked(said, depth + 1)}
    if dialect == "sql":
        raise InvalidInput("CESQL is not read here; write the filter with exact, prefix, suffix, all, any and not")
    raise InvalidInput(f"no filter dialect {dialect!r}; there are exact, prefix, suffix, all, any and not")


def _attributes(dialect: str, said: Any) -> dict[str, str]:
    if not _is_object(said) or not said:
        raise InvalidInput(f'the filter {dialect!r} takes attributes and texts, like {{"type": "order.paid"}}')
    found: dict[str, str] = {}
    for name, value in cast("Mapping[Any, Any]", said).items():
        if not isinstance(name, str) or name in _DATA or not (name.isascii() and name.isalnum() and name.islower()):
            raise InvalidInput(f"the filter {dialect!r} compares context attributes, and {briefly(name)} is none")
        if not isinstance(value, str) or not value:
            raise InvalidInput(f"the filter {dialect!r} compares {name} with a text, not with {briefly(value)}")
        found[name] = value
    return found


def _is_object(said: object) -> bool:
    return isinstance(said, Mapping)


def matches(filter: Filter, attributes: Mapping[str, str]) -> bool:
    """Whether an event of these attributes is meant."""
    for dialect, said in filter.items():
        if dialect == "all":
            return all(matches(one, attributes) for one in said)
        if dialect == "any":
            return any(matches(one, attributes) for one in said)
        if dialect == "not":
            return not matches(said, attributes)
        compared = _COMPARED[dialect]
        return all(name in attributes and compared(attributes[name], value) for name, value in said.items())
    return True


def attributes_of(event: CloudEvent) -> dict[str, str]:
    """An event's context attributes, each as text."""
    found = {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    for name in ("subject", "time", "datacontenttype", "dataschema"):
        value: str | None = getattr(event, name)
        if value is not None:
            found[name] = value
    for name, extension in event.extensions.items():
        found[name] = extension if isinstance(extension, str) else str(extension).lower()
    return found


def one_of(attribute: str, values: str | Sequence[str]) -> Filter:
    """The filter for an attribute with one of some values."""
    if isinstance(values, str):
        return checked({"exact": {attribute: values}})
    if not isinstance(values, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
        raise InvalidInput(f"{attribute}= of @subscribe is a text, or a list of texts, not {briefly(values)}")
    if not values:
        raise InvalidInput(f"{attribute}= of @subscribe is an empty list; leave it out to mean any")
    made = [checked({"exact": {attribute: value}}) for value in values]
    return made[0] if len(made) == 1 else {"any": made}
