"""A tool of an MCP server as something to call."""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import Callable
from typing import Any

from ...orchestrator.engine.performing import current_call
from ...state.errors import FunctionUnavailable, InDoubt, ToolFailed
from ...state.quantities import Duration, seconds
from ..invocation.trace import trace_of_call
from .doubt import in_doubt_after, readable_of, unread
from .mcp_connection import Connection, Lost
from .mcp_listing import listed_now
from .mcp_results import value_of

KEY = "io.overwinter/idempotency-key"
"""What the key is called among the metadata of a call."""
_FELL_OVER = frozenset({-32603, -32001, 0})
"""Codes of errors that refuse nothing: internal error, no answer in time, and what the SDK says of an exception."""

_UNREADABLE = (ValueError, RuntimeError, TypeError, LookupError, re.error)
"""What the SDK raises for answers that fit no schema, and for schemas that nothing can be compared with."""


class Remote:
    """``digest`` is that of the tool as it was recorded: another one of its name is not called in its place."""

    def __init__(
        self,
        connection: Callable[[], Connection],
        server: str,
        tool: str,
        digest: str,
        *,
        once: bool,
        within: Duration,
    ) -> None:
        self._connection = connection
        self._server = server
        self._tool = tool
        self._digest = digest
        self._once = once
        self._within = within

    async def __call__(self, /, **arguments: Any) -> Any:
        connection = self._connection()
        await self._looked(connection)
        errors: Any = importlib.import_module("mcp.shared.exceptions")
        try:
            meta = {KEY: current_call().idempotency_key, **trace_of_call()}
        except LookupError:
            meta = None
        try:
            async with in_doubt_after(self._within if self._once else None, self._tool):
                result = await connection.ask(lambda client: client.call_tool(self._tool, arguments, meta=meta))
        except Lost as lost:
            if self._once:
                raise InDoubt(f"{lost} during {self._tool!r}; it may have taken effect") from None
            raise FunctionUnavailable(f"{lost} during {self._tool!r}") from None
        except errors.MCPError as error:
            if self._once and error.code in _FELL_OVER:
                said = f"MCP server {self._server!r} fell over {self._tool!r}: {error.message[:300]}"
                raise InDoubt(f"{said}; it may have taken effect") from None
            raise ToolFailed(f"MCP server {self._server!r} refused {self._tool!r}: {_told(error.message)}") from None
        except _UNREADABLE as error:
            what = f"MCP server {self._server!r} answered {self._tool!r} with what is no result"
            raise unread(what, error, once=self._once) from None
        return readable_of(value_of(result), f"what {self._tool!r} gave", once=self._once)

    async def _looked(self, connection: Connection) -> None:
        """Nothing has been called yet, so there is no doubt when no answer comes in time."""
        limit = asyncio.timeout(seconds(self._within))
        try:
            async with limit:
                await self._look(connection)
        except TimeoutError:
            if not limit.expired():
                raise
            raise FunctionUnavailable(
                f"MCP server {self._server!r} has not said within {self._within} what it has; {self._tool!r} was not "
                "called"
            ) from None

    async def _look(self, connection: Connection) -> None:
        """See whether the server has the tool as it was recorded. Asking changes nothing, so a connection that turns
        out to be lost is opened anew."""
        try:
            found = await listed_now(connection, self._server)
        except Lost:
            try:
                found = await listed_now(connection, self._server)
            except Lost as lost:
                raise FunctionUnavailable(str(lost)) from None
        digests = {tool["tool"]: tool["digest"] for tool in reversed(found)}  # of two of one name the first counts
        if self._tool not in digests:
            raise ToolFailed(f"MCP server {self._server!r} has no {self._tool!r} any more; it was not called")
        if digests[self._tool] != self._digest:
            raise ToolFailed(
                f"MCP server {self._server!r} has changed {self._tool!r} since this turn began; it was not called. "
                "The new one is there from the next message on"
            )


def _told(message: str) -> str:
    """What the server, or the SDK in its place, says, and what to do about it."""
    asked = next((what for what in ("sampling", "elicitation") if message.lower() == f"{what} not supported"), "")
    return f"it asks for {asked}, and nobody answers; give MCP(…, {asked}=…)" if asked else message
