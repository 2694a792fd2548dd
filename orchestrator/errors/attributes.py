"""Attributes and arguments of errors as plain JSON, and back as what they were.

Beside the plain values, which people and programs can read, stands a list of ``[path, kind]`` for those that JSON
has no form for: a tuple, an enum, bytes, another error, a response. ``kind`` is one of the words below or the dotted
name of an enum, a dataclass, a named tuple or a pydantic model; only classes that are loaded already are found, and
none of their code is run but an enum's look-up. What has no form at all is null, and ``lost``. All texts are
redacted and bounded. Neither direction raises, whatever a class of the user's does.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
import math
import pathlib
import sys
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar, cast
from uuid import UUID

from ...security.address import MASK
from ...security.redaction import holds_a_secret, redacted
from ...state.codec import clean, dumps
from .kept import Headers, NotKept, Response, what_was

T = TypeVar("T")
Kinds = list[list[Any]]
Path = tuple[str | int, ...]

TEXT_LIMIT = 16 * 1024
"""Characters of one text in an error's attributes, and of a response's text; the rest is cut off."""
ITEMS_LIMIT = 1000
"""Items of one collection in an error's attributes; a bigger one is not kept."""
DETAIL_LIMIT = 64 * 1024
"""Characters of JSON that one attribute may have; a bigger one is not kept."""
_DEPTH = 12
_TUPLE: Any = tuple
_BITS = 4096
_HEADERS = 64
_HEADER_LIMIT = 1024


def attempted(work: Callable[[], T]) -> T | None:
    """What ``work`` gives, or None when the user's code in it raises, whatever that is."""
    try:
        return work()
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  # the edge to classes of errors: their texts, properties and constructors
        return None


def storable(text: str) -> str:
    """The text without half surrogates, and without secrets."""
    return redacted(clean(text))


def cut(text: str, limit: int) -> str:
    """At most ``limit`` characters. What is cut off is cleaned first: half a secret is none that is known."""
    if len(text) <= limit:
        return storable(text)
    return storable(text[: limit + 4096])[:limit] + "…"


def _is(value: Any, *classes: Any) -> bool:
    """``isinstance``, for values of which nothing is known afterwards either."""
    return isinstance(value, classes)


def _of(cls: Any, parent: Any) -> bool:
    return issubclass(cls, parent)


# -- to JSON -----------------------------------------------------------------------------------------


