"""In time means in time: what was acknowledged by its deadline counts, whoever was down or full until after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from overwinter import Agent, Context, Limits, workflow
from overwinter.functions.models.scripted import Scripted, call
from overwinter.functions.tools.tool import tool
from overwinter.orchestrator.control import Control
from overwinter.orchestrator.engine.offering import Host, Offering
from overwinter.orchestrator.protocol.clock import SharedClock
from overwinter.state.errors import Denied, TimedOut
from overwinter.state.records import MAIL_BATCH
from overwinter.testing import Process
from overwinter.tests.engine.bench import Bench, at_bench


def outside(bench: Bench) -> Control:
    """Somebody who only puts mail into the store, as another process or the command line does."""
    control = Control(bench.ledger)
    SharedClock.__init__(control._clock, bench.loop.clock)
    return control


@workflow
async def event(ctx: Context, _: Any) -> str:
    try:
        return str(await ctx.wait_for("news", timeout="10s"))
    except TimedOut:
        return "late"


@workflow
async def approval(ctx: Context, _: Any) -> str:
    try:
        await ctx.approve("refund", timeout="10s")
    except Denied:
        return "late"
    return "yes"


tokens: list[str] = []


@workflow
async def callback(ctx: Context, _: Any) -> str:
    made = ctx.callback(timeout="10s")
    await ctx.step(tokens.append, made.token)
    try:
        return str(await made)
    except TimedOut:
        return "late"


@workflow
async def pulse(ctx: Context, _: Any) -> str:
    made = ctx.callback(heartbeat="4s")
    await ctx.step(tokens.append, made.token)
    try:
        return str(await made)
    except TimedOut:
        return "late"


@workflow
async def race(ctx: Context, _: Any) -> str:
    """Deadlines that are no timeouts: a sleep beside the event, and one of asyncio's."""
    try:
        async with asyncio.timeout(10):
            return str(await ctx.wait_for("news"))
    except TimeoutError:
        return "late"


Act = Callable[[Control], Awaitable[Any]]


async def news(control: Control) -> None:
    await control.signal("e", "news", "yes")


async def decide(control: Control) -> None:
    await control.decide("e", None, True)


async def complete(control: Control) -> None:
    await control.callback(tokens[-1], value="yes")


async def live_on(control: Control) -> None:
    """Three beats in time, each with the next deadline, and the answer before the last one."""
    for _ in range(3):
        await control.heartbeat(tokens[-1])
        await asyncio.sleep(3)
    await control.callback(tokens[-1], value="yes")


KINDS = [(event, news), (approval, decide), (callback, complete), (pulse, live_on), (race, news)]
IDS = ["event", "approval", "callback", "heartbeat", "asyncio"]


@pytest.mark.parametrize(("function", "act"), KINDS, ids=IDS)
@pytest.mark.parametrize("wait", [2, 11], ids=["in time", "late"])
def test_mail_to_a_process_that_is_down(function: Any, act: Act, wait: int) -> None:
    async def work(bench: Bench) -> None:
        first = await bench.process(function)
        await bench.start(first, function.__name__, "e")
        await bench.status("e", "waiting")
        first.kill()
        await asyncio.sleep(wait)
        if wait < 10 or function is not approval:  # an approval that has expired can't be given
            await act(outside(bench))
        await asyncio.sleep(60)
        await bench.process(function)
        assert (await bench.ended("e"))["value"] == ("yes" if wait < 10 else "late")

    at_bench(work)


@pytest.mark.parametrize(("function", "act"), KINDS, ids=IDS)
def test_mail_to_a_process_that_is_full(function: Any, act: Act) -> None:
    async def work(bench: Bench) -> None:
        @workflow
        async def busy(ctx: Context, _: Any) -> None:
            await ctx.step(asyncio.sleep, 60)

        process = await bench.process(function, busy, max_active=1)
        await bench.start(process, function.__name__, "e")
        await bench.status("e", "waiting")
        await bench.start(process, "busy", "b")
        await asyncio.sleep(2)
        await act(outside(bench))
        assert (await bench.ended("e"))["value"] == "yes"
        assert bench.loop.time() >= 60

    at_bench(work)


@pytest.mark.parametrize("moment", [0, 1, 500])
def test_mail_that_another_process_takes_in_while_this_one_holds_the_lease(moment: int) -> None:
    """The owner learns of it with the next heartbeat, which comes after the deadline; so it must ask."""

    @workflow
    async def both(ctx: Context, _: Any) -> str:
        waiting = ctx.wait_for("news", timeout="10s")
        await ctx.step(asyncio.sleep, 30)
        try:
            return str(await waiting)
        except TimedOut:
            return "late"

    async def work(bench: Bench) -> None:
        process = await bench.process(both, lease="1h")
        await bench.start(process, "both", "e")
        await asyncio.sleep(10 - moment / 1000)
        assert process.engine.active
        await news(outside(bench))
        assert (await bench.ended("e"))["value"] == "yes"

    at_bench(work)


def test_a_sleep_alone_asks_the_store_for_nothing() -> None:
    @workflow
    async def sleeper(ctx: Context, _: Any) -> None:
        await ctx.sleep("1s")
        await ctx.sleep("1s")

    async def work(bench: Bench) -> None:
        process = await bench.process(sleeper)
        await bench.start(process, "sleeper", "e")
        await bench.ended("e")
        assert bench.ledger.commits == 3

    at_bench(work)


