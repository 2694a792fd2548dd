"""What servers of tools have listed, in a line: how many tools each has, and what has changed since the last time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .text import counted


def listed(value: Any) -> Any:
    """The value of a ``listed`` entry for people; as it is, when it is none."""
    if not isinstance(value, dict):
        return value
    said = cast("Mapping[str, Any]", value)
    if "same" in said:
        return "as before"
    if not isinstance(said.get("servers"), dict):
        return said
    parts = [f"{name}: {_server(one)}" for name, one in cast("Mapping[str, Any]", said["servers"]).items()]
    changes = cast("Mapping[str, Any]", said.get("changed") or {})
    return "; ".join(parts + [f"{name} has changed: {change}" for name, change in changes.items()])


def _server(said: Any) -> str:
    if not isinstance(said, dict):
        return "nothing that can be read"
    server = cast("Mapping[str, Any]", said)
    if "error" in server:
        return f"left out ({server['error']})"
    return counted(len(server.get("tools") or ()), "tool", "tools")
