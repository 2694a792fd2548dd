"""What a runtime tells of executions, and its two words for a decision."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Denied, Runtime, workflow
from overwinter.orchestrator import deciding
from overwinter.orchestrator.control import Control
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.state.errors import InvalidInput, UnknownExecution
from overwinter.state.sqlite import SqliteStore


def price(item: str) -> int:
    return len(item)


@workflow
async def ask(ctx: Context, item: str) -> str:
    costs = await ctx.step(price, item)
    try:
        approval = await ctx.approve(f"buy {item}", data=costs)
    except Denied as denied:
        return f"denied by {denied.by}: {denied.reason}"
    return f"approved by {approval.by}"


def test_approve_deny_list_show_history() -> None:
    async def main() -> None:
        async with Runtime([ask], "memory://") as runtime:
            one, other = [await runtime.start(ask, item, id=item) for item in ("lamp", "cat")]
            while {head.status for head in await runtime.list()} != {"waiting"}:  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.005)
            assert [head.id for head in await runtime.list(status="waiting", prefix="l")] == ["lamp"]
            (proposal,) = await runtime.approvals("lamp")
            assert await runtime.approve("lamp", by="ana", digest=proposal["digest"]) == proposal["op"]
            await runtime.deny("cat", by="bob", reason="no pets")
            assert await one.result() == "approved by ana"
            assert await other.result() == "denied by bob: no pets"
            assert (await runtime.show("lamp")).status == "completed"
            whole: list[Fact] = list(await runtime.history("lamp"))
            assert [fact["type"] for fact in whole] == ["start", "step", "ordered", "decided", "completed"]
            assert list(await runtime.history("lamp", 1, 2)) == whole[1:3]
            assert not await runtime.history("lamp", 0, 0) and not await runtime.history("lamp", 99)
            assert len(await runtime.list(function="ask")) == 2 and not await runtime.list(function="other")
            assert [head.id for head in await runtime.list(limit=1)] == ["cat"]

    asyncio.run(main())


@pytest.mark.parametrize("word", ["open", "decided by"])
def test_a_decision_that_is_taken_up_meanwhile_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """It moves from the mailbox into the journal between the two reads, whichever comes first."""
    dsn = f"sqlite:///{tmp_path / 'store.db'}"

    async def main() -> None:
        async with Runtime([ask], dsn) as runtime:
            await runtime.start(ask, "lamp", id="lamp")
            while (await runtime.show("lamp")).status != "waiting":  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.005)
        store = SqliteStore(dsn)
        await store.open()
        control = Control(store)
        try:
            (proposal,) = await control.approvals("lamp")
            await control.decide("lamp", proposal["op"], True, by="ana", event="e-1", digest=proposal["digest"])
            reads = 0

            def first(read: Any) -> Any:
                async def between(*args: Any, **kwargs: Any) -> Any:
                    nonlocal reads
                    found = await read(*args, **kwargs)
                    reads += 1
                    if reads == 1:
                        async with Runtime([ask], dsn) as runtime:
                            await runtime.result("lamp")
                    return found

                return between

            if word == "open":
                for name in ("mailbox", "history"):
                    monkeypatch.setattr(store, name, first(getattr(store, name)))
                assert await control.approvals("lamp") == []
            else:
                monkeypatch.setattr(deciding, "LOOKED_BACK", 1)  # as in a long journal
                for name in ("head", "mailbox"):
                    monkeypatch.setattr(store, name, first(getattr(store, name)))
                assert await control.was_decided_by("lamp", "e-1")
            assert reads
        finally:
            await store.close()

    asyncio.run(main())


def test_pages_are_read_on() -> None:
    async def main() -> None:
        async with Runtime([ask], "memory://") as runtime:
            for number in range(120):
                await runtime.start(ask, "x", id=f"x{number}")
            assert len(await runtime.list(limit=115)) == 115
            assert len(await runtime.list(limit=1000)) == 120

    asyncio.run(main())


def test_what_is_asked_wrongly_is_refused() -> None:
    async def main() -> None:
        async with Runtime([ask], "memory://") as runtime:
            anything: Any = runtime
            with pytest.raises(InvalidInput, match="no status 'done'; it is one of pending"):
                await runtime.list(status="done")
            for reading in (runtime.show, runtime.history, runtime.approvals):
                with pytest.raises(UnknownExecution, match="no execution 'nobody'"):
                    await reading("nobody")
            for odd in (None, 3, b"x"):
                for verb in (anything.show, anything.history, anything.approvals, anything.approve, anything.cancel):
                    with pytest.raises(UnknownExecution):
                        await verb(odd)
                for name in ("function", "prefix"):
                    with pytest.raises(InvalidInput, match=f"{name} is text"):
                        await anything.list(**{name: odd})
            for wrong in ({"limit": -1}, {"limit": "x"}, {"after": -1}):
                await runtime.start(ask, "x", id="x")
                with pytest.raises((InvalidInput, ValueError)):
                    await anything.history("x", **wrong)

    asyncio.run(main())
