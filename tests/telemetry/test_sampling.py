"""What is not sampled and fails, or costs much, goes out all the same; what was lost with a process is told again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from overwinter import Agent, Context, ExecutionFailed, Runtime, workflow
from overwinter.functions.models.port import Answer, Request, Usage
from overwinter.telemetry.spans.batch import Limits
from overwinter.telemetry.spans.sampling import Sampling
from overwinter.telemetry.spans.span import Span
from overwinter.telemetry.spans.tracing import Tracing


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
