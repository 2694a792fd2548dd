"""What is asked of a model and what it answers as JSON, for a model that is a function of its own.

A request is ``{"messages", "tools"?, "output"?, "settings"?, "choice"?, "parallel"?}``; an answer is what the journal
keeps of one (``Answer.record``). Bytes of parts are base64. Both directions are read without trust: what has another
form is refused by its name.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...orchestrator.protocol.media import Part
from ...state.errors import InvalidInput
from .port import Answer, Message, OutputSchema, Request, ToolCall, ToolSchema, Usage
from .vectors import Embeddings, vectors

_ROLES = ("system", "user", "assistant", "tool")
_MOST_TOKENS = 10**12
_COST = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,30})?")
_KINDS = ("text", "image", "audio", "file")


def asked(request: Request) -> dict[str, Any]:
    """The request as JSON. The model's name is the address."""
    body: dict[str, Any] = {"messages": [_message(message) for message in request.messages]}
    if request.tools:
        body["tools"] = [tool._asdict() for tool in request.tools]
    if request.output is not None:
        body["output"] = request.output._asdict()
    if request.settings:
        body["settings"] = dict(request.settings)
    if request.choice != "auto":
        body["choice"] = request.choice
    if request.parallel is not None:
        body["parallel"] = request.parallel
    return body


def request(body: Any, model: str) -> Request:
    """Raises InvalidInput."""
    whole = _object(body, "the request", {"messages", "tools", "output", "settings", "choice", "parallel"})
    parallel = whole.get("parallel")
    if parallel is not None and type(parallel) is not bool:
        raise InvalidInput("parallel is true or false")
    if not whole.get("messages"):
        raise InvalidInput("messages is no list of messages, or holds none")
    output = whole.get("output")
    return Request(
        model,
        tuple(_read_message(item) for item in _list(whole.get("messages"), "messages")),
        tuple(_read_tool(item) for item in _list(whole.get("tools", []), "tools")),
        None if output is None else _read_output(output),
        _object(whole.get("settings", {}), "settings"),
        _text(whole, "choice") or "auto",
        parallel,
    )


def answer(body: Any, asked_model: str) -> Answer:
    """Raises InvalidInput for what is no answer."""
    whole = _object(body, "the answer")
    calls = tuple(_read_call(item) for item in _list(whole.get("tool_calls", []), "tool_calls"))
    return Answer(
        _text(whole, "text"),
        calls,
        _usage(whole),
        _cost(whole),
        _text(whole, "model") or asked_model,
        _text(whole, "finish") or ("tool_calls" if calls else "stop"),
        _text(whole, "refusal"),
        _opaque(whole),
        _text(whole, "reasoning"),
    )


def texts(body: Any) -> tuple[list[str], int | None, dict[str, Any]]:
    """The texts to embed, in how many dimensions, and the settings. Raises InvalidInput."""
    whole = _object(body, "the request", {"texts", "dimensions", "settings"})
    found, dimensions = _list(whole.get("texts"), "texts"), whole.get("dimensions")
    if not found or not all(isinstance(text, str) and text.strip() for text in found):
        raise InvalidInput("texts holds what is no text, or nothing")
    if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
        raise InvalidInput("dimensions is no number of them")
    return list(found), dimensions, _object(whole.get("settings", {}), "settings")


def embedded(found: Embeddings) -> dict[str, Any]:
    """Vectors as JSON, in the form that OpenAI gave them."""
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(found.vectors)]
    return {"data": data, "usage": found.usage.record(), "cost": found.cost, "model": found.model}


def embeddings(body: Any, count: int, asked_model: str) -> Embeddings:
    """Raises InvalidInput, Unfit."""
    whole = _object(body, "the answer")
    usage, named = _usage(whole), _text(whole, "model") or asked_model
    return Embeddings(vectors(whole, count), usage, _cost(whole), named)


# -- out -------------------------------------------------------------------------------------------------


