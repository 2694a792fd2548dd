"""The JSON form of an event, as what a CloudEvent is made of: below the class, so that the class itself can be read
from JSON, where a function takes a whole event as its input.

``read`` is strict, as everything that reads events is; what ``write`` made it reads as an equal event.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

from ...state.codec import loads
from ...state.errors import InvalidEvent
from ..messages.media import charset, is_json, is_text
from .attributes import Extension
from .tracing import traceable

SPECVERSION: Final = "1.0"


class Written(Protocol):
    """What is written of an event."""

    id: str
    source: str
    type: str
    data: Any
    extensions: Mapping[str, Extension]


def read(item: Any) -> dict[str, Any]:
    """What a CloudEvent is made with, from its JSON form that is parsed already. Raises InvalidEvent."""
    if type(item) is not dict:
        raise InvalidEvent("an event must be a JSON object", attribute="data")
    members = cast("dict[str, Any]", item)
    attributes = {name: value for name, value in members.items() if value is not None}
    data = attributes.pop("data", None)
    base64_data = attributes.pop("data_base64", None)
    content_type = attributes.pop("datacontenttype", None)
    if content_type is not None and not isinstance(content_type, str):
        raise InvalidEvent("datacontenttype must be a string", attribute="datacontenttype", status=415)
    if base64_data is not None:
        if data is not None:
            raise InvalidEvent("data and data_base64 exclude each other; send one of them", attribute="data_base64")
        body = _base64(base64_data)
        data = payload(content_type, body) if body else None
    elif isinstance(data, str) and content_type is not None and not is_json(content_type) and not is_text(content_type):
        data = data.encode()
    return made_of(attributes, content_type, data)


def _base64(text: Any) -> bytes:
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise InvalidEvent("data_base64 must be a string of Base64 (RFC 4648)", attribute="data_base64")


def payload(content_type: str | None, body: bytes) -> Any:
    """The data that a body holds: plain JSON where it is that, else bytes. Raises InvalidEvent."""
    if content_type is None:
        try:
            return loads(body)  # what nobody names is JSON (JSON format, 3.1)
        except ValueError:
            return body
    if not is_json(content_type):
        return body
    encoding = charset(content_type)
    try:
        return loads(body if encoding == "utf-8" else body.decode(encoding))
    except ValueError as error:
        raise InvalidEvent(f"data is not valid JSON: {error}", attribute="data") from None


def made_of(attributes: dict[str, Any], content_type: str | None, data: Any) -> dict[str, Any]:
    """What a CloudEvent is made with, from the attributes that came. Raises InvalidEvent."""
    version = attributes.pop("specversion", None)
    if version != SPECVERSION:
        what = "specversion is missing" if version is None else f"specversion {str(version)[:20]!r} is not supported"
        raise InvalidEvent(f"{what}; send {SPECVERSION}", attribute="specversion")
    traceable(attributes)
    pop = attributes.pop
    try:
        id, source, type = pop("id"), pop("source"), pop("type")
    except KeyError as error:
        raise InvalidEvent(f"{error.args[0]} is missing", attribute=str(error.args[0])) from None
    return {
        "id": id,
        "source": source,
        "type": type,
        "subject": pop("subject", None),
        "time": pop("time", None),
        "dataschema": pop("dataschema", None),
        "datacontenttype": content_type,
        "data": data,
        "extensions": attributes,
    }


def write(event: Written) -> dict[str, Any]:
    """The JSON form of an event, not yet as text."""
    item: dict[str, Any] = {
        "specversion": SPECVERSION,
        "id": event.id,
        "source": event.source,
        "type": event.type,
    }
    for name in ("subject", "time", "datacontenttype", "dataschema"):
        value = getattr(event, name)
        if value is not None:
            item[name] = value
    item.update(event.extensions)
    if isinstance(event.data, bytes):
        item["data_base64"] = base64.b64encode(event.data).decode()
    elif event.data is not None:
        item["data"] = event.data
    return item


SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "CloudEvent",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": SPECVERSION},
        **{name: {"type": "string", "minLength": 1} for name in ("id", "source", "type", "subject")},
    },
}
"""The JSON schema of a function's input that is an event."""
