"""A mistake in what goes on beside the executions ends none of it for good."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.engine import patience
from overwinter.state.memory import MemoryStore


class Odd(MemoryStore):
    """Has a defect, which shows once."""

    failed = False

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        if not self.failed:
            self.failed = True
            raise LookupError("a defect of a store")
        return await super().due(now, limit)


@workflow
async def sleeper(ctx: Context) -> str:
    await ctx.sleep("10ms")
    return "awake"


def test_what_is_due_is_taken_after_a_defect_showed_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(patience, "_AGAIN", 0.01)

    async def main() -> None:
        store = Odd()
        async with Runtime([sleeper], store) as runtime:
            assert await asyncio.wait_for((await runtime.start(sleeper)).result(), 60) == "awake"
        assert store.failed

    asyncio.run(main())
    assert "a defect of a store" in caplog.text
