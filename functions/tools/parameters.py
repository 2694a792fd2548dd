"""A function's parameters as a JSON schema, and plain JSON arguments checked against it.

Built when first used, not at decoration, so that types may be defined later in the module and a cold start
does not pay for tools that are not called.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NotRequired, Required, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json
from typing_extensions import TypedDict

from ...orchestrator.usercode.calling import judged
from ...orchestrator.usercode.fields import EMPTY, declared, described
from ...state.codec import dumps, loads
from ...state.errors import InvalidInput
from ...state.formless import FORMLESS, INSTEAD, reason
from ...state.sameness import nonfinite

Schema = dict[str, Any]

_FIT_ONLY = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Parameters:
    """The parameters of one function. ``described`` gives descriptions by name. The first one of a ``method`` is no
    parameter of the tool's."""

    def __init__(
        self, function: Callable[..., Any], name: str, described: Mapping[str, str], *, method: bool = False
    ) -> None:
        self.name = name
        self._function = function
        self._described = described
        self._taken = list(inspect.signature(function).parameters.values())[method:]
        self.names: tuple[str, ...] = tuple(parameter.name for parameter in self._taken)
        for parameter in self._taken:
            if parameter.kind not in _FIT_ONLY:
                raise InvalidInput(
                    f"tool {name!r}: parameter {str(parameter)!r} can't be described to a model; "
                    "give every parameter a name of its own that can be passed by keyword"
                )
        self._built: tuple[TypeAdapter[Any], Schema] | None = None

    @property
    def schema(self) -> Schema:
        """JSON schema of the arguments object; additional properties are not allowed. Raises InvalidInput when there is
        none."""
        return self._build()[1]

    @property
    def wrong(self) -> str:
        """Why there is no schema; "" when there is one."""
        try:
            self._build()
        except InvalidInput as error:
            return str(error)
        return ""

    @property
    def core_schema(self) -> Any:
        """How pydantic reads them."""
        return self._build()[0].core_schema

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function's annotations want them. Raises InvalidInput that names each culprit, or says
        what the code of their types raised."""
        return judged(lambda: self._read(arguments), "the arguments can't be read")

    def _read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        try:
            values: dict[str, Any] = self._build()[0].validate_json(to_json(arguments), by_alias=True, by_name=True)
        except ValidationError as error:
            raise InvalidInput(complaint(error, self.names)) from None
        if place := nonfinite(values):
            raise InvalidInput(f"{place}: should be a finite number")
        return values

    def _build(self) -> tuple[TypeAdapter[Any], Schema]:
        if self._built is None:
            try:
                self._built = self._made()
            except FORMLESS as error:
                raise InvalidInput(
                    f"a parameter of tool {self.name!r} can't be described to a model ({reason(error)}); {INSTEAD}"
                ) from None
        return self._built

    def _made(self) -> tuple[TypeAdapter[Any], Schema]:
        hints = get_type_hints(self._function, include_extras=True)
        fields: dict[str, Any] = {}
        defaults: dict[str, Any] = {}
        for parameter in self._taken:
            name = parameter.name
            known = declared(hints.get(name, Any), parameter.default)
            annotation = known.annotation
            if self._described.get(name) and not described(annotation):
                annotation = Annotated[annotation, Field(description=self._described[name])]
            fields[name] = NotRequired[annotation] if known.optional else Required[annotation]
            if known.default is not EMPTY:
                defaults[name] = known.default
        shape = TypedDict(self.name, fields)  # type: ignore[misc]  # made at run time from a signature
        shape.__pydantic_config__ = ConfigDict(  # type: ignore[attr-defined]  # pydantic's place for it
            extra="forbid", ser_json_bytes="base64", val_json_bytes="base64", title=self.name
        )
        adapter: TypeAdapter[Any] = TypeAdapter(shape)
        schema = adapter.json_schema()
        schema.pop("title", None)
        schema.setdefault("properties", {})
        for name, property in schema["properties"].items():
            property.pop("title", None)
            if name in defaults and defaults[name] is not None:
                _note_default(property, defaults[name])
        return adapter, schema


def _note_default(property: Schema, default: Any) -> None:
    try:
        property["default"] = loads(dumps(default))
    except InvalidInput:
        return  # a default without a JSON form is the function's own affair


def complaint(error: ValidationError, names: tuple[str, ...] = ()) -> str:
    """A validation error as one readable line: which place, what is wrong, what was given."""
    parts: list[str] = []
    for detail in error.errors(include_url=False)[:10]:
        place = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "missing":
            parts.append(f"{place}: is missing")
        elif detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = f"; there are {', '.join(names)}" if names else ""
            parts.append(f"{place}: there is no such parameter{known}")
        else:
            given = repr(detail["input"])
            given = given if len(given) <= 80 else f"{given[:77]}…"
            parts.append(f"{place or 'value'}: {detail['msg'][:1].lower()}{detail['msg'][1:]}, not {given}")
    return "; ".join(parts)
