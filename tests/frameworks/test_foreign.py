"""Agents that are made elsewhere, as functions: sessions with a conversation that is kept here, one reply for each
message, and the process dying at any point."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, cast

import pytest
from pydantic import BaseModel

from overwinter import Agent, Context, Retry, Runtime, Scripted, call, current_call, run, workflow
from overwinter.functions.foreign import Endpoint, ForeignAgent, Turn, current_turn
from overwinter.functions.invocation.loading import sound
from overwinter.functions.team import Attempt, Verdict, loop_until
from overwinter.patterns import Link, prompt_chain
from overwinter.state.errors import (
    AlreadyExists,
    Denied,
    ExecutionCancelled,
    ExecutionFailed,
    InDoubt,
    InvalidInput,
    Retryable,
    TimedOut,
)
from overwinter.testing import World, crash_everywhere, simulate


def echo(input: str, past: list[Any]) -> str:
    return f"{input} after {len(past)}"


class Order(BaseModel):
    id: str
    cents: int = 0


class Asking:
    """Two models and two tools beside each other, and what it remembers is its own."""

    name = "asking"

    async def answer(self, turn: Turn) -> str:
        turn.keep([f"asked {turn.input}"])
        first = await turn.model("m", asked)
        one, two = await asyncio.gather(
            turn.tool("lookup", {"id": "o-1"}, looked), turn.tool("weather", {"city": "Oslo"}, looked)
        )
        return f"{first} {one} {two} {turn.past}"


CALLS: Counter[str] = Counter()


async def asked() -> str:
    CALLS[current_call().idempotency_key] += 1
    return "thought"


async def looked(arguments: Any) -> str:
    CALLS[current_call().idempotency_key] += 1
    return "+".join(arguments.values())


asking = ForeignAgent("asking", Asking())


def test_any_callable_is_an_agent_and_one_step() -> None:
    whole = ForeignAgent("echo", echo)
    assert run(whole, "Hi", store="memory://") == "Hi after 0"

    async def plain(input: Order) -> int:
        return input.cents + 1

    typed = ForeignAgent("typed", plain, input=Order)
    assert run(typed, {"id": "o-1", "cents": 3}, store="memory://") == 4 and typed.output is int
    with pytest.raises(InvalidInput, match="cents"):
        run(typed, {"id": "o-1", "cents": "many"}, store="memory://")


def test_what_is_no_agent_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="callable of"):
        ForeignAgent("none", lambda: "")
    with pytest.raises(InvalidInput, match="callable of"):
        ForeignAgent("many", lambda a, b, c: "")
    with pytest.raises(InvalidInput):
        ForeignAgent("a name", echo)
    with pytest.raises(InvalidInput, match="no JSON form"):
        run(ForeignAgent("odd", echo, output=Turn), "Hi", store="memory://")


async def talk(world: World) -> list[str]:
    CALLS.clear()
    said = [await world.send(asking, "c-1", f"m{n}", id=f"m-{n}") for n in range(3)]
    answers = [str(await message.reply()) for message in said]
    journal = world.journal("asking/c-1")
    assert [entry["to"] for entry in journal if entry["type"] == "reply"] == ["m-0", "m-1", "m-2"]
    assert sum(entry["type"] == "step" for entry in journal) == 9
    assert len(CALLS) == 9 and CALLS.total() <= 9 + 3  # one death: the calls of one moment are made again, no other
    return answers


def test_a_conversation_is_kept_and_every_crash_survived() -> None:
    report = crash_everywhere(talk, functions=[asking])
    assert report.outcome.value == [
        "thought o-1 Oslo []",
        "thought o-1 Oslo ['asked m0']",
        "thought o-1 Oslo ['asked m0', 'asked m1']",
    ]
    assert report.points > 20
    crash_everywhere(asking, "once")


async def chat(world: World) -> list[str]:
    said = [await world.send(asking, "c-1", f"m{n}", id=f"m-{n}") for n in range(3)]
    return [str(await message.reply()) for message in said]


def test_several_deaths_of_one_conversation_change_nothing() -> None:
    crash_everywhere(chat, functions=[asking], kills=20, seed=5)


@pytest.mark.parametrize("history", [-1, True, "64KB", 1.5])
def test_a_history_is_a_number_of_turns(history: Any) -> None:
    with pytest.raises(InvalidInput, match="agent 'short': history, a number of turns, must be a whole number"):
        ForeignAgent("short", echo, history=history)


@pytest.mark.parametrize("said", ["timeout", "tool_timeout", "approval_within"])
@pytest.mark.parametrize("time", ["soon", 0, -1])
def test_a_time_that_is_none_is_refused_when_the_agent_is_made(said: str, time: Any) -> None:
    class Seen:
        name = "seen"

        async def answer(self, turn: Any) -> str:
            raise AssertionError("never asked")

    with pytest.raises(InvalidInput, match="agent 'short': "):
        ForeignAgent("short", Seen(), **{said: time})


def test_only_the_last_turns_are_handed_on_and_read() -> None:
    short = ForeignAgent("short", echo, history=2)
    none = ForeignAgent("none", echo, history=0)

    async def scenario(world: World) -> list[Any]:
        said = [await (await world.send(short, "c", f"m{n}", id=f"m-{n}")).reply() for n in range(5)]
        said += [await (await world.send(none, "c", f"m{n}", id=f"m-{n}")).reply() for n in range(2)]
        head = world.head("short/c")
        assert head is not None and head.base == 10 and head.status == "idle"  # of fifteen entries
        return said

    report = crash_everywhere(scenario, functions=[short, none])
    of_short = ["m0 after 0", "m1 after 2", "m2 after 4", "m3 after 4", "m4 after 4"]
    assert report.outcome.value == [*of_short, "m0 after 0", "m1 after 0"]


def test_a_turn_that_fails_is_answered_and_the_session_goes_on() -> None:
    async def picky(input: str, past: list[Any]) -> str:
        if input == "bad":
            raise ValueError("I don't take that")
        return f"{input} {len(past)}"

    agent = ForeignAgent("picky", picky)

    async def scenario(world: World) -> list[str]:
        found: list[str] = []
        for text in ("good", "bad", "good"):
            try:
                found.append(await (await world.send(agent, "c", text, id=f"{text}-{len(found)}")).reply())
            except ValueError as error:
                found.append(str(error))
        return found

    report = crash_everywhere(scenario, functions=[agent])
    assert report.outcome.value == ["good 0", "I don't take that", "good 2"]


def test_an_answer_that_does_not_fit_is_an_error_and_nothing_is_lost() -> None:
    agent = ForeignAgent("typed", lambda input: "many", output=int)
    with pytest.raises(ExecutionFailed, match="can't be recorded"):
        run(agent, "How many?", store="memory://")


def test_a_session_is_cancelled_in_the_middle_of_a_turn() -> None:
    class Patient:
        name = "patient"

        async def answer(self, turn: Turn) -> str:
            await turn.ctx.child(slow, "x")
            return "never"

    agent = ForeignAgent("patient", Patient(), uses=[slow])

    async def scenario(world: World) -> list[str]:
        message = await world.send(agent, "c", "wait", id="m-1")
        await world.reached("patient/c/1.0", "waiting")
        await world.cancel("patient/c")
        await world.reached("patient/c", "cancelled")
        await world.reached("patient/c/1.0", "cancelled")
        with pytest.raises(ExecutionCancelled, match="the session was cancelled"):
            await message.reply()
        return [entry["type"] for entry in world.journal("patient/c") if entry["type"] in ("reply", "cancelled")]

    report = crash_everywhere(scenario, functions=[agent])
    assert report.outcome.value == ["reply", "cancelled"]


@workflow
async def slow(ctx: Context, what: str) -> str:
    await ctx.sleep("30d")
    return what


def test_a_child_that_a_turn_leaves_is_cancelled_before_the_reply() -> None:
    class Leaving:
        name = "leaving"

        async def answer(self, turn: Turn) -> str:
            turn.ctx.child(slow, "x")
            await turn.ctx.sleep("1s")
            return f"left {len(turn.past)}"

    agent = ForeignAgent("leaving", Leaving(), uses=[slow])

    async def scenario(world: World) -> list[str]:
        said = [await (await world.send(agent, "c", f"m{n}", id=f"m-{n}")).reply() for n in range(2)]
        for child in ("leaving/c/1.0", f"leaving/c/{world.journal('leaving/c').index(_message(world, 'm-1')) + 1}.0"):
            await world.reached(child, "cancelled")
        return said

    report = crash_everywhere(scenario, functions=[agent])
    assert report.outcome.value == ["left 0", "left 2"]


def _message(world: World, id: str) -> dict[str, Any]:
    return next(entry for entry in world.journal("leaving/c") if entry["type"] == "message" and entry["id"] == id)


def test_a_turn_waits_for_a_persons_approval_and_is_denied() -> None:
    class Careful:
        name = "careful"

        async def answer(self, turn: Turn) -> Any:
            return await turn.tool("refund", {"cents": turn.input}, refunded)

    paid: list[int] = []

    async def refunded(arguments: Any) -> str:
        paid.append(arguments["cents"])
        return "paid"

    agent = ForeignAgent(
        "careful", Careful(), input=int, output=Any, approval={"refund": "desk"}, irreversible=["refund"]
    )

    async def scenario(world: World) -> list[str]:
        paid.clear()
        first = await world.send(agent, "c", 3, id="m-1")
        await world.reached("careful/c", "waiting")
        asked = world.open_approvals("careful/c")
        assert [(one["role"], one["data"]) for one in asked] == [("desk", {"cents": 3})] and not paid
        await world.approve("careful/c", by="ana")
        found: list[str] = []
        try:
            found.append(str(await first.reply()))
        except InDoubt as error:  # it may have run when the process died, and is not called again
            found.append(str(error))
        second = await world.send(agent, "c", 4, id="m-2")
        await world.deny("careful/c", by="ana", reason="too much")
        try:
            await second.reply()
        except Denied as error:
            found.append(str(error))
        assert len(paid) <= 1
        return found

    found = simulate(scenario, functions=[agent])
    assert found[0] == "paid" and "too much" in found[1]
    crash_everywhere(scenario, functions=[agent], same=lambda one, other: one[1] == other[1])


@pytest.mark.parametrize("operation", ["wait_for", "callback", "checkpoint"])
def test_what_no_turn_can_wait_for_is_refused_by_name(operation: str) -> None:
    class Odd:
        name = "odd"

        async def answer(self, turn: Turn) -> str:
            await getattr(turn.ctx, operation)("x")
            return ""

    with pytest.raises(ExecutionFailed, match="a turn of an agent"):
        run(ForeignAgent("odd", Odd()), "x", store="memory://")


async def _sent() -> None:
    once = ForeignAgent("echo", echo)
    async with Runtime([once], "memory://") as runtime:
        await (await runtime.send(once, "c", "Hi", id="m-1")).reply("10s")
        assert (await runtime.send(once, "c", "Hi", id="m-1")).duplicate
        with pytest.raises(InvalidInput, match="waits for no events"):
            await runtime.signal("echo/c", "go", 1)
        await (await runtime.start(once, "Hi", id="echo/once")).result("10s")
        with pytest.raises(AlreadyExists):
            await runtime.send(once, "once", "Hi")
        with pytest.raises(InvalidInput):
            await runtime.send(once, "c", ["Hi"])


def test_messages_arrive_once_and_events_are_refused() -> None:
    asyncio.run(_sent())


def test_it_is_a_tool_of_an_agent_and_called_by_a_workflow() -> None:
    @workflow(uses=[asking])
    async def flow(ctx: Context) -> str:
        return str(await ctx.call(asking, "Hi"))

    desk = Agent("desk", Scripted([call("asking", input="o-1?"), "Done."]), tools=[asking])
    assert run(desk, "Ask.", store="memory://") == "Done."
    assert run(flow, store="memory://") == "thought o-1 Oslo []"
    crash_everywhere(desk, "Ask.")


def test_it_has_its_place_in_a_loop_and_in_a_pattern() -> None:
    def judge(attempt: Attempt) -> dict[str, Any]:
        return {"accepted": attempt.round == 2, "feedback": "again"}

    critic = ForeignAgent("critic", judge, input=Attempt, output=Verdict)
    once = ForeignAgent("once", lambda input: f"{input}."[:40])
    report = crash_everywhere(loop_until(once, critic), "Hi")
    assert report.outcome.value == "Hi\n\nYou have answered:\nHi.\n\nThat was not"
    chain = prompt_chain("chain", Link(cast("Any", once)), Link(cast("Any", once)))
    assert run(chain, "Hi", store="memory://") == "Hi.."


def nothing(input: str) -> str:
    return "paid"


@pytest.mark.parametrize(
    "said",
    [{"approval": {"refund": "desk"}}, {"irreversible": ["refund"]}, {"tool_timeout": "1s"}, {"tool_retry": Retry()}],
)
@pytest.mark.parametrize("answers", [nothing, Endpoint("https://agents.example.com/x")])
def test_what_nobody_could_hold_of_its_tools_is_refused(answers: Any, said: dict[str, Any]) -> None:
    """Somebody would believe that a person is asked."""
    with pytest.raises(InvalidInput, match=f"{next(iter(said))} can't hold"):
        ForeignAgent("desk", answers, **said)


def test_retries_and_time_are_those_of_a_callable_and_not_of_an_endpoint() -> None:
    calls: list[str] = []

    async def answer(input: str) -> str:
        calls.append(input)
        if input == "fail":
            raise ValueError("no")
        await asyncio.Event().wait()
        return "late"

    bounded = ForeignAgent("bounded", answer, retry=Retry(attempts=2), timeout="1s")

    async def scenario(world: World) -> None:
        for input, error in (("fail", ValueError), ("hang", TimedOut)):
            with pytest.raises(ExecutionFailed) as failed:
                await (await world.start(bounded, input)).result()
            assert isinstance(failed.value.cause, error)
        assert calls == ["fail"] + ["hang"] * 2

    simulate(scenario, functions=[bounded])
    with pytest.raises(InvalidInput, match=r"say timeout on its Endpoint"):
        ForeignAgent("desk", Endpoint("https://agents.example.com/x"), timeout="1s")


def test_a_model_that_refuses_is_not_asked_again_and_one_that_is_busy_is() -> None:
    tries: list[int] = []

    class Refused(Exception):
        status_code = 401

    class Strict:
        name = "strict"

        async def answer(self, turn: Turn) -> Any:
            return await turn.model("m", refuse if turn.input == "refuse" else busy)

    async def refuse() -> str:
        tries.append(1)
        raise Refused("no key")

    async def busy() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Retryable("busy", retry_after=0.01)
        return "here"

    agent = ForeignAgent("strict", Strict(), output=Any)
    with pytest.raises(ExecutionFailed, match="no key"):
        run(agent, "refuse", store="memory://")
    assert len(tries) == 1
    tries.clear()
    assert run(agent, "busy", store="memory://") == "here" and len(tries) == 3


def test_outside_of_a_turn_there_is_none() -> None:
    assert current_turn() is None
    assert sound({"asking": asking}) and "asking" in repr(asking)
