"""The answer that ends a turn: given by a call, sent back by a validator, repaired as often as the limit allows; and
whatever process goes on, nobody is asked twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import Agent, Limits, ModelRetry, Retry, Runtime, Scripted, call, run, tool
from overwinter.cli.view.story import summary
from overwinter.cli.view.timeline import Timeline
from overwinter.functions.models.port import Message
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.state.errors import ExecutionFailed, InvalidInput, LimitExceeded
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called


class Resolution(BaseModel):
    """It is solved."""

    summary: str


class Refusal(BaseModel):
    """It can't be solved."""

    reason: str


@tool
async def lookup(order: str) -> str:
    """Look an order up."""
    return f"{order} is on its way"


def driven(**options: Any) -> Driver:
    given: dict[str, Any] = {"output": Resolution | Refusal, "output_mode": "tool", "tools": [lookup], **options}
    return Driver(Agent("desk", Scripted(["no"]), **given))


def solved(summary: str = "done", id: str = "c1") -> dict[str, str]:
    return called("final_result_Resolution", id, summary=summary)


def ended(driver: Driver) -> Any:
    last = driver.entries()[-1]
    return last.get("value", last.get("error"))


def told(driver: Driver) -> list[str]:
    return [entry["text"] for entry in driver.entries("observed")]


def checked(driver: Driver, value: Any) -> None:
    """The validators give that verdict on the answer that is open."""
    (call,) = [effect for effect in driver.open.values() if isinstance(effect, Invoke) and effect.report == "check"]
    driver.turn([driver.fact(call, value)])


# -- a tool's call ---------------------------------------------------------------------------------------


def test_a_call_of_an_output_tool_is_the_answer() -> None:
    driver = driven()
    driver.start()
    driver.model([called("final_result_Refusal", reason="too late")])
    assert driver.entries()[-1]["type"] == "completed" and ended(driver) == {"reason": "too late"}
    assert driver.entries()[-1]["call"] == "t1.m1.0"


def test_the_member_is_the_one_whose_tool_was_called() -> None:
    driver = driven()
    driver.start()
    driver.model([called("final_result_Refusal", summary="it fits the other")])
    assert "reason: is missing" in told(driver)[0]


def test_a_session_goes_on_after_such_a_call() -> None:
    driver = driven()
    driver.say("m1")
    driver.model([solved("first", "c1"), solved("second", "c2")])
    assert ended(driver) == {"summary": "first"}
    driver.say("m2")
    outcomes = [message.content for message in driver.prompt() if message.role == "tool"]
    assert outcomes == ["This is taken as the final answer.", *outcomes[1:]] and "not taken" in outcomes[1]
    driver.model("It is refused.")
    assert "not valid JSON" in told(driver)[-1]
    driver.model('{"result": {"reason": "no"}}')  # words are read in each mode
    assert ended(driver) == {"reason": "no"}


def test_an_answer_beside_other_calls_is_not_taken_and_they_are_made() -> None:
    driver = driven()
    driver.start()
    driver.model([solved(id="c1"), called("lookup", "c2", order="7")])
    assert "other tools were called" in told(driver)[0]
    assert "repair" not in driver.entries("observed")[0]
    driver.tool("t1.m1.1", "on its way")
    assert [message.tool_call_id for message in driver.prompt() if message.role == "tool"] == ["c1", "c2"]
    driver.model([solved("after all")])
    assert ended(driver) == {"summary": "after all"}


def test_the_first_that_fits_is_the_answer() -> None:
    driver = driven()
    driver.start()
    driver.model(
        [called("final_result_Resolution", "c1", nothing=1), called("final_result_Refusal", "c2", reason="no")]
    )
    assert ended(driver) == {"reason": "no"} and not told(driver)


def test_calls_that_do_not_fit_are_one_repair() -> None:
    driver = driven()
    driver.start()
    driver.model(
        [called("final_result_Resolution", "c1"), {"id": "c2", "name": "final_result_Refusal", "arguments": "{"}]
    )
    assert [entry.get("repair") for entry in driver.entries("observed")] == [1, None]
    assert "summary: is missing" in told(driver)[0]
    driver.restart()
    driver.model([solved()])
    assert ended(driver) == {"summary": "done"}


def test_output_tools_are_known_in_other_modes() -> None:
    """A session may have been begun in another one."""
    driver = driven(output_mode="prompt")
    driver.start()
    driver.model([solved()])
    assert ended(driver) == {"summary": "done"}


