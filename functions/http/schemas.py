"""The JSON schema of what a function takes, from its own annotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from ...state.codec import adapter
from ...state.formless import FORMLESS
from ..loading import kind_of


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
    """The schema with its ``$defs`` moved to ``shared`` (OpenAPI's components) under names of their own."""
    own = schema.get("$defs", {})
    renamed = {f"#/$defs/{key}": f"#/components/schemas/{name}.{key}" for key in own}
    for key, value in own.items():
        shared[f"{name}.{key}"] = _pointed(value, renamed)
    pointed: dict[str, Any] = _pointed({k: v for k, v in schema.items() if k != "$defs"}, renamed)
    return pointed


def _pointed(node: Any, renamed: dict[str, str]) -> Any:
    if type(node) is dict:
        members = cast("dict[str, Any]", node)
        return {
            key: renamed.get(value, value) if key == "$ref" and isinstance(value, str) else _pointed(value, renamed)
            for key, value in members.items()
        }
    if isinstance(node, list):
        items = cast("Sequence[Any]", node)
        return [_pointed(item, renamed) for item in items]
    return node
