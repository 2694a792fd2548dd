"""A forgotten ``await`` is told of, with its line, when the workflow ends before the operation does."""

from __future__ import annotations

import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.workflow.keyvalue import State
from overwinter.orchestrator.workflow.unawaited import OPERATIONS


async def nothing(_: Any = None) -> None:
    return None


@workflow
async def forgetful(ctx: Context, _: Any) -> int:
    ctx.step(nothing, 1)
    ctx.kv("shared").put("a", 1)
    if ctx.parent is None:
        ctx.sleep("1h")
    await ctx.step(nothing)
    return 1


@workflow
async def careful(ctx: Context, _: Any) -> int:
    ctx.status("works")
    kept = ctx.step(nothing)
    first = [ctx.step(nothing, n) for n in range(3)]
    await asyncio.wait([ctx.sleep("1h"), *first], return_when=asyncio.FIRST_COMPLETED)
    nothing_of_ctx.step(nothing)
    await kept
    return 1


class Other:
    def step(self, _: Any) -> None:
        return None


nothing_of_ctx = Other()


def warnings(function: Any, caplog: pytest.LogCaptureFixture) -> list[str]:
    async def main() -> None:
        async with Runtime([function], "memory://") as runtime:
            assert await (await runtime.start(function, id="e")).result("20s") == 1

    with caplog.at_level("WARNING", "overwinter"):
        asyncio.run(main())
    return [record.getMessage() for record in caplog.records if "not awaited" in record.getMessage()]


def test_it_is_told_with_its_line(caplog: pytest.LogCaptureFixture) -> None:
    said = warnings(forgetful, caplog)
    found = [message.partition(": ")[2].partition(" is not")[0] for message in said]
    lines = [line.strip() for line in Path(__file__).read_text(encoding="utf-8").splitlines()]
    marked = ["ctx.step(nothing, 1)", 'ctx.kv("shared").put("a", 1)', 'ctx.sleep("1h")']
    assert found == [f"{text} (test_unawaited.py:{lines.index(text) + 1})" for text in marked]


def test_what_is_kept_or_raced_is_no_mistake(caplog: pytest.LogCaptureFixture) -> None:
    assert warnings(careful, caplog) == []


def test_all_operations_are_known() -> None:
    """Whatever of a context or its state returns something that is to be awaited."""
    awaited = re.compile(r"(Operation|Child|Sleep|Event|Approving|Callback)\b")
    found = {
        name
        for kind in (Context, State)
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
        and (inspect.iscoroutinefunction(member) or awaited.match(str(inspect.signature(member).return_annotation)))
    }
    assert found >= {"step", "put", "sleep"}
    assert found - OPERATIONS == {"checkpoint", "publish"}, "the one never returns, the other goes out all the same"