def test_the_mail_in_time_may_be_behind_hundreds_that_are_late() -> None:
    """A callback that goes on beating while nobody looks fills the control lane; the event is an ordinary one."""

    @workflow
    async def alive(ctx: Context, _: Any) -> str:
        made = ctx.callback(heartbeat="1h")
        await ctx.step(tokens.append, made.token)
        try:
            return str(await ctx.wait_for("news", timeout="10s"))
        except TimedOut:
            return "late"

    async def work(bench: Bench) -> None:
        first = await bench.process(alive)
        await bench.start(first, "alive", "e")
        await bench.status("e", "waiting")
        first.kill()
        control = outside(bench)
        for number in range(2 * MAIL_BATCH):
            await control.signal("e", "other", number)
        await control.signal("e", "news", "yes")
        await asyncio.sleep(20)
        for _ in range(3 * MAIL_BATCH):
            await control.heartbeat(tokens[-1])
        await control.signal("e", "news", "again")
        await bench.process(alive)
        assert (await bench.ended("e"))["value"] == "yes"

    at_bench(work)


def test_a_resumption_is_seen_behind_hundreds_that_wait_for_it() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(callback)
        await bench.start(process, "callback", "e")
        await bench.status("e", "waiting")
        control = outside(bench)
        await control.pause("e")
        for _ in range(4 * MAIL_BATCH):
            await control.heartbeat(tokens[-1])
        await complete(control)
        await control.resume("e")
        assert (await bench.ended("e"))["value"] == "yes"

    at_bench(work)


@pytest.mark.parametrize("skew", [300_000, -300_000])
def test_the_clock_of_the_store_counts(skew: int) -> None:
    async def work(bench: Bench) -> None:
        bench.ledger.clock = bench.loop.clock
        first = Process(bench.loop, "p1", bench.ledger, [event], _settings(), skew=skew)
        await first.start()
        await bench.start(first, "event", "e")
        await bench.status("e", "waiting")
        first.kill()
        control = outside(bench)
        SharedClock.__init__(control._clock, lambda: bench.loop.clock() - skew)
        await asyncio.sleep(9)
        await news(control)
        await asyncio.sleep(60)
        second = Process(bench.loop, "p2", bench.ledger, [event], _settings(), skew=-skew)
        bench.processes += [first, second]
        await second.start()
        assert (await bench.ended("e"))["value"] == "yes"

    at_bench(work)


def _settings() -> Any:
    from overwinter.orchestrator.engine.engine import Settings

    return Settings()


@pytest.mark.parametrize("wait", [2, 11], ids=["in time", "late"])
def test_the_approval_of_an_agents_tool(wait: int) -> None:
    """Nor does the time of the turn run out while a person was to decide and the process was down."""

    @tool(effect="irreversible", approval="desk", approval_within="10s")
    async def refund(order: str) -> str:
        """Refund an order."""
        return f"refunded {order}"

    def say(messages: Any, tools: Any) -> Any:
        return messages[-1].content if messages[-1].role == "tool" else [call("refund", order="A")]

    agent = Agent("desk", Scripted(say), tools=[refund], limits=Limits(time="20s"))

    async def work(bench: Bench) -> None:
        first = await bench.process(agent)
        await bench.start(first, "desk", "e", "please")
        await bench.status("e", "waiting")
        first.kill()
        await asyncio.sleep(wait)
        control = outside(bench)
        if wait < 10:
            await control.decide("e", None, True)
        await asyncio.sleep(60)
        await bench.process(agent)
        ending = await bench.ended("e")
        assert ending["type"] == "completed"
        assert ("refunded" in ending["value"]) == (wait < 10)

    at_bench(work)


def test_timers_of_one_deadline_and_mail_between_two_keep_their_order() -> None:
    @workflow
    async def two(ctx: Context, _: Any) -> list[str]:
        async def one(name: str, within: str) -> str:
            try:
                return str(await ctx.wait_for(name, timeout=within))
            except TimedOut:
                return "late"

        return list(await asyncio.gather(one("a", "5s"), one("a", "10s"), one("b", "10s")))

    async def work(bench: Bench) -> None:
        first = await bench.process(two)
        await bench.start(first, "two", "e")
        await bench.status("e", "waiting")
        first.kill()
        await asyncio.sleep(7)
        control = outside(bench)
        await control.signal("e", "a", "yes")
        await asyncio.sleep(7)
        await control.signal("e", "b", "yes")
        await asyncio.sleep(7)
        await bench.process(two)
        assert (await bench.ended("e"))["value"] == ["late", "yes", "late"]

    at_bench(work)


def test_without_the_rule_it_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench itself finds an engine that fires first."""

    def mail(self: Offering, host: Host, *, is_stuck: bool) -> Any:
        self._stopped = False
        self.timers(host)
        return genuine(self, host, is_stuck=is_stuck)

    genuine = Offering.mail
    monkeypatch.setattr(Offering, "mail", mail)
    with pytest.raises(AssertionError):
        test_mail_to_a_process_that_is_down(event, news, 2)
