"""An input that a function takes, made from its JSON schema, to be shown in a command that works as it stands.

Only what the function itself accepts is given; a schema that asks for more than a guess gives nothing.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...state.errors import InvalidInput

Schema = Mapping[str, Any]
DEEPEST = 8
TEXT = "Hello"
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "ana@example.com",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Unmade(Exception):
    """No value can be guessed for this schema."""


def words(function: Any) -> str | None:
    """The input as a shell writes it, with a space before it: "" when none is needed, None when none can be made."""
    from ...functions.http.schemas import input_schema

    try:
        schema = input_schema(function)
        value = sample(schema, schema.get("$defs", {}))
        function.check(value)
    except (Unmade, InvalidInput, TypeError, ValueError, NameError, RuntimeError):
        return None  # a type without a schema is no reason for a server not to start
    if value is None:
        return ""
    if isinstance(value, str):
        return f" {shlex.quote(value)}" if _stays_text(value) else f" {shlex.quote(json.dumps(value))}"
    return f" {shlex.quote(json.dumps(value))}"


def sample(schema: Schema, shared: Mapping[str, Schema], depth: int = 0) -> Any:
    """A value that should fit ``schema``; ``shared`` are its ``$defs``. Raises Unmade."""
    if depth > DEEPEST or not schema:
        raise Unmade
    if "$ref" in schema:
        return sample(shared[str(schema["$ref"]).rpartition("/")[2]], shared, depth + 1)
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return _first(schema[word], shared, depth)
    makers = {"array": _array, "object": _object}
    kind = str(schema.get("type"))
    return makers[kind](schema, shared, depth) if kind in makers else _scalar(kind, schema)


def _first(choices: Sequence[Schema], shared: Mapping[str, Schema], depth: int) -> Any:
    for choice in choices:
        try:
            return sample(choice, shared, depth + 1)
        except Unmade:
            continue
    raise Unmade


def _scalar(kind: str, schema: Schema) -> Any:
    if kind == "null":
        return None
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return _number(schema)
    if kind != "string" or "pattern" in schema or schema.get("format", "date") not in FORMATS:
        raise Unmade
    text = FORMATS[schema["format"]] if "format" in schema else TEXT
    return text.ljust(schema.get("minLength", 0), "!")[: schema.get("maxLength")]


def _number(schema: Schema) -> float:
    """A small multiple of the step within the bounds, as far as there are any."""
    step: float = schema.get("multipleOf", 1)
    least: float | None = schema.get("minimum")
    above: float | None = schema.get("exclusiveMinimum")
    most: float = schema.get("maximum", math.inf)
    below: float = schema.get("exclusiveMaximum", math.inf)
    if above is not None:
        return step * (math.floor(above / step) + 1)
    if least is not None:
        return step * math.ceil(least / step)
    if below <= step:
        return step * (math.ceil(below / step) - 1)
    return step if most >= step else step * math.floor(most / step)


def _array(schema: Schema, shared: Mapping[str, Schema], depth: int) -> list[Any]:
    fixed = cast("Sequence[Schema]", schema.get("prefixItems", ()))
    found = [sample(item, shared, depth + 1) for item in fixed]
    if not fixed and schema.get("maxItems", 1) > 0:
        found += [sample(schema.get("items", {}), shared, depth + 1)] * max(1, schema.get("minItems", 1))
    return found


def _object(schema: Schema, shared: Mapping[str, Schema], depth: int) -> dict[str, Any]:
    properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
    return {name: sample(properties[name], shared, depth + 1) for name in schema.get("required", ())}


def _stays_text(text: str) -> bool:
    """Whether the command line reads it as the text it is, and not as JSON."""
    try:
        json.loads(text)
    except ValueError:
        return text.lstrip()[:1] not in ("{", "[", '"', "-", "")
    return False
