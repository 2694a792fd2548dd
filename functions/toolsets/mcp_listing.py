"""What an MCP server lists, as it is recorded."""

from __future__ import annotations

import hashlib
import importlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from ...state.codec import dumps, loads
from ...state.errors import FunctionUnavailable, InvalidInput
from ..tools.tool import Tool
from .mcp_connection import Connection, Lost

log = logging.getLogger("overwinter")

PAGES = 100
"""A list that is longer than so many pages is cut."""
_LONGEST = 64
_ODD = re.compile(r"[^a-zA-Z0-9_-]")


def listed_tools(said: Any) -> Sequence[Mapping[str, Any]]:
    """The tools of a listing as it was recorded."""
    return cast("Mapping[str, Any]", said).get("tools", ()) if isinstance(said, dict) else ()


async def read(
    connection: Connection, server: str, required: bool, make: Callable[[Mapping[str, Any]], Tool], named: set[str]
) -> dict[str, Any]:
    """All that the server has, without the tools that can't be used. Raises FunctionUnavailable when it can't be
    reached and is required."""
    try:
        try:
            found = await listed_now(connection, server)
        except Lost:
            found = await listed_now(connection, server)
    except (FunctionUnavailable, Lost) as error:
        if required:
            raise FunctionUnavailable(str(error)) from None
        return {"error": str(error), "tools": []}
    for missing in sorted(named - {tool["tool"] for tool in found}):
        log.warning("MCP server %s has no tool %r, of which something is declared", server, missing)
    kept: dict[str, Mapping[str, Any]] = {}
    for tool in found:
        why = f"{tool['name']!r} is another one's name" if tool["name"] in kept else _lost(make, tool)
        if why:
            log.warning("tool %r of MCP server %s is left out: %s", tool["tool"], server, why)
        else:
            kept[tool["name"]] = tool
    return {"tools": list(kept.values())}


async def listed_now(connection: Connection, server: str) -> list[dict[str, Any]]:
    """Its tools. The SDK keeps them as long as the server says that they hold. Raises FunctionUnavailable, also for an
    answer that is no list, and Lost."""
    errors: Any = importlib.import_module("mcp.shared.exceptions")
    try:
        return await connection.ask(_all)
    except (errors.MCPError, ValueError, RuntimeError) as error:
        said = f"{type(error).__name__}: {str(error)[:300]}"
        raise FunctionUnavailable(f"MCP server {server!r} was asked what it has, and gave no list ({said})") from None


async def _all(client: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    for _ in range(PAGES):
        page = await client.list_tools(cursor=cursor)
        found += map(_told, page.tools)
        cursor = page.next_cursor
        if not cursor:
            break
    return found


def _told(tool: Any) -> dict[str, Any]:
    """One tool: what it is called here and there, what a model reads of it, and a digest of all that."""
    said: dict[str, Any] = {
        "name": _ODD.sub("_", tool.name)[:_LONGEST],
        "tool": tool.name,
        "description": tool.description or getattr(tool, "title", None) or tool.name.replace("_", " "),
        "schema": loads(dumps(tool.input_schema)),
    }
    hints: dict[str, Any] = (
        tool.annotations.model_dump(mode="json", by_alias=True, exclude_none=True) if tool.annotations else {}
    )
    if hints:
        said["hints"] = hints
    said["digest"] = hashlib.sha256(dumps(said).encode()).hexdigest()
    return said


def _lost(make: Callable[[Mapping[str, Any]], Tool], tool: Mapping[str, Any]) -> str:
    """Why it can't be used; "" when it can."""
    try:
        return make(tool).lost
    except InvalidInput as error:
        return str(error)
