"""Patterns of schemas that others give, in time linear in the text: one like ``^(a+)+$`` would hold the process up for
hours with Python's own engine, for everybody.

pydantic's engine does that. What it can't take (lookarounds, references back) is not checked here, and is left to
whoever gave the schema and checks what arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from pydantic_core import SchemaError, SchemaValidator, ValidationError, core_schema

Errors = Iterator[Any]

_TELLING = frozenset({"patternProperties", "$ref", "$dynamicRef"})


def bounded(kind: Any, extend: Callable[..., Any], error: Callable[[str], Any]) -> Any:
    """A kind of validator of jsonschema, with the keywords that look at patterns replaced. ``extend`` and ``error`` are
    jsonschema's ``validators.extend`` and ``ValidationError``."""

    def pattern(validator: Any, wanted: str, instance: Any, schema: Mapping[str, Any]) -> Errors:
        if isinstance(instance, str) and not matches(wanted, instance, unknown=True):
            yield error(f"{instance!r:.200} does not match {wanted!r:.200}")

    def named(validator: Any, wanted: Mapping[str, Any], instance: Any, schema: Mapping[str, Any]) -> Errors:
        if isinstance(instance, dict):
            for name, value in cast("dict[str, Any]", instance).items():
                for one, inner in wanted.items():
                    if matches(one, name, unknown=False):
                        yield from validator.descend(value, inner, path=name, schema_path=one)

    def additional(validator: Any, wanted: Any, instance: Any, schema: Mapping[str, Any]) -> Errors:
        if not isinstance(instance, dict):
            return
        known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        for name, value in cast("dict[str, Any]", instance).items():
            if name in known or any(matches(one, name, unknown=True) for one in patterns):
                continue
            if wanted is False:
                yield error(f"{name!r:.200} was unexpected")
            elif isinstance(wanted, dict):
                yield from validator.descend(value, wanted, path=name)

    unevaluated = kind.VALIDATORS.get("unevaluatedProperties")

    def rest(validator: Any, wanted: Any, instance: Any, schema: Mapping[str, Any]) -> Errors:
        if unevaluated is not None and not _by_patterns(schema):
            yield from unevaluated(validator, wanted, instance, schema) or ()

    keywords = {"pattern": pattern, "patternProperties": named, "additionalProperties": additional}
    return extend(kind, {**keywords, "unevaluatedProperties": rest})


def matches(pattern: str, text: str, *, unknown: bool) -> bool:
    """Whether it is found in the text; ``unknown`` for one that can't be looked for."""
    check = _check(pattern)
    if check is None:
        return unknown
    try:
        check.validate_python(text)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=1000)
def _check(pattern: str) -> SchemaValidator | None:
    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))
    except SchemaError:
        return None


def _by_patterns(part: Any) -> bool:
    """Whether patterns tell names anywhere below, so that jsonschema would look for what is evaluated by them."""
    if isinstance(part, dict):
        within = cast("dict[str, Any]", part)
        return not _TELLING.isdisjoint(within) or _any(within.values())
    return isinstance(part, list) and _any(part)  # pyright: ignore[reportUnknownArgumentType]  # JSON


def _any(parts: Any) -> bool:
    return any(_by_patterns(part) for part in parts)
