"""A CloudEvent 1.0: immutable, and valid by construction. Whoever holds one need not check it again.

``data`` is plain JSON when the content type is JSON (also when none is named), ``str`` for a text type and
``bytes`` for any other. ``None`` is no data; an empty text or empty bytes is no data either, because HTTP
can't tell the two apart. Extension attributes are in ``extensions``; those that overwinter gives a meaning
are properties too. Every invalid attribute is an InvalidEvent that names it (HTTP status 400, or 415 for a
content type). The wire forms are in ``event_http``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Never
from uuid import uuid4

from ...state.errors import InvalidEvent
from ..messages.media import charset, is_json, is_text
from .attributes import (
    CORE,
    TIME,
    Extension,
    extension,
    media_type,
    text,
    timestamp,
    uri,
    uri_reference,
)
from .json_form import SCHEMA, read, write

_set = object.__setattr__


class CloudEvent:
    """One event. ``id`` defaults to a random one, ``time`` is a datetime with a zone or RFC 3339 text."""

    __slots__ = (*CORE, "data", "extensions")

    id: str
    source: str
    type: str
    subject: str | None
    time: str | None
    datacontenttype: str | None
    dataschema: str | None
    data: Any
    extensions: Mapping[str, Extension]

    def __init__(
        self,
        *,
        source: str,
        type: str,
        id: str | None = None,
        subject: str | None = None,
        time: str | datetime | None = None,
        datacontenttype: str | None = None,
        dataschema: str | None = None,
        data: Any = None,
        extensions: Mapping[str, Extension] | None = None,
    ) -> None:
        _set(self, "id", str(uuid4()) if id is None else text("id", id))
        _set(self, "source", uri_reference("source", source))
        _set(self, "type", text("type", type))
        _set(self, "subject", None if subject is None else text("subject", subject))
        if isinstance(time, datetime):
            time = _written(time)
        _set(self, "time", None if time is None else timestamp("time", time))
        _set(self, "dataschema", None if dataschema is None else uri("dataschema", dataschema))
        if datacontenttype is not None:
            media_type("datacontenttype", datacontenttype)
        elif data is not None:
            datacontenttype = "application/octet-stream" if isinstance(data, bytes) else "application/json"
        _set(self, "datacontenttype", datacontenttype)
        _set(self, "data", _checked_data(data, datacontenttype))
        _set(
            self,
            "extensions",
            _NONE if not extensions else MappingProxyType({k: extension(k, v) for k, v in extensions.items()}),
        )

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError("a CloudEvent does not change; make another one with replace()")

    __delattr__ = __setattr__  # type: ignore[assignment]  # same refusal, one argument less

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CloudEvent):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def __hash__(self) -> int:
        return hash((self.source, self.id))

    def __repr__(self) -> str:
        return f"<CloudEvent {self.type} {self.source}#{self.id}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, ({**self._attributes(), "extensions": dict(self.extensions)},)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """As the input of a function: read from its JSON form and written as that."""
        from pydantic_core import core_schema

        def taken(value: Any) -> CloudEvent:
            try:
                return value if isinstance(value, CloudEvent) else CloudEvent(**read(value))
            except InvalidEvent as error:
                raise ValueError(str(error)) from None

        written = core_schema.plain_serializer_function_ser_schema(write)
        return core_schema.no_info_plain_validator_function(taken, serialization=written)

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Any, handler: Any) -> dict[str, Any]:
        return dict(SCHEMA)

    def _attributes(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @property
    def traceparent(self) -> str | None:
        return self._text("traceparent")

    @property
    def partitionkey(self) -> str | None:
        return self._text("partitionkey")

    @property
    def causationid(self) -> str | None:
        return self._text("causationid")

    @property
    def correlationid(self) -> str | None:
        return self._text("correlationid")

    @property
    def dataref(self) -> str | None:
        return self._text("dataref")

    def _text(self, name: str) -> str | None:
        value = self.extensions.get(name)
        return None if value is None else str(value)

    @property
    def when(self) -> datetime | None:
        """``time`` as a datetime, to the microsecond; a leap second counts as the second before it."""
        match = None if self.time is None else TIME.fullmatch(self.time)
        if match is None or self.time is None:
            return None
        head, second, fraction = self.time[:16].upper(), min(int(match[6]), 59), (match[7] or "")[:6]
        zone = "+00:00" if match[8] is None else self.time[-6:]
        return datetime.fromisoformat(f"{head}:{second:02d}.{fraction:0<6}{zone}")

    def replace(self, **changes: Any) -> CloudEvent:
        """Another event with some attributes changed."""
        return CloudEvent(**{**self._attributes(), **changes})

    def answer(
        self, *, type: str, source: str, data: Any = None, subject: str | None = None, id: str | None = None
    ) -> CloudEvent:
        """An event caused by this one: carries its trace, correlation and partition on."""
        extensions: dict[str, Extension] = {
            "causationid": self.id,
            "correlationid": self.correlationid or self.id,
        }
        for name in ("traceparent", "tracestate", "partitionkey"):
            if (value := self._text(name)) is not None:
                extensions[name] = value
        now = datetime.now(UTC)
        return CloudEvent(id=id, source=source, type=type, subject=subject, time=now, data=data, extensions=extensions)


_NONE: Mapping[str, Extension] = MappingProxyType({})


def _rebuild(attributes: dict[str, Any]) -> CloudEvent:
    return CloudEvent(**attributes)


def _written(time: datetime) -> str:
    if time.tzinfo is None:
        raise InvalidEvent("time has no zone; use datetime.now(UTC)", attribute="time")
    return time.isoformat().replace("+00:00", "Z")


def _checked_data(data: Any, datacontenttype: str | None) -> Any:
    if data is None or datacontenttype is None or is_json(datacontenttype):
        if isinstance(data, bytes):
            raise InvalidEvent(
                f"data is bytes but datacontenttype is {datacontenttype}; pass the value, not its text",
                attribute="data",
            )
        return data
    if is_text(datacontenttype):
        if not isinstance(data, (str, bytes)):
            raise _misfit(data, datacontenttype, "text")
        return _checked_text(data, charset(datacontenttype)) or None
    if not isinstance(data, bytes):
        raise _misfit(data, datacontenttype, "bytes")
    return data or None


def _checked_text(data: str | bytes, encoding: str) -> str:
    try:
        if isinstance(data, bytes):
            return data.decode(encoding)
        if not (encoding == "utf-8" and data.isascii()):
            data.encode(encoding)
    except UnicodeError as error:
        raise InvalidEvent(f"data is not valid {encoding}: {error}", attribute="data") from None
    return data


def _misfit(data: object, datacontenttype: str, wanted: str) -> InvalidEvent:
    return InvalidEvent(
        f"data is a {type(data).__name__} but datacontenttype is {datacontenttype}; pass {wanted}",
        attribute="data",
    )
