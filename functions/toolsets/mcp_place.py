"""Where an MCP server is, and how the SDK gets there. Secrets are looked up when it does, and not kept here."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from ...security.address import shown
from ...state.errors import InvalidInput
from ..invocation.secrets import is_reference, look_up
from ..invocation.trace import add_trace


class Place:
    """A command, an address, or a server object of the SDK. Raises InvalidInput for what is none of that."""

    def __init__(
        self, name: str, where: object, token: str, headers: dict[str, str], env: dict[str, str], cwd: str | None
    ) -> None:
        self._whose = f"MCP server {name!r}"
        self._token, self._headers, self._env, self._cwd = token, headers, env, cwd
        self._where = where
        if isinstance(where, str):
            if urlsplit(where).scheme not in ("http", "https") or not urlsplit(where).hostname:
                raise InvalidInput(
                    f"{self._whose}: {shown(where)!r} is no address; write https://…, or a command as a list: "
                    '["python", "server.py"]'
                )
        elif isinstance(where, Sequence):
            words = cast("Sequence[object]", where)
            if not words or not all(isinstance(word, (str, Path)) for word in words):
                raise InvalidInput(f'{self._whose}: a command is a list of texts, like ["python", "server.py"]')
        elif where is None or isinstance(where, (int, float, bytes, Mapping)):
            raise InvalidInput(f"{self._whose}: give the command that starts it, as a list, or its address")

    def __repr__(self) -> str:
        return shown(self._where) if isinstance(self._where, str) else repr(self._where)

    @asynccontextmanager
    async def reached(self) -> AsyncGenerator[Any]:
        """What the SDK's Client takes as its server. Raises InvalidInput."""
        where = self._where
        if isinstance(where, str):
            shared: Any = importlib.import_module("mcp.shared._httpx_utils")
            http: Any = importlib.import_module("mcp.client.streamable_http")
            async with shared.create_mcp_http_client(headers=self._sent()) as client:
                client.event_hooks["request"].append(_trace)
                yield http.streamable_http_client(where, http_client=client)
        elif isinstance(where, Sequence):
            command, *arguments = map(str, cast("Sequence[object]", where))
            stdio: Any = importlib.import_module("mcp.client.stdio")
            env = {key: self._meant(value, key) for key, value in self._env.items()}
            yield stdio.StdioServerParameters(command=command, args=arguments, env=env, cwd=self._cwd)
        else:
            yield where

    def _sent(self) -> dict[str, str]:
        headers = {key: self._meant(value, f"header {key}") for key, value in self._headers.items()}
        if self._token:
            headers["Authorization"] = f"Bearer {look_up(self._token, f'token of {self._whose}')}"
        return headers

    def _meant(self, value: str, what: str) -> str:
        return look_up(value, f"{what} of {self._whose}") if is_reference(value) else value


async def _trace(request: Any) -> None:
    """The SDK sends a request where it was asked to, in the context of the call that it is for."""
    add_trace(request.headers)
