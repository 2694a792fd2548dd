"""A process that is stopped in order, in the middle of a call of a model: whoever goes on knows that it may have been
billed, with budgets in the execution and with accounts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from overwinter import Agent, Budget, Runtime, Settings
from overwinter.functions.model import Answer, Request, Usage
from overwinter.orchestrator.governance.budgets.account import Limit
from overwinter.orchestrator.governance.budgets.amount import NOTHING, amount_of
from overwinter.orchestrator.governance.budgets.book import Entry, rewrite
from overwinter.orchestrator.governance.budgets.ledger import ledger_of
from overwinter.orchestrator.governance.budgets.places import LEDGER, PLACE
from overwinter.state.errors import ExecutionCancelled


class Slow:
    """Bills when it is asked, and answers when it may."""

    name = "scripted/slow"

    def __init__(self) -> None:
        self.asked = 0
        self.begun = asyncio.Event()
        self.may = asyncio.Event()

    async def complete(self, request: Request) -> Answer:
        self.asked += 1
        self.begun.set()
        await self.may.wait()
        return Answer("done", (), Usage(5, 5), "0", self.name)


@pytest.mark.parametrize("of", ["session", "tenant"])
def test_what_it_may_have_cost_counts(tmp_path: Path, of: str) -> None:
    store = f"sqlite:///{tmp_path}/s.db"

    async def main() -> None:
        model = Slow()
        agent = Agent("desk", model, "You help.", budgets=[Budget(of, tokens=10_000)], settings={"max_tokens": 50})
        runtime = Runtime([agent], store)
        async with runtime:
            await runtime.start(agent, "hi", id="run", tenant="acme")
            await model.begun.wait()
            await runtime.close(grace=0)
        model.may.set()
        async with Runtime([agent], store) as runtime:
            assert await runtime.result("run", 20) == "done"
            entries = [json.loads(text) for text in await runtime.store.history("run")]
        assert model.asked == 2
        doubt = [
            entry["error"]["data"]["billed"]["doubt"]["tokens"] for entry in entries if entry["type"] == "retrying"
        ]
        assert len(doubt) == 1 and doubt[0] >= 50
        if of == "tenant":
            total = NOTHING
            for entry in entries:
                total = total.plus(amount_of(entry.get("settled")))
            assert total.tokens == doubt[0] + 10

    asyncio.run(main())


def test_what_a_process_itself_has_left_in_the_middle_counts_too(tmp_path: Path) -> None:
    """It could not go on there, for once: its store failed it."""

    async def main() -> None:
        model = Slow()
        agent = Agent("desk", model, "You help.", budgets=[Budget("run", tokens=10_000)], settings={"max_tokens": 50})
        async with Runtime([agent], f"sqlite:///{tmp_path}/s.db", Settings(lease="300ms", poll="100ms")) as runtime:
            await runtime.start(agent, "hi", id="run")
            await model.begun.wait()
            runtime.engine.lost(runtime.engine.active["run"])
            model.may.set()
            await runtime.store.retire(runtime.engine.owner)
            assert await runtime.result("run", 20) == "done"
            entries = [json.loads(text) for text in await runtime.store.history("run")]
        (lost,) = [entry for entry in entries if entry["type"] == "lost"]
        assert lost["tokens"] >= 50 and model.asked == 2

    asyncio.run(main())


@pytest.mark.parametrize("declared", [True, False])
def test_who_cancels_in_the_middle_pays(tmp_path: Path, declared: bool) -> None:
    """Also where an operator has set the limit, and the code knows of none."""

    async def main() -> None:
        model = Slow()
        budgets = [Budget("tenant", tokens=10_000)] if declared else []
        agent = Agent("desk", model, "You help.", budgets=budgets, settings={"max_tokens": 50})
        async with Runtime([agent], f"sqlite:///{tmp_path}/s.db") as runtime:
            limits = (Limit("", {"tokens": 10_000}),)
            await rewrite(runtime.store, "tenant:acme", lambda entry: Entry(limits))
            await runtime.start(agent, "hi", id="run", tenant="acme")
            await model.begun.wait()
            await runtime.cancel("run")
            with pytest.raises(ExecutionCancelled):
                await runtime.result("run", 20)
            ended = json.loads((await runtime.store.history("run"))[-1])
            await runtime.purse.close()
            found = await runtime.store.get(PLACE, f"{LEDGER}tenant:acme")
            assert found is not None
            ledger = ledger_of(found.value, "tenant:acme")
        assert ended["type"] == "cancelled" and ended["lost"]["tokens"] == ended["settled"]["tokens"] >= 50
        assert not ledger.slices and ledger.spent[""].tokens == ended["settled"]["tokens"]

    asyncio.run(main())
