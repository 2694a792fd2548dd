"""A request to Functions Framework stays open for its own execution, not for whatever else its process works on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Context, workflow
from overwinter.functions.framework import Asked, Server

PATIENCE = 30.0


async def stands() -> str:
    await asyncio.sleep(1000)
    return "never"


@workflow
async def slow(ctx: Context) -> str:
    return await ctx.step(stands)


@workflow
async def parcel(ctx: Context) -> Any:
    return await ctx.wait_for("parcel.arrived")


@workflow
async def brief(ctx: Context) -> str:
    await asyncio.sleep(0)
    return "done"


async def short() -> str:
    await asyncio.sleep(0.3)
    return "short"


@workflow
async def inner(ctx: Context) -> str:
    return await ctx.step(short)


@workflow
async def outer(ctx: Context) -> str:
    return await ctx.child(inner)


def post(server: Server) -> Any:
    return server.answer(Asked("POST", "/", b"", [(b"content-type", b"application/json")], b""))


@pytest.mark.parametrize(("function", "status"), [(parcel, 202), (brief, 200), (outer, 200)])
def test_a_request_does_not_wait_for_others(function: Any, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")

    async def main() -> None:
        server = Server(function.__overwinter__, __name__)
        runtime = await server._process.runtime()
        await runtime.start("slow", id="s-1")
        answer = await asyncio.wait_for(post(server), PATIENCE)
        assert answer.status == status, answer.body
        assert runtime.engine.works_for("s-1") and not runtime.engine.idle()
        runtime.engine.ending.hurry()
        await runtime.close()

    asyncio.run(main())
