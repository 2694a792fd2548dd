"""A service as a program of its own that notes what it is asked, a line of JSON each, in the file that RECORD names: at
any address by HTTP, and the tools ``note`` and ``again`` of an MCP server at ``/mcp``. Without a port it is that MCP
server alone, over stdio."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

app = MCPServer("recorder", version="1", log_level="ERROR")


def write(what: str, headers: Mapping[str, str], meta: Mapping[str, Any]) -> None:
    with Path(os.environ["RECORD"]).open("a") as file:
        file.write(json.dumps({"what": what, "headers": dict(headers), "meta": dict(meta)}) + "\n")


def noted(what: str, ctx: Context[Any, Any]) -> str:
    request: Any = ctx.request_context.request
    write(what, {} if request is None else request.headers, dict[str, Any](ctx.request_context.meta or {}))
    return "noted"


@app.tool()
def note(ctx: Context[Any, Any]) -> str:
    """Note what came."""
    return noted("note", ctx)


@app.tool()
def again(ctx: Context[Any, Any]) -> str:
    """Note it again."""
    return noted("again", ctx)


async def order(request: Request) -> Response:
    write(f"{request.method} {request.url.path}", request.headers, {})
    return JSONResponse({"ok": True})


app.custom_route("/orders/{id}", methods=["GET", "POST"])(order)

if __name__ == "__main__":
    if len(sys.argv) > 1:
        app.run("streamable-http", port=int(sys.argv[1]))
    else:
        app.run()
