"""W5's floor: a bare asynchronous HTTP function of Functions Framework."""

from __future__ import annotations

import functions_framework.aio
from starlette.requests import Request
from starlette.responses import JSONResponse


@functions_framework.aio.http
async def prepare(request: Request) -> JSONResponse:
    count: int = await request.json()
    return JSONResponse({"result": count + 10})
