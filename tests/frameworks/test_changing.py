"""An agent whose code changes under a turn, and a run that is opened again after a failure."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from overwinter import Runtime
from overwinter.functions.foreign import ForeignAgent, Turn
from overwinter.orchestrator.handles import Sent
from overwinter.state.errors import ExecutionFailed, ExecutionStuck


async def said() -> str:
    return "said"


class Changing:
    name = "changing"

    def __init__(self, model: str) -> None:
        self.model = model

    async def answer(self, turn: Turn) -> str:
        first = await turn.model(self.model, said)
        await turn.approve("go on", {})
        return f"{first} after {len(turn.past)}"


def test_a_turn_under_which_the_code_changes_is_stuck_and_goes_on_when_it_is_put_right(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/o.db"
    old, new = (ForeignAgent("changing", Changing(model)) for model in ("old", "new"))

    async def main() -> str:
        async with Runtime([old], store) as runtime:
            await (await _approved(runtime, old, "m-1")).reply("10s")
            await runtime.send(old, "c", "x", id="m-2")
            await _asked(runtime)
        async with Runtime([new], store) as runtime:
            await runtime.approve("changing/c", by="ana")
            with pytest.raises(ExecutionStuck, match="model new"):
                await runtime.reply("changing/c", "m-2", "10s")
        async with Runtime([old], store) as runtime:
            await runtime.resume("changing/c")
            return str(await runtime.reply("changing/c", "m-2", "10s"))

    assert asyncio.run(main()) == "said after 2"


async def _asked(runtime: Runtime) -> None:
    async with asyncio.timeout(10):
        while not await runtime.approvals("changing/c"):  # noqa: ASYNC110  # the store tells nobody
            await asyncio.sleep(0.01)


async def _approved(runtime: Runtime, agent: ForeignAgent, id: str) -> Sent[Any]:
    sent = await runtime.send(agent, "c", "x", id=id)
    await _asked(runtime)
    await runtime.approve("changing/c", by="ana")
    return sent


def test_a_run_that_failed_goes_on_from_where_it_failed() -> None:
    calls: list[str] = []

    async def one() -> str:
        calls.append("one")
        return "one"

    async def two() -> str:
        calls.append("two")
        if len(calls) < 3:
            raise ValueError("not yet")
        return "two"

    class Both:
        name = "both"

        async def answer(self, turn: Turn) -> str:
            return f"{await turn.model('one', one)} {await turn.model('two', two)}"

    agent = ForeignAgent("both", Both())

    async def main() -> str:
        async with Runtime([agent], "memory://") as runtime:
            handle = await runtime.start(agent, "x", id="r-1")
            with pytest.raises(ExecutionFailed, match="not yet"):
                await handle.result("10s")
            await runtime.retry("r-1")
            return str(await handle.result("10s"))

    assert asyncio.run(main()) == "one two" and calls == ["one", "two", "two"]
