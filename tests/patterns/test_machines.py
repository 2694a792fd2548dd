"""The patterns as state machines: the same result, with the same models, through every crash; what has another shape is
refused with the reason."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter import Agent, Context, InvalidInput, Runtime, StateFailed, StateMachine, tool, workflow
from overwinter.functions.invocation.loading import load
from overwinter.functions.model import Scripted
from overwinter.orchestrator.machine.validation.checking import check
from overwinter.patterns import (
    as_state_machine,
    augmented_llm,
    evaluator_optimizer,
    orchestrator_workers,
    prompt_chain,
    routing,
    sections,
    vote,
)
from overwinter.patterns.augmented_llm import Question
from overwinter.patterns.evaluator_optimizer import Draft, Verdict
from overwinter.patterns.orchestrator_workers import Plan, Work
from overwinter.patterns.prompt_chaining import Link
from overwinter.patterns.routing import Choice
from overwinter.state.codec import dumps, loads
from overwinter.state.errors import ExecutionFailed, Final
from overwinter.testing import crash_everywhere

EXAMPLES = Path(__file__).parents[2] / "examples" / "patterns"


def example(name: str, function: str) -> Any:
    return getattr(load(str(EXAMPLES / f"{name}.py")), function)


def outcome(function: Any, task: Any) -> Any:
    """Its result as plain JSON, or the text of its error."""

    async def main() -> Any:
        async with Runtime([function], "memory://") as runtime:
            handle = await runtime.start(function, task, id="x")
            try:
                found = dumps(await runtime.result(handle.id, timeout=20, typed=False))
                return loads(re.sub(r"child [^ ]+ failed: ", "", found))  # ids are others in another shape
            except ExecutionFailed as failed:
                cause = failed.__cause__
                return (cause.error, cause.cause) if isinstance(cause, StateFailed) else str(failed)

    return asyncio.run(main())


CASES = [
    ("write_a_report", "report", "How winter goes"),
    ("sort_the_mail", "desk", "it is broken"),
    ("sort_the_mail", "desk", "my money"),
    ("sort_the_mail", "desk", "hello"),
    ("plan_a_trip", "trip", "A weekend"),
    ("review_a_text", "review", "Winter"),
    ("review_a_text", "verdict", "Winter"),
    ("polish_a_line", "line", "A line about snow"),
    ("ask_the_manual", "helpdesk", Question(text="How do I descale the kettle?")),
]


@pytest.mark.parametrize(("name", "function", "task"), CASES, ids=[f"{c[1]}-{c[2]}" for c in CASES])
def test_a_machine_gives_what_its_pattern_gives(name: str, function: str, task: Any) -> None:
    expected = outcome(example(name, function), task)
    machine = as_state_machine(example(name, function))
    assert not [one for one in check(machine.source) if one.severity == "ERROR"]
    assert outcome(machine, task) == expected
    assert machine.input is not Any and machine.output is not Any


@pytest.mark.parametrize(
    ("name", "function", "task"), [CASES[0], CASES[5], CASES[7]], ids=["chain", "sections", "loop"]
)
def test_and_does_so_through_every_crash(name: str, function: str, task: Any) -> None:
    machine = as_state_machine(example(name, function))
    expected = outcome(machine, task)
    value = crash_everywhere(machine, task).outcome.value
    assert (value.model_dump() if isinstance(value, BaseModel) else value) == expected


def test_a_gate_that_stays_closed_ends_the_chain() -> None:
    asked: list[str] = []

    def poor(messages: Any, tools: Any) -> str:
        asked.append(messages[-1].content)
        return "no"

    def short(text: str) -> str | None:
        return "too short"

    agent = Agent("poor", Scripted(poor))
    chain = prompt_chain("chain", Link(agent), Link(agent, gate=short, tries=3))
    words = "poor did not pass its gate in 3 tries: too short"
    assert words in outcome(chain, "write")
    of_workflow, asked[:] = list(asked), []
    assert outcome(as_state_machine(chain), "write") == ("GateClosed", words)
    assert asked == of_workflow and len(asked) == 4


def test_a_gate_is_given_the_type_of_its_agent() -> None:
    def good(plan: Plan) -> str | None:
        return None if len(plan.tasks) > 1 else "more"

    said = iter(['{"tasks": ["a"]}', '{"tasks": ["a", "b"]}'])
    planner = Agent("planner", Scripted(lambda messages, tools: next(said)), output=Plan)
    assert outcome(as_state_machine(prompt_chain("chain", Link(planner, gate=good))), "x") == {"tasks": ["a", "b"]}


def test_an_unsure_classifier_is_not_followed_and_a_route_may_be_a_tool() -> None:
    @tool
    async def answer(letter: str) -> str:
        """Answer."""
        return f"re: {letter}"

    for confidence, route in ((0.2, "otherwise"), (0.8, 'a "quoted" one')):
        said = Choice(route='a "quoted" one', confidence=confidence).model_dump_json()
        classifier = Agent("c", Scripted({".*": said}), output=Choice)
        desk = routing("desk", classifier, {'a "quoted" one': answer}, otherwise=Agent("o", Scripted({".*": "other"})))
        assert outcome(desk, "hi")["route"] == route
        assert outcome(as_state_machine(desk), "hi") == outcome(desk, "hi")


@pytest.mark.parametrize(("tolerate", "fails"), [(0, True), (1, True), (2, False)])
def test_sections_tolerate_what_they_are_told_to(tolerate: int, fails: bool) -> None:
    parts = {name: Agent(name, Scripted([Final(f"{name} is ill")])) for name in ("a", "b")}
    review = sections("review", {**parts, "c": Agent("c", Scripted(["well"]))}, tolerate=tolerate)
    found = outcome(as_state_machine(review), "x")
    if fails:
        assert isinstance(outcome(review, "x"), str)
        assert isinstance(found, tuple) and (found[0] == "CompletionFailed" or not tolerate)
    else:
        assert found == outcome(review, "x")


@pytest.mark.parametrize("letters", ["aab", "aba", "baa", "abc", "a{a", "aaa"])
def test_votes_are_counted_alike(letters: str) -> None:
    def judge() -> Any:
        """Says each of the letters once, in any order: who asks first is told the first one."""
        said = iter(sorted("{}" if letter == "{" else f'"{letter}"' for letter in letters))
        return vote("count", Agent("v", Scripted(lambda messages, tools: next(said)), output=Any), times=3)

    expected, found = outcome(judge(), "x"), outcome(as_state_machine(judge()), "x")
    if letters == "abc":
        assert found == ("NoMajority", "the best answer has 1 of 3 votes, 2 are needed")
        assert found[1] in expected
    else:
        assert found == expected == "a"


@pytest.mark.parametrize("tolerate", [0.0, 0.4, 0.7])
@pytest.mark.parametrize("most", [0, 1, 3, 9])
def test_pieces_are_cut_off_and_may_fail(tolerate: float, most: int) -> None:
    def scout(messages: Any, tools: Any) -> str:
        if messages[-1].content != "b":
            return f"done {messages[-1].content}"
        raise Final("ill")

    planner = Agent("planner", Scripted({".*": '{"tasks": ["a", "b", "c"]}'}), output=Plan)
    guide = Agent("guide", Scripted(lambda messages, tools: messages[-1].content), input=Work)
    trip = orchestrator_workers(
        "trip", planner, Agent("scout", Scripted(scout)), guide, most=most, concurrency=2, tolerate=tolerate
    )
    expected, found = outcome(trip, "go"), outcome(as_state_machine(trip), "go")
    assert isinstance(found, tuple) if "goal" not in expected else found == expected


def test_the_best_draft_comes_back_when_the_rounds_are_over() -> None:
    def loop() -> Any:
        scores, drafts = iter([0.3, 0.8, 0.5]), iter(["one", "two", "three"])

        def judge(messages: Any, tools: Any) -> str:
            return Verdict(accepted=False, score=next(scores), feedback="no").model_dump_json()

        writer = Agent("w", Scripted(lambda messages, tools: next(drafts)))
        return evaluator_optimizer("never", writer, Agent("j", Scripted(judge), input=Draft, output=Verdict), rounds=3)

    assert (
        outcome(as_state_machine(loop()), "x")
        == outcome(loop(), "x")
        == {
            "text": "two",
            "accepted": False,
            "rounds": 3,
            "score": 0.8,
            "feedback": "no",
            "stopped": "rounds",
            "failed": "",
        }
    )


def test_a_question_with_a_memory_is_not_answered_without_it() -> None:
    helpdesk = augmented_llm("helpdesk", Scripted({".*": "yes"}))
    assert outcome(as_state_machine(helpdesk), Question(text="a")) == outcome(helpdesk, Question(text="a")) == "yes"
    error, cause = outcome(as_state_machine(helpdesk), Question(text="a", memory="m"))
    assert error == "InvalidInput" and "no memory" in cause


def test_what_is_no_state_machine_is_refused_with_the_reason() -> None:
    @workflow
    async def code(ctx: Context) -> int:
        return 1

    with pytest.raises(InvalidInput, match="greenhouse can't be told as a state machine: it is woken by events"):
        as_state_machine(example("watch_the_greenhouse", "greenhouse"))
    with pytest.raises(InvalidInput, match="code is code"):
        as_state_machine(code)
    assert as_state_machine(example("sort_the_mail", "desk"), "other").name == "other"
    assert isinstance(as_state_machine(example("sort_the_mail", "desk")), StateMachine)
