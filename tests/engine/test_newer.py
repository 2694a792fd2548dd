"""What a newer release has written is left to it: neither run nor stuck, said once, and gone on with where it is
known."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from overwinter import Context, Runtime, workflow
from overwinter.orchestrator.protocol import newer
from overwinter.orchestrator.protocol.newer import AWAITS, LEVEL
from overwinter.state.opening import open_store


@workflow
async def note(ctx: Context, what: str) -> str:
    shouted = await ctx.step(str.upper, what)
    first = await ctx.wait_for("note", type=str)
    return f"{shouted} {first} {await ctx.wait_for('note', type=str)}"


async def until(runtime: Runtime, awaits: str) -> None:
    async with asyncio.timeout(60):
        while True:  # a store is asked, which tells nobody
            head = await runtime.show("n-1")
            if head.awaits == awaits and head.owner is None:
                return
            await asyncio.sleep(0.01)


def write(path: Path, new: str, old: str) -> None:
    """As the release would have written it that the change is of."""
    with sqlite3.connect(path) as db:
        assert db.execute("UPDATE journal SET body = replace(body, ?, ?)", (old, new)).rowcount
        assert db.execute("SELECT 1 FROM journal WHERE instr(body, ?)", (new,)).fetchone()
    db.close()


@pytest.mark.parametrize(
    "written", [f'"type":"step","protocol":{LEVEL + 1}', '"type":"step","protocol":"x"', '"type":"new"']
)
def test_it_is_left_to_a_process_that_knows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, written: str
) -> None:
    path = tmp_path / "store.db"

    def opened() -> Runtime:
        return Runtime([note], open_store(f"sqlite:///{path}"))

    async def begin() -> None:
        async with opened() as runtime:
            await runtime.start(note, "tea", id="n-1")
            await until(runtime, "event note")

    async def older() -> None:
        async with opened() as runtime:
            for word in ("soon", "late"):
                await runtime.signal("n-1", "note", word)
                await until(runtime, AWAITS)
            head = await runtime.show("n-1")
            assert head.status in ("pending", "waiting") and head.length == 2 and head.wake is not None

    async def known() -> None:
        async with opened() as runtime:
            await runtime.signal("n-1", "other", "")
            assert await runtime.result("n-1", "20s") == "TEA soon late"

    asyncio.run(begin())
    write(path, written, '"type":"step"')
    with caplog.at_level(logging.ERROR, "overwinter"):
        asyncio.run(older())
    (said,) = [record.getMessage() for record in caplog.records if "newer release" in record.getMessage()]
    assert said.startswith("execution n-1 is left to a newer release: entry 2 ") and "upgrade this process" in said
    if "protocol" in written:
        monkeypatch.setattr(newer, "_known", lambda level: level in (LEVEL + 1, "x"))  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    else:
        write(path, '"type":"step"', written)
    asyncio.run(known())


def test_what_needs_no_more_than_this_level_goes_on() -> None:
    assert newer.newer([{"type": "step", "protocol": LEVEL}, {"type": "x"}], 1, None) == ""
    assert "entry 7 (step) has protocol 9" in newer.newer([{"type": "step", "protocol": 9}], 7, None)
    assert "entry 7 is of a kind" in newer.newer([{"type": "x"}], 7, frozenset({"step"}))
