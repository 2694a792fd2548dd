"""Accounts that operators limit, of agents whose code declares nothing: what a killed process may have been billed for
counts, an attempt that is recorded is charged once, tools and time count, and nobody has the name of everybody."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Budget, ExecutionFailed, Runtime, call, tool
from overwinter.functions.model import Answer, Prices, RateLimited, Request, Usage
from overwinter.orchestrator.governance.budgets.account import Limit
from overwinter.orchestrator.governance.budgets.accounts import set_limits, shown
from overwinter.orchestrator.governance.budgets.amount import Amount
from overwinter.orchestrator.ordering import For
from overwinter.orchestrator.protocol.clock import present
from overwinter.orchestrator.reading import Reading
from overwinter.orchestrator.spending import spending
from overwinter.state.errors import BudgetExceeded, ExecutionCancelled, InvalidInput
from overwinter.testing import run_virtual
from overwinter.testing.clock import VirtualLoop

PRICES = Prices(input="1", output="1")


@tool
def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


class Model:
    """Answers after ``before`` said nothing against it, with so many calls of a tool first."""

    name = "scripted/counted"

    def __init__(self, before: Callable[[int], Awaitable[None]], tools: int = 0) -> None:
        self.before = before
        self.tools = tools
        self.asked = 0

    async def complete(self, request: Request) -> Answer:
        self.asked += 1
        await self.before(self.asked)
        done = sum(message.role == "tool" for message in request.messages)
        calls = () if done >= self.tools else (call("look", n=done)._replace(id=f"c{done}"),)
        return Answer("" if calls else "done", calls, Usage(10, 10), "0", self.name)


async def nothing(number: int) -> None:
    pass


def desk(model: Model, *budgets: Budget) -> Agent[str]:
    return Agent("desk", model, "You help.", [look], prices=PRICES, settings={"max_tokens": 50}, budgets=budgets)


async def limit(runtime: Runtime, account: str, most: Mapping[str, Any]) -> None:
    await set_limits(runtime.store, account, [Limit("", most)], await present(runtime.store))


async def used(runtime: Runtime, account: str) -> Amount:
    await runtime.purse.close()
    windows = (await shown(runtime.store, account, await present(runtime.store))).windows
    return next(window.spent for window in windows if window.window == "")


def _dies(store: str) -> None:
    async def main() -> None:
        async def dies(number: int) -> None:
            os._exit(9)

        async with Runtime([agent := desk(Model(dies))], store) as runtime:
            await limit(runtime, "tenant:acme", {"tokens": 100_000})
            run = await runtime.start(agent, "hi", id="run", tenant="acme")
            await run.result()

    asyncio.run(main())


def test_what_a_process_may_have_been_billed_for_that_was_killed_counts_though_the_code_declares_no_budget(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path}/s.db"
    process = multiprocessing.get_context("spawn").Process(target=_dies, args=(store,))
    process.start()
    process.join(60)
    assert process.exitcode == 9

    async def main() -> None:
        async with Runtime([desk(Model(nothing))], store) as runtime:
            assert await runtime.result("run", 60) == "done"
            entries = [json.loads(text) for text in await runtime.store.history("run")]
            (model,) = [entry for entry in entries if entry["type"] == "model"]
            doubt = model["value"]["billed"]["doubt"]
            assert doubt["tokens"] >= 50 and doubt["model_calls"] == 1
            assert (await used(runtime, "tenant:acme")).tokens == doubt["tokens"] + 20
            (one,) = await spending(Reading(runtime.store), "tenant")
            assert (one.of, one.record()["tokens"]) == ("acme", doubt["tokens"] + 20)

    asyncio.run(main())


@pytest.mark.parametrize("budgets", [(), (Budget("tenant", tokens=100_000),), (Budget("run", tokens=100_000),)])
def test_attempts_that_are_recorded_are_charged_once(budgets: tuple[Budget, ...]) -> None:
    async def flaky(number: int) -> None:
        if number <= 3:
            error = RateLimited("slow", model="m", status=429)
            error.retry_after, error.billed = 60.0, {"usage": Usage(10, 20).record(), "cost": "0.5"}
            raise error

    async def main(loop: VirtualLoop) -> None:
        agent = desk(Model(flaky), *budgets)
        async with Runtime([agent], "memory://", clock=loop.clock) as runtime:
            await limit(runtime, "tenant:acme", {"tokens": 100_000})
            run = await runtime.start(agent, "hi", tenant="acme")
            assert await run.result() == "done"
            found = await used(runtime, "tenant:acme")
            assert (found.tokens, found.model_calls, found.iterations) == (3 * 30 + 20, 4, 1)

    run_virtual(main)


@pytest.mark.parametrize("declared", [False, True])
def test_calls_of_tools_count_and_end(declared: bool) -> None:
    async def main() -> None:
        agent = desk(Model(nothing, tools=5), *([Budget("tenant", tool_calls=3)] if declared else []))
        async with Runtime([agent], "memory://") as runtime:
            if not declared:
                await limit(runtime, "tenant:acme", {"tool_calls": 3})
            run = await runtime.start(agent, "hi", tenant="acme")
            with pytest.raises(ExecutionFailed) as failed:
                await run.result()
            assert isinstance(failed.value.cause, BudgetExceeded) and failed.value.cause.limit == "tool_calls"
            found = await used(runtime, "tenant:acme")
            assert (found.tool_calls, found.iterations) == (3, 3)

    asyncio.run(main())


def test_time_counts_and_ends() -> None:
    async def slow(number: int) -> None:
        await asyncio.sleep(1)

    async def main(loop: VirtualLoop) -> None:
        agent = desk(Model(slow, tools=9))
        async with Runtime([agent], "memory://", clock=loop.clock) as runtime:
            await limit(runtime, "tenant:acme", {"time": 2_500})
            run = await runtime.start(agent, "hi", tenant="acme")
            with pytest.raises(ExecutionFailed, match="time"):
                await run.result()
            assert (await used(runtime, "tenant:acme")).time >= 3_000

    run_virtual(main)


def test_nobody_is_called_like_everybody() -> None:
    async def main() -> None:
        agent = desk(Model(nothing))
        async with Runtime([agent], "memory://") as runtime:
            await limit(runtime, "user:*", {"tokens": 1})
            with pytest.raises(InvalidInput, match="every user"):
                await runtime.start(agent, "hi", user="*")
            with pytest.raises(InvalidInput, match="every tenant"):
                await runtime.send(agent, "s", "hi", tenant="*")

    asyncio.run(main())


@pytest.mark.parametrize("most", [{"cost": "1e-400"}, {"cost": "1e-13"}, {"tokens": 10**400}, {"tokens": 2**63}])
def test_a_limit_is_refused_of_which_no_share_can_be_told(most: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Limit("day", most, warn=0.5).checked()
    with pytest.raises(InvalidInput):
        Budget("tenant", **most)


def test_what_sessions_spend_belongs_to_whoever_sent_the_message() -> None:
    async def main() -> None:
        agent = desk(Model(nothing))
        async with Runtime([agent], "memory://") as runtime:
            senders: list[For] = [{"user": "ana", "tenant": "acme"}, {"user": "ben", "tenant": "bell"}, {"by": "zoe"}]
            for sender in senders:
                sent = await runtime.send(agent, "s", "hi", **sender)
                await sent.reply()
            tenants = await spending(Reading(runtime.store), "tenant")
            assert {one.of: one.usage.tokens for one in tenants} == {"acme": 20, "bell": 20, "": 20}
            users = await spending(Reading(runtime.store), "user")
            assert {one.of: one.usage.tokens for one in users} == {"ana": 20, "ben": 20, "zoe": 20}

    asyncio.run(main())


def test_a_price_that_nobody_knows_is_not_taken_for_nothing_twice() -> None:
    class Unpriced(Model):
        async def complete(self, request: Request) -> Answer:
            return (await super().complete(request))._replace(cost=None)

    async def main() -> None:
        model = Unpriced(nothing, tools=5)
        agent = Agent("desk", model, "You help.", [look])
        async with Runtime([agent], "memory://") as runtime:
            await limit(runtime, "tenant:acme", {"cost": "100"})
            for _ in range(2):
                run = await runtime.start(agent, "hi", tenant="acme")
                with pytest.raises(ExecutionFailed, match="nobody knows what scripted/counted costs") as failed:
                    await run.result()
                assert isinstance(failed.value.cause, BudgetExceeded) and failed.value.cause.limit == "cost"
            assert model.asked == 1
            run = await runtime.start(agent, "hi", tenant="bell")  # whose money nobody limits
            assert await run.result() == "done"

    asyncio.run(main())


def test_a_call_that_was_under_way_when_its_run_was_cancelled_is_spent() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def long(number: int) -> None:
            begun.set()
            await asyncio.Event().wait()

        agent = desk(Model(long), Budget("run", tokens=1_000))
        async with Runtime([agent], "memory://") as runtime:
            run = await runtime.start(agent, "hi", tenant="acme")
            await begun.wait()
            await runtime.cancel(run.id)
            with pytest.raises(ExecutionCancelled):
                await run.result()
            ended = json.loads((await runtime.store.history(run.id))[-1])
            (one,) = await spending(Reading(runtime.store), "tenant")
            assert one.of == "acme" and one.record()["tokens"] == ended["lost"]["tokens"] >= 50

    asyncio.run(main())
