"""A value that fits a JSON schema, made to be shown to whoever is to write one.

Nothing is given for a type with rules of its own beside its schema, whose code nobody has asked to run, nor for a
schema that asks for more than a guess.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from ..security.redaction import redacted
from .codec import acceptor, adapter, loads

Schema = Mapping[str, Any]
DEEPEST = 8
TEXT = "Hello"
LIMIT = 200
"""Characters of an example that is kept beside what waits for such a value."""
FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "duration": "PT1H",
    "email": "ana@example.com",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


_SAID = frozenset(
    {"title", "description", "deprecated", "readOnly", "writeOnly", "$defs", "discriminator", "contentEncoding"}
)
_ANSWERED: Mapping[str, frozenset[str]] = {
    "null": frozenset(),
    "boolean": frozenset(),
    "integer": frozenset({"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "number": frozenset({"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "string": frozenset({"format", "minLength", "maxLength"}),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset({"properties", "required", "additionalProperties", "propertyNames", "maxProperties"}),
}
"""Keywords that a value is made by; with any other one (``pattern``) nothing is."""
_OWN = ("pydantic", "pydantic_core", "overwinter")  # packages whose checks the schema tells of
_UNTOLD = "apply_known_metadata"  # where pydantic puts a predicate, which no schema tells of


class Known(NamedTuple):
    """What values are made with: the ``$defs`` of a schema, and what any text says."""

    schemas: Mapping[str, Schema]
    said: str


class Unmade(Exception):
    """No value can be guessed for this schema."""


def example_of(annotation: Any) -> str:
    """JSON of a value that the annotated type accepts, at most LIMIT characters; "" when none can be made, and when
    anything is accepted. Raises whatever the type does while it is looked at."""
    accept = acceptor(annotation)
    if accept is None or has_rules(adapter(annotation).core_schema):
        return ""
    schema = adapter(annotation).json_schema()
    try:
        text = json.dumps(sample(schema, Known(schema.get("$defs", {}), TEXT)))
    except Unmade:
        return ""
    accept(loads(text))
    return text if len(text) <= LIMIT and redacted(text) == text else ""


def has_rules(schema: object) -> bool:
    """Whether a pydantic core schema holds code of the user's that may refuse what the JSON schema lets through."""
    if isinstance(schema, (list, tuple)):
        return any(map(has_rules, cast("Sequence[object]", schema)))
    if not isinstance(schema, dict):
        return False
    node = cast("dict[str, Any]", schema)
    kind = node.get("type")
    if isinstance(kind, str) and kind.startswith("function-") and not _is_own(node["function"]["function"]):
        return True
    if node.get("post_init") or node.get("custom_init"):
        return True
    return any(has_rules(inner) for key, inner in node.items() if key not in ("serialization", "metadata"))


def _is_own(check: Any) -> bool:
    module, name = str(getattr(check, "__module__", "")), str(getattr(check, "__qualname__", ""))
    return module.partition(".")[0] in _OWN and _UNTOLD not in name


def sample(schema: Schema, known: Known, depth: int = 0) -> Any:
    """A value that should fit ``schema``. Raises Unmade."""
    if depth > DEEPEST or not schema:
        raise Unmade
    if "$ref" in schema:
        return sample(known.schemas[str(schema["$ref"]).rpartition("/")[2]], known, depth + 1)
    for word in ("const", "default"):
        if word in schema:
            return schema[word]
    for word in ("examples", "enum"):
        if schema.get(word):
            return schema[word][0]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return _first(schema[word], known, depth)
    makers = {"array": _array, "object": _object}
    kind = str(schema.get("type"))
    if not schema.keys() - {"type"} <= _SAID | _ANSWERED.get(kind, frozenset()):
        raise Unmade
    return makers[kind](schema, known, depth) if kind in makers else _scalar(kind, schema, known.said)


def _first(choices: Sequence[Schema], known: Known, depth: int) -> Any:
    for choice in choices:
        try:
            return sample(choice, known, depth + 1)
        except Unmade:
            continue
    raise Unmade


def _scalar(kind: str, schema: Schema, said: str) -> Any:
    if kind == "null":
        return None
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        return _number(schema)
    if kind != "string" or schema.get("format", "date") not in FORMATS:
        raise Unmade
    if "format" in schema and schema.keys() & {"minLength", "maxLength"}:
        raise Unmade
    text = FORMATS[schema["format"]] if "format" in schema else said
    return text.ljust(schema.get("minLength", 0), "!")[: schema.get("maxLength")]


def _number(schema: Schema) -> float:
    """A small multiple of the step within the bounds, as far as there are any. Raises Unmade when there is none."""
    number = _multiple(schema)
    within = schema.get("minimum", -math.inf) <= number <= schema.get("maximum", math.inf)
    between = schema.get("exclusiveMinimum", -math.inf) < number < schema.get("exclusiveMaximum", math.inf)
    if not within or not between:
        raise Unmade
    return number


def _multiple(schema: Schema) -> float:
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


def _array(schema: Schema, known: Known, depth: int) -> list[Any]:
    fixed = cast("Sequence[Schema]", schema.get("prefixItems", ()))
    found = [sample(item, known, depth + 1) for item in fixed]
    if not fixed and schema.get("maxItems", 1) > 0:
        found += [sample(schema.get("items", {}), known, depth + 1)] * max(1, schema.get("minItems", 1))
    if schema.get("uniqueItems") and len(found) > 1:
        raise Unmade
    return found


def _object(schema: Schema, known: Known, depth: int) -> dict[str, Any]:
    properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
    return {name: sample(properties[name], known, depth + 1) for name in schema.get("required", ())}