class Keeper:
    """Makes values plain. ``nested`` is asked for the record of an error inside; None: it is too deep."""

    def __init__(self, nested: Callable[[BaseException], dict[str, Any] | None]) -> None:
        self._nested = nested
        self._kinds: Kinds = []

    def keep(self, value: Any, path: Path, kinds: Kinds) -> Any:
        """The value as plain JSON, at most DETAIL_LIMIT characters of it. Its kinds are added to ``kinds``."""
        if value is None or value is True or value is False or (type(value) is float and math.isfinite(value)):
            return value
        self._kinds = []
        found = attempted(lambda: self._plain(value, path, 0))
        size = attempted(lambda: len(dumps(found)))
        if size is None or size > DETAIL_LIMIT:
            self._kinds, found = [], self._lost(value, path)
        kinds += self._kinds
        return found

    def _plain(self, value: Any, path: Path, depth: int) -> Any:
        if isinstance(value, enum.Enum):
            return self._enum(value, path)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return cut(str.__str__(value), TEXT_LIMIT)
        if isinstance(value, int):
            secret = value.bit_length() > _BITS or MASK in storable(str(int(value)))
            return self._lost(value, path) if secret else int(value)
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else self._marked(path, "float", repr(float(value)))
        if depth >= _DEPTH:
            return self._lost(value, path)
        if _is(value, bytes, bytearray, memoryview):
            return self._bytes(bytes(value), path)
        for kind, cls, plain in _SIMPLE:
            if isinstance(value, cls):
                return self._marked(path, kind, plain(value))
        if isinstance(value, BaseException):
            nested = self._nested(value)
            return self._lost(value, path) if nested is None else self._marked(path, "error", nested)
        if _is_response(value):
            return self._marked(path, "response", _response(value))
        return self._container(value, path, depth)

    def _container(self, value: Any, path: Path, depth: int) -> Any:
        fields = _fields(value)
        if fields is not None:
            self._mark(path, _dotted(value))
            return {name: self._plain(item, (*path, name), depth + 1) for name, item in fields.items()}
        if _is(value, Mapping) or type(value).__name__ == "HTTPMessage":
            return self._mapping(value, path, depth)
        kind = next((name for name, cls in _COLLECTIONS if _is(value, cls)), None)
        if kind is None or len(value) > ITEMS_LIMIT:
            named_url = type(value).__name__.lower() == "url"
            return cut(str(value), TEXT_LIMIT) if named_url else self._lost(value, path)
        items: list[Any] = list(value)
        if kind in ("set", "frozenset"):
            items.sort(key=repr)  # the order of a set differs from process to process
        if kind != "list":
            self._mark(path, kind)
        return [self._plain(item, (*path, index), depth + 1) for index, item in enumerate(items)]

    def _mapping(self, value: Mapping[Any, Any], path: Path, depth: int) -> Any:
        if _is_headers(value):
            return self._marked(path, "headers", _headers(value))
        if len(value) > ITEMS_LIMIT:
            return self._lost(value, path)
        if all(type(key) is str for key in value):
            names = {key: cut(key, TEXT_LIMIT) for key in value}
            return {
                names[key]: MASK if holds_a_secret(key) else self._plain(item, (*path, names[key]), depth + 1)
                for key, item in value.items()
            }
        self._mark(path, "pairs")
        return [
            [self._plain(part, (*path, index, side), depth + 1) for side, part in enumerate(pair)]
            for index, pair in enumerate(value.items())
        ]

    def _enum(self, value: enum.Enum, path: Path) -> Any:
        held = value.value
        self._mark(path, _dotted(value))
        return held if type(held) in (str, int, bool, type(None)) else value.name

    def _bytes(self, value: bytes, path: Path) -> Any:
        if len(value) > DETAIL_LIMIT // 2:
            return self._lost(value, path)
        try:
            return self._marked(path, "utf8", storable(value.decode()))  # as text, so that a secret in it is found
        except UnicodeDecodeError:
            return self._marked(path, "bytes", base64.b64encode(value).decode())

    def _marked(self, path: Path, kind: str, plain: Any) -> Any:
        self._mark(path, kind)
        return plain

    def _lost(self, value: Any, path: Path) -> Any:
        self._mark(path, f"lost {what_was(value)}")
        return None

    def _mark(self, path: Path, kind: str) -> None:
        self._kinds.append([list(path), kind])


_COLLECTIONS = (("list", list), ("tuple", tuple), ("set", set), ("frozenset", frozenset))
_SIMPLE: tuple[tuple[str, Any, Callable[[Any], Any]], ...] = (
    ("datetime", datetime, datetime.isoformat),
    ("date", date, date.isoformat),
    ("time", time, time.isoformat),
    ("timedelta", timedelta, lambda value: value // timedelta(microseconds=1)),
    ("decimal", Decimal, str),
    ("uuid", UUID, str),
    ("path", pathlib.PurePath, lambda value: cut(str(value), TEXT_LIMIT)),
)


def _dotted(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _fields(value: Any) -> dict[str, Any] | None:
    """What a named tuple, a dataclass or a pydantic model holds; None when the value is none."""
    cls: Any = cast("Any", type(value))
    if _is(value, tuple) and hasattr(cls, "_fields"):
        return dict(zip(cls._fields, value, strict=False))
    if dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls)]
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    if hasattr(cls, "model_construct") and hasattr(cls, "__pydantic_validator__"):
        return dict(value.__dict__)
    return None


def _is_response(value: Any) -> bool:
    return isinstance(value, Response) or (_status(value) is not None and _mapping_of(value) is not None)


def _status(value: Any) -> int | None:
    for name in ("status_code", "status"):
        status = attempted(lambda name=name: getattr(value, name, None))  # type: ignore[misc]  # bound at once
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    return None


def _mapping_of(value: Any) -> Mapping[str, Any] | None:
    headers = attempted(lambda: getattr(value, "headers", None))
    if headers is None or isinstance(headers, NotKept):
        return None
    return attempted(lambda: dict(headers.items()))


def _is_headers(value: Mapping[Any, Any]) -> bool:
    name = type(value).__name__
    return name.endswith(("Headers", "HTTPMessage", "CaseInsensitiveDict", "CIMultiDictProxy", "CIMultiDict"))


