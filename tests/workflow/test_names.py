"""Names that are none are refused where they are said: nobody could send, decide or look up what has no name."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from overwinter import Runtime, run
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import ExecutionFailed, InvalidInput

from .world import World

NO_NAMES: list[Any] = [5, b"x", ["x"]]


def work() -> int:
    return 1


async def _status(ctx: Context, name: Any) -> None:
    ctx.status(name)


async def _kv(ctx: Context, name: Any) -> Any:
    return await ctx.kv(name).get("x")


ASKED: dict[str, Callable[[Context, Any], Awaitable[Any]]] = {
    "an event": lambda ctx, name: ctx.wait_for(name),
    "a callback": lambda ctx, name: ctx.callback(name),
    "an approval": lambda ctx, name: ctx.approve(name),
    "a role": lambda ctx, name: ctx.approve("it", role=name),
    "a step": lambda ctx, name: ctx.step(work, name=name),
    "a scope": _kv,
    "a key": lambda ctx, name: ctx.state.get(name),
    "a key to write": lambda ctx, name: ctx.state.put(name, 1),
    "a key to read": lambda ctx, name: ctx.kv("shop").read(name),
    "a key to delete": lambda ctx, name: ctx.kv("shop").delete(name),
}
TEXTS: dict[str, Callable[[Context, Any], Awaitable[Any]]] = {
    "a status line": _status,
    "a prefix": lambda ctx, name: ctx.state.keys(name),
}


@pytest.mark.parametrize("what", [*ASKED, *TEXTS])
@pytest.mark.parametrize("name", [*NO_NAMES, None, ""], ids=repr)
def test_a_name_is_text_and_not_empty(what: str, name: Any) -> None:
    if (name == "" and what in TEXTS) or (name is None and what in ("a role", "a step")):
        return  # these may be

    async def flow(ctx: Context) -> str:
        try:
            await (ASKED | TEXTS)[what](ctx, name)
        except InvalidInput as error:
            return str(error)
        return "taken"

    world = World(flow)
    assert world.status == "completed", "nothing sleeps without a wake"
    assert ("is empty" in world.value) if name == "" else (f"is text, not {type(name).__name__}" in world.value)


@pytest.mark.parametrize("what", TEXTS)
def test_other_texts_may_be_empty(what: str) -> None:
    async def flow(ctx: Context) -> None:
        await TEXTS[what](ctx, "")

    assert World(flow).run().status == "completed"


@pytest.mark.parametrize("name", [*NO_NAMES, None, ""], ids=repr)
def test_an_event_that_is_sent_has_a_name_too(name: Any) -> None:
    async def main() -> None:
        async with Runtime([], "memory://") as runtime:
            with pytest.raises(InvalidInput, match=r"needs a name|is text"):
                await runtime.signal("x", name)

    asyncio.run(main())


# -- where ctx may be used ------------------------------------------------------------------------------


@workflow
async def inside(ctx: Context, threaded: bool) -> Any:
    async def step() -> Any:
        return await ctx.step(work)

    def plain() -> Any:
        ctx.sleep("1h")

    return await ctx.step(plain if threaded else step)


@pytest.mark.parametrize("threaded", [False, True])
def test_ctx_is_for_the_workflows_own_code(threaded: bool) -> None:
    with pytest.raises(ExecutionFailed, match="used outside of its workflow's code, in a step"):
        run(inside, threaded, store="memory://")