def test_a_tool_of_that_name_is_what_it_is() -> None:
    @tool
    async def final_result(note: str) -> str:
        """Take a note."""
        return note

    driver = driven(output=Resolution, output_mode="auto", tools=[final_result])
    driver.start()
    driver.model([called("final_result", note="x")])
    driver.tool("t1.m1.0", "taken")
    driver.model('{"summary": "done"}')
    assert ended(driver) == {"summary": "done"}


# -- repairs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repairs", [0, 1, 3])
def test_repairs_are_counted_and_bounded(repairs: int) -> None:
    driver = driven(output_mode="auto", limits=Limits(repairs=repairs))
    driver.start()
    wrong = ["It is solved.", "", {"finish": "length", "text": "{"}, "perhaps"]
    for answer in wrong[:repairs]:
        driver.model(answer)
        assert driver.decision.status != "failed"
    driver.model('{"result": {"sum": 1}}')
    assert driver.decision.status == "failed"
    assert [entry["repair"] for entry in driver.entries("observed")] == list(range(1, repairs + 1))
    error = ended(driver)
    assert error["kind"].endswith("LimitExceeded") and error["data"]["limit"] == "repairs"
    assert "summary: is missing" in error["message"]


def test_the_next_message_begins_anew() -> None:
    driver = driven(output_mode="auto", limits=Limits(repairs=1))
    for id in ("m1", "m2"):
        driver.say(id)
        driver.model("no")
        driver.restart()
        driver.model('{"reason": "no"}')
        assert ended(driver) == {"reason": "no"}
    driver.say("m3")
    driver.model("no")
    driver.model("no")
    assert ended(driver)["data"]["limit"] == "repairs"
    driver.say("m4")
    driver.model('{"reason": "no"}')
    assert ended(driver) == {"reason": "no"}


def test_a_model_that_never_fits_ends_without_a_limit_on_calls() -> None:
    agent = Agent("desk", Scripted({".*": "no idea"}), output=Resolution, limits=Limits(iterations=None))
    with pytest.raises(ExecutionFailed) as caught:
        run(agent, "?", store="memory://")
    assert isinstance(caught.value.cause, LimitExceeded) and caught.value.cause.limit == "repairs"


@pytest.mark.parametrize("mode", ["auto", "tool"])
def test_a_retry_begins_with_what_was_wrong(mode: str) -> None:
    wrong: Any = "no" if mode == "auto" else [called("final_result_Resolution")]
    driver = driven(output_mode=mode, limits=Limits(repairs=0))
    driver.start()
    driver.model(wrong)
    assert driver.decision.status == "failed" and not told(driver)
    driver.spec.limits = Limits(repairs=1)
    driver.send({"type": "retry", "by": "ana"})
    assert len(told(driver)) == 1 and driver.prompt()[-1].role in ("user", "tool")
    driver.model([solved()])
    assert ended(driver) == {"summary": "done"}


def test_journals_that_do_not_count_repairs_are_read() -> None:
    driver = driven(output_mode="auto")
    driver.start()
    driver.model("no")
    old = driver.entries()
    for entry in old:
        entry.pop("repair", None)
    loop = driver.fresh()
    loop.replay("", 1, old, driver.now)
    assert loop._run.turn is not None and loop._run.turn.repairs == 0
    assert [effect.op for effect in loop.decide().perform] == ["t1.m2"]


# -- validators ------------------------------------------------------------------------------------------


def short(answer: Any) -> Any:
    if isinstance(answer, Resolution) and len(answer.summary) > 5:
        raise ModelRetry("it is too long.")
    return answer


@pytest.mark.parametrize("mode", ["auto", "tool"])
def test_a_validator_is_asked_in_a_step_of_its_own(mode: str) -> None:
    driver = driven(output_mode=mode, output_validator=short)
    driver.start()
    driver.model([solved()] if mode == "tool" else '{"summary": "done"}')
    assert driver.decision.status == "running" and list(driver.open) == ["t1.m1.check"]
    driver.restart()  # it is ordered again, under the same op
    checked(driver, None)
    assert ended(driver) == {"summary": "done"}
    assert [entry["type"] for entry in driver.entries()] == ["start", "model", "check", "completed"]


@pytest.mark.parametrize("mode", ["auto", "tool"])
def test_an_answer_that_is_sent_back_is_a_repair(mode: str) -> None:
    driver = driven(output_mode=mode, output_validator=short, limits=Limits(repairs=1))
    driver.start()
    for _ in range(2):
        driver.model([solved("far too long"), solved("x", "c2")] if mode == "tool" else '{"summary": "far too long"}')
        checked(driver, {"retry": "it is too long."})
        driver.check()
    assert "Your answer was sent back: it is too long." in told(driver)[0]
    assert ended(driver)["data"]["limit"] == "repairs" and "too long" in ended(driver)["message"]


