"""A request to Functions Framework stays open for its own execution, not for whatever else its process works on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Context, workflow
from overwinter.functions.framework.asked import Asked
from overwinter.functions.framework.server import Server
from overwinter.functions.messages.problem import problem
from overwinter.state.errors import StoreUnavailable

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


@pytest.mark.parametrize(
    "state", ["nowhere://x", "dynamodb://t1", "sqlite:////no/such/folder/x.db", "redis://127.0.0.1:1"]
)
def test_a_process_that_can_t_work_sends_nobody_away_for_good(state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_STATE", state)

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(StoreUnavailable) as caught:
                await post(Server(brief.__overwinter__, __name__))  # type: ignore[attr-defined]
            answer = problem(caught.value)
            assert (answer.status, dict(answer.headers)["overwinter-error"]) == (503, "refused")

    asyncio.run(main())


def test_a_start_that_comes_again_is_answered_with_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")

    async def main() -> None:
        server = Server(brief.__overwinter__, __name__)  # type: ignore[attr-defined]
        later = [(b"content-type", b"application/json"), (b"prefer", b"respond-async")]
        assert (await server.answer(Asked("POST", "/", b"id=b-1", later, b""))).status == 202
        runtime = await server._process.runtime()
        await runtime.result("b-1", PATIENCE)
        assert (await server.answer(Asked("POST", "/", b"id=b-1", later, b""))).status == 200
        await runtime.close()

    asyncio.run(main())


@pytest.mark.parametrize("again", [True, False])
def test_a_store_that_is_slow_to_answer_changes_no_answer(again: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever works for nothing any more still looks once, however long that takes."""
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")

    async def main() -> None:
        server = Server(brief.__overwinter__, __name__)  # type: ignore[attr-defined]
        runtime = await server._process.runtime()
        if again:
            await (await runtime.start("brief", id="b-1")).result(PATIENCE)
        read = runtime.store.head

        async def slowly(id: str) -> Any:
            await asyncio.sleep(0.3)
            return await read(id)

        monkeypatch.setattr(runtime.store, "head", slowly)
        if not again:  # nobody hears of its end: it is found in the store alone
            monkeypatch.setattr(runtime.engine.waiters, "announce", lambda *_: None)
        headers = [(b"content-type", b"application/json")]
        answer = await asyncio.wait_for(server.answer(Asked("POST", "/", b"id=b-1", headers, b"")), PATIENCE)
        assert answer.status == 200, answer.body
        await runtime.close()

    asyncio.run(main())


@pytest.mark.parametrize("prefer", ["", "wait=60"])
def test_a_request_that_is_open_when_the_process_stops_is_202(prefer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_STATE", "memory://")

    async def main() -> None:
        server = Server(slow.__overwinter__, __name__)  # type: ignore[attr-defined]
        runtime = await server._process.runtime()
        headers = [(b"content-type", b"application/json"), (b"prefer", prefer.encode())]
        asking = asyncio.create_task(server.answer(Asked("POST", "/", b"", headers, b"")))
        while not runtime.engine.active:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        runtime.engine.ending.hurry()
        assert server._process._stop is not None and server._process._keeper is not None
        server._process._stop.set()
        await asyncio.wait_for(asyncio.shield(server._process._keeper), PATIENCE)
        answer = await asyncio.wait_for(asking, PATIENCE)
        assert answer.status == 202 and dict(answer.headers)["location"].startswith("?result=slow-")

    asyncio.run(main())
