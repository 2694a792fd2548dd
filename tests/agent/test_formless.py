"""A type that no model can be told of is refused when an agent is started, with the reason, and no model is asked."""

from __future__ import annotations

import asyncio
import re
import sys
import typing
from collections.abc import Callable
from typing import Any

import pytest
import typing_extensions

from overwinter import Agent, Context, Runtime, run, tool, workflow
from overwinter.functions.models.scripted import Scripted
from overwinter.state.errors import ExecutionFailed, InvalidInput


class Opaque:
    """No data."""


class Plain(typing.TypedDict):
    a: int


class Known(typing_extensions.TypedDict):
    a: int


OLD = pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic takes typing.TypedDict from 3.12 on")
FORMLESS = [
    pytest.param(Plain, "use `typing_extensions.TypedDict` instead of `typing.TypedDict`", marks=OLD),
    pytest.param(Opaque, "schema for <class '.*Opaque'>", id="opaque"),
    pytest.param(list[Opaque], "schema for <class '.*Opaque'>", id="list of opaque"),
]


def taking(annotation: Any) -> Callable[..., Any]:
    def look(x: Any) -> str:
        raise AssertionError("nobody calls it")

    look.__annotations__["x"] = annotation
    return tool(look)


def child(annotation: Any) -> Callable[..., Any]:
    async def part(ctx: Context, x: Any) -> None: ...

    part.__annotations__["x"] = annotation
    return workflow(part)


def agent(**options: Any) -> Agent[Any]:
    def model(*_: Any) -> Any:
        raise AssertionError("no model is asked")

    return Agent(name="clerk", model=Scripted(model), instructions="", **options)


async def refused(function: Any, input: Any = "x") -> str:
    async with Runtime([function], "memory://") as runtime:
        with pytest.raises(InvalidInput) as error:
            await runtime.start(function, input)
        if isinstance(function, Agent):
            with pytest.raises(InvalidInput):
                await runtime.send(function, "ann", input)
        assert not any((await runtime.store.counts()).values())
    return str(error.value)


@pytest.mark.parametrize(("annotation", "reason"), FORMLESS)
@pytest.mark.parametrize("where", ["tool", "child", "input", "output"])
def test_an_agent_with_it_is_refused_at_its_start(annotation: Any, reason: str, where: str) -> None:
    made = {
        "tool": lambda: agent(tools=[taking(annotation)]),
        "child": lambda: agent(tools=[child(annotation)]),
        "input": lambda: agent(input=annotation),
        "output": lambda: agent(output=annotation),
    }[where]()
    said = asyncio.run(refused(made))
    assert re.search(reason, said), said


@pytest.mark.parametrize(("annotation", "reason"), FORMLESS)
def test_a_tool_that_is_called_alone_says_so_too(annotation: Any, reason: str) -> None:
    async def main() -> None:
        async with Runtime([], "memory://") as runtime:
            with pytest.raises(InvalidInput, match=reason):
                await runtime.invoke(taking(annotation), {"x": {"a": 1}})

    asyncio.run(main())


@pytest.mark.parametrize(("annotation", "reason"), FORMLESS)
def test_a_workflow_says_the_reason(annotation: Any, reason: str) -> None:
    async def waiting(ctx: Context) -> None:
        await ctx.wait_for("x", type=annotation)

    with pytest.raises(InvalidInput, match=reason):
        run(child(annotation), {"a": 1}, store="memory://")
    with pytest.raises(ExecutionFailed, match=reason):
        run(workflow(waiting), store="memory://")


def test_what_has_a_schema_is_taken() -> None:
    async def main() -> None:
        clerk = Agent(name="clerk", model=Scripted(["done"]), instructions="", tools=[taking(Known), child(Known)])
        async with Runtime([clerk], "memory://") as runtime:
            assert await (await runtime.start(clerk, "x")).result("20s") == "done"

    asyncio.run(main())
