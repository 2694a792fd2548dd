"""Every pattern, run with a kill at every transition: the outcome is the same as without."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Runtime
from overwinter.functions.invocation.loading import load
from overwinter.functions.model import Scripted
from overwinter.patterns import evaluator_optimizer, prompt_chain, vote
from overwinter.patterns.augmented_llm import Question
from overwinter.patterns.durable_agent import Life
from overwinter.patterns.evaluator_optimizer import Draft, Refined, Verdict
from overwinter.patterns.prompt_chaining import Link
from overwinter.patterns.routing import Choice, Routed, routing
from overwinter.state.errors import ExecutionFailed
from overwinter.testing import World, crash_everywhere

EXAMPLES = Path(__file__).parents[2] / "examples" / "patterns"


def example(name: str) -> Any:
    return load(str(EXAMPLES / f"{name}.py"))


CASES = [
    ("write_a_report", "report", "How winter goes", "First comes the frost, then the ice, and then the thaw."),
    ("sort_the_mail", "desk", "it is broken", Routed(route="technical", result="Turn it off and on again.")),
    ("sort_the_mail", "desk", "hello", Routed(route="otherwise", result="Thank you for writing.")),
    ("sort_the_mail", "desk", "r-17?", Routed(route="refund", result="Your money is on its way.", by="rule")),
    ("plan_a_trip", "trip", "A weekend", "Take the train, sleep in the hut, rent skis."),
    ("review_a_text", "verdict", "Winter", "publish"),
    (
        "polish_a_line",
        "line",
        "A line about snow",
        Refined(text="Snow falls, and the house listens.", accepted=True, rounds=2, stopped="accepted"),
    ),
]


@pytest.mark.parametrize(("name", "function", "task", "expected"), CASES, ids=[f"{c[0]}-{c[1]}-{c[2]}" for c in CASES])
def test_pattern_survives_a_crash_at_every_transition(name: str, function: str, task: str, expected: object) -> None:
    report = crash_everywhere(getattr(example(name), function), task)
    assert report.outcome.value == expected
    assert report.points > 5


def test_a_section_that_fails_is_tolerated_and_named_through_every_crash() -> None:
    reviewed = crash_everywhere(example("review_a_text").review, "Winter").outcome.value
    assert reviewed.results == {"style": "Shorter sentences.", "facts": "Winter has three months."}
    assert list(reviewed.failed) == ["sleepy"]
    assert "asleep" in reviewed.failed["sleepy"]


def test_memory_survives_the_execution_and_every_crash() -> None:
    module = example("ask_the_manual")

    async def scenario(world: World) -> list[str]:
        first = await world.start(module.helpdesk, module.question)
        answers = [await first.result()]
        second = await world.start(module.helpdesk, Question(text="And the kettle?", memory="c-42"))
        return [*answers, await second.result()]

    report = crash_everywhere(scenario, functions=[module.helpdesk])
    assert report.outcome.value == ["To descale the kettle, boil vinegar in it.", "As I said: vinegar."]


def test_durable_agent_sleeps_wakes_and_asks_through_every_crash() -> None:
    module = example("watch_the_greenhouse")

    async def scenario(world: World) -> Life:
        run = await world.start(module.greenhouse, module.life, id="g")
        await world.signal("g", "wake", {"frost": True})
        await world.sleep("30h")  # nothing happens: it looks by itself
        await world.signal("g", "wake", {"sun": True})
        await world.approve("g")
        return Life.model_validate(await run.result())

    report = crash_everywhere(scenario, functions=[module.greenhouse])
    assert report.outcome.value.done == ["heat", "water", "open the roof"]


def test_a_gate_that_stays_closed_ends_the_chain() -> None:
    chain = prompt_chain("chain", Link(Agent("poor", Scripted({".*": "no"})), gate=lambda text: "too short", tries=2))

    async def main() -> None:
        async with Runtime([chain], store="memory://") as runtime:
            with pytest.raises(ExecutionFailed, match=r"did not pass its gate in 2 tries: too short"):
                await (await runtime.start(chain, "write")).result("5s")

    asyncio.run(main())


def test_the_number_of_rounds_is_a_hard_limit() -> None:
    asked: list[str] = []

    def judge(messages: Any, tools: Any) -> str:
        asked.append(messages[-1].content)
        return Verdict(accepted=False, score=(9 - len(asked)) / 10).model_dump_json()

    writer = Agent("w", Scripted({".*": "draft"}))
    never = evaluator_optimizer("never", writer, Agent("j", Scripted(judge), input=Draft, output=Verdict), rounds=4)

    async def main() -> Refined:
        async with Runtime([never], store="memory://") as runtime:
            return Refined.model_validate(await (await runtime.start(never, "x")).result("5s"))

    assert asyncio.run(main()) == Refined(text="draft", accepted=False, rounds=4, score=0.8)
    assert len(asked) == 4


def test_a_vote_without_majority_says_so() -> None:
    turn = iter("abcdefgh")
    split = vote("split", Agent("v", Scripted(lambda messages, tools: next(turn))), times=3)

    async def main() -> None:
        async with Runtime([split], store="memory://") as runtime:
            with pytest.raises(ExecutionFailed, match=r"1 of 3 votes, 2 are needed"):
                await (await runtime.start(split, "x")).result("5s")

    asyncio.run(main())


def test_an_unsure_classifier_is_not_followed() -> None:
    unsure = Agent("c", Scripted(['{"route": "a", "confidence": 0.2}']), output=Choice)
    a, other = Agent("a", Scripted(["a"])), Agent("o", Scripted(["other"]))
    desk = routing("careful", unsure, {"a": a}, otherwise=other)

    async def main() -> Routed:
        async with Runtime([desk], store="memory://") as runtime:
            return Routed.model_validate(await (await runtime.start(desk, "x")).result("5s"))

    assert asyncio.run(main()) == Routed(route="otherwise", result="other")


@pytest.mark.parametrize("file", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_example_runs_as_a_script(file: str) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / file)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
