"""The JSON schemas of what a function takes and gives, from its own annotations."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from ...state.codec import adapter
from ...state.form import form
from ...state.formless import FORMLESS
from ..invocation.loading import kind_of


def input_schema(function: Any) -> dict[str, Any]:
    """JSON schema (2020-12) of a function's input; {} accepts anything."""
    if kind_of(function) == "tool":
        parameters: dict[str, Any] = function.parameters
        return parameters
    annotation = getattr(function, "input", Any)
    if annotation in (Any, object):
        return {}
    try:
        return adapter(annotation).json_schema()
    except FORMLESS:  # it is read by code of its own, of which no schema can tell
        return {}


def output_schema(function: Any) -> dict[str, Any]:
    """JSON schema of a function's result as it is recorded and answered; {} promises nothing."""
    annotation = getattr(function, "output", Any)
    if annotation in (Any, object):
        return {}
    try:
        target = form(annotation)
        schema = adapter(annotation).json_schema(mode="serialization", by_alias=target.by_alias)
    except FORMLESS:
        return {}
    written: dict[str, Any] = _written(schema, target.computed)
    return written


_INFINITE: dict[str, Any] = {"enum": ["Infinity", "-Infinity", "NaN"]}


def _written(node: Any, computed: bool) -> Any:
    """The schema of what ``Form.write`` makes: without computed fields where they stay out, numbers that may be
    infinite."""
    if isinstance(node, list):
        return [_written(item, computed) for item in cast("Sequence[Any]", node)]
    if type(node) is not dict:
        return node
    members = cast("dict[str, Any]", node)
    if members.get("type") == "number" and "properties" not in members:
        return {"anyOf": [members, _INFINITE]}
    made: dict[str, Any] = {key: _written(value, computed) for key, value in members.items()}
    fields = made.get("properties")
    if not computed and made.get("type") == "object" and type(fields) is dict:
        own = cast("dict[str, dict[str, Any]]", fields)
        kept = {name: one for name, one in own.items() if one.get("readOnly") is not True}
        made["properties"] = kept
        if "required" in made:
            made["required"] = [name for name in made["required"] if name in kept]
    return made


def core_schema(function: Any) -> Any:
    """How pydantic reads the input: with the checks of which the JSON schema says nothing."""
    if kind_of(function) == "tool":
        return function.core_schema
    annotation = getattr(function, "input", Any)
    return {} if annotation in (Any, object) else adapter(annotation).core_schema


def may_be_left_out(schema: dict[str, Any]) -> bool:
    """Whether a function with this input can be called without a body."""
    if schema.get("type") == "object":
        return not schema.get("required")
    return not schema or schema.get("type") == "null" or {"type": "null"} in schema.get("anyOf", [])


def lifted(schema: dict[str, Any], name: str, shared: dict[str, Any]) -> dict[str, Any]:
    """The schema with its ``$defs`` moved to ``shared`` (OpenAPI's components) under names of their own. A reference
    that leads nowhere, as a schema written by hand may hold, promises nothing there."""
    own: dict[str, Any] = {}
    bare = _gathered(schema, own)
    names = {key: _free(f"{name}.{key}", shared) for key in own}
    pointers = {f"#/$defs/{_pointer(key)}": f"#/components/schemas/{new}" for key, new in names.items()}
    pointers |= {f"#/$defs/{key}": f"#/components/schemas/{new}" for key, new in names.items()}
    for key, value in own.items():
        shared[names[key]] = _pointed(value, pointers)
    if _points(bare, "#"):  # to itself, which is no longer the whole document
        whole = _free(name, shared)
        pointers["#"] = f"#/components/schemas/{whole}"
        shared[whole] = _pointed(bare, pointers)
        return {"$ref": pointers["#"]}
    pointed: dict[str, Any] = _pointed(bare, pointers)
    return pointed


def drop_unsound_defaults(node: Any) -> None:
    """Take out defaults that their own schemas refuse: in Python they say "not given", which no client may send."""
    if isinstance(node, list):
        for item in cast("Sequence[Any]", node):
            drop_unsound_defaults(item)
        return
    if type(node) is not dict:
        return
    members = cast("dict[str, Any]", node)
    for key, value in members.items():
        if key not in _LITERAL:
            drop_unsound_defaults(value)
    default, least = members.get("default", ...), members.get("minLength", 0)
    if default is None or (isinstance(default, str) and isinstance(least, int) and len(default) < least):
        del members["default"]


def _free(wanted: str, taken: Collection[str]) -> str:
    """A key that OpenAPI allows and that nobody has yet."""
    clean = re.sub(r"[^A-Za-z0-9._-]", "_", wanted)
    made, number = clean, 2
    while made in taken:
        made, number = f"{clean}.{number}", number + 1
    return made


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _gathered(node: Any, own: dict[str, Any]) -> Any:
    """The schema without its definitions, which go to ``own``, wherever they stand."""
    if isinstance(node, list):
        return [_gathered(item, own) for item in cast("Sequence[Any]", node)]
    if type(node) is not dict:
        return node
    members = cast("dict[str, Any]", node)
    for key, value in cast("dict[str, Any]", members.get("$defs", {})).items():
        own.setdefault(key, _gathered(value, own))
    return {key: _gathered(value, own) for key, value in members.items() if key != "$defs"}


def _points(node: Any, place: str) -> bool:
    if isinstance(node, list):
        return any(_points(item, place) for item in cast("Sequence[Any]", node))
    if type(node) is not dict:
        return False
    members = cast("dict[str, Any]", node)
    return members.get("$ref") == place or any(_points(value, place) for value in members.values())


_LITERAL = frozenset({"const", "default", "enum", "examples", "example"})
"""What stands under these is a value and no schema."""


def _pointed(node: Any, pointers: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_pointed(item, pointers) for item in cast("Sequence[Any]", node)]
    if type(node) is not dict:
        return node
    members = cast("dict[str, Any]", node)
    if isinstance(members.get("$ref"), str):
        place = pointers.get(members["$ref"])
        if place is None:
            return {key: _pointed(value, pointers) for key, value in members.items() if key != "$ref"}
        members = {**members, "$ref": place}
    made = {key: _under(key, value, pointers) for key, value in members.items() if key != "discriminator"}
    found: object = members.get("discriminator")
    if type(found) is dict:
        made["discriminator"] = _discriminator(cast("dict[str, Any]", found), pointers)
    return made


def _under(key: str, value: Any, pointers: Mapping[str, str]) -> Any:
    if key in _LITERAL:
        return value
    if key in ("properties", "patternProperties") and type(value) is dict:  # its keys are names
        return {name: _pointed(one, pointers) for name, one in cast("dict[str, Any]", value).items()}
    return _pointed(value, pointers)


def _discriminator(found: dict[str, Any], pointers: Mapping[str, str]) -> dict[str, Any]:
    """Its mapping holds references that are not called so."""
    if type(found.get("mapping")) is not dict:
        return found
    mapping: dict[str, str] = found["mapping"]
    return {**found, "mapping": {value: pointers.get(place, place) for value, place in mapping.items()}}