def test_a_validator_may_give_another_answer() -> None:
    driver = driven(output=str, output_mode="auto", output_validator=str.strip)
    driver.say("m1")
    driver.model(" yes ")
    checked(driver, {"value": "yes"})
    assert ended(driver) == "yes" and "said" not in driver.entries()[-1]


def test_an_error_of_a_validator_is_the_turns_and_a_retry_asks_it_again() -> None:
    driver = driven(output_validator=short)
    driver.start()
    driver.model([solved()])
    checked(driver, OSError("no connection"))
    assert ended(driver)["kind"] == "builtins.OSError" and ended(driver)["op"] == "t1.m1.check"
    driver.send({"type": "retry", "by": "ana"})
    assert list(driver.open) == ["t1.m1.check"]
    checked(driver, None)
    assert ended(driver) == {"summary": "done"}


def test_time_that_is_up_ends_the_turn_and_the_step() -> None:
    driver = driven(output_validator=short, limits=Limits(time="10s"))
    driver.say("m1")
    driver.model([solved()])
    driver.expire(driver.now + 10_000)
    assert ended(driver)["data"]["limit"] == "time" and driver.open == {}
    driver.say("m2")
    driver.model([solved()])
    checked(driver, None)
    assert ended(driver) == {"summary": "done"}


def test_a_retry_after_time_was_up_asks_the_model_again() -> None:
    driver = driven(output_mode="auto", output_validator=short, limits=Limits(time="10s"))
    driver.start()
    driver.model('{"summary": "done"}')
    driver.expire(driver.now + 10_000)
    driver.send({"type": "retry", "by": "ana"})
    assert list(driver.open) == ["t1.m2"]
    driver.model('{"summary": "done"}')
    checked(driver, None)
    assert ended(driver) == {"summary": "done"}


def test_validators_that_are_gone_hold_nothing_up() -> None:
    driver = driven(output_validator=short)
    driver.start()
    driver.model([solved()])
    driver.spec = driven().spec
    driver.restart()
    assert ended(driver) == {"summary": "done"}


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{}/x.db"])
@pytest.mark.parametrize("mode", ["auto", "tool"])
def test_validators_see_typed_answers_and_inputs(mode: Any, store: str, tmp_path: Path) -> None:
    seen: list[Any] = []

    def first(answer: Resolution) -> None:
        seen.append((answer, threading.current_thread() is threading.main_thread()))
        if answer.summary == "no":
            raise ModelRetry("say more.")

    def script(messages: Any, tools: Any) -> Any:
        summary = "no" if len(messages) < 4 else "It is solved."
        return (
            call("final_result", summary=summary) if mode == "tool" else Resolution(summary=summary).model_dump_json()
        )

    agent = Agent("desk", Scripted(script), output=Resolution, output_mode=mode, output_validator=first, input=int)

    @agent.output_validator
    async def second(answer: Resolution, input: int) -> Resolution:
        seen.append(input)
        return Resolution(summary=f"{answer.summary} {input}")

    assert run(agent, 7, store=store.format(tmp_path)) == Resolution(summary="It is solved. 7")
    assert seen == [(Resolution(summary="no"), False), (Resolution(summary="It is solved."), False), 7]


@pytest.mark.parametrize(
    ("output", "returned", "value"),
    [(str, None, "yes"), (str, "no", "no"), (str | None, None, None), (int | str, 3, 3)],
)
def test_what_a_validator_returns_is_the_answer(output: Any, returned: Any, value: Any) -> None:
    agent = Agent("desk", Scripted(["yes"]), output=output, output_validator=lambda answer: returned)
    assert run(agent, "?", store="memory://") == value


def test_what_a_validator_returns_must_fit() -> None:
    agent = Agent("desk", Scripted(["3"]), output=int, output_validator=lambda answer: "many")
    with pytest.raises(ExecutionFailed, match="an output validator of 'desk' returned does not fit"):
        run(agent, "?", store="memory://")


@pytest.mark.parametrize("wrong", [5, lambda: None, lambda a, b, c: None, lambda *, answer: None, [short, "x"]])
def test_what_can_be_no_validator_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidInput, match="give a function of the answer"):
        Agent("desk", "scripted:echo", output_validator=wrong)


