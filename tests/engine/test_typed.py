"""Typed values through whole runtimes: what a type can't keep is refused before anything runs, what a value alone
tells fails by name before it is recorded, and mail that can't be read is kept.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from overwinter import Agent, Context, Runtime, Settings, run, tool, workflow
from overwinter.functions.models.port import ToolCall
from overwinter.functions.models.scripted import Scripted, call
from overwinter.orchestrator.engine.delivery import mail_of
from overwinter.orchestrator.protocol.entries import ROOM
from overwinter.state.errors import ExecutionFailed, ExecutionStuck, ExecutionTerminated, InvalidInput, PayloadTooLarge
from overwinter.state.memory import MemoryStore
from overwinter.state.records import PAYLOAD_LIMIT, NewMail

ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


class Order(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    order_id: str
    lines: list[str] = []


class Urgent(Order):
    by: datetime


class Login(BaseModel):
    user: str
    password: SecretStr


class Part(BaseModel):
    a: int
    b: int = Field(0, exclude=True)


def order(id: str, *lines: str) -> Order:
    return Order.model_validate({"orderId": id, "lines": lines})


def with_runtime(work: Callable[[Runtime], Awaitable[None]], *functions: object) -> None:
    async def main() -> None:
        async with asyncio.timeout(30), Runtime(functions, "memory://", Settings(cache=0)) as runtime:
            await work(runtime)

    asyncio.run(main())


def failure_of(function: object, input: Any = None) -> BaseException | None:
    with pytest.raises(ExecutionFailed) as failed:
        run(function, input, store="memory://")
    return failed.value.cause


# -- aliases -----------------------------------------------------------------------------------------


def longer(given: Order) -> Order:
    return order(given.order_id, *given.lines, "one more")


@workflow
async def inner(ctx: Context, given: Order) -> Order:
    return await ctx.step(longer, given)


@workflow
async def outer(ctx: Context, given: Order) -> list[Order]:
    await ctx.state.put("order", given)
    kept = await ctx.state.get("order", type=Order)
    assert kept == given
    if len(given.lines) < 2:
        await ctx.checkpoint(order(given.order_id, *given.lines, "later"))
    return [given, await ctx.call(inner, given), await ctx.call(clerk, given)]


@tool
def fill(order: Order) -> Order:
    """Fill the order."""
    ran.append(order.order_id)
    return longer(order)


clerk = Agent(
    "clerk",
    Scripted([call("fill", order={"orderId": "o-1"}), '{"orderId": "o-9", "lines": ["from the clerk"]}']),
    tools=[fill],
    input=Order,
    output=Order,
    instructions=lambda given: f"Work on {given.order_id}.",
)


@pytest.mark.parametrize(
    "given", [order("o-1", "a"), {"orderId": "o-1", "lines": ["a"]}, {"order_id": "o-1", "lines": ["a"]}]
)
def test_aliases_come_back_by_every_way(given: Any) -> None:
    first, second, third = run(outer, given, store="memory://")
    assert first == order("o-1", "a", "later")
    assert second == order("o-1", "a", "later", "one more")
    assert third == order("o-9", "from the clerk")
    assert ran == ["o-1"]


# -- refused before anything runs --------------------------------------------------------------------


def login() -> Login:
    ran.append("login")
    return Login(user="a", password=SecretStr("hush"))


def either() -> str | datetime:
    ran.append("either")
    return datetime.now(UTC)


def part() -> list[Part]:
    ran.append("part")
    return [Part(a=1, b=2)]


def pairs() -> dict[tuple[int, str], int]:
    ran.append("pairs")
    return {}


@pytest.mark.parametrize(
    ("step", "what"),
    [(login, "Login.password"), (either, "a datetime could be read back as str"), (part, "Part.b"), (pairs, "a tuple")],
)
def test_a_step_whose_type_loses_values_never_runs(step: Callable[[], Any], what: str) -> None:
    @workflow
    async def flow(ctx: Context) -> None:
        await ctx.step(step)

    cause = failure_of(flow)
    assert isinstance(cause, InvalidInput)
    assert f"what {step.__name__} returns can't be recorded" in str(cause) and what in str(cause)
    assert not ran


def test_a_gated_tool_whose_type_loses_values_asks_nobody() -> None:
    @tool(approval="desk")
    def sign_in() -> Login:
        """Sign in."""
        return login()

    @workflow
    async def flow(ctx: Context) -> None:
        await ctx.step(sign_in)

    assert "Login.password" in str(failure_of(flow))


def test_a_workflow_or_agent_whose_result_would_be_lost_is_not_started() -> None:
    @workflow
    async def flow(ctx: Context) -> Login:
        return login()

    @tool
    def sign_in() -> Login:
        """Sign in."""
        return login()

    async def work(runtime: Runtime) -> None:
        for name in ("flow", "typed", "armed"):
            with pytest.raises(InvalidInput, match=r"Login\.password: a secret"):
                await runtime.start(name, None if name == "flow" else "go")
        assert not (await runtime.store.executions()).heads
        with pytest.raises(InvalidInput, match=r"Login\.password"):
            await runtime.send("armed", "s", "go")

    typed = Agent("typed", "scripted:echo", output=Login)
    armed = Agent("armed", "scripted:echo", tools=[sign_in])
    with_runtime(work, flow, typed, armed)
    assert not ran


def test_a_secret_that_is_given_is_refused_where_it_comes_in() -> None:
    @workflow
    async def flow(ctx: Context, given: Login) -> str:
        return given.password.get_secret_value()

    with pytest.raises(InvalidInput, match="asterisks"):
        run(flow, Login(user="a", password=SecretStr("hush")), store="memory://")
    assert run(flow, {"user": "a", "password": "hush"}, store="memory://") == "hush"  # its sender knows what it sends


# -- fails by name before it is recorded -------------------------------------------------------------


def urgent() -> list[Order]:
    return [order("o-1"), Urgent.model_validate({"orderId": "o-2", "by": datetime.now(UTC)})]


def unfit() -> Order:
    return {"orderId": 3}  # type: ignore[return-value]  # the fault that is to be told


def no_number() -> dict[str, Any]:
    return {"mean": math.nan}


def by_number() -> Any:
    return {1: "one"}


@pytest.mark.parametrize(
    ("step", "what"),
    [
        (urgent, "1: Urgent("),
        (unfit, "orderId: Input should be a valid string"),
        (no_number, "mean: it can't be stored as JSON: nan"),
        (by_number, "the key '1' is a int"),
    ],
)
def test_a_result_that_would_not_come_back_fails_its_step_by_name(step: Callable[[], Any], what: str) -> None:
    @workflow
    async def flow(ctx: Context) -> str:
        try:
            await ctx.step(step)
        except InvalidInput as error:
            return str(error)
        return ""

    said = run(flow, store="memory://")
    assert said.startswith(f"the result of {step.__name__!r} can't be recorded: ") and what in said


@pytest.mark.parametrize("made", [urgent, unfit, no_number, by_number])
def test_a_workflows_own_result_fails_by_name_and_is_not_completed(made: Callable[[], Any]) -> None:
    async def flow(ctx: Context) -> Any:
        return made()

    flow.__annotations__["return"] = made.__annotations__["return"]
    assert "the result of flow can't be recorded: " in str(failure_of(workflow(flow)))


def test_a_tools_result_is_told_to_the_model_by_name() -> None:
    agent = Agent(
        "desk",
        Scripted(lambda messages, _: messages[-1].content if messages[-1].role == "tool" else call("unfit")),
        tools=[unfit],
    )
    said = run(agent, "go", store="memory://")
    assert said.startswith("Error: InvalidInput: the result of 'unfit' can't be recorded: ")


def test_broken_text_of_a_tool_is_read_by_the_model_all_the_same() -> None:
    def fetch() -> list[str]:
        ran.append("fetch")
        return ["cut \ud83d"]

    agent = Agent(
        "desk",
        Scripted(lambda messages, _: messages[-1].content if messages[-1].role == "tool" else call("fetch")),
        tools=[fetch],
    )
    assert run(agent, "go", store="memory://") == '["cut \ufffd"]'
    assert ran == ["fetch"]


def test_a_float_result_may_be_no_number() -> None:
    def mean() -> float:
        return math.nan

    @workflow
    async def flow(ctx: Context) -> float:
        await ctx.state.put("mean", await ctx.step(mean), type=float)
        found = await ctx.state.get("mean", type=float)
        assert found is not None and math.isnan(found)
        return found

    assert math.isnan(run(flow, store="memory://"))


# -- numbers that are none ---------------------------------------------------------------------------


class Payment(BaseModel):
    amount: float


@pytest.mark.parametrize("written", ['"NaN"', '"Infinity"', '"-inf"', "1e400", '"1e400"', "-1e400", '"nan"'])
@pytest.mark.parametrize("nested", [False, True])
def test_no_number_slips_past_an_approval(written: str, nested: bool) -> None:
    """No comparison holds for NaN, so a rule like ``amount > 10`` would let it pass."""

    def rule(payment: Any) -> str | None:
        amount: float = payment.amount if isinstance(payment, Payment) else payment
        return "desk" if amount > 10 else None

    @tool(effect="irreversible", approval=rule)
    def pay(payment: float) -> str:
        """Pay."""
        ran.append(str(payment))
        return "paid"

    @tool(name="pay", effect="irreversible", approval=rule)
    def pay_nested(payment: Payment) -> str:
        """Pay."""
        ran.append(str(payment))
        return "paid"

    raw = f'{{"payment": {{"amount": {written}}}}}' if nested else f'{{"payment": {written}}}'
    agent = Agent(
        "desk",
        Scripted(
            lambda messages, _: messages[-1].content if messages[-1].role == "tool" else ToolCall("c", "pay", raw)
        ),
        tools=[pay_nested if nested else pay],
    )
    assert "finite number" in run(agent, "go", store="memory://")
    assert not ran

    async def work(runtime: Runtime) -> None:
        with pytest.raises(InvalidInput, match="finite number"):
            await runtime.invoke("pay", json.loads(raw))

    with_runtime(work, pay_nested if nested else pay)
    assert not ran


@pytest.mark.parametrize("value", [math.nan, math.inf, "NaN", "1e400", {"amount": "nan"}, Payment(amount=math.inf)])
def test_no_number_is_taken_as_an_input(value: Any) -> None:
    @workflow
    async def flow(ctx: Context, payment: float | Payment) -> None: ...

    desk = Agent("desk", "scripted:echo", input=float | Payment)

    async def work(runtime: Runtime) -> None:
        for name in ("flow", "desk"):
            with pytest.raises(InvalidInput, match=r"finite number|no number|valid number"):
                await runtime.start(name, value)

    with_runtime(work, flow, desk)


def test_a_workflow_is_asked_before_a_number_that_is_none_is_paid() -> None:
    @tool(approval=lambda amount: "desk" if amount > 10 else None)
    def pay(amount: float) -> None:
        """Pay."""
        ran.append(str(amount))

    @workflow
    async def flow(ctx: Context) -> None:
        await ctx.step(pay, math.nan)

    assert isinstance(failure_of(flow), InvalidInput)
    assert not ran


def test_a_decimal_is_exact_and_finite() -> None:
    def price() -> Decimal:
        return Decimal("0.10")

    @workflow
    async def flow(ctx: Context) -> Decimal:
        return await ctx.step(price) * 3

    assert run(flow, store="memory://") == Decimal("0.30")


# -- mail that can't be read -------------------------------------------------------------------------


@workflow
async def waiting(ctx: Context) -> Any:
    return await ctx.wait_for("news")


def test_mail_that_can_not_be_read_is_kept_and_makes_stuck_by_name() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with asyncio.timeout(30), Runtime([waiting], store) as runtime:
            handle = await runtime.start(waiting, id="e")
            good = mail_of({"type": "event", "at": runtime.clock(), "id": "1", "name": "news", "data": 1}, "", lane=1)
            deep = good.body.replace('"data":1', '"data":' + "[" * 300 + "]" * 300)
            await runtime.engine.post("e", NewMail("", 1, good.at, deep, {}))
            for _ in range(2):  # nothing is lost by trying again
                with pytest.raises(ExecutionStuck, match=r"mail \d+ can't be read"):
                    await handle.result()
                assert (await store.mailbox("e", 10))[1][-1] == deep
                await runtime.resume("e")
            await runtime.terminate("e", reason="given up")
            with pytest.raises(ExecutionTerminated, match="given up"):
                await handle.result()
            assert (await store.head("e")).status == "terminated"  # type: ignore[union-attr]  # it is there

    asyncio.run(main())


# -- sizes -------------------------------------------------------------------------------------------


def test_an_entry_of_the_largest_size_can_be_read_back() -> None:
    """What a read records is the value and its etag, and both must fit."""

    @workflow
    async def flow(ctx: Context, size: int) -> list[str]:
        said: list[str] = []
        for more in (0, ROOM):
            try:
                await ctx.state.put("k", "x" * (size + more))
                said.append(str(len(await ctx.state.get("k", type=str) or "")))
            except PayloadTooLarge as error:
                said.append(str(error)[:10])
        return said

    size = PAYLOAD_LIMIT - ROOM - 2
    assert run(flow, size, store="memory://") == [str(size), "the value "]


def test_a_reply_over_the_limit_is_an_error_of_its_message() -> None:
    class Many(BaseModel):
        numbers: list[float]

    agent = Agent("desk", Scripted(['{"numbers": [' + "1e9," * 4_000_000 + "1]}"]), output=Many)

    async def work(runtime: Runtime) -> None:
        sent = await runtime.send("desk", "s", "go")
        with pytest.raises(PayloadTooLarge):
            await sent.reply()
        head = await runtime.store.head("desk/s")
        assert head is not None and head.status == "idle"

    with_runtime(work, agent)
