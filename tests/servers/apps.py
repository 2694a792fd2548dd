"""An ASGI application that is served in this process, on a port of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from overwinter.tests.servers.ports import free_port


@asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[str]:
    """Its address."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="auto"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