def _message(message: Message) -> dict[str, Any]:
    told: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        told["tool_calls"] = [_filled(call._asdict()) for call in message.tool_calls]
    for name in ("tool_call_id", "opaque", "model"):
        if value := getattr(message, name):
            told[name] = value
    if message.parts:
        told["parts"] = [_part(part) for part in message.parts]
    return told


def _part(part: Part) -> dict[str, Any]:
    told = _filled(part._asdict())
    return told | {"data": base64.b64encode(part.data).decode()} if part.data else told


def _filled(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value or name in ("name", "arguments", "id", "kind")}


# -- in --------------------------------------------------------------------------------------------------


def _read_message(item: Any) -> Message:
    known = {"role", "content", "tool_calls", "tool_call_id", "opaque", "model", "parts"}
    fields = _object(item, "a message", known)
    role = _text(fields, "role")
    if role not in _ROLES:
        raise InvalidInput(f"the role of a message is {role[:40]!r}; it is one of {', '.join(_ROLES)}")
    return Message(
        role,
        _text(fields, "content"),
        tuple(_read_call(call) for call in _list(fields.get("tool_calls", []), "tool_calls")),
        _text(fields, "tool_call_id"),
        _opaque(fields),
        _text(fields, "model"),
        tuple(_read_part(part) for part in _list(fields.get("parts", []), "parts")),
    )


def _read_call(item: Any) -> ToolCall:
    fields = _object(item, "a tool call", {"id", "name", "arguments", "opaque"})
    return ToolCall(_text(fields, "id"), _text(fields, "name"), _text(fields, "arguments"), _opaque(fields))


def _read_part(item: Any) -> Part:
    fields = _object(item, "a part", set(Part._fields))
    kind, size = _text(fields, "kind"), fields.get("size", 0)
    if kind not in _KINDS or type(size) is not int:
        raise InvalidInput(f"a part is of one of the kinds {', '.join(_KINDS)}, and its size is a number")
    try:
        data = base64.b64decode(_text(fields, "data").encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise InvalidInput("the data of a part is no base64") from None
    if kind != "text" and not data and not (kind == "image" and fields.get("url")):
        raise InvalidInput("a part that is no text brings its bytes in data; an image may have a url")
    texts = {name: _text(fields, name) for name in ("text", "url", "media_type", "name", "digest")}
    return Part(kind, **texts, size=size, data=data)


def _read_tool(item: Any) -> ToolSchema:
    fields = _object(item, "a tool", {"name", "description", "parameters"})
    return ToolSchema(
        _text(fields, "name"), _text(fields, "description"), _object(fields.get("parameters"), "parameters")
    )


def _read_output(item: Any) -> OutputSchema:
    fields = _object(item, "output", {"name", "schema", "always"})
    return OutputSchema(_text(fields, "name"), _object(fields.get("schema"), "schema"), fields.get("always") is True)


def _cost(whole: Mapping[str, Any]) -> str | None:
    cost = whole.get("cost")
    if cost is None or (isinstance(cost, str) and _COST.fullmatch(cost)):
        return cost
    raise InvalidInput("cost is no amount in US dollars, written as 0.0012")


def _usage(whole: Mapping[str, Any]) -> Usage:
    usage = _object(whole.get("usage", {}), "usage")
    parts = {name: usage[name] for name in Usage._fields if name in usage}
    if any(type(value) is not int or not 0 <= value < _MOST_TOKENS for value in parts.values()):
        raise InvalidInput("usage holds what is no number of tokens")
    return Usage(**parts)


def _object(value: Any, what: str, known: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{what} is no JSON object")
    fields = cast("dict[str, Any]", value)
    if known is not None and (unknown := sorted(set(fields) - known)):
        raise InvalidInput(f"{what} has no field {unknown[0][:40]!r}; there are {', '.join(sorted(known))}")
    return fields


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise InvalidInput(f"{what} is no list")
    return value  # pyright: ignore[reportUnknownVariableType]  # of anybody


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise InvalidInput(f"{name} is no text")
    return value


def _opaque(fields: Mapping[str, Any]) -> dict[str, Any] | None:
    value = fields.get("opaque")
    return None if value is None else _object(value, "opaque")
