"""The HTTP API and the console's files in one application, as a server gives them out."""

from __future__ import annotations

from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from overwinter.functions.http.app import create_app
from overwinter.functions.runtime import Runtime

STATIC = Path(__file__).parents[2] / "console" / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def application(runtime: Runtime, *, token: str | None = None) -> ASGIApp:
    async def asset(request: Request) -> Response:
        path = STATIC / request.path_params["path"]
        shown = path if path.is_file() else STATIC / "index.html"
        return FileResponse(shown, headers={"content-security-policy": POLICY, "cache-control": "no-store"})

    async def empty(request: Request) -> Response:
        return Response(status_code=204)

    api = create_app(runtime, token=token)
    return Starlette(
        routes=[
            Route("/favicon.ico", empty),
            Route("/console", asset),
            Route("/console/{path:path}", asset),
            Mount("/", api),
        ]
    )
