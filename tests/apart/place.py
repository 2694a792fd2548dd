"""Servers on loopback, each with a runtime of its own, and a model that can be held."""

from __future__ import annotations

import asyncio
import functools
import json
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, ParamSpec

import uvicorn

from overwinter import Runtime, Settings
from overwinter.functions.http.app import create_app
from overwinter.functions.http.connection import config
from overwinter.functions.http.door import Door
from overwinter.functions.http.limits import Limits
from overwinter.functions.models.port import Answer, Delta, Emit, Request, Usage
from overwinter.state import open_store
from overwinter.state.store import Store

PATIENCE = 20.0
P = ParamSpec("P")


class Slow:
    """Says its words one by one, when it is let, and each time others; ``asked`` is what it was asked."""

    name = "test/slow"

    def __init__(self, words: int = 3) -> None:
        self.words = words
        self.asked: list[Request] = []
        self.go = asyncio.Event()
        self.fails: list[BaseException] = []
        self.said = 0

    async def complete(self, request: Request) -> Answer:
        return await self.stream(request, lambda piece: None)

    async def stream(self, request: Request, emit: Emit) -> Answer:
        self.asked.append(request)
        number = len(self.asked)
        if self.fails:
            await asyncio.sleep(0.02)
            raise self.fails.pop()
        emit(Delta(reasoning="hm"))
        for word in range(self.words):
            if word == 1:
                await self.go.wait()
            emit(Delta(f"{number}.{word} "))
            self.said += 1
        text = "".join(f"{number}.{word} " for word in range(self.words))
        return Answer(text, usage=Usage(7, 3), cost="0.01", model=self.name, reasoning="hm")


class Served(NamedTuple):
    url: str
    runtime: Runtime
    server: uvicorn.Server


@asynccontextmanager
async def served(
    functions: Sequence[object], store: str | Store = "memory://", **options: Any
) -> AsyncGenerator[Served]:
    """A server that answers on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    place = store if isinstance(store, Store) else open_store(store)
    await place.create()
    async with Runtime(functions, place, options.pop("settings", Settings())) as runtime:
        app = create_app(runtime, token=options.pop("token", None), **options)
        server = uvicorn.Server(config(app, Door(Limits()), log_level="error", timeout_graceful_shutdown=1))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", runtime, server)
        finally:
            server.should_exit = True
            await serving
            listener.close()


def way(monkeypatch: Any, url: str, token: str = "") -> None:
    monkeypatch.setenv("OVERWINTER_ROUTES", json.dumps({"fast": {"url": url, "token": token}}))


async def until(holds: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110  # it is the server that changes it
            await asyncio.sleep(0.005)


def on_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that awaits, on a loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run