# -- ModelRetry of tools ---------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["pure", "irreversible"])
def test_a_tool_that_wants_a_retry_is_called_once_and_the_model_is_told(effect: Any) -> None:
    calls: list[str] = []

    @tool(effect=effect)
    def book(city: str) -> str:
        """Book."""
        calls.append(city)
        if city == "Atlantis":
            raise ModelRetry("there is no such city.")
        return "booked"

    def script(messages: Sequence[Message], tools: Any) -> Any:
        if len(messages) == 1:
            return call("book", city="Atlantis")
        return call("book", city="Oslo") if messages[-1].content != "booked" else messages[2].content

    said = run(Agent("desk", Scripted(script), tools=[book]), "go", store="memory://")
    assert said == "Error: there is no such city. Correct that and call the tool again."
    assert calls == ["Atlantis", "Oslo"]


def test_no_policy_repeats_it() -> None:
    retry = Retry(retry=(Exception,), when=lambda error, failed: True)
    assert not retry.again(ModelRetry("again")) and not retry.again(ExceptionGroup("", [ModelRetry("again")]))


# -- crashes ---------------------------------------------------------------------------------------------

asked: list[str] = []


async def look(answer: Resolution | Refusal | None, input: str) -> Resolution | Refusal | None:
    asked.append(input)
    if answer == Resolution(summary="no"):
        raise ModelRetry("say more.")
    return Refusal(reason=f"{input} again") if isinstance(answer, Refusal) else answer


def talk(messages: Any, tools: Any) -> Any:
    """Beside another call, one that does not fit, one that is sent back, and one that is taken."""
    said = sum(message.role == "assistant" for message in messages[last_of(messages) :])
    by_tool = any(tool.name == "final_result_Refusal" for tool in tools)
    steps = [
        [call("lookup", order="7"), call("final_result_Resolution", summary="early")],
        call("final_result_Resolution", note=1) if by_tool else "Well …",
        call("final_result_Resolution", summary="no") if by_tool else '{"result": {"summary": "no"}}',
        call("final_result_Refusal", reason="no") if by_tool else '{"result": {"reason": "no"}}',
    ]
    return steps[said]


def last_of(messages: Any) -> int:
    return max(number for number, message in enumerate(messages) if message.content in ("one", "two"))


def answering(name: str, mode: Any) -> Agent[Resolution | Refusal | None]:
    output = Resolution | Refusal | None
    return Agent(name, Scripted(talk), tools=[lookup], output=output, output_mode=mode, output_validator=look)


desk, clerk = answering("desk", "tool"), answering("clerk", "auto")


async def conversation(world: World) -> list[Any]:
    first = await (await world.send(desk, "c", "one")).reply()
    second = await (await world.send(desk, "c", "two")).reply()
    return [first, second, await (await world.start(clerk, "one", id="r")).result()]


def test_it_survives_a_crash_at_every_transition() -> None:
    report = crash_everywhere(conversation, functions=[desk, clerk], fresh=asked.clear)
    assert report.points > 20
    assert report.outcome.value == [
        Refusal(reason="one again"),
        Refusal(reason="two again"),
        Refusal(reason="one again"),
    ]


def test_nobody_is_asked_twice_of_one_answer(tmp_path: Path) -> None:
    async def main() -> Sequence[Any]:
        store = f"sqlite:///{tmp_path / 'x.db'}"
        async with Runtime([desk], store) as runtime:
            message = await runtime.send(desk, "c", "one")
            assert await message.reply("20s") == Refusal(reason="one again")
        async with Runtime([desk], store) as runtime:  # another process reads it
            second = await runtime.send(desk, "c", "two")
            await second.reply("20s")
            return await runtime.history("desk/c")

    asked.clear()
    entries = asyncio.run(main())
    assert asked == ["one", "one", "two", "two"]
    assert [entry["value"] for entry in entries if entry["type"] == "check"] == [
        {"retry": "say more."},
        {"value": {"reason": "one again"}},
        {"retry": "say more."},
        {"value": {"reason": "two again"}},
    ]


def test_people_see_how_often_it_was_repaired() -> None:
    driver = driven(output_mode="auto", output_validator=short)
    driver.start()
    driver.model("no")
    driver.model([called("final_result_Refusal", "c1")])
    driver.model([solved()])
    checked(driver, None)
    timeline = Timeline()
    for number, entry in enumerate(driver.entries(), 1):
        timeline.add(number, entry)
    names = [row.name for row in timeline.rows() if row.kind == "observed"]
    assert names == ["repair 1", "final_result_Refusal repair 2"] and "2 repairs" in summary(timeline.totals)
    assert timeline.totals.json()["repairs"] == 2
