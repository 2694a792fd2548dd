"""A server with one tool, on the framework and the store that ``overwinter serve`` has. Beside it, at ``/bare``, the
framework answers by itself. It says where it listens, and ends with its input."""

from __future__ import annotations

import asyncio
import sys

import uvicorn
from starlette.responses import JSONResponse
from starlette.routing import Route

from overwinter import Runtime, tool
from overwinter.cli.address import listen
from overwinter.functions.http.app import create_app
from overwinter.functions.http.connection import config
from overwinter.functions.http.door import Door
from overwinter.functions.http.limits import Limits


@tool
async def lookup(order_id: str) -> str:
    """Find an order."""
    return "shipped"


async def bare(request: object) -> JSONResponse:
    return JSONResponse({"result": "shipped"})


async def main(dsn: str) -> None:
    listener = listen("127.0.0.1", 0)
    async with Runtime([lookup], dsn) as runtime:
        app = create_app(runtime, token=None)
        app.router.routes.append(Route("/bare", bare, methods=["POST"]))
        server = uvicorn.Server(config(app, Door(Limits()), log_level="error"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        server.should_exit = True
        await serving


asyncio.run(main(sys.argv[1]))
