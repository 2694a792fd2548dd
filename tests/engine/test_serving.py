"""A process takes nothing that it can't run, and what it orders from others is run by others."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.engine.delivery import start_mail
from overwinter.orchestrator.protocol.catalogue import SCOPE, kind_of
from overwinter.orchestrator.protocol.media import Taken
from overwinter.state.errors import ExecutionFailed, UnknownFunction
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Answer, NewExecution
from overwinter.state.sqlite import SqliteStore
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Child


def test_a_process_without_functions_takes_no_lease() -> None:
    async def main() -> None:
        store = MemoryStore()
        served = Chain("served", [Call(lambda _: 1)])
        async with Runtime([], store) as idle:
            await store.accept("x", None, now=idle.clock(), create=NewExecution("served", "workflow"))
            granted: list[str | None] = []
            accept = store.accept

            def watched(id: str, mail: Any, **options: Any) -> Any:
                granted.append(options["owner"])
                return accept(id, mail, **options)

            store.accept = watched  # type: ignore[method-assign]
            assert await idle.engine.sweep() == 0
            await idle.signal("x", "news")
            assert granted == [None]
            head = await store.head("x")
            assert head is not None
            assert (head.owner, head.version) == (None, 0)
            async with Runtime([served], store):
                pass

    asyncio.run(main())


def test_a_signal_to_what_another_process_runs_wakes_it_at_its_next_look() -> None:
    async def work(bench: Bench) -> None:
        one = await bench.process(Chain("one", [Call(lambda _: 1)]))
        two = await bench.process(Chain("two", [Call(lambda _: 2)]))
        create = NewExecution("two", "workflow")
        before = bench.loop.time()
        start = start_mail(bench.loop.clock(), Taken(None))
        accepted = await one.call(lambda runtime: runtime.engine.post("x", start, create=create))
        assert accepted.answer is Answer.QUEUED
        while not two.engine.taken:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        assert bench.loop.time() - before <= 0.3  # it used to be held by the wrong one for a second
        assert (await bench.ended("x"))["value"] == [2]
        assert one.engine.taken == 0

    at_bench(work)


def test_a_child_is_run_by_the_process_that_serves_it() -> None:
    async def work(bench: Bench) -> None:
        leaves = await bench.process(Chain("leaf", [Call(lambda _: "from a leaf")]))
        trees = await bench.process(Chain("tree", [Child("leaf", 3)]))
        await bench.start(trees, "tree", "t")
        assert (await bench.ended("t"))["value"] == [["from a leaf"]]
        assert leaves.engine.taken >= 1

    at_bench(work)


def test_a_child_waits_for_a_process_that_has_served_it_before() -> None:
    async def work(bench: Bench) -> None:
        leaf = Chain("leaf", [Call(lambda _: "later")])
        first = await bench.process(leaf)
        await asyncio.sleep(0.1)
        await first.stop()
        trees = await bench.process(Chain("tree", [Child("leaf")]))
        await bench.start(trees, "tree", "t")
        await bench.status("t", "waiting")
        await asyncio.sleep(60)
        await bench.process(leaf)
        assert (await bench.ended("t"))["value"] == [["later"]]

    at_bench(work)


def test_a_child_that_nobody_has_ever_served_fails_at_once() -> None:
    async def work(bench: Bench) -> None:
        trees = await bench.process(Chain("tree", [Child("leef")]))
        await bench.start(trees, "tree", "t")
        ending = await bench.ended("t")
        assert ending["type"] == "failed"
        assert "no process has served one from this store" in ending["error"]["message"]

    at_bench(work)


@workflow
async def leaf(ctx: Context, number: int) -> int:
    return number + 1


@workflow
async def tree(ctx: Context, how: str) -> Any:
    return await ctx.child(leaf if how == "object" else how, 1)


@workflow
async def far(ctx: Context, number: int) -> int:
    return number


@workflow
async def reaching(ctx: Context, input: None) -> Any:
    return await ctx.child(getattr(sys.modules[__name__], "far"), 1)  # noqa: B009  # so that nothing leads to it


def test_what_nobody_serves_yet_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with Runtime([reaching], "memory://") as runtime:
            for id in ("a", "b"):
                await runtime.start(reaching, id=id)
                while (await runtime.show(id)).status != "waiting":  # noqa: ASYNC110  # until it waits for the child
                    await asyncio.sleep(0.01)

    asyncio.run(main())
    told = [record.getMessage() for record in caplog.records if "which no process has served" in record.getMessage()]
    assert told == [
        "execution a has ordered the workflow 'far', which no process has served from this store: it waits until one "
        "does. Serve it along, or name it where it is called by (uses=[…])"
    ]


def test_processes_with_different_functions_share_a_file(tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path / 'store.db'}"

    async def main() -> None:
        async with Runtime([tree], SqliteStore(dsn)) as trees:
            by_object = await trees.start(tree, "object", id="by-object")  # before anybody serves it
            async with Runtime([leaf], SqliteStore(dsn)) as leaves:
                assert await by_object.result("60s") == 2
                while await kind_of(leaves.store, "leaf") != "workflow":  # noqa: ASYNC110  # told in the background
                    await asyncio.sleep(0.01)
                assert await (await trees.start(tree, "leaf", id="by-name")).result("60s") == 2
                unfit = await leaves.store.head("by-name/0")
                assert unfit is not None and unfit.kind == "workflow" and unfit.parent == "by-name"
            with pytest.raises(ExecutionFailed) as failed:
                await (await trees.start(tree, "lief", id="unknown")).result("60s")
            assert isinstance(failed.value.cause, ExecutionFailed | UnknownFunction)
            assert set(await trees.store.keys(SCOPE)) == {"workflow tree", "workflow leaf"}

    asyncio.run(main())
