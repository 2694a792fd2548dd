"""The HTTP API with the console beside it, as ``overwinter dev`` and ``serve`` put them together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn

from overwinter.console.serving import PREFIX, Console
from overwinter.functions.http.app import create_app
from overwinter.functions.http.connection import config
from overwinter.functions.http.door import Door
from overwinter.functions.runtime import Runtime
from overwinter.tests.servers.ports import free_port, return_port


@asynccontextmanager
async def serving(runtime: Runtime, *, token: str | None = None, playground: bool = True) -> AsyncGenerator[str]:
    """Its address. Streams that are open in the end are cut, as when a server stops."""
    app, port = create_app(runtime, token=token, pages={PREFIX: Console(playground=playground)}), free_port()
    server = uvicorn.Server(config(app, Door(), host="127.0.0.1", port=port, log_level="error"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        app.state.closing.cut()
        await task
        return_port(port)
