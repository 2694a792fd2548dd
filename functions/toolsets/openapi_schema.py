"""Schemas of an OpenAPI document as JSON Schema of their own: references lead to ``$defs``, and what 3.0 says in its
own words is said in those of JSON Schema. Nothing outside of the document is looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from ...state.errors import InvalidInput

_ODD = re.compile(r"[^A-Za-z0-9_.-]")
_DATA = frozenset({"default", "enum", "const", "example", "examples"})
_OURS = "#/$defs/"
_DEEPEST = 100


class Schemas:
    """Those of one document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._old = str(document.get("openapi", "")).startswith("3.0")
        self._definitions: dict[str, Any] = {}
        self._names: dict[str, str] = {}

    def there(self, said: Any) -> Mapping[str, Any]:
        """An object of the document, or the one that it refers to. Raises InvalidInput."""
        for _ in range(_DEEPEST):
            if not isinstance(said, Mapping):
                break
            found = cast("Mapping[str, Any]", said)
            if "$ref" not in found:
                return found
            said = self._followed(str(found["$ref"]))
        raise InvalidInput("a part of the document is no object, or refers to itself")

    def inlined(self, schema: Any) -> Any:
        """A schema whose references lead to the definitions."""
        return self._converted(schema, 0)

    def named(self, part: Any) -> dict[str, Any]:
        """The definitions that a part refers to, and those that these refer to."""
        found: dict[str, Any] = {}
        waiting = [part]
        while waiting:
            for name in _references(waiting.pop()):
                if name not in found and name in self._definitions:
                    found[name] = self._definitions[name]
                    waiting.append(found[name])
        return dict(sorted(found.items()))

    def _followed(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise InvalidInput(f"it refers to {reference!r:.200}, which is not in the document; bundle it into one")
        place: Any = self.document
        for part in reference[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(place, Mapping) or key not in place:
                raise InvalidInput(f"it refers to {reference!r:.200}, and there is nothing")
            place = cast("Mapping[str, Any]", place)[key]
        return place

    def _converted(self, schema: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            raise InvalidInput("its schema is nested too deep")
        if isinstance(schema, list):
            return [self._converted(one, depth + 1) for one in schema]  # pyright: ignore[reportUnknownVariableType]  # JSON
        if not isinstance(schema, Mapping):
            return schema
        said = dict(cast("Mapping[str, Any]", schema))
        if isinstance(said.get("$ref"), str):
            said["$ref"] = self._defined(said["$ref"])
        made: dict[str, Any] = {}
        for key, value in said.items():
            if key == "properties" and isinstance(value, Mapping):  # whose keys are names, not keywords
                inner = cast("Mapping[str, Any]", value)
                made[key] = {name: self._converted(one, depth + 1) for name, one in inner.items()}
            elif key not in ("xml", "externalDocs", "discriminator"):
                made[key] = value if key in _DATA else self._converted(value, depth + 1)
        return _modern(made) if self._old else made

    def _defined(self, reference: str) -> str:
        if reference not in self._names:
            name = _ODD.sub("_", reference.rpartition("/")[2]) or "schema"
            while name in self._definitions:
                name += "_"
            self._names[reference] = name
            self._definitions[name] = {}  # it may refer to itself
            self._definitions[name] = self._converted(self._followed(reference), 0)
        return _OURS + self._names[reference]


def _modern(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema of 3.0 in the words of JSON Schema."""
    if schema.pop("nullable", False) is True:
        if isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    for bound, limit in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(bound) is True and limit in schema:
            schema[bound] = schema.pop(limit)
        elif isinstance(schema.get(bound), bool):
            del schema[bound]
    return schema


def _references(part: Any) -> set[str]:
    if isinstance(part, list):
        return {name for one in part for name in _references(one)}  # pyright: ignore[reportUnknownVariableType]  # JSON
    if not isinstance(part, dict):
        return set()
    found: set[str] = set()
    for key, value in cast("dict[str, Any]", part).items():
        if key == "$ref" and isinstance(value, str) and value.startswith(_OURS):
            found.add(value[len(_OURS) :])
        elif key not in _DATA:
            found |= _references(value)
    return found
