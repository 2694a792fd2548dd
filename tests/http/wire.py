"""The shop behind a real server, and clients that send whatever bytes they like."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import uvicorn

from overwinter.functions.http.app import create_app
from overwinter.functions.http.connection import config
from overwinter.functions.http.door import Door
from overwinter.functions.http.limits import Limits
from overwinter.functions.runtime import Runtime

PATIENCE = 20.0  # for a close that must come; nothing here asserts how soon
TOKEN = "a-secret-of-some-length"


class Answered(NamedTuple):
    """One response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        return str(json.loads(self.body)["detail"])


class Wire:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        """The parts one after the other, as far as the server takes them."""
        with contextlib.suppress(ConnectionError):
            for part in parts:
                self.writer.write(part)
                await self.writer.drain()

    async def answer(self) -> Answered:
        """The next response. Raises IncompleteReadError when there is none."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers.get("content-length", "0"))), PATIENCE)
        return Answered(int(first.split()[1]), headers, body)

    async def closed(self) -> bytes:
        """Wait until the server closes. What came before."""
        with contextlib.suppress(ConnectionError):
            return await asyncio.wait_for(self.reader.read(), PATIENCE)
        return b""

    async def asks(self, *parts: bytes) -> Answered:
        await self.send(*parts)
        return await self.answer()

    def leave(self) -> None:
        self.writer.transport.abort()


class Place(NamedTuple):
    """A served shop."""

    address: tuple[str, int]
    door: Door
    runtime: Runtime
    server: uvicorn.Server
    wires: list[Wire]

    async def connect(self, **options: Any) -> Wire:
        where: dict[str, Any] = {} if "sock" in options else {"host": self.address[0], "port": self.address[1]}
        wire = Wire(*await asyncio.open_connection(**where, **options))
        self.wires.append(wire)
        return wire

    async def asks(self, *parts: bytes) -> Answered:
        """On a connection of its own."""
        wire = await self.connect()
        try:
            return await wire.asks(*parts)
        finally:
            wire.leave()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110  # it is the server that changes it
                await asyncio.sleep(0.01)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1")


def post(path: str, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


HEALTH = get("/healthz")


@asynccontextmanager
async def served(
    shop: Any, limits: Limits = Limits(), token: str | None = None, plain: bool = False, **options: Any
) -> AsyncGenerator[Place]:
    """``plain``: by uvicorn as it is, without our door and connections."""
    door = Door(limits)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    async with shop() as open_shop:
        bounds = door.limits
        given = dict[str, Any](max_body=bounds.body, max_held=bounds.held, max_requests=bounds.requests)
        app = create_app(open_shop.runtime, token=token, **(given | options))
        said: dict[str, Any] = {"log_level": "error", "timeout_graceful_shutdown": 1}
        server = uvicorn.Server(uvicorn.Config(app, **said) if plain else config(app, door, **said))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        place = Place(listener.getsockname(), door, open_shop.runtime, server, [])
        try:
            yield place
        finally:
            for wire in place.wires:
                wire.leave()
            server.should_exit = True
            await serving
            listener.close()


Main = Callable[[Place], Coroutine[Any, Any, None]]


def at_the_door(shop: Any, main: Main, limits: Limits = Limits(), **options: Any) -> None:
    """Run ``main`` against a served shop."""

    async def whole() -> None:
        async with served(shop, limits, **options) as place:
            await asyncio.wait_for(main(place), 60)

    asyncio.run(whole())
