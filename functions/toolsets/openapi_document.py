"""An OpenAPI document (3.0, 3.1, 3.2), read, and its operations as a caller needs them."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

from ...state.errors import InvalidInput
from .openapi_schema import Schemas

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_PLACES = ("path", "query", "header", "cookie")
_NOT_SET = frozenset(
    {"accept", "content-type", "authorization"}  # as the specification says
    | {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"}  # of HTTP
    | {"cookie", "idempotency-key", "proxy-authorization"}  # ours to say
)
_JSON = re.compile(r"application/([\w.+-]+\+)?json", re.IGNORECASE)
_ODD = re.compile(r"[^a-zA-Z0-9_-]+")
_LONGEST = 64
Json = Mapping[str, Any]


class Parameter(NamedTuple):
    """Where an argument goes."""

    name: str  # on the wire
    place: str
    argument: str  # as the model calls it
    style: str
    explode: bool


class Operation(NamedTuple):
    """``wrong``: why it can't be a tool; "" when it can. ``body``: the media type of the argument ``body``."""

    name: str
    method: str
    path: str
    description: str
    schema: dict[str, Any]
    parameters: tuple[Parameter, ...]
    body: str
    security: tuple[tuple[str, ...], ...]
    wrong: str = ""

    @property
    def place(self) -> tuple[str, str]:
        return self.method.upper(), self.path


def read(document: str | Path | Json) -> Json:
    """The document. Raises InvalidInput when it is none."""
    whole: Any = document
    if isinstance(document, (str, Path)):
        path = Path(document)
        try:
            text = path.read_text("utf-8")
        except (OSError, ValueError) as error:
            raise InvalidInput(f"the OpenAPI document {path} can't be read: {error}") from None
        whole = _parsed(path, text)
    if not isinstance(whole, Mapping):
        raise InvalidInput("an OpenAPI document is an object; give the path of a file, or the document as a dict")
    found = cast("Json", whole)
    version = str(found.get("openapi", ""))
    if not version.startswith("3.") or not isinstance(found.get("paths", {}), Mapping):
        said = f"version {version or found.get('swagger', '?')}"
        raise InvalidInput(f"this is no OpenAPI document of version 3 ({said}); convert it to 3.0 or later")
    return found


def _parsed(path: Path, text: str) -> Any:
    if path.suffix.lower() in (".yaml", ".yml"):
        try:
            library: Any = importlib.import_module("yaml")
        except ImportError:
            raise InvalidInput(f"{path} is YAML, which needs pyyaml: pip install 'overwinter[toolsets]'") from None
        try:
            return library.safe_load(text)
        except (library.YAMLError, ValueError, RecursionError) as error:
            raise InvalidInput(f"{path} is no YAML: {str(error)[:300]}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is no JSON: {error}") from None


def operations(document: Json) -> Iterator[Operation]:
    """All of them, in their order, each with a name of its own."""
    schemas = Schemas(document)
    names: set[str] = set()
    for path, item in document.get("paths", {}).items():
        shared = schemas.there(item)
        for method in METHODS:
            if isinstance(shared.get(method), Mapping):
                found = _operation(schemas, str(path), method, shared, shared[method])
                name, number = found.name, 2
                while name in names:
                    name, number = f"{found.name[: _LONGEST - 4]}_{number}", number + 1
                names.add(name)
                yield found._replace(name=name)


def _operation(schemas: Schemas, path: str, method: str, item: Json, said: Json) -> Operation:
    name = _ODD.sub("_", str(said.get("operationId") or f"{method}{path}")).strip("_")[:_LONGEST] or method
    words = [str(said.get("summary") or ""), str(said.get("description") or "")]
    words += ["It is deprecated."] if said.get("deprecated") else []
    description = "\n\n".join(dict.fromkeys(filter(None, words))) or f"{method.upper()} {path}"
    required = said["security"] if "security" in said else schemas.document.get("security", ())
    security = tuple(tuple(one) for one in required or ())
    empty = Operation(name, method, path, description, {}, (), "", security)
    try:
        return _described(schemas, empty, item, said)
    except InvalidInput as error:
        return empty._replace(wrong=str(error))


def _described(schemas: Schemas, empty: Operation, item: Json, said: Json) -> Operation:
    if item.get("servers") or said.get("servers"):
        raise InvalidInput("it names servers of its own, and all calls go to that of the toolset")
    properties: dict[str, Any] = {}
    needed: list[str] = []
    placed: dict[tuple[str, str], Json] = {}
    for one in (*item.get("parameters", ()), *said.get("parameters", ())):  # those of the operation come last
        parameter = schemas.there(one)
        placed[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    parameters: list[Parameter] = []
    for (place, name), parameter in placed.items():
        if place not in _PLACES:
            raise InvalidInput(f"its parameter {name!r} is in {place!r}")
        if place == "header" and name.lower() in _NOT_SET:
            continue
        argument = name if name not in properties and name != "body" else f"{name}_{place}"
        style = str(parameter.get("style") or ("form" if place in ("query", "cookie") else "simple"))
        explode = bool(parameter.get("explode", style == "form"))
        parameters.append(Parameter(name, place, argument, style, explode))
        properties[argument] = _about(schemas.inlined(_schema_of(parameter)), parameter)
        if parameter.get("required") or place == "path":
            needed.append(argument)
    body = ""
    if said.get("requestBody"):
        request = schemas.there(said["requestBody"])
        body, schema = _body(request.get("content") or {})
        if body:
            properties["body"] = _about(schemas.inlined(schema), request)
            needed += ["body"] if request.get("required") else []
        elif request.get("required"):
            raise InvalidInput(f"its body is {', '.join(request.get('content') or {}) or 'nothing'}")
    whole: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    whole |= {"required": needed} if needed else {}
    whole |= {"$defs": found} if (found := schemas.named(properties)) else {}
    return empty._replace(schema=whole, parameters=tuple(parameters), body=body)


def _schema_of(parameter: Json) -> Any:
    content = parameter.get("content")
    if isinstance(content, Mapping):
        raise InvalidInput(f"its parameter {parameter.get('name')!r} is written as a document")
    return parameter.get("schema", {})


def _about(schema: Any, said: Json) -> Any:
    described = isinstance(schema, dict) and said.get("description") and "description" not in schema
    return {**cast("Json", schema), "description": said["description"]} if described else cast("Any", schema)


def _body(content: Json) -> tuple[str, Any]:
    """The media type to send, and its schema; "" when none can be."""
    for media, about in content.items():
        if _JSON.fullmatch(media.partition(";")[0].strip()):
            return media, about.get("schema", {})
    for media in ("application/x-www-form-urlencoded", "text/plain"):
        if media in content:
            return media, content[media].get("schema", {})
    return "", {}
