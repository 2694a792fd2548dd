"""The OpenAPI 3.1 document of one app: its operations, and the functions with their real input schemas.

Every operation has an id of its own, every reference leads somewhere, and what needs no token says so. Execution ids
may hold slashes; in a generated client they are percent-encoded, in a URL written by hand they may stand as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ...state.records import STATUSES
from ..invocation.loading import kind_of
from ..messages import models
from ..messages.media import BATCHED, STRUCTURED
from ..messages.problem import Whose
from ..triggers.webhook import declared
from . import chapters
from .auditing import TAKING
from .event_schema import EVENT
from .hooks import described as hook_operation
from .schemas import drop_unsound_defaults, input_schema, lifted, may_be_left_out, output_schema

Json = dict[str, Any]

_MODELS: tuple[type[BaseModel], ...] = (
    models.Part,
    models.Message,
    models.Signal,
    *models.DECIDING,
    models.Failure,
    models.Reason,
    models.Retrying,
    models.Resolution,
    models.Bulk,
    models.BulkSignal,
    models.Count,
    models.Swept,
    models.Outcome,
    models.Execution,
    models.Executions,
    models.History,
    models.Events,
    models.Doubts,
    models.Functions,
    models.Stats,
    models.Problem,
    *chapters.MODELS,
)
_ERRORS = {
    400: "the request can't be read",
    401: "the token is missing or wrong",
    403: "refused",
    404: "there is no such thing",
    409: "in conflict with what is stored",
    413: "the body is too large",
    415: "another content type is needed",
    422: "a value is wrong; detail says which",
    429: "more was sent than was agreed on; see Retry-After",
    500: "the function or the server failed",
    503: "the store can't take it now; see Retry-After",
    504: "the function took too long",
}
_READ = (400, 401, 403, 404, 422, 500, 503)
_WRITE = (*_READ, 409, 413, 415)
_PREFER: Json = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "examples": ["wait=10", "respond-async"]},
    "description": "how long to wait for the outcome",
}
_AFTER: Json = {
    "name": "after",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "where to read on: the `next` of the page before",
}
_ID: Json = {
    "name": "id",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": "the execution's id; makes the start count once, and answers with its outcome when there is one",
}
_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
    "description": "makes the request count once",
}


_HEADERS: Json = {
    "Overwinter-Error": {
        "description": "whose the error is",
        "schema": {"enum": [whose.value for whose in Whose]},
    }
}
_LATER: Json = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer", "minimum": 1}}}


def ref(model: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


_EVENTS: Json = {"text/event-stream": {}}
"""What an outcome is told as, piece by piece, to who accepts it."""
_TELLING: tuple[Json, ...] = (
    {
        "name": "Last-Event-ID",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": "^[0-9]+\\.[0-9]+$"},
        "description": "with Accept: text/event-stream, the id of the event after which to go on",
    },
    {
        "name": "protocol",
        "in": "query",
        "required": False,
        "schema": {"enum": ["ag-ui"]},
        "description": "tells events in this vocabulary, whatever is accepted",
    },
    *(
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string", "maxLength": 200},
            "description": f"what that vocabulary calls the {what}",
        }
        for name, what in (("thread", "execution"), ("run", "answer"))
    ),
)


def parameter(name: str, where: str = "path", schema: Json | None = None) -> Json:
    schema = {"type": "string", "minLength": 1, "maxLength": 200} if schema is None else schema
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def operation(
    summary: str,
    answers: Mapping[int, Json | None],
    *,
    body: Json | None = None,
    body_needed: bool = True,
    types: tuple[str, ...] = ("application/json",),
    parameters: tuple[Json, ...] = (),
    errors: tuple[int, ...] = (),
) -> Json:
    """One operation. ``answers`` maps statuses to the schema of their JSON; None: no body."""
    responses: Json = {}
    for status, schema in answers.items():
        content = {} if schema is None else {"content": {"application/json": {"schema": schema}}}
        responses[str(status)] = {"description": "done" if status < 202 else "accepted", **content}
    for status in sorted(errors or (_READ if body is None else _WRITE)):
        content = {"application/problem+json": {"schema": ref(models.Problem)}}
        headers = {**_HEADERS, **_LATER} if status in (429, 503) else _HEADERS
        responses[str(status)] = {"description": _ERRORS[status], "content": content, "headers": headers}
    made: Json = {"summary": summary, "parameters": list(parameters), "responses": responses}
    if body is not None:
        made["requestBody"] = {"required": body_needed, "content": {kind: {"schema": body} for kind in types}}
    return made


def told(made: Json) -> Json:
    """An operation whose outcome may be told as events."""
    made["parameters"] += _TELLING
    made["responses"]["200"].setdefault("content", {}).update(_EVENTS)
    made["responses"]["204"] = {"description": "nothing is left to tell after that event"}
    return made


def document(functions: Mapping[str, Any], version: str, secured: bool) -> Json:
    """The whole document, as plain JSON."""
    _, shared = models_json_schema(
        [(model, "validation") for model in _MODELS], ref_template="#/components/schemas/{model}"
    )
    schemas: Json = dict(shared["$defs"])
    paths: Json = {**_fixed_paths(), **chapters.paths(operation, parameter, ref, _PREFER, _AFTER)}
    for name, function in functions.items():
        takes = lifted(input_schema(function), name, schemas)
        gives = lifted(output_schema(function), f"{name}.result", schemas)
        kind = str(kind_of(function))
        if kind == "agent" and takes == {"type": "string"}:
            takes = {"anyOf": [takes, {"type": "array", "items": ref(models.Part)}]}
        paths.update(_function_paths(name, kind, takes, gives))
    hooks = {path: hook_operation(one) for path, one in declared(functions).items()}
    paths.update({path: {"post": operation(**told)} for path, told in hooks.items()})
    _name_operations(paths)
    drop_unsound_defaults([schemas, paths])
    components: Json = {"schemas": schemas}
    made: Json = {
        "openapi": "3.1.0",
        "info": {"title": "overwinter", "version": version, "description": "Durable agents over HTTP."},
        "paths": paths,
        "components": components,
    }
    if secured:
        components["securitySchemes"] = _SCHEMES
        made["security"] = [{"token": []}, {"tokenInUrl": []}]
        for path, method in (*_OPEN, *((path, "post") for path in hooks)):
            paths[path][method]["security"] = []
    return made


_SCHEMES: Json = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "the API's token; for POST of /, /events and /sweep the delivery token serves as well",
    },
    "tokenInUrl": {
        "type": "apiKey",
        "in": "query",
        "name": "access_token",
        "description": "for senders that can send no header; it ends up in logs",
    },
}
_OPEN = (("/healthz", "get"), ("/readyz", "get"), ("/", "options"), ("/events/{function}", "options"))


def _name_operations(paths: Json) -> None:
    """Give each operation an id that clients can be generated from, like ``post_workflows_ticket``."""
    taken: set[str] = set()
    for path, methods in paths.items():
        for method, made in methods.items():
            wanted = "_".join(filter(None, [method, *re.split(r"[^A-Za-z0-9]+", path)]))
            id, number = wanted, 2
            while id in taken:
                id, number = f"{wanted}_{number}", number + 1
            taken.add(id)
            made["operationId"] = id


def _function_paths(name: str, kind: str, schema: Json, gives: Json) -> Json:
    place = quote(name, safe="")
    needed = not may_be_left_out(schema)
    if kind == "model":
        texts = {"type": "array", "items": {"type": "string"}, "minItems": 1}
        wanted: Json = {"type": "object", "required": ["texts"], "properties": {"texts": texts}}
        embed = operation(f"Embed by {name}", {200: {"type": "object"}}, body=wanted, body_needed=True, errors=_WRITE)
        return {f"/models/{place}": {"post": _model(name)}, f"/models/{place}/embeddings": {"post": embed}}
    if kind == "tool":
        answers: dict[int, Json | None] = {200: gives}
        call = operation(f"Call {name}", answers, body=schema, body_needed=needed, errors=(*_WRITE, 504))
        return {f"/tools/{place}": {"post": call}}
    ended = {"allOf": [ref(models.Outcome), {"properties": {"result": gives}}]}
    outcome: dict[int, Json | None] = {200: ended, 202: ref(models.Outcome)}
    asked = (_PREFER, _KEY, _ID, parameter("by", "query", {"type": "string", "maxLength": 200}))
    start = operation(f"Start {name}", outcome, body=schema, body_needed=needed, parameters=asked)
    paths: Json = {f"/{kind}s/{place}": {"post": told(start)}}
    if kind == "agent":
        message = operation(
            f"Send a message to a session of {name}",
            outcome,
            body={"allOf": [ref(models.Message), {"properties": {"content": schema}}]},
            parameters=(parameter("session"), _PREFER, _KEY),
        )
        message["requestBody"]["content"]["text/plain"] = {"schema": {"type": "string", "minLength": 1}}
        paths[f"/sessions/{place}/{{session}}"] = {"post": told(message)}
    return paths


def _model(name: str) -> Json:
    """What is asked of a model function; docs/functions.md says more of its fields."""
    messages = {"type": "array", "items": {"type": "object"}}
    body = {"type": "object", "required": ["messages"], "properties": {"messages": messages}}
    told: dict[int, Json | None] = {200: {"type": "object"}, 202: {"type": "object"}}
    key = parameter("overwinter-operation", "header", {"type": "string", "maxLength": 2000})
    return operation(f"Ask {name}", told, body=body, body_needed=True, parameters=(_PREFER, key), errors=(*_WRITE, 504))


def _fixed_paths() -> Json:
    id, token = (parameter("id"),), (parameter("token"),)
    outcome: dict[int, Json | None] = {200: ref(models.Outcome), 202: ref(models.Outcome)}
    done: dict[int, Json | None] = {202: None}
    message, paged = parameter("id", "query") | {"required": True}, (*id, *_paging(1000))
    probe = (500, 503)
    swept: dict[int, Json | None] = {200: ref(models.Swept), 204: None}
    paths: Json = {
        "/": {"post": _delivery("Take in CloudEvents"), "options": _handshake((400,))},
        "/events/{function}": {
            "post": _delivery("Take in CloudEvents for one function", parameter("function")),
            "options": _handshake((400, 404), parameter("function")),
        },
        "/subscriptions/{name}": {"post": _delivery("Take in CloudEvents for one subscription", parameter("name"))},
        "/results/{id}": {"get": told(operation("The outcome of an execution", outcome, parameters=(*id, _PREFER)))},
        "/stream/{id}": {"get": told(operation("What happens to an execution", {200: None}, parameters=id))},
        "/messages/{execution}": {
            "get": told(
                operation("The reply to a message", outcome, parameters=(parameter("execution"), message, _PREFER))
            )
        },
        "/executions": {"get": operation("List executions", {200: ref(models.Executions)}, parameters=_listing())},
        "/executions/{id}": {"get": operation("One execution", {200: ref(models.Execution)}, parameters=id)},
        "/history/{id}": {"get": operation("Its journal", {200: ref(models.History)}, parameters=(*paged, *TAKING))},
        "/execution-history/{id}": {
            "get": operation("Its events as AWS tells them", {200: ref(models.Events)}, parameters=paged)
        },
        "/counts": {"get": operation("Executions by status", {200: _COUNTS})},
        "/stats": {"get": operation("What this process took in and holds", {200: ref(models.Stats)})},
        "/functions": {"get": operation("What is served", {200: ref(models.Functions)})},
        "/signal/{id}": _post("Send an event to an execution", done, models.Signal, id),
        "/doubts/{id}": {"get": operation("Calls in doubt", {200: ref(models.Doubts)}, parameters=id)},
        "/resolve/{id}": _post("Say what came of a call in doubt", done, models.Resolution, id),
        "/fail/{token}": _post("Fail a callback", done, models.Failure, token),
        "/complete/{token}": {
            "post": operation("Complete a callback", done, body={}, body_needed=False, parameters=token)
        },
        "/heartbeat/{token}": {"post": operation("Keep a callback open", done, parameters=token)},
        "/sweep": {
            "post": operation("Take what is due", swept, parameters=(_PREFER,), errors=(400, 401, 403, 413, 500, 503))
        },
        "/healthz": {"get": operation("The process answers", {200: {}}, errors=probe)},
        "/readyz": {"get": operation("Ready for work", {200: {}}, errors=probe)},
        "/openapi.json": {"get": operation("This document", {200: {"type": "object"}}, errors=(401, 403, 500, 503))},
    }
    signalled: dict[int, Json | None] = {200: ref(models.Count)}
    paths["/bulk/signal"] = _post("Send an event to many executions", signalled, models.BulkSignal, ())
    for action in models.ACTIONS:
        said = models.Retrying if action == "retry" else models.Reason
        paths[f"/{action}/{{id}}"] = _post(f"{action.capitalize()} an execution", done, said, id, False)
        counted: dict[int, Json | None] = {200: ref(models.Count)}
        paths[f"/bulk/{action}"] = _post(f"{action.capitalize()} many executions", counted, models.Bulk, ())
    return paths


def _delivery(summary: str, *parameters: Json) -> Json:
    errors = (*_WRITE, 429)
    made = operation(
        summary, {202: None, 204: None}, body=EVENT, types=(STRUCTURED,), parameters=parameters, errors=errors
    )
    made["requestBody"]["content"][BATCHED] = {"schema": {"type": "array", "items": EVENT}}
    made["responses"]["200"] = {
        "description": "a reply event, when Prefer: reply asked for one",
        "content": {STRUCTURED: {"schema": EVENT}, "application/json": {"schema": {}}},
    }
    made["parameters"].append(_PREFER)
    return made


def _handshake(errors: tuple[int, ...], *parameters: Json) -> Json:
    """The webhook handshake of CloudEvents."""
    texts = ("WebHook-Request-Origin", "WebHook-Request-Rate", "WebHook-Request-Callback")
    asked = tuple({"name": name, "in": "header", "required": False, "schema": {"type": "string"}} for name in texts)
    return operation(
        "May events be delivered here?", {204: None}, parameters=(*parameters, *asked), errors=(*errors, 403, 500, 503)
    )


_COUNTS: Json = {"type": "object", "additionalProperties": {"type": "integer"}}


def _post(
    summary: str,
    answers: Mapping[int, Json | None],
    model: type[BaseModel],
    parameters: tuple[Json, ...],
    needed: bool = True,
) -> Json:
    return {"post": operation(summary, answers, body=ref(model), body_needed=needed, parameters=parameters)}


def _listing() -> tuple[Json, ...]:
    names = ("function", "prefix", "parent", "awaits", "text", "session")
    texts = (parameter(name, "query", {"type": "string"}) for name in names)
    times = (parameter("since", "query", _whole(2**53)), parameter("before", "query", _whole(2**53, 1)))
    cost = parameter("cost", "query", {"type": "string", "pattern": models.COST})
    kind = parameter("kind", "query", {"enum": ["workflow", "agent"]})
    statuses: Json = {"type": "array", "items": {"enum": list(STATUSES)}}
    order = parameter("order", "query", {"enum": ["newest", "oldest"]})
    page = (order, parameter("cursor", "query", {"type": "string"}), parameter("limit", "query", _whole(200, 1)))
    return (parameter("status", "query", statuses), *texts, kind, *times, cost, *page)


def _paging(most: int) -> tuple[Json, ...]:
    return (parameter("after", "query", _whole(2**53)), parameter("limit", "query", _whole(most, 1)))


def _whole(most: int, least: int = 0) -> Json:
    return {"type": "integer", "minimum": least, "maximum": most}
