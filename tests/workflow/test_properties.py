"""Random workflows, random orders of completion, random cuts: replay says what the live run said."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overwinter.orchestrator.workflow.completion import Completion
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import CompletionFailed, TimedOut

from .world import FINAL, World, replayed_from

Tree = dict[str, Any]


def leaf() -> st.SearchStrategy[Tree]:
    return st.one_of(
        st.fixed_dictionaries({"do": st.just("step"), "fails": st.booleans()}),
        st.fixed_dictionaries({"do": st.sampled_from(["sleep", "nap"]), "for": st.integers(0, 9)}),
        st.fixed_dictionaries({"do": st.just("event"), "for": st.integers(1, 9)}),
        st.just({"do": "child"}),
        st.fixed_dictionaries({"do": st.just("publish"), "refused": st.booleans(), "awaited": st.booleans()}),
    )


def node(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    parts = st.lists(inner, min_size=1, max_size=4)
    return st.one_of(
        st.fixed_dictionaries({"do": st.sampled_from(["all", "gather", "group", "first", "tolerant"]), "parts": parts}),
        st.fixed_dictionaries({"do": st.sampled_from(["turns", "map", "completed", "tasks"]), "parts": parts}),
        st.fixed_dictionaries({"do": st.just("timeout"), "for": st.integers(0, 9), "part": inner}),
        st.fixed_dictionaries({"do": st.just("cleanup"), "part": inner, "after": inner}),
        st.fixed_dictionaries({"do": st.just("cancelled"), "part": inner, "meanwhile": inner}),
    )


TREES = st.recursive(leaf(), node, max_leaves=10)


# What stops at a prefix of its journal may have made coroutines that it never came to start. Python says so when they
# are collected, and they are here, not in whichever test comes next.
pytestmark = pytest.mark.filterwarnings("ignore:coroutine 'interpret' was never awaited:RuntimeWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    yield
    gc.collect()


async def act(fails: bool) -> str:
    if fails:
        raise ValueError("asked to")
    return "done"


async def interpret(ctx: Context, tree: Tree) -> Any:
    """Do what the tree says; the result tells what happened, and when."""
    kind = tree["do"]
    if kind == "step":
        try:
            return await ctx.step(act, tree["fails"])
        except ValueError:
            return await ctx.step(act, False, name="instead")
    if kind == "sleep":
        return await ctx.sleep(tree["for"])
    if kind == "nap":
        return await asyncio.sleep(tree["for"], "napped")
    if kind == "event":
        try:
            return await ctx.wait_for("news", timeout=tree["for"])
        except TimedOut:
            return "silence"
    if kind == "child":
        return await ctx.child("any", 1)
    if kind == "publish":
        publication = ctx.publish("refused" if tree["refused"] else "seen", 1)
        return await publication if tree["awaited"] and not tree["refused"] else "published"
    return await combine(ctx, tree)


async def combine(ctx: Context, tree: Tree) -> Any:
    kind = tree["do"]
    if kind == "turns":
        return [await interpret(ctx, part) for part in tree["parts"]]
    if kind in ("all", "map", "tolerant", "first"):
        return await together(ctx, kind, tree["parts"])
    if kind == "gather":
        return await asyncio.gather(*(interpret(ctx, part) for part in tree["parts"]), return_exceptions=True)
    if kind == "group":
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(interpret(ctx, part)) for part in tree["parts"]]
        return [task.result() for task in tasks]
    if kind == "completed":
        return [await one for one in asyncio.as_completed([interpret(ctx, part) for part in tree["parts"]])]
    if kind == "tasks":
        tasks = [asyncio.create_task(interpret(ctx, part)) for part in tree["parts"]]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return [task.get_name() for task in done] + [await task for task in tasks]
    if kind == "timeout":
        try:
            async with asyncio.timeout(tree["for"]):
                return await interpret(ctx, tree["part"])
        except TimeoutError:
            return "too late"
    if kind == "cleanup":
        try:
            return await interpret(ctx, tree["part"])
        finally:
            await interpret(ctx, tree["after"])
    task = asyncio.create_task(interpret(ctx, tree["part"]))
    await interpret(ctx, tree["meanwhile"])
    task.cancel()
    with suppress(asyncio.CancelledError):
        return await task
    return "cancelled"


async def together(ctx: Context, kind: str, parts: list[Tree]) -> Any:
    if kind == "map":
        return await ctx.map(interpret, parts, concurrency=2)
    if kind == "all":
        return await ctx.parallel(*(branch(part) for part in parts))
    rule = Completion.first() if kind == "first" else Completion.tolerate(share=0.5)
    try:
        results = await ctx.parallel(*(branch(part) for part in parts), completion=rule)
    except CompletionFailed as missed:
        return str(missed)
    return [outcome.status for outcome in results] + [results.values]


def branch(tree: Tree) -> Any:
    async def one(ctx: Context) -> Any:
        return await interpret(ctx, tree)

    return one


async def grown(ctx: Context, tree: Tree) -> Any:
    result = await interpret(ctx, tree)
    return [str(result), ctx.now().isoformat(), str(ctx.uuid())]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(tree=TREES, seed=st.integers(0, 2**16), cancel=st.integers(0, 12), data=st.data())
def test_any_workflow_replays_from_any_prefix(tree: Tree, seed: int, cancel: int, data: st.DataObject) -> None:
    draw = random.Random(seed)
    world = World(grown, tree, draw=draw, children={"any": lambda n: n})
    for turn in range(400):
        if world.status in FINAL:
            break
        if turn == cancel:
            world.mail({"type": "cancel", "reason": "enough", "by": "x"})
        elif draw.random() < 0.1:
            world.event("news", turn)
        elif world.open and draw.random() < 0.9:
            world.perform()
        else:
            world.pass_time()
    assert world.status in FINAL, (world.status, world.last.error)
    length = len(world.journal)
    for cut in {0, length, *data.draw(st.lists(st.integers(0, length), max_size=4))}:
        replayed_from(world, cut)
    world.close()
