"""Arguments of a Task as boto3 takes them, and what boto3 gives as a Task has it: by the shapes of the service's model.

Fields are in PascalCase, times are texts of ISO 8601, bytes are text where they are UTF-8, else Base64, as the binary
values of DynamoDB always are.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from ...orchestrator.machine.language.failure import RUNTIME, QueryError

_DYNAMO_BINARY = frozenset({"BinaryAttributeValue", "BinarySetAttributeValue"})


def given(shape: Any, value: Any, where: str = "", *, lenient: bool = False) -> Any:
    """``value`` as boto3 takes it for an input of that shape. ``lenient``: fields that are unknown are left out. Raises
    QueryError that names the field."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        return _structure(shape, cast("dict[str, Any]", value), where, lenient)
    if kind == "list" and isinstance(value, list):
        listed = cast("Sequence[Any]", value)
        return [given(shape.member, one, f"{where}[{number}]") for number, one in enumerate(listed)]
    if kind == "map" and isinstance(value, dict):
        return {key: given(shape.value, one, f"{where}.{key}") for key, one in cast("dict[str, Any]", value).items()}
    if kind == "blob":
        return _bytes(shape, value, where)
    if kind == "string" and not isinstance(value, str) and value is not None and not isinstance(value, bool):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return value


def _structure(shape: Any, value: Mapping[str, Any], where: str, lenient: bool) -> dict[str, Any]:
    members: Mapping[str, Any] = shape.members
    known = {name.lower(): name for name in members}
    found: dict[str, Any] = {}
    for field, one in value.items():
        name = known.get(field.lower())
        if name is None and lenient:
            continue
        if name is None:
            raise QueryError(RUNTIME, f"The field '{where}{'.' if where else ''}{field}' is not supported by the call")
        found[name] = given(members[name], one, f"{where}.{field}".lstrip("."))
    return found


def _bytes(shape: Any, value: Any, where: str) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not shape.name.startswith("Binary") or shape.name not in _DYNAMO_BINARY:
        return text.encode()
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise QueryError(RUNTIME, f"The field '{where}' is no Base64") from None


def told(shape: Any, value: Any) -> Any:
    """What boto3 gave for an output of that shape, as plain JSON. Bodies that are streamed are bytes by now."""
    kind = shape.type_name
    if kind == "structure":
        members: Mapping[str, Any] = shape.members
        return {name[:1].upper() + name[1:]: told(members[name], one) for name, one in value.items() if name in members}
    if kind == "list":
        return [told(shape.member, one) for one in value]
    if kind == "map":
        return {key: told(shape.value, one) for key, one in value.items()}
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, (bytes, bytearray)):
        return _text(bytes(value), plain=shape.name not in _DYNAMO_BINARY)
    return value


def _moment(value: datetime) -> str:
    moment = value.astimezone(UTC)
    parts = "milliseconds" if moment.microsecond else "seconds"
    return moment.isoformat(timespec=parts).replace("+00:00", "Z")


def _text(value: bytes, *, plain: bool) -> str:
    try:
        if plain:
            return value.decode()
    except UnicodeDecodeError:
        pass
    return base64.b64encode(value).decode()
