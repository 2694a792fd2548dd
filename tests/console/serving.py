"""The HTTP API with the console beside it, as ``overwinter dev`` and ``serve`` put them together."""

from __future__ import annotations

from starlette.applications import Starlette

from overwinter.console.serving import PREFIX, Console
from overwinter.functions.http.app import create_app
from overwinter.functions.runtime import Runtime


def application(runtime: Runtime, *, token: str | None = None, playground: bool = True) -> Starlette:
    return create_app(runtime, token=token, pages={PREFIX: Console(playground=playground)})
