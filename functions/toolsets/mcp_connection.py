"""One connection to an MCP server, held by a task of its own while anybody uses it.

A connection that was lost is opened again by whoever needs it next. Whether a call may be made again is not decided
here: who makes it is told whether it may have reached the server.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ...orchestrator.errors.groups import lone
from ...state.errors import FunctionUnavailable, InvalidInput
from ...state.quantities import Duration, seconds
from ..invocation.trace import trace_of_call
from .mcp_asking import Answers
from .mcp_place import Place
from .mcp_tracing import ambient

T = TypeVar("T")
CONNECTING = 30.0
"""Seconds that a server may take until it can be asked."""


class Lost(Exception):  # never leaves this room
    """The connection broke while an answer was waited for; what was asked may have been done."""


class Connection:
    """To one server, on one event loop."""

    def __init__(self, name: str, place: Place, answers: Answers, idle: Duration) -> None:
        self._name = name
        self._place = place
        self._answers = answers
        self._idle = seconds(idle)
        self._task: asyncio.Task[None] | None = None
        self._client: asyncio.Future[Any] | None = None
        self._used = asyncio.Event()
        self._busy = 0

    async def ask(self, what: Callable[[Any], Awaitable[T]]) -> T:
        """The answer of the server to what is asked of the SDK's client. Raises FunctionUnavailable when the server
        can't be reached, Lost when the connection broke, MCPError when it refuses."""
        self._busy += 1
        try:
            client = await self._open()
            self._used.set()
            return await self._asked(client, what)
        finally:
            self._busy -= 1
            self._used.set()

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])

    async def _broke(self, client: Any) -> None:
        """That client's connection is gone; another one may have been opened since, and stays."""
        held = self._client
        if held is not None and held.done() and held.result() is client:
            await self.close()

    async def _asked(self, client: Any, what: Callable[[Any], Awaitable[T]]) -> T:
        errors: Any = importlib.import_module("mcp.shared.exceptions")
        codes: Any = importlib.import_module("mcp_types")
        try:
            with ambient(trace_of_call()):
                return await what(client)
        except errors.MCPError as error:
            if error.code == codes.CONNECTION_CLOSED:
                await self._broke(client)
                raise Lost(f"the connection to MCP server {self._name!r} broke") from None
            raise

    async def _open(self) -> Any:
        task, client = self._task, self._client
        if task is None or client is None or task.done():
            client = self._client = asyncio.get_running_loop().create_future()
            # Nothing of the call that happens to come first may stay with it.
            task = self._task = asyncio.create_task(self._hold(client), context=contextvars.Context())
            task.add_done_callback(_noted)
        await asyncio.wait([task, client], return_when=asyncio.FIRST_COMPLETED)
        if client.done():
            return client.result()
        failed = lone(error) if not task.cancelled() and (error := task.exception()) is not None else None
        if isinstance(failed, InvalidInput):
            raise failed
        why = f" ({type(failed).__name__}: {failed})" if failed is not None else ""
        raise FunctionUnavailable(f"MCP server {self._name!r} can't be reached at {self._place}{why}")

    async def _hold(self, opened: asyncio.Future[Any]) -> None:
        """Be connected until nobody has used it for some time. All of the SDK's own tasks live in here."""
        try:
            library: Any = await asyncio.to_thread(importlib.import_module, "mcp")  # it takes a second or two
        except ImportError as error:
            raise InvalidInput(
                f"MCP server {self._name!r} needs the MCP SDK ({error}): pip install 'overwinter[mcp]'"
            ) from None
        async with (
            asyncio.timeout(CONNECTING) as limit,
            self._place.reached() as server,
            library.Client(server, **self._answers.callbacks()) as client,
        ):
            limit.reschedule(None)
            opened.set_result(client)
            while True:
                self._used.clear()
                try:
                    async with asyncio.timeout(self._idle):
                        await self._used.wait()
                except TimeoutError:
                    if not self._busy:
                        return


def _noted(task: asyncio.Task[None]) -> None:
    """Who waits for a connection is told why there is none; who was cut off knows that it broke."""
    if not task.cancelled():
        task.exception()
