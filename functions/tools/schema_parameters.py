"""The parameters of a tool whose JSON schema somebody gives: a server of tools, a catalogue, a configuration.

Arguments are checked against the schema and passed on as they came. jsonschema does that; it is imported when it is
first needed. A schema may point into itself and nowhere else: nothing is fetched.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, cast

from ...orchestrator.usercode.calling import judged
from ...state.codec import copied, plain
from ...state.errors import InvalidInput
from ...state.sameness import beyond, nonfinite
from .parameters import Schema
from .patterns import bounded

_MOST = 10
_TEXT = 300
_DATA = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose value is data and no schema."""


class SchemaParameters:
    """The parameters that ``schema`` describes. Raises InvalidInput when it describes no object."""

    core_schema: Any = {}  # pydantic knows nothing of it

    def __init__(self, schema: Mapping[str, Any], name: str) -> None:
        self.name = name
        if not isinstance(schema, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            raise InvalidInput(f"the schema of tool {name!r} is a JSON schema as a dict, not {type(schema).__name__}")
        self.schema: Schema = {"type": "object", "properties": {}, **plain(schema)}
        if self.schema["type"] != "object" or not isinstance(self.schema["properties"], dict):
            raise InvalidInput(
                f"the schema of tool {name!r} is not one of an object: arguments have names; "
                'write {"type": "object", "properties": {…}}'
            )

    @property
    def wrong(self) -> str:
        """Why arguments can't be checked; "" when they can."""
        try:
            self._validator  # noqa: B018  # made when it is first asked for
        except InvalidInput as error:
            return str(error)
        return ""

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments, when they fit. Raises InvalidInput that names each culprit."""
        found = judged(lambda: self._complaints(arguments), "the arguments can't be checked against their schema")
        if found:
            raise InvalidInput(found)
        if place := nonfinite(arguments):
            raise InvalidInput(f"{place}: should be a finite number")
        if place := beyond(arguments):
            raise InvalidInput(f"{place}: should be a number that a float can hold")
        return {name: copied(value) for name, value in arguments.items()}

    def _complaints(self, arguments: Mapping[str, Any]) -> str:
        errors = sorted(self._validator.iter_errors(dict(arguments)), key=lambda error: error.json_path)
        parts = [f"{error.json_path.removeprefix('$').lstrip('.') or 'arguments'}: {error.message}" for error in errors]
        return "; ".join(part if len(part) <= _TEXT else f"{part[:_TEXT]}…" for part in parts[:_MOST])

    @cached_property
    def _validator(self) -> Any:
        try:
            library: Any = importlib.import_module("jsonschema.validators")
            registry: Any = importlib.import_module("referencing").Registry()  # the default one fetches
        except ImportError as error:
            raise InvalidInput(
                f"the schema of tool {self.name!r} needs jsonschema ({error}): pip install 'overwinter[schemas]'"
            ) from None
        kind = library.validator_for(self.schema, default=library.Draft202012Validator)
        try:
            kind.check_schema(self.schema)
        except importlib.import_module("jsonschema.exceptions").SchemaError as error:
            raise InvalidInput(f"the schema of tool {self.name!r} is none: {error.message[:_TEXT]}") from None
        if lost := _lost(self.schema, registry):
            raise InvalidInput(f"the schema of tool {self.name!r} points to {lost!r:.300}, and there is nothing in it")
        complaint = importlib.import_module("jsonschema.exceptions").ValidationError
        return bounded(kind, library.extend, complaint)(self.schema, registry=registry)


def _lost(schema: Schema, registry: Any) -> str:
    """The first reference that leads nowhere within the schema; "" when all lead somewhere."""
    library: Any = importlib.import_module("referencing.jsonschema")
    resource = library.DRAFT202012.create_resource(schema)
    resolver = registry.resolver_with_root(resource)
    unresolvable: Any = importlib.import_module("referencing.exceptions").Unresolvable
    for reference in _references(schema):
        try:
            resolver.lookup(reference)
        except unresolvable:
            return reference
    return ""


def _references(part: Any) -> Iterator[str]:
    """Every reference of a schema but those below an ``$id`` of its own, which are relative to that."""
    if isinstance(part, list):
        for item in part:  # pyright: ignore[reportUnknownVariableType]  # JSON
            yield from _references(item)
    elif isinstance(part, dict):
        for name, item in cast("dict[str, Any]", part).items():
            if name == "$ref" and isinstance(item, str):
                yield item
            elif name not in _DATA and not (isinstance(item, dict) and "$id" in item):
                yield from _references(item)
