"""What is not sampled and fails, or costs much, goes out all the same; what was lost with a process is told again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Context, ExecutionFailed, Runtime, workflow
from overwinter.functions.models.port import Answer, Request, Usage
from overwinter.functions.tracing import MARKS
from overwinter.state.codec import dumps
from overwinter.telemetry.spans.batch import Limits
from overwinter.telemetry.spans.sampling import Sampling
from overwinter.telemetry.spans.span import Span
from overwinter.telemetry.spans.tracing import History, Tracing


class Kept:
    """An exporter."""

    def __init__(self) -> None:
        self.spans: list[Span] = []

    def export(self, spans: Sequence[Span]) -> bool:
        self.spans += spans
        return True

    def close(self) -> None: ...

    @property
    def names(self) -> list[str]:
        return sorted(span.name for span in self.spans)


async def fine() -> int:
    return 1


async def wrong() -> None:
    raise ValueError("wrong")


@workflow(name="work")
async def work(ctx: Context, fails: bool) -> int:
    await ctx.step(fine)
    await ctx.sleep("1ms")
    if fails:
        await ctx.step(wrong)
    return await ctx.step(fine)


async def step(name: str) -> str:
    if name.startswith("wrong"):
        raise ValueError(name)
    return name


@workflow(name="lives")
async def lives(ctx: Context, left: int) -> None:
    await ctx.step(step, f"fine {left}", name=f"fine {left}")
    if left % 2:
        with suppress(Exception):
            await ctx.step(step, f"wrong {left}", name=f"wrong {left}")
    if left:
        await ctx.checkpoint(left - 1)


class Dear:
    name = "test/dear"

    async def complete(self, request: Request) -> Answer:
        return Answer("so be it", usage=Usage(7, 3), cost="0.30", model=self.name)


async def _ended(runtime: Runtime, function: Any, given: Any) -> None:
    handle = await runtime.start(function, given)
    with suppress(ExecutionFailed):
        await handle.result()


@pytest.mark.parametrize(
    ("errors", "fails", "names"),
    [
        (True, False, []),
        (False, True, []),
        (True, True, ["fine", "invoke_workflow work", "wrong"]),
    ],
)
def test_what_fails_is_kept_from_its_beginning(errors: bool, fails: bool, names: list[str]) -> None:
    async def main() -> Kept:
        kept = Kept()
        tracing = Tracing(kept, Sampling(0.0, errors=errors))
        async with Runtime([work], "memory://", telemetry=tracing) as runtime:
            await _ended(runtime, work, fails)
        return kept

    assert asyncio.run(main()).names == names


def test_a_life_that_fails_is_kept_whole_though_the_next_one_begins_in_the_same_commit() -> None:
    """As it would be when it were sampled, and nothing of the lives before and after it."""

    async def main(rate: float) -> Kept:
        kept = Kept()
        async with Runtime([lives], "memory://", telemetry=Tracing(kept, Sampling(rate, errors=True))) as runtime:
            await _ended(runtime, lives, 4)
        return kept

    whole, kept = asyncio.run(main(1.0)), asyncio.run(main(0.0))
    assert len(whole.spans) == 5 + 5 + 2
    assert kept.names == ["fine 1", "fine 3", *["invoke_workflow lives"] * 2, "wrong 1", "wrong 3"]
    roots = {span.span_id for span in kept.spans if span.name.startswith("invoke")}
    assert {span.parent_id for span in kept.spans if not span.name.startswith("invoke")} == roots


@pytest.mark.parametrize("fails", [True, False])
def test_what_a_process_kept_and_died_with_is_told_once_more(tmp_path: Path, fails: bool) -> None:
    async def main() -> Kept:
        kept, place = Kept(), f"sqlite:///{tmp_path}/x.db"
        async with Runtime([work], place) as runtime:
            await runtime.store.put(MARKS, "of one that died", dumps({"since": runtime.clock()}))
            await _ended(runtime, work, fails)
        async with Runtime([work], place, telemetry=Tracing(kept, Sampling(0.0, errors=True))):
            pass
        return kept

    assert asyncio.run(main()).names == (["fine", "invoke_workflow work", "wrong"] if fails else [])


class Held(Tracing):
    """Reads journals when it is closed."""

    def reads(self, history: History) -> None:
        closing = self.closing = asyncio.Event()

        async def late(id: str, after: int, limit: int) -> Sequence[str]:
            await closing.wait()
            for _ in range(10):
                await asyncio.sleep(0)
            return await history(id, after, limit)

        super().reads(late)

    async def close(self, timeout: float) -> None:
        self.closing.set()
        await super().close(timeout)


def test_at_the_end_all_is_read_that_what_was_read_leads_to() -> None:
    async def main() -> Kept:
        kept = Kept()
        async with Runtime([lives], "memory://", telemetry=Held(kept, Sampling(0.0, errors=True))) as runtime:
            await _ended(runtime, lives, 4)
        return kept

    assert asyncio.run(main()).names == ["fine 1", "fine 3", *["invoke_workflow lives"] * 2, "wrong 1", "wrong 3"]


def test_a_flush_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading and exporting share the time that there is: a Lambda's ends."""

    async def main() -> list[float]:
        tracing, given = Held(Kept(), Sampling(0.0, errors=True)), list[float]()

        def flush(timeout: float) -> bool:
            given.append(timeout)
            return True

        monkeypatch.setattr(tracing.batch, "flush", flush)
        async with Runtime([lives], "memory://", telemetry=tracing) as runtime:
            await _ended(runtime, lives, 4)
            await tracing.flush(0.1)
            return given[:1]

    assert asyncio.run(main()) == [0.0]


def test_of_a_journal_that_is_too_long_to_be_read_once_more_the_error_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overwinter.telemetry.spans.tracing._READ", 2)

    async def main() -> Kept:
        kept = Kept()
        async with Runtime([work], "memory://", telemetry=Tracing(kept, Sampling(0.0, errors=True))) as runtime:
            await _ended(runtime, work, True)
        return kept

    assert asyncio.run(main()).names == ["fine", "invoke_workflow work", "wrong"]


@pytest.mark.parametrize(("limit", "kept"), [(0.5, False), (0.2, True)])
def test_what_costs_much_is_kept(limit: float, kept: bool) -> None:
    async def main() -> Kept:
        out = Kept()
        agent = Agent("clerk", Dear())
        tracing = Tracing(out, Sampling(0.0, cost=limit))
        async with Runtime([agent], "memory://", telemetry=tracing) as runtime:
            await (await runtime.send(agent, "c", "?")).reply()
            await (await runtime.send(agent, "c", "??")).reply()
        return out

    assert asyncio.run(main()).names == (
        ["chat dear", "chat dear", "invoke_agent clerk", "invoke_agent clerk"] if kept else []
    )


def test_a_slow_collector_slows_nothing() -> None:
    async def main() -> Tracing:
        tracing = Tracing(Kept(), limits=Limits(queue=3, batch=2, every=60))
        tracing.batch._thread = object()  # type: ignore[assignment]  # none takes anything
        async with Runtime([work], "memory://", telemetry=tracing) as runtime:
            for _ in range(3):
                assert await (await runtime.start(work, False)).result() == 1
            tracing.settle()  # none of it later, when a thread takes some
            tracing.batch._thread = None
        return tracing

    assert asyncio.run(main()).batch.dropped == 6


def test_off_costs_no_import() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom overwinter import Runtime, workflow\nRuntime([], 'memory://')\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'overwinter.telemetry'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
