"""JSON schemas as providers take them, made of what pydantic says of a type.

What is changed means the same: references are written out where they lead to no circle (some servers read none, and all
want the root to say ``"type": "object"`` itself), ``oneOf`` becomes ``anyOf`` without its discriminator, ``const`` an
``enum`` of one, an array of fixed places has ``items``, objects say that there are no other fields, and the titles that
only repeat a field's name are left out. Nothing here needs a provider's strict mode, which would want every field
required.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

Schema = dict[str, Any]

_REF, _DEFS = "$ref", "$defs"
_PREFIX = f"#/{_DEFS}/"
_NAMED = ("properties", "patternProperties")
_SINGLE = (
    "items",
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
)
_LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
_MOST = 2_000
"""Subschemas of a type that is written out; of what would be larger, the references are kept."""


class _TooLarge(Exception):
    """Written out, it would have more than _MOST subschemas."""


def simplified(schema: Mapping[str, Any]) -> Schema:
    """The schema as providers take it; a new one."""
    definitions = cast("dict[str, Schema]", schema.get(_DEFS, {}))
    try:
        return _Writer(definitions, _circular(definitions)).whole(schema)
    except _TooLarge:
        return _Writer(definitions, set(definitions)).whole(schema)


class _Writer:
    """``kept`` are the names of definitions that stay references."""

    def __init__(self, definitions: Mapping[str, Schema], kept: set[str]) -> None:
        self._definitions = definitions
        self._kept = kept
        self._count = 0

    def whole(self, schema: Mapping[str, Any]) -> Schema:
        root = self.written({name: value for name, value in schema.items() if name != _DEFS})
        if (name := _target(root)) in self._definitions:
            root = {**self.written(self._definitions[name]), **{key: root[key] for key in root if key != _REF}}
        if left := {name: self.written(self._definitions[name]) for name in sorted(self._kept)}:
            root[_DEFS] = left
        return root

    def written(self, node: Mapping[str, Any]) -> Schema:
        self._count += 1
        if self._count > _MOST and self._kept != set(self._definitions):
            raise _TooLarge
        name = _target(node)
        if name in self._definitions and name not in self._kept:
            beside = {key: value for key, value in node.items() if key != _REF}
            return self.written({**self._definitions[name], **beside})
        found: Schema = {}
        for key, value in node.items():
            if key == "discriminator":
                continue
            if key in _NAMED:
                found[key] = {field: _untitled(field, self._sub(part)) for field, part in value.items()}
            elif key in _SINGLE:
                found[key] = self._sub(value)
            elif key in _LISTED:
                found[key if key != "oneOf" or "anyOf" in node else "anyOf"] = [self._sub(part) for part in value]
            elif key == "const" and "enum" not in node:
                found["enum"] = [value]
            else:
                found[key] = value
        return _closed(found)

    def _sub(self, part: Any) -> Any:
        return self.written(cast("Schema", part)) if isinstance(part, dict) else part


def _closed(schema: Schema) -> Schema:
    if "properties" in schema and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    if "prefixItems" in schema and "items" not in schema:
        places = schema["prefixItems"]
        schema["items"] = {"anyOf": [place for index, place in enumerate(places) if place not in places[:index]]}
    return schema


def _untitled(field: str, schema: Any) -> Any:
    if isinstance(schema, dict) and schema.get("title") == field.replace("_", " ").title():  # pyright: ignore[reportUnknownMemberType]  # of any schema
        del schema["title"]
    return schema  # pyright: ignore[reportUnknownVariableType]  # as it came


def _target(node: Mapping[str, Any]) -> str:
    """The name of the definition that a node refers to; "" for none."""
    ref = node.get(_REF)
    return ref.removeprefix(_PREFIX) if isinstance(ref, str) and ref.startswith(_PREFIX) else ""


def _circular(definitions: Mapping[str, Schema]) -> set[str]:
    """The definitions that lead back to themselves."""
    leads = {name: set(_references(schema)) for name, schema in definitions.items()}
    while grown := {name: more for name, reached in leads.items() if not (more := _further(leads, reached)) <= reached}:
        leads |= grown
    return {name for name, reached in leads.items() if name in reached}


def _further(leads: Mapping[str, set[str]], reached: set[str]) -> set[str]:
    return reached.union(*(leads.get(name, set()) for name in reached))


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        fields = cast("Schema", node)
        if name := _target(fields):
            yield name
        for value in fields.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:  # pyright: ignore[reportUnknownVariableType]  # of any JSON
            yield from _references(item)
