"""``run`` and ``arun``: one function to its end, from a script, from code that awaits, and from a notebook."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import assert_type

import pytest

from overwinter import Agent, Context, ExecutionFailed, Scripted, arun, run, workflow
from overwinter.functions import running


async def double(number: int) -> int:
    return 2 * number


@workflow
async def doubled(ctx: Context, number: int) -> int:
    return await ctx.step(double, number)


@workflow
async def failing(ctx: Context) -> None:
    raise ValueError("as meant")


echo: Agent[str] = Agent("echo", model=Scripted({".*": "heard"}))


def test_a_script(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    assert_type(run(doubled, 4, store=store), int)
    assert run(doubled, 4, store=store, id="e") == 8
    assert run(doubled, 4, store=store, id="e") == 8
    assert_type(run(echo, "x", store=store), str)
    with pytest.raises(ExecutionFailed, match="as meant"):
        run(failing, store=store)


def test_code_that_awaits() -> None:
    async def main() -> None:
        assert_type(await arun(doubled, 4, store="memory://"), int)
        assert await arun(echo, "x", store="memory://") == "heard"
        with pytest.raises(ExecutionFailed, match="as meant"):
            await arun(failing, store="memory://")

    asyncio.run(main())


where: contextvars.ContextVar[str] = contextvars.ContextVar("where")


def test_a_notebook_whose_loop_runs() -> None:
    async def cell() -> None:
        where.set("cell")
        before = threading.active_count()
        assert run(doubled, 21, store="memory://") == 42
        with pytest.raises(ExecutionFailed, match="as meant"):
            run(failing, store="memory://")
        assert asyncio.get_running_loop().is_running() and where.get() == "cell"
        assert threading.active_count() <= before + 1

    asyncio.run(cell())


def test_an_interrupted_cell_hands_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The interrupt reaches who waits; what ran is given back in order and goes on at the next run."""
    begun = threading.Event()

    @workflow
    async def slow(ctx: Context, _: None) -> str:
        await ctx.step(said)
        return await ctx.wait_for("never", type=str, timeout=0.2 if begun.is_set() else 3600)

    def said() -> None:
        begun.set()

    store = f"sqlite:///{tmp_path}/i.db"
    waited = threading.Event()

    class Interrupted(Future[object]):
        """Who waits for the result is interrupted once the step has run."""

        def result(self, timeout: float | None = None) -> object:
            if not waited.is_set() and threading.current_thread() is threading.main_thread():
                waited.set()
                assert begun.wait(20)
                raise KeyboardInterrupt
            return super().result(timeout)

    async def cell() -> None:
        monkeypatch.setattr(running, "Future", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(slow, id="e", store=store)
        monkeypatch.setattr(running, "Future", Future)
        with pytest.raises(ExecutionFailed, match="never"):
            run(slow, id="e", store=store)

    asyncio.run(cell())


def test_what_fails_has_no_error_of_ours_as_its_context(tmp_path: Path) -> None:
    with pytest.raises(ExecutionFailed) as caught:
        run(failing, store=f"sqlite:///{tmp_path}/s.db")
    chain: list[BaseException] = []
    todo: list[BaseException | None] = [caught.value]
    while todo:
        error = todo.pop()
        if error is not None and error not in chain:
            chain.append(error)
            todo += [error.__context__, error.__cause__]
    assert not [error for error in chain if isinstance(error, RuntimeError) and "event loop" in str(error)]
