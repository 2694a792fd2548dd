"""A scrape of a process that has worked tells what was done: by Prometheus' own parsers, over HTTP."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from overwinter import Agent, Breaker, Budget, Context, Limits, Retry, Runtime, Scripted, call, tool, workflow
from overwinter.functions.bus.dead_letters import DeadLetters, letter
from overwinter.functions.http.app import create_app
from overwinter.functions.metering import survey
from overwinter.functions.model import Prices
from overwinter.orchestrator.governance.budgets.accounts import shown
from overwinter.orchestrator.spending import spending
from overwinter.state.errors import ExecutionFailed, StoreCorrupt, StoreUnavailable

OPENMETRICS = {"accept": "application/openmetrics-text"}
Values = Mapping[tuple[str, frozenset[tuple[str, str]]], float]
tried: list[str] = []


@tool
def lookup(order_id: str) -> str:
    """Find an order."""
    return f"{order_id} was shipped"


@tool(effect="irreversible", approval="desk")
def refund(order_id: str) -> str:
    """Refund an order."""
    return f"{order_id} was refunded"


async def flaky() -> str:
    tried.append("flaky")
    if len(tried) < 3:
        raise OSError("down")
    return "up"


async def fine() -> str:
    return "fine"


async def broken() -> None:
    raise OSError("down")


@workflow
async def trying(ctx: Context, given: str) -> str:
    await ctx.step(flaky, retry=Retry(3, first="1ms"))
    return given


@workflow
async def failing(ctx: Context, given: str) -> str:
    await ctx.step(broken, breaker=Breaker(failures=1, reset="1h"), retry=Retry(1))
    return given


@workflow
async def waiting(ctx: Context, given: str) -> str:
    await ctx.step(fine)
    return str(await ctx.wait_for("word"))


@workflow(name="waiting")
async def changed(ctx: Context, given: str) -> str:
    await ctx.sleep("1ms")
    return given


desk = Agent(
    "desk",
    Scripted([call("lookup", order_id="A-1"), "It was shipped.", *["As I said."] * 9]),
    tools=[lookup],
    prices=Prices(input="1000", output="2000"),
    budgets=[Budget("tenant", tokens=1_000_000, cost="100", per="day")],
    limits=Limits(tokens=10_000),
    settings={"max_tokens": 50},
)
refunds = Agent("refunds", Scripted([call("refund", order_id="A-1"), "Done."]), tools=[refund])


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_METRICS", "1")
    tried.clear()


@asynccontextmanager
async def served(
    functions: list[Any], store: Any, token: str | None = None
) -> AsyncGenerator[tuple[Runtime, httpx.AsyncClient]]:
    async with Runtime(functions, store) as runtime:
        transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=token)))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield runtime, client


async def scraped(client: httpx.AsyncClient, **headers: str) -> Values:
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    parse = openmetrics if "openmetrics" in answer.headers["content-type"] else plain
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(answer.text)
        for sample in family.samples
    }


def of(values: Values, name: str, **labels: str) -> float:
    return values[name, frozenset(labels.items())]


def all_of(values: Values, name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(value for _, value in sorted(labels)): one for (found, labels), one in values.items() if found == name
    }


def grown(values: Values, name: str) -> dict[tuple[str, ...], float]:
    return {labels: one for labels, one in all_of(values, name).items() if one}


async def until(look: Any) -> None:
    while not await look():  # noqa: ASYNC110  # no event tells of it
        await asyncio.sleep(0)


def test_what_was_done_is_what_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        dsn = f"sqlite:///{tmp_path}/shop.db"
        async with served([trying, failing, waiting, desk, refunds], dsn) as (runtime, client):
            assert await (await runtime.start(trying, "yes")).result() == "yes"
            with pytest.raises(ExecutionFailed, match="down"):
                await (await runtime.start(failing, "no")).result()
            await runtime.start(waiting, "so", id="w-1")
            for number in range(3):
                sent = await runtime.send(desk, f"k-{number}", "Where is A-1?", tenant="acme")
                assert await sent.reply() == "It was shipped."
            await runtime.start(refunds, "Refund A-1", id="r-1")
            await until(lambda: _waits(runtime, "r-1", "approval"))
            await until(lambda: _waits(runtime, "w-1", "event"))
            await DeadLetters(runtime.store).keep(letter("orders:e-1", "orders", "trying", {}, ValueError("no"), 1, 1))
            spent = {one.of: one for one in await spending(runtime, "model")}["scripted/script"]
            values = await scraped(client, **OPENMETRICS)

        assert grown(values, "overwinter_executions_started_total") == {
            ("trying",): 1, ("failing",): 1, ("waiting",): 1, ("desk",): 3, ("refunds",): 1,
        }  # fmt: skip
        assert grown(values, "overwinter_executions_ended_total") == {
            ("trying", "completed"): 1, ("failing", "failed"): 1,
        }  # fmt: skip
        assert of(values, "overwinter_turns_total", function="desk", status="succeeded") == 3
        assert grown(values, "overwinter_retries_total") == {("trying",): 2}
        assert of(values, "overwinter_approvals_asked_total", function="refunds") == 1
        assert of(values, "overwinter_tool_duration_seconds_count", tool="lookup", status="succeeded") == 3
        assert grown(values, "overwinter_steps_total") == {
            ("succeeded",): 3,
            ("failed",): 1,
        }  # one looks for standing approvals
        assert of(values, "overwinter_operation_duration_seconds_count", kind="model", status="succeeded") == 7
        tokens = sum(all_of(values, "overwinter_tokens_total").values())
        assert tokens == spent.usage.amount.tokens > 0
        cost = of(values, "overwinter_cost_dollars_total", function="desk", model="scripted/script")
        assert cost == pytest.approx(float(spent.usage.amount.cost)) and cost > 0
        genai = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "scripted",
                 "gen_ai_request_model": "scripted/script"}  # fmt: skip
        assert of(values, "gen_ai_client_operation_duration_seconds_count", **genai) == 7
        sums = [of(values, "gen_ai_client_token_usage_sum", **genai, gen_ai_token_type=type)
                for type in ("input", "output")]  # fmt: skip
        assert sum(sums) == tokens
        assert all_of(values, "overwinter_circuit_open") == {("broken",): 1}
        assert all_of(values, "overwinter_executions") == {
            ("completed",): 1, ("failed",): 1, ("idle",): 3, ("waiting",): 2,
        }  # fmt: skip
        assert of(values, "overwinter_approvals_open") == 1
        assert of(values, "overwinter_dead_letters", subscription="orders") == 1
        assert 0 < of(values, "overwinter_budget_used_ratio", account="tenant:acme", window="day") < 1
        assert of(values, "overwinter_processes") == 1 and of(values, "overwinter_store_up") == 1
        assert of(values, "overwinter_commit_duration_seconds_count", store="sqlite") > 10
        assert of(values, "overwinter_commit_batch_size_sum", store="sqlite") > 10
        assert of(values, "overwinter_activation_duration_seconds_count", start="cold") == 7

        async with served([changed], dsn) as (runtime, client):
            await runtime.signal("w-1", "word", "go")
            await until(lambda: _is(runtime, "w-1", "stuck"))
            values = await scraped(client)
        assert of(values, "overwinter_stuck_total", function="waiting") == 1
        assert of(values, "overwinter_executions", status="stuck") == 1

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_may_fail_is_there_before_it_does() -> None:
    """Or the first failure would be no increase, for whoever looks now and then."""

    async def main() -> None:
        async with served([failing, desk, lookup], "memory://") as (runtime, client):
            before = await scraped(client)
            with pytest.raises(ExecutionFailed):
                await (await runtime.start(failing, "no")).result()
            after = await scraped(client)
        assert of(before, "overwinter_executions_ended_total", function="failing", status="failed") == 0
        assert of(after, "overwinter_executions_ended_total", function="failing", status="failed") == 1
        turns = all_of(before, "overwinter_turns_total")
        assert turns == {("desk", "failed"): 0, ("desk", "succeeded"): 0}
        for name in ("executions_started", "stuck", "doubts", "retries"):
            assert all_of(before, f"overwinter_{name}_total") == {("failing",): 0, ("desk",): 0, ("lookup",): 0}
        assert all_of(before, "overwinter_steps_total") == {("failed",): 0, ("succeeded",): 0}

    asyncio.run(asyncio.wait_for(main(), 60))


async def _waits(runtime: Runtime, id: str, what: str) -> bool:
    head = await runtime.show(id)
    return head.awaits.startswith(what) and head.owner is None


async def _is(runtime: Runtime, id: str, status: str) -> bool:
    return (await runtime.show(id)).status == status


def test_warm_and_cold_activations_are_told_apart() -> None:
    async def main() -> None:
        async with served([desk], "memory://") as (runtime, client):
            for _ in range(3):
                await (await runtime.send(desk, "k", "Where?", tenant="acme")).reply()
                await until(lambda: _waits(runtime, "desk/k", ""))
            values = await scraped(client)
        assert of(values, "overwinter_activation_duration_seconds_count", start="cold") == 1
        assert of(values, "overwinter_activation_duration_seconds_count", start="warm") == 2
        assert of(values, "overwinter_cached") == 1

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_store_that_fails_breaks_no_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with served([trying], "memory://") as (runtime, client):
            tried.extend("xx")
            await (await runtime.start(trying, "yes")).result()

            async def away() -> dict[str, int]:
                raise StoreUnavailable("nobody is at home")

            monkeypatch.setattr(runtime.store, "counts", away)
            values = await scraped(client)
            assert of(values, "overwinter_store_up") == 0
            assert of(values, "overwinter_executions_started_total", function="trying") == 1
            assert not all_of(values, "overwinter_executions") and not all_of(values, "overwinter_due_depth")

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_budget_that_can_not_be_read_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with served([desk], "memory://") as (runtime, client):
            for tenant in ("acme", "umbra"):
                await (await runtime.send(desk, f"k-{tenant}", "Where?", tenant=tenant)).reply()

            async def damaged(store: Any, account: str, now: int) -> Any:
                if account == "tenant:acme":
                    raise StoreCorrupt("it can't be read")
                return await shown(store, account, now)

            monkeypatch.setattr(survey, "shown", damaged)
            values = await scraped(client)
            assert of(values, "overwinter_store_up") == 1
            assert of(values, "overwinter_budget_used_ratio", account="tenant:umbra", window="day") > 0
            assert all(("account", "tenant:acme") not in labels for _, labels in values)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_whatever_a_look_fails_with_old_numbers_do_not_pass_for_new_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with served([trying], "memory://") as (runtime, client):
            assert of(await scraped(client), "overwinter_store_up") == 1

            async def odd() -> dict[str, int]:
                raise TypeError("nobody thought of that")

            monkeypatch.setattr(runtime.store, "counts", odd)
            monkeypatch.setattr(survey, "FRESH", 0)
            values = await scraped(client)
            assert of(values, "overwinter_store_up") == 0 and not all_of(values, "overwinter_processes")

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_store_that_hangs_holds_no_scrape_and_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with served([trying], "memory://") as (runtime, client):
            answer, asked = asyncio.Event(), 0

            async def hangs() -> dict[str, int]:
                nonlocal asked
                asked += 1
                await answer.wait()
                return {"idle": 7}

            monkeypatch.setattr(runtime.store, "counts", hangs)
            monkeypatch.setattr("overwinter.functions.metering.survey.PATIENCE", 0.01)
            for _ in range(2):
                assert of(await scraped(client), "overwinter_store_up") == 0
            assert asked == 1
            answer.set()
            monkeypatch.setattr("overwinter.functions.metering.survey.PATIENCE", 30.0)
            values = await scraped(client)
            assert of(values, "overwinter_executions", status="idle") == 7 and asked == 1

    asyncio.run(asyncio.wait_for(main(), 60))


def test_the_store_is_asked_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        now = 1_000_000
        async with Runtime([trying], "memory://", clock=lambda: now) as runtime:
            asked, counts = 0, runtime.store.counts
            meter = runtime.meter
            assert meter is not None

            async def counting() -> dict[str, int]:
                nonlocal asked
                asked += 1
                return await counts()

            monkeypatch.setattr(runtime.store, "counts", counting)
            for _ in range(5):
                await meter.read()
            assert asked == 1
            now += 5_000
            await asyncio.gather(*(meter.read() for _ in range(5)))
            assert asked == 2

    asyncio.run(asyncio.wait_for(main(), 60))


def test_it_is_for_those_who_may_use_the_api() -> None:
    async def main() -> None:
        token = "a-long-enough-token"
        async with served([trying], "memory://", token) as (_, client):
            assert (await client.get("/metrics")).status_code == 401
            assert (await client.get("/metrics", headers={"authorization": "Bearer wrong"})).status_code == 401
            await scraped(client, authorization=f"Bearer {token}")

    asyncio.run(asyncio.wait_for(main(), 60))


OFF = """
import asyncio, sys
from overwinter import Runtime, workflow
from overwinter.functions.http.app import create_app


@workflow
async def idle(ctx, given):
    return given


async def main():
    async with Runtime([idle], "memory://") as runtime:
        create_app(runtime, token=None)
        assert await (await runtime.start(idle, 1)).result() == 1


asyncio.run(main())
print([name for name in sys.modules if name.startswith(("overwinter.telemetry", "opentelemetry.sdk"))])
"""


def test_off_nothing_of_it_is_imported() -> None:
    environment = {
        name: said for name, said in os.environ.items() if not name.startswith(("OVERWINTER_METRICS", "OTEL"))
    }
    ran = subprocess.run([sys.executable, "-c", OFF], capture_output=True, env=environment, check=True)
    assert ran.stdout.decode().strip() == "[]"


def test_off_it_says_how_it_is_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        monkeypatch.delenv("OVERWINTER_METRICS")
        async with served([trying], "memory://") as (runtime, client):
            assert runtime.meter is None and not runtime.extensions.listens
            answer = await client.get("/metrics")
            assert answer.status_code == 404 and "OVERWINTER_METRICS=1" in answer.json()["detail"]

    asyncio.run(asyncio.wait_for(main(), 60))
