"""A tool as an execution of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import InDoubt, InvalidInput, Retry, Runtime, tool
from overwinter.state.errors import ExecutionFailed

from .place import on_a_loop


class Receipt(BaseModel):
    order: str
    cents: int


calls: list[Any] = []


@tool(retry=Retry(first="1ms"))
async def refund(order: str, cents: int = 5) -> Receipt:
    """Pays it back."""
    calls.append(order)
    if len(calls) < 2:
        raise ConnectionError("once")
    return Receipt(order=order, cents=cents)


@tool(effect="irreversible")
def plain(order: str) -> str:
    return order * 2


@tool(approval="boss")
def asked(order: str) -> str:
    return f"{order}!"


@on_a_loop
async def test_a_tool_runs_durably_by_its_own_policy() -> None:
    calls.clear()
    async with Runtime([refund, plain], "memory://") as runtime:
        handle = await runtime.start(runtime.tasks["refund"], {"order": "o"}, id="once")
        assert await handle.result() == Receipt(order="o", cents=5)
        again = await runtime.start(runtime.tasks["refund"], {"order": "o"}, id="once")
        assert not again.created
        assert await runtime.result("once", typed=False) == {"order": "o", "cents": 5}
        assert calls == ["o", "o"]  # one attempt failed, and nothing ran again
        assert (await runtime.show("once")).kind == "tool"
        assert await (await runtime.start(runtime.tasks["plain"], {"order": "a"})).result() == "aa"


@on_a_loop
async def test_what_does_not_fit_is_refused_before_anything_is_stored() -> None:
    async with Runtime([refund], "memory://") as runtime:
        for wrong in ({"cents": "many", "order": "o"}, {}, {"order": "o", "colour": 1}, "o", [1]):
            with pytest.raises(InvalidInput):
                await runtime.start(runtime.tasks["refund"], wrong, id="x")
        assert await runtime.find("x") is None


@on_a_loop
async def test_an_approval_is_waited_for() -> None:
    async with Runtime([asked], "memory://") as runtime:
        handle = await runtime.start(runtime.tasks["asked"], {"order": "o"}, id="x")
        while not await runtime.proposals("x"):  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0.01)
        await runtime.approve("x", by="me")
        assert await handle.result() == "o!"


@on_a_loop
async def test_an_irreversible_tool_that_began_is_not_begun_again() -> None:
    began = asyncio.Event()
    runs: list[str] = []

    @tool(effect="irreversible", in_doubt="fail")
    async def pay(order: str) -> str:
        runs.append(order)
        began.set()
        await asyncio.sleep(3600)
        return order

    from overwinter.state.memory import MemoryStore

    store = MemoryStore()
    runtime = Runtime([pay], store)
    await runtime.__aenter__()
    await runtime.start(runtime.tasks["pay"], {"order": "o"}, id="x")
    await began.wait()
    await runtime.close(grace=0)
    async with Runtime([pay], store) as other:
        with pytest.raises(ExecutionFailed) as failed:
            await other.result("x", timeout=20)
        assert isinstance(failed.value.__cause__, InDoubt)
    assert runs == ["o"]


@on_a_loop
async def test_a_workflow_calls_a_tool_of_another_process_by_its_name() -> None:
    from overwinter import Context, workflow
    from overwinter.state.memory import MemoryStore

    @workflow
    async def both(ctx: Context) -> Any:
        return await ctx.call("refund", {"order": "o", "cents": 1})

    calls[:] = ["before"]
    async with Runtime([both, refund], MemoryStore()) as runtime:
        assert await (await runtime.start(both)).result() == {"order": "o", "cents": 1}
