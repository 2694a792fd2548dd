"""An agent is asked again until its answer is accepted: recorded, bounded, usable wherever an agent is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import Agent, Context, ExecutionFailed, InvalidInput, Scripted, call, run, tool, workflow
from overwinter.functions.team import Attempt, NotAccepted, Verdict, loop_until
from overwinter.testing import World, crash_everywhere

NEVER = Scripted(["never asked"])


class Poem(BaseModel):
    lines: int


def poet() -> Agent[Poem]:
    script = Scripted({"three": '{"lines": 3}', "two": '{"lines": 2}', ".*": '{"lines": 1}'}, "poet")
    return Agent("poet", script, output=Poem, output_mode="prompt")


def long_enough(poem: Poem) -> bool | str:
    return True if poem.lines > 2 else "write " + {1: "two", 2: "three"}[poem.lines]


def test_it_is_asked_again_with_what_was_wrong_until_the_condition_holds() -> None:
    report = crash_everywhere(loop_until(poet(), long_enough), "snow")
    assert report.outcome.value == Poem(lines=3) and report.executions == 4


def test_each_round_and_each_verdict_is_recorded() -> None:
    loop = loop_until(poet(), long_enough, name="write")

    async def scenario(world: World) -> list[Any]:
        await (await world.start(loop, "snow", id="w")).result()
        children = [entry["id"] for entry in world.journal("w") if entry["type"] == "ordered"]
        return [[entry["type"] for entry in world.journal("w")], world.journal(children[1])[0]["input"]]

    kinds, again = crash_everywhere(scenario, functions=[loop], kills=5).outcome.value
    assert [kind for kind in kinds if kind in ("ordered", "child", "step")] == ["ordered", "child", "step"] * 3
    assert again.startswith("snow\n\nYou have answered:\n") and "not accepted: write two" in again


def test_a_judge_gives_a_typed_verdict_whose_feedback_goes_into_the_next_round() -> None:
    judge = Agent(
        "judge",
        Scripted({'"lines":3': '{"accepted": true}', ".*": '{"accepted": false, "feedback": "write three"}'}, "judge"),
        output=Verdict,
        output_mode="prompt",
    )
    assert crash_everywhere(loop_until(poet(), judge), "snow").outcome.value == Poem(lines=3)


def test_a_judge_may_take_the_attempt_as_it_is() -> None:
    seen: list[Any] = []

    @workflow
    async def critic(ctx: Any, attempt: Attempt) -> Verdict:
        seen.append((attempt.task, attempt.answer, attempt.round))
        return Verdict(attempt.round == 2, "more")

    assert run(loop_until(poet(), critic), "snow", store="memory://") == Poem(lines=1)
    assert seen == [("snow", {"lines": 1}, 1), ("snow", {"lines": 1}, 2)]


def test_when_none_is_accepted_it_fails_with_the_last_answer_or_gives_it() -> None:
    def never(poem: Poem, task: str) -> str:
        return f"{task} is no subject"

    report = crash_everywhere(loop_until(poet(), never, most=2), "snow")
    assert "no answer of poet was accepted in 2 rounds; the last time: snow is no subject" in report.outcome.error
    with pytest.raises(ExecutionFailed) as failed:
        run(loop_until(poet(), never, most=2), "snow", store="memory://")
    cause = failed.value.cause
    assert isinstance(cause, NotAccepted)
    assert (cause.rounds, cause.feedback, cause.answer) == (2, "snow is no subject", {"lines": 1})
    given = run(loop_until(poet(), lambda poem: False, most=2, otherwise="last"), "snow", store="memory://")
    assert given == Poem(lines=1)


def test_what_is_asked_again_may_be_of_any_type() -> None:
    @dataclass
    class Order:
        topic: str
        wish: str = ""

    writer = Agent("writer", Scripted({"longer": "A long one.", ".*": "Short."}), input=Order)
    loop = loop_until(
        writer, lambda text: len(text) > 6 or "longer", again=lambda order, _, wish: Order(order.topic, wish)
    )
    assert run(loop, Order("snow"), store="memory://") == "A long one."


def test_a_workflow_may_do_the_work() -> None:
    @workflow
    async def double(ctx: Any, text: str) -> str:
        return text * 2

    assert run(loop_until(double, lambda text: "aaaa" in text or "more"), "aa", store="memory://") == "aaaa"


def test_it_is_a_tool_of_another_agent() -> None:
    loop = loop_until(poet(), long_enough, name="write")
    boss = Agent("boss", Scripted([call("write", input="snow"), "Done."]), tools=[loop])
    assert crash_everywhere(boss, "A poem!").outcome.value == "Done."


@tool
def a_tool(x: int) -> int:
    return x


untyped: Any = loop_until


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: untyped(a_tool, long_enough), "takes an agent or a workflow"),
        (lambda: untyped(poet(), 3), "no condition"),
        (lambda: loop_until(poet(), lambda: True), "of the answer, or of the answer and the task"),
        (lambda: loop_until(poet(), bool), "of the answer, or of the answer and the task"),
        (lambda: loop_until(poet(), lambda *, answer: True), "of the answer, or of the answer and the task"),
        (lambda: loop_until(poet(), long_enough, most=0), "loop_until: most must be a whole number"),
        (lambda: loop_until(poet(), Agent("judge", NEVER, output=Poem)), "is to give a Verdict"),
        (lambda: loop_until(poet(), Agent("judge", NEVER)), "is to give a Verdict"),
        (lambda: loop_until(Agent("w", NEVER, input=Poem), long_enough), "give again="),
        (lambda: untyped(poet(), long_enough, otherwise="best"), "otherwise='best' is unknown"),
    ],
)
def test_what_can_t_work_is_refused(made: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        made()


@pytest.mark.parametrize("verdict", [True, "yes", {"accepted": "no"}, {"feedback": ""}])
def test_a_judge_that_gives_no_verdict_is_told_of(verdict: Any) -> None:
    @workflow
    async def judge(ctx: Context, attempt: Any) -> Any:
        return verdict

    with pytest.raises(ExecutionFailed, match=r"judge 'judge' gave .* no Verdict; give it an output with accepted"):
        run(loop_until(poet(), judge), "snow", store="memory://")


def test_a_judge_without_a_type_may_give_a_verdict_as_plain_data() -> None:
    @workflow
    async def judge(ctx: Context, attempt: Any) -> Any:
        return {"accepted": attempt["round"] == 2}

    assert run(loop_until(poet(), judge, most=2), "two", store="memory://") == Poem(lines=2)


def test_a_condition_that_says_neither_yes_nor_no_is_told_of() -> None:
    with pytest.raises(ExecutionFailed, match="returned None; return True"):
        run(loop_until(poet(), lambda poem: None), "snow", store="memory://")
