"""What type checkers see: `make check` holds the assertions; running them shows that they are reachable."""

from __future__ import annotations

import asyncio
from typing import Any, assert_type

from overwinter import Agent, Runtime, arun, run
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.usercode.resilience import Retry
from overwinter.orchestrator.workflow.approval import Approved
from overwinter.orchestrator.workflow.child import Child
from overwinter.orchestrator.workflow.completion import Completion, Results
from overwinter.orchestrator.workflow.context import Context

from .world import World


async def slow(n: int, flag: bool = True) -> str:
    return str(n)


def quick(n: int) -> bytes:
    return bytes(n)


def nothing() -> float:
    return 1.0


def maybe(n: int) -> str | None:
    return str(n)


def one(text: str) -> bool:
    return text == "1"


async def soon(n: int) -> bytes | None:
    return b"n"


def count(n: int) -> int:
    return n + 1


async def visit(ctx: Context, n: int) -> str:
    return await ctx.step(slow, n)


async def branch(ctx: Context) -> int:
    return 1


@workflow
async def kid(ctx: Context, n: int) -> bool:
    return n > 0


class Served:
    name = "served"
    output = float

    def decider(self) -> None: ...


async def flow(ctx: Context) -> None:
    assert_type(await ctx.step(slow, 1), str)
    assert_type(await ctx.step(quick, n=1), bytes)
    assert_type(await ctx.step(slow, 1, name="other", retry=Retry(attempts=1)), str)
    assert_type(await ctx.step(quick, 1, timeout="3s"), bytes)
    assert_type(await ctx.step(quick, 1, at_most_once=True), bytes)
    assert_type(await ctx.call(slow, 1), str)
    assert_type(await ctx.call(quick, 1), bytes)
    assert_type(await ctx.call(nothing), float)
    assert_type(await ctx.call(kid, 1), bool)
    assert_type(await ctx.call(Served(), 1), float)
    assert_type(await ctx.call("kid", 1), Any)
    assert_type(ctx.child(kid, 1), Child[bool])
    assert_type(await ctx.child(kid, 1, detached=True), str)
    assert_type(await ctx.child(Served(), 1), float)
    assert_type(await ctx.wait_for("n", type=int), int)
    assert_type(await ctx.wait_for("n"), Any)
    assert_type(await ctx.callback(type=int), int)
    assert_type(await ctx.approve("x"), Approved)
    assert_type(await ctx.map(slow, [1]), list[str])
    assert_type(await ctx.map(quick, [1]), list[bytes])
    assert_type(await ctx.map(visit, [1]), list[str])
    assert_type(await ctx.map(kid, [1]), list[bool])
    assert_type(await ctx.map(Served(), [1]), list[float])
    assert_type(await ctx.map(slow, [1], completion=Completion.first()), Results[str])
    assert_type((await ctx.map(slow, [1], completion=Completion.first())).values, list[str])
    assert_type(await ctx.map(slow, [1], name="one"), list[str])
    assert_type(await ctx.map(quick, [1], name=lambda n: f"one {n}"), list[bytes])
    assert_type((await ctx.map(slow, [1], completion=Completion.first())).value, str)
    assert_type(await ctx.parallel(branch, branch), tuple[int, int])
    assert_type(await ctx.parallel(ctx.step(slow, 1), ctx.step(quick, 2), branch), tuple[str, bytes, int])
    assert_type(await ctx.parallel(branch, ctx.step(quick, 2), nothing, branch), tuple[int, bytes, float, int])
    assert_type(await ctx.parallel(*[ctx.step(slow, 1), ctx.step(slow, 2)]), list[str])
    assert_type(await ctx.parallel(nothing), list[float])
    assert_type(await ctx.parallel(nothing, nothing, completion=Completion.first()), Results[float])
    assert_type(await ctx.branch(visit, 1), str)
    assert_type(await ctx.until(slow, 1, every="1s"), str)
    assert_type(await ctx.until(maybe, 1, every="1s", tries=3, name="perhaps"), str)
    assert_type(await ctx.until(soon, 1, every="1s", retry=Retry(attempts=1)), bytes)
    assert_type(await ctx.until(slow, 1, done=one), str)
    assert_type(await ctx.until(count, state=2, done=lambda n: n > 2), int)
    assert_type(await ctx.call("kid", 1, output=bool), bool)
    assert_type(await ctx.child("kid", 1, output=bool), bool)
    assert_type(await ctx.state.get("k", type=int), int | None)
    both = await asyncio.gather(ctx.step(slow, 1), ctx.step(quick, 1))
    assert_type(both, tuple[str, bytes])
    task = asyncio.create_task(ctx.step(slow, 1))
    assert_type(await task, str)
    async with asyncio.TaskGroup() as group:
        assert_type(group.create_task(ctx.step(quick, 1)).result, Any)  # type: ignore[assert-type]  # only that it may be passed
    ctx.step(slow, "x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]  # what is no int is refused
    await ctx.checkpoint()


async def outside(runtime: Runtime, desk: Agent[int]) -> None:
    assert_type(await (await runtime.start(kid, 1)).result(), bool)
    assert_type(await (await runtime.start(desk, "hello")).result(), int)
    assert_type(await (await runtime.start("kid", 1)).result(), Any)
    assert_type(await (await runtime.send(desk, "c-1", "hello")).reply(), int)
    assert_type(await (await runtime.send("desk", "c-1", "hello")).reply(), Any)
    assert_type(run(kid, 1), bool)
    assert_type(await arun(desk, "hello"), int)


def test_all_of_it_can_be_asked_for() -> None:
    world = World(flow, children={"kid": lambda n: n > 0, "served": lambda n: 1.0})
    for _ in range(300):
        if world.status == "stuck" or world.types()[-1] in ("failed", "checkpoint"):
            break
        if world.open:
            world.perform()
            continue
        world.event("n", 3)
        for op in list(world.decider._run.people.values()):  # pyright: ignore[reportPrivateUsage]  # whoever is waited for
            world.mail({"type": "decided", "op": op.op, "approved": True, "by": "x", "reason": ""})
            secret = getattr(op, "secret", "")
            world.mail({"type": "callback", "op": op.op, "secret": secret, "value": 3})
    assert "checkpoint" in world.types(), (world.journal[-3:], world.last.error, world.last.awaits)
