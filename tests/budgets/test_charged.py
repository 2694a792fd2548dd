"""Agents are charged to the accounts of their tenant, user and name: what is held is drawn before a model is asked,
what was used is settled by the entry that records it, and journals and ledgers agree, whoever dies."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from overwinter import Agent, Budget, ExecutionFailed, LimitExceeded, Runtime, Scripted, call, tool
from overwinter.functions.budget import Ask, Cheaper
from overwinter.functions.model import Answer, Prices, Request, Usage
from overwinter.orchestrator.governance.budgets.account import Limit
from overwinter.orchestrator.governance.budgets.amount import NOTHING, Amount, amount_of
from overwinter.orchestrator.governance.budgets.ledger import ledger_of
from overwinter.orchestrator.governance.budgets.places import LEDGER, PLACE
from overwinter.orchestrator.governance.budgets.recovery import recover
from overwinter.state.errors import BudgetExceeded, InvalidInput
from overwinter.state.store import Store
from overwinter.testing import World, crash_everywhere

PRICES = Prices(input="10", output="30")


class Metered:
    """A model that counts, outside of every journal, what it bills: also for answers that nobody hears."""

    name = "scripted/metered"

    def __init__(self, tools: int = 1) -> None:
        self.tools = tools
        self.billed = Amount()
        self.asked: list[Request] = []

    async def complete(self, request: Request) -> Answer:
        self.asked.append(request)
        read = sum(-(-len(message.content) // 4) for message in request.messages)
        wrote = min(20, int(request.settings.get("max_tokens", 20)))
        usage = Usage(read, wrote)
        self.billed = self.billed.plus(Amount(read + wrote, Decimal(PRICES.of(usage) or 0), model_calls=1))
        done = sum(message.role == "tool" for message in request.messages) >= self.tools
        calls = () if done else (call("look", n=len(request.messages))._replace(id=f"c{len(request.messages)}"),)
        return Answer("done" if done else "", calls, usage, PRICES.of(usage), self.name)


@tool
def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


LATER = 10**15
"""When every process of before is dead."""


def desk(model: Any, *budgets: Budget, **more: Any) -> Agent[str]:
    given: dict[str, Any] = {"settings": {"max_tokens": 50}, "prices": PRICES, **more}
    return Agent("desk", model, "You help.", [look], budgets=budgets, **given)


async def spent(store: Store, account: str) -> Amount:
    """All that the ledger has as settled, of the window that never ends."""
    found = await store.get(PLACE, LEDGER + account)
    return NOTHING if found is None else ledger_of(found.value, account).spent.get("", NOTHING)


async def settled(store: Store) -> Amount:
    """The sum over all journals of what their entries settle."""
    total = NOTHING
    for head in (await store.executions(limit=1000)).heads:
        for text in await store.history(head.id):
            total = total.plus(amount_of(json.loads(text).get("settled")))
    return total


def test_a_tenant_is_charged_across_agents_and_sessions_and_what_is_spent_is_what_journals_say() -> None:
    model = Metered()
    agent = desk(model, Budget("tenant", tokens=100_000, per="day"))

    async def main() -> None:
        async with Runtime([agent], "memory://") as runtime:
            for number in range(6):
                sent = await runtime.send(agent, f"s{number % 2}", "hi", tenant="acme", user="ana")
                assert await sent.reply() == "done"
            run = await runtime.start(agent, "hi", tenant="acme")
            assert await run.result() == "done"
            await runtime.purse.close()
            assert await spent(runtime.store, "tenant:acme") == await settled(runtime.store)
            assert (await settled(runtime.store)).tokens == model.billed.tokens

    asyncio.run(main())


def test_who_has_nothing_left_is_refused_by_name_and_nobody_is_asked() -> None:
    model = Metered()
    agent = desk(model, Budget("tenant", tokens=300, per="day"), Budget("user", model_calls=1))

    async def main() -> None:
        async with Runtime([agent], "memory://") as runtime:
            sent = await runtime.send(agent, "s", "hi", tenant="acme", user="ana")
            with pytest.raises(BudgetExceeded, match="user:ana") as refused:
                await sent.reply()
            assert (refused.value.limit, refused.value.account) == ("model_calls", "user:ana")
            assert len(model.asked) == 1
            sent = await runtime.send(agent, "t", "hi", tenant="acme", user="ben")
            with pytest.raises(LimitExceeded):
                await sent.reply()
            assert model.billed.tokens <= 300

    asyncio.run(main())


def test_what_an_operator_has_set_holds_for_agents_whose_code_says_nothing() -> None:
    model = Metered()
    agent = desk(model)

    async def main() -> None:
        async with Runtime([agent], "memory://") as runtime:
            run = await runtime.start(agent, "hi", tenant="acme")
            await run.result()
            assert "settled" not in "".join(await runtime.store.history(run.id))
            from overwinter.orchestrator.governance.budgets.book import Entry, rewrite

            limits = (Limit("day", {"tokens": 10}),)
            await rewrite(runtime.store, "tenant:*", lambda entry: Entry(limits))
            runtime.purse._book._names = None  # pyright: ignore[reportPrivateUsage]  # as if it were read anew
            run = await runtime.start(agent, "hi", tenant="acme")
            with pytest.raises(Exception, match="tenant:acme"):
                await run.result()
            run = await runtime.start(agent, "hi")  # for no tenant
            assert await run.result() == "done"

    asyncio.run(main())


def test_a_cheaper_model_goes_on_when_the_account_leaves_nothing_for_the_other() -> None:
    cheap = Scripted(lambda messages, tools: "cheap", "cheap")
    dear = Metered()
    agent = desk(
        [dear, cheap], Budget("tenant", cost="0.002", at_limit=Cheaper("scripted/cheap")),
        prices={"scripted/metered": PRICES, "scripted/cheap": Prices(input="0.01", output="0.01")},
    )  # fmt: skip

    async def main() -> None:
        async with Runtime([agent], "memory://") as runtime:
            run = await runtime.start(agent, "hi", tenant="acme")
            assert await run.result() == "cheap"
            entries = [json.loads(text) for text in await runtime.store.history(run.id)]
            assert [entry["name"] for entry in entries if entry["type"] == "routed"] == ["scripted/cheap"]
            assert not any(request.model == "scripted/metered" for request in dear.asked[1:])

    asyncio.run(main())


@pytest.mark.parametrize("tokens", [5_000])
def test_a_death_anywhere_overdraws_nothing_and_forgets_nothing(tokens: int) -> None:
    """Killed at every store operation. What the meter has counted is never more than the limit; once the slices of the
    dead are recovered, the ledger has what the journals say, and they say no less than the meter."""
    model = Metered(2)
    agent = desk(model, Budget("tenant", tokens=tokens))

    def fresh() -> None:
        model.billed, model.asked = Amount(), []

    async def scenario(world: World) -> str:
        await world.call(lambda runtime: runtime.start(agent, "hi", id="run", tenant="acme"))
        with suppress(ExecutionFailed):
            await world.result("run")
        store = world.ledger
        await recover(store, ["tenant:acme"], LATER)
        total = await settled(store)
        found = await store.get(PLACE, LEDGER + "tenant:acme")
        ledger = None if found is None else ledger_of(found.value, "tenant:acme")
        held = NOTHING if ledger is None else ledger.spent.get("", NOTHING)
        for slice in () if ledger is None else ledger.slices.values():
            held = held.plus(slice.amount)
        assert model.billed.tokens <= tokens, (model.billed, tokens)
        assert total.tokens >= model.billed.tokens, (total, model.billed)
        assert held.tokens >= total.tokens
        return "ended"

    report = crash_everywhere(scenario, functions=[agent], fresh=fresh, same=lambda one, other: one == other)
    assert report.points


def test_nonsense_is_refused_when_it_is_said() -> None:
    for wrong in (
        lambda: Budget("team", tokens=1),
        lambda: Budget("run"),
        lambda: Budget("run", tokens=-1),
        lambda: Budget("run", tokens=1, per="day"),
        lambda: Budget("tenant", tokens=1, per="week"),
        lambda: Budget("tenant", tokens=1, timezone="Mars/Olympus"),
        lambda: Budget("tenant", tokens=1, at_limit=Ask("desk", tokens=5)),
        lambda: Budget("run", cost="-1"),
        lambda: Budget("run", tokens=1, warn=0),
        lambda: Budget("run", tokens=1, at_limit="go on"),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        lambda: Budget("run", tokens=1, at_limit=Ask("desk", cost=1)),
        lambda: desk(Metered(), Budget("run", tokens=1), Budget("run", tokens=2)),
    ):
        with pytest.raises(InvalidInput):
            wrong()


def test_for_whom_it_is_done_must_be_a_name() -> None:
    agent = desk(Metered())

    async def main() -> None:
        async with Runtime([agent], "memory://") as runtime:
            with pytest.raises(InvalidInput, match="name of a tenant"):
                await runtime.start(agent, "hi", tenant=" acme")
            with pytest.raises(InvalidInput, match="name of a user"):
                await runtime.send(agent, "s", "hi", user="a\nb")

    asyncio.run(main())