def _response(value: Any) -> dict[str, Any]:
    text = attempted(lambda: _text_of(value)) or ""
    record: dict[str, Any] = {"status_code": _status(value)}
    for name in ("reason", "reason_phrase"):
        reason = attempted(lambda name=name: getattr(value, name, None))  # type: ignore[misc]  # bound at once
        if isinstance(reason, str) and reason:
            record["reason"] = cut(reason, 200)
    url = attempted(lambda: str(getattr(value, "url", "") or ""))
    if url:
        record["url"] = cut(url, 2000)
    record["headers"] = _headers(_mapping_of(value) or {})
    if text:
        record["text"] = storable(text[: TEXT_LIMIT + 4096])[:TEXT_LIMIT]
    if len(text) > TEXT_LIMIT or getattr(value, "cut", None) is True:
        record["cut"] = True
    return record


def _text_of(response: Any) -> str:
    """The text of a response that has been read; reading it now could wait for the network."""
    held: dict[str, Any] = getattr(response, "__dict__", {})
    content = held.get("_content", held.get("text", b""))
    if content is False or (content == b"" and hasattr(response, "is_stream_consumed")):
        return ""
    text = response.text
    return text if isinstance(text, str) else ""


def _headers(headers: Mapping[Any, Any]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for name, value in list(headers.items())[:_HEADERS]:
        kept[cut(str(name), 100)] = MASK if holds_a_secret(str(name)) else cut(str(value), _HEADER_LIMIT)
    return kept


# -- and back ----------------------------------------------------------------------------------------


class Restorer:
    """Makes of plain values what they were. ``nested`` makes an error of its record."""

    def __init__(self, kinds: Any, nested: Callable[[dict[str, Any]], BaseException]) -> None:
        pairs: Any = attempted(lambda: {tuple(path): str(kind) for path, kind in kinds})
        self._kinds: dict[Path, str] = pairs or {}
        self._nested = nested

    def restore(self, value: Any, path: Path) -> Any:
        kind = self._kinds.get(path)
        if kind is not None and kind.startswith("lost "):
            return NotKept(kind[5:])
        if _is(value, dict) and kind != "error":
            value = {name: self.restore(item, (*path, name)) for name, item in value.items()}
        elif _is(value, list):
            value = [self.restore(item, (*path, index)) for index, item in enumerate(value)]
        if kind is None:
            return value
        made = attempted(lambda: self._made(kind, value))
        return value if made is None else made

    def _made(self, kind: str, value: Any) -> Any:
        if kind == "error":
            return self._nested(value)
        make = _MAKERS.get(kind)
        return make(value) if make is not None else _of_class(loaded(kind), value)


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "pairs": lambda pairs: {key: value for key, value in pairs},  # a pair is a list here
    "float": float,
    "bytes": base64.b64decode,
    "utf8": str.encode,
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timedelta": lambda value: timedelta(microseconds=value),
    "decimal": Decimal,
    "uuid": UUID,
    "path": pathlib.Path,
    "headers": Headers,
    "response": Response,
}


def loaded(name: str) -> Any:
    """What a dotted name means in the modules that are loaded; None when there is no such thing."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:end]))
        if found is not None:
            for part in parts[end:]:
                found = getattr(found, "__dict__", {}).get(part)  # no __getattr__ of a module: that may import
            return found
    return None


def _of_class(cls: Any, value: Any) -> Any:
    """A value of a class that is loaded here; None when it can't be one."""
    if not isinstance(cls, type):
        return None
    known: Any = cls
    if _of(known, enum.Enum):
        return _member(known, value)
    if not _is(value, dict):
        return None
    if _of(known, tuple) and hasattr(known, "_fields"):
        return _TUPLE.__new__(known, [value[name] for name in known._fields])
    if hasattr(known, "__dataclass_fields__"):
        made: Any = object.__new__(known)
        for name, item in value.items():
            object.__setattr__(made, name, item)
        return made
    return known.model_construct(**value) if hasattr(known, "model_construct") else None


def _member(cls: type[enum.Enum], value: Any) -> enum.Enum | None:
    found = attempted(lambda: cls(value))
    return attempted(lambda: cls[value]) if found is None else found
