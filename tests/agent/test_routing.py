"""Several models of one agent: the next is asked when one can't answer, a rule chooses for each call; who is asked and
why stands in the journal before the call, and nobody chooses again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, InvalidInput, Limits, Retry, Retryable, Route, Runtime, Scripted, call, tool
from overwinter.functions.invocation.looking import look
from overwinter.functions.model import Question
from overwinter.functions.models.failing import ModelUnavailable
from overwinter.functions.models.litellm import LiteLLM
from overwinter.functions.models.routing import elsewhere, hasty
from overwinter.orchestrator.usercode.resilience import Breaker, Policy
from overwinter.state.errors import CircuitOpen, ExecutionFailed, TimedOut
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called


class TooLong(InvalidInput):
    shorter = True


class KeyGone(InvalidInput):
    elsewhere = True


class Broken(InvalidInput):
    """Nobody else could do better."""


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


def models(*names: str) -> list[Scripted]:
    return [Scripted(["never asked"], name) for name in names]


def two(**more: Any) -> Driver:
    return Driver(Agent("desk", models("first", "second"), tools=[lookup], **more))


def asked(run: Driver) -> tuple[str, str]:
    """Op and name of the model call under way."""
    (effect,) = run.open.values()
    return effect.op, effect.name  # type: ignore[union-attr]  # the test is about a model call


def routed(run: Driver) -> list[dict[str, Any]]:
    return [{key: entry[key] for key in entry if key != "at"} for entry in run.entries("routed")]


# -- a list ------------------------------------------------------------------------------------------


def test_one_model_leaves_no_trace_of_a_choice() -> None:
    run = Driver(Agent("desk", models("only")[0]))
    run.start()
    assert asked(run) == ("t1.m1", "scripted/only")
    run.model("done")
    assert routed(run) == [] and run.decision.status == "completed"


@pytest.mark.parametrize(
    "error", [ModelUnavailable("busy"), TimedOut("slow"), CircuitOpen("open", retry_after=60), KeyGone("no key")]
)
def test_the_next_is_asked_when_one_can_not_answer(error: Exception) -> None:
    run = two()
    run.start()
    decision = run.model(error)
    assert decision.status == "running" and asked(run) == ("t1.m1.r1", "scripted/second")
    (entry,) = routed(run)
    assert entry == {
        "type": "routed",
        "op": "t1.m1.r1",
        "name": "scripted/second",
        "why": f"scripted/first: {type(error).__name__}: {error}",
    }
    run.restart()
    assert asked(run) == ("t1.m1.r1", "scripted/second")
    assert run.model("done").status == "completed"


def test_an_error_that_nobody_else_heals_ends_the_run() -> None:
    run = two()
    run.start()
    assert run.model(Broken("the settings are wrong")).status == "failed"
    assert routed(run) == [] and run.entries()[-1]["error"]["op"] == "t1.m1"


def test_the_last_one_s_error_is_the_run_s() -> None:
    run = two()
    run.start()
    run.model(Retryable("busy"))
    assert run.model(Retryable("busy too")).status == "failed"
    error = run.entries()[-1]["error"]
    assert (error["message"], error["op"]) == ("busy too", "t1.m1.r1")


def test_who_has_answered_is_asked_on_in_the_turn_and_the_first_in_the_next() -> None:
    run = two()
    run.say("a")
    run.model(Retryable("busy"))
    run.model([called("lookup", order_id="1")])
    assert [op for op in run.open] == ["t1.m1.r1.0"]
    run.tool("t1.m1.r1.0", "found")
    assert asked(run) == ("t1.m2", "scripted/second")
    run.restart()
    assert asked(run) == ("t1.m2", "scripted/second")
    run.model("done")
    run.say("b")
    assert asked(run) == ("t2.m1", "scripted/first")


def test_a_reply_that_is_the_answer_s_text_names_the_call_that_gave_it() -> None:
    run = two()
    run.say("a")
    run.model(Retryable("busy"))
    run.model("done")
    assert run.entries("reply")[0]["said"] == "t1.m1.r1"


def test_after_retry_the_first_is_asked_again() -> None:
    run = two()
    run.start()
    run.model(Retryable("busy"))
    run.model(Retryable("busy too"))
    run.send({"type": "retry", "by": "ada"})
    assert asked(run) == ("t1.m1.r2", "scripted/first")
    assert run.model("done").status == "completed"


def test_a_model_that_the_code_has_no_more_is_not_asked() -> None:
    run = two()
    run.start()
    run.model(Retryable("busy"))
    run.spec = Agent("desk", models("third"))
    run.restart()
    assert asked(run) == ("t1.m1.r1", "scripted/third")
    assert run.model("done").status == "completed"


# -- a past that is too long -------------------------------------------------------------------------


def session(*messages: str) -> Driver:
    run = Driver(Agent("desk", models("only")[0]))
    for number, text in enumerate(messages):
        run.say(f"m{number}", text)
        run.model(f"answer {number}")
    return run


def test_a_past_that_is_too_long_is_halved_once() -> None:
    run = session("a", "b", "c", "d")
    run.say("e", "now")
    assert len(run.prompt()) == 9
    run.model(TooLong("too long"))
    assert [message.content for message in run.prompt()] == ["c", "answer 2", "d", "answer 3", "now"]
    (entry,) = routed(run)
    assert (entry["kept"], entry["name"], entry["op"]) == (2, "scripted/only", "t5.m1.r1")
    run.restart()
    assert len(run.prompt()) == 5
    run.model(TooLong("still too long"))
    assert "error" in run.entries("reply")[-1]
    run.say("f", "again")
    assert [message.content for message in run.prompt()][:2] == ["c", "answer 2"], "what was dropped stays dropped"


def test_without_a_past_nothing_can_be_left_out() -> None:
    run = session("a")
    run.say("b")
    run.model(TooLong("too long"))
    assert routed(run) == [] and "error" in run.entries("reply")[-1]


@pytest.mark.parametrize("seed", range(20))
def test_any_mixture_of_failures_is_read_back_from_the_journal(seed: int) -> None:
    """``Driver`` compares each decision with that of a process that has read the journal."""
    draw = random.Random(seed)
    run = Driver(Agent("desk", models("a", "b", "c"), tools=[lookup], history=6, limits=Limits(iterations=4)))
    answers: list[Callable[[], Any]] = [
        lambda: Retryable("busy"),
        lambda: TooLong("long"),
        lambda: Broken("no"),
        lambda: [called("lookup", order_id=str(draw.random()))],
        lambda: "x" * draw.randrange(200),
    ]
    for turn in range(12):
        run.say(f"m{turn}")
        while run.open:
            (op,) = run.open
            if run.effect(op).report == "tool":
                run.tool(op, "found")
            else:
                run.model(draw.choice(answers)())
            if draw.random() < 0.3:
                run.restart()
    assert len(run.entries("reply")) == 12
    ops = [entry["op"] for entry in run.entries("model")]
    assert len(ops) == len(set(ops))


# -- a rule ------------------------------------------------------------------------------------------


def by_step(question: Question) -> tuple[str, str]:
    return ("strong", "the first step plans") if question.step == 1 else ("cheap", "what follows is easy")


def ruled(by: Any = by_step, **more: Any) -> Driver:
    strong, cheap, spare = models("strong", "cheap", "spare")
    return Driver(Agent("desk", Route({"cheap": [cheap, spare], "strong": strong}, by), tools=[lookup], **more))


def test_a_rule_is_asked_once_for_each_call() -> None:
    told: list[Question] = []

    def rule(question: Question) -> str:
        told.append(question)
        return "strong"

    run = ruled(rule, limits=Limits(iterations=5, cost="1"))
    run.compare = False  # it would ask, too, if it were asked again
    run.say("a", "hello")
    run.restart()
    run.model([called("lookup", order_id="1")])
    run.tool("t1.m1.0", "found")
    run.restart()
    run.model("done")
    assert [question.step for question in told] == [1, 2]
    assert told[0].tools == ("lookup",) and told[0].content == "hello" and told[0].characters == 5
    assert (told[0].iterations_left, told[1].iterations_left, told[0].tokens_left) == (5, 4, None)
    assert told[1].cost_left is not None and str(told[1].cost_left) == "0.99"


def test_what_it_chose_and_why_is_journaled_before_the_call() -> None:
    run = ruled()
    run.say("a")
    assert asked(run) == ("t1.m1", "scripted/strong")
    run.model([called("lookup", order_id="1")])
    run.tool("t1.m1.0", "found")
    assert asked(run) == ("t1.m2", "scripted/cheap")
    run.model(Retryable("busy"))
    assert asked(run) == ("t1.m2.r1", "scripted/spare")
    run.model("done")
    assert [(entry["op"], entry["name"], entry["route"]) for entry in routed(run)] == [
        ("t1.m1", "scripted/strong", "strong"),
        ("t1.m2", "scripted/cheap", "cheap"),
        ("t1.m2.r1", "scripted/spare", "cheap"),
    ]
    assert routed(run)[0]["why"] == "the first step plans"


@pytest.mark.parametrize("wrong", ["costly", 3, None, ("a", "b", "c"), [], ("cheap",)])
def test_a_name_that_the_route_has_not_fails_the_turn_by_name(wrong: object) -> None:
    run = ruled(lambda question: wrong)
    run.say("a")
    assert "the route has: cheap, strong" in run.entries("reply")[0]["error"]["message"]


def test_a_rule_that_raises_fails_the_turn_by_name() -> None:
    run = ruled(lambda question: 1 / 0)
    run.say("a")
    error = run.entries("reply")[0]["error"]["message"]
    assert "the rule of the agent's Route failed" in error and "ZeroDivisionError" in error
    run.say("b")
    assert len(run.entries("reply")) == 2


# -- the face ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "no model is in the list"),
        (["scripted:echo", "scripted:echo"], "a model is twice"),
        ([3], "no model"),
    ],
)
def test_lists_that_can_not_work_are_refused(given: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        Agent("desk", given)


async def later(question: Question) -> str:
    return "a"


@pytest.mark.parametrize(
    ("given", "by"),
    [({}, by_step), (["a"], by_step), ({"": "scripted:echo"}, by_step), ({"a": "b/c"}, 3), ({"a": "b/c"}, later)],
)
def test_routes_that_can_not_work_are_refused(given: Any, by: Any) -> None:
    with pytest.raises(InvalidInput):
        Route(given, by)


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidInput, match="could not tell them apart"):
        Agent("desk", Route({"a": Scripted(["x"], "same"), "b": Scripted(["y"], "same")}, by_step))


def test_all_models_are_looked_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    agent = Agent("desk", ["scripted:echo", "openai/gpt-5-mini"])
    assert [type(model) for model in agent.models] == [Scripted, LiteLLM]
    assert "OPENAI_API_KEY" in look({"desk": agent})[0].text


def test_a_model_with_a_stand_in_is_not_waited_for() -> None:
    policy = hasty(Policy(retry=Retry(attempts=10, first="30s", in_process="2s"), breaker=Breaker()))
    assert policy.retry.attempts == 3 and policy.retry.pause(1, ModelUnavailable("x"), random.Random(1)) <= 2
    assert policy.retry.again(ModelUnavailable("x", retry_after=1.5), 1)
    assert not policy.retry.again(ModelUnavailable("x", retry_after=60), 1)
    assert not policy.retry.again(CircuitOpen("x", retry_after=60), 1)
    own = hasty(Policy(retry=Retry(when=lambda error, failed: False)))
    assert not own.retry.again(ModelUnavailable("x"), 1)


def test_what_passes_may_be_healed_elsewhere() -> None:
    assert elsewhere(ConnectionError()) and elsewhere(TimedOut("x")) and elsewhere(ModelUnavailable("x"))
    assert not elsewhere(InvalidInput("x")) and not elsewhere(Broken("x")) and elsewhere(KeyGone("x"))


# -- as it runs --------------------------------------------------------------------------------------

busy = Scripted([ModelUnavailable("rate limited", retry_after=3600)] * 9, "busy")
helper = Agent("helper", [busy, Scripted([call("lookup", order_id="7"), "It is there."], "ready")], tools=[lookup])
planner = Scripted([call("lookup", order_id="7")], "planner")
chooser = Agent(
    "chooser",
    Route(
        {
            "cheap": [busy, Scripted(["", "Easy."], "easy")],
            "strong": Scripted([call("lookup", order_id="7")], "strong"),
        },
        by_step,
    ),
    tools=[lookup],
)


async def talked(world: World) -> str:
    first = await (await world.send(helper, "c", "Where is it?")).reply()
    second = await (await world.start(helper, "And?", id="r")).result()
    return f"{first} {second} {await (await world.send(chooser, 'd', 'Is it easy?')).reply()}"


def test_it_survives_a_crash_at_every_transition() -> None:
    crash_everywhere(talked, functions=[helper, chooser])


def test_a_provider_that_is_busy_for_an_hour_holds_nobody_up(tmp_path: Path) -> None:
    async def main() -> None:
        async with Runtime([helper], store=f"sqlite:///{tmp_path / 'x.db'}") as runtime:
            async with asyncio.timeout(30):
                handle = await runtime.start(helper, "Where?")
                assert await handle.result() == "It is there."
            entries = await runtime.history(handle.id)
            assert [
                (entry["type"], entry.get("name")) for entry in entries if entry["type"] in ("model", "routed")
            ] == [
                ("model", "scripted/busy"),
                ("routed", "scripted/ready"),
                ("model", "scripted/ready"),
                ("model", "scripted/ready"),
            ]

    asyncio.run(main())


def test_an_open_circuit_leads_to_the_next_model(tmp_path: Path) -> None:
    down = Scripted([ConnectionError("no route")] * 9, "down")
    agent = Agent("desk", [down, "scripted:echo"], breaker=Breaker(failures=1, reset="1h"), retry=Retry(first="1ms"))

    async def main() -> None:
        async with Runtime([agent], store=f"sqlite:///{tmp_path / 'x.db'}") as runtime:
            for number in range(2):
                async with asyncio.timeout(30):
                    handle = await runtime.start(agent, f"hello {number}", id=f"r{number}")
                    assert await handle.result() == f"hello {number}"
            (entry,) = [entry for entry in await runtime.history("r1") if entry["type"] == "routed"]
            assert "circuit" in entry["why"]

    asyncio.run(main())


def test_when_all_fail_the_last_error_is_told(tmp_path: Path) -> None:
    wrong = Scripted([Broken("no")] * 9, "wrong")
    agent = Agent("desk", [busy, wrong])

    async def main() -> None:
        async with Runtime([agent], store=f"sqlite:///{tmp_path / 'x.db'}") as runtime:
            with pytest.raises(ExecutionFailed, match="no"):
                await (await runtime.start(agent, "hello")).result()

    asyncio.run(main())


def test_a_test_may_set_another_model() -> None:
    agent = Agent("desk", "openai/gpt-5-mini")
    agent.model = Scripted(["done"], "stand-in")
    assert [model.name for model in agent.models] == ["scripted/stand-in"]
    run = Driver(agent)
    run.start()
    assert asked(run)[1] == "scripted/stand-in"
