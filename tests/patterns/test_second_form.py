"""What the patterns do when something fails, is unsure, or is not good enough: the same through a kill at every
transition, and the same as a state machine where that can be said."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from overwinter import Agent, Context, Final, InvalidInput, Memory, Scripted, workflow
from overwinter.patterns import (
    Link,
    as_state_machine,
    augmented_llm,
    durable_agent,
    evaluator_optimizer,
    orchestrator_workers,
    prompt_chain,
    routing,
    sections,
    vote,
)
from overwinter.patterns.augmented_llm import Question
from overwinter.patterns.durable_agent import Act, Life, Observation, Woken
from overwinter.patterns.evaluator_optimizer import Draft, Refined, Verdict
from overwinter.patterns.orchestrator_workers import Plan, Work
from overwinter.patterns.parallelization import Ballot, Sections
from overwinter.patterns.prompt_chaining import Objection
from overwinter.patterns.routing import Choice, Routed
from overwinter.testing import World, crash_everywhere, simulate
from overwinter.tests.patterns.test_machines import outcome


def says(name: str, text: str, **options: Any) -> Agent[Any]:
    return Agent(name, Scripted({".*": text}, name), **options)


def ill(name: str, **options: Any) -> Agent[Any]:
    return Agent(name, Scripted(lambda messages, tools: Final(f"{name} is ill"), name), **options)


def heard(name: str, answer: Callable[[str], str], **options: Any) -> Agent[Any]:
    """It answers by what it is told."""
    return Agent(name, Scripted(lambda messages, tools: answer(messages[-1].content), name), **options)


def alike(pattern: Any, task: Any) -> Any:
    """What it gives, also through every crash and as a state machine."""
    report = crash_everywhere(pattern, task)
    found = outcome(pattern, task)
    assert outcome(as_state_machine(pattern), task) == found
    return report.outcome.value


# -- routing -----------------------------------------------------------------------------------------------------


def by_word(letter: str) -> str | None:
    return "refund" if "money" in letter else None


def by_length(letter: str) -> str | None:
    return "a typo" if len(letter) > 20 else None


UNASKED = ill("unasked", output=Choice)


def desk(classifier: Agent[Any] | None, **options: Any) -> Any:
    routes = {"refund": says("refunds", "paid"), "sick": ill("sick")}
    return routing("desk", classifier, routes, otherwise=says("other", "hm"), rules=[by_word, by_length], **options)


@pytest.mark.parametrize(
    ("letter", "classifier", "expected"),
    [
        ("my money", UNASKED, Routed(route="refund", result="paid", by="rule")),
        (
            "this is quite a long letter",
            UNASKED,
            Routed(route="otherwise", result="hm", by="rule"),
        ),
        ("hello", None, Routed(route="otherwise", result="hm", by="rule")),
        ("hello", says("triage", '{"route": "refund"}', output=Choice), Routed(route="refund", result="paid")),
        ("hello", says("triage", '{"route": "?"}', output=Choice), Routed(route="otherwise", result="hm")),
    ],
    ids=["rule", "rule-unknown", "no-classifier", "model", "model-unknown"],
)
def test_rules_are_asked_before_the_model(letter: str, classifier: Agent[Any] | None, expected: Routed) -> None:
    assert alike(desk(classifier), letter) == expected


def test_rules_may_be_lambdas() -> None:
    rules = [lambda letter: "a" if "a" in letter else None, lambda letter: "b" if "b" in letter else None]
    ways = routing("ways", None, {"a": says("a", "A"), "b": says("b", "B")}, rules=rules, otherwise=ill("other"))
    assert alike(ways, "b") == Routed(route="b", result="B", by="rule")


def test_a_classifier_that_fails_does_not_lose_the_letter() -> None:
    found = alike(desk(ill("triage", output=Choice)), "hello")
    assert (found.route, found.result, found.by) == ("otherwise", "hm", "fallback")
    assert "triage is ill" in found.failed


def test_a_route_that_fails_has_its_work_done_by_the_fallback_and_else_raises() -> None:
    sick = says("triage", '{"route": "sick"}', output=Choice)
    found = alike(desk(sick, fallback=says("helper", "done all the same")), "hello")
    assert (found.route, found.result, found.by) == ("fallback", "done all the same", "fallback")
    assert "sick is ill" in found.failed
    assert "sick is ill" in outcome(desk(sick), "hello")


# -- parallelization ---------------------------------------------------------------------------------------------


def test_a_part_that_may_fail_may_and_one_that_is_needed_may_not() -> None:
    parts = {"style": says("style", "fine"), "facts": ill("facts"), "safety": says("safety", "safe")}
    review = sections("review", parts, tolerate=1, needed=["safety"])
    found = alike(review, "x")
    assert isinstance(found, Sections)
    assert (found.results, list(found.failed)) == ({"style": "fine", "safety": "safe"}, ["facts"])
    strict = sections("review", parts, tolerate=1, needed=["facts"])
    assert "facts may not fail" in outcome(strict, "x")
    assert outcome(as_state_machine(strict), "x") == ("PartMissing", "facts may not fail: facts is ill")
    with pytest.raises(ValueError, match=r"needed=\['fact'\] are no parts of review"):
        sections("review", parts, needed=["fact"])


def test_different_voters_have_a_vote_each_and_one_may_be_ill() -> None:
    voters = [says("a", "yes"), ill("b"), says("c", "yes")]
    assert alike(vote("verdict", voters, needed=2), "x") == "yes"
    assert alike(vote("verdict", [says("a", "no"), says("b", "no"), says("c", "yes")]), "x") == "no"


@pytest.mark.parametrize(
    ("voters", "answers", "failed"),
    [
        ([says("a", "yes"), says("b", "no")], [("yes", 1), ("no", 1)], 0),
        ([says("a", "no"), says("b", "yes"), says("c", "yes"), ill("d")], [("yes", 2), ("no", 1)], 1),
        ([ill("a"), ill("b")], [], 2),
    ],
    ids=["tie", "one ill", "all ill"],
)
def test_where_there_is_no_majority_an_arbiter_reads_the_ballot(
    voters: list[Agent[Any]], answers: list[tuple[str, int]], failed: int
) -> None:
    arbiter = heard("arbiter", lambda said: said, input=Ballot)
    ballot = Ballot.model_validate_json(alike(vote("verdict", voters, needed=3, otherwise=arbiter), "x"))
    assert ([(one.answer, one.votes) for one in ballot.answers], len(ballot.failed)) == (answers, failed)
    assert ballot.task == "x"


def test_an_arbiter_is_not_asked_where_there_is_a_majority() -> None:
    assert alike(vote("verdict", says("a", "yes"), times=2, otherwise=ill("arbiter", input=Ballot)), "x") == "yes"


# -- evaluator-optimizer -----------------------------------------------------------------------------------------


def poem(scores: list[float], **options: Any) -> tuple[Any, list[str]]:
    """A writer who numbers the drafts by what it is shown, a judge with a score for each, and what the writer read."""
    asked: list[str] = []

    def write(said: str) -> str:
        if said not in asked:
            asked.append(said)
        return f"draft {asked.index(said) + 1}"

    def judge(said: str) -> str:
        number = int(Draft.model_validate_json(said).draft.split()[-1])
        if number > len(scores):
            raise Final("the judge is ill")
        score = scores[number - 1]
        return Verdict(accepted=score == 1, score=score, feedback=f"on {number}").model_dump_json()

    writer, critic = heard("writer", write), heard("critic", judge, input=Draft, output=Verdict)
    return evaluator_optimizer("poem", writer, critic, **options), asked


def test_the_next_draft_is_made_of_the_best_one() -> None:
    loop, asked = poem([0.5, 0.2, 0.4, 1.0], rounds=5)
    assert alike(loop, "snow") == Refined(
        text="draft 4", accepted=True, rounds=4, score=1, feedback="on 4", stopped="accepted"
    )
    best = "snow\n\nYour draft:\ndraft 1\n\nImprove it: on 1"
    worse = "\n\nA later draft was judged worse: on "
    assert asked == ["snow", best, f"{best}{worse}2", f"{best}{worse}3"]


@pytest.mark.parametrize(
    ("scores", "options", "rounds", "stopped"),
    [
        ([0.2, 0.5, 0.4, 0.3], {"rounds": 4}, 4, "rounds"),
        ([0.2, 0.5, 0.4, 0.5, 0.9], {"rounds": 9, "patience": 2}, 4, "patience"),
        ([0.2, 0.5], {"rounds": 9}, 2, "failed"),
    ],
    ids=["rounds", "patience", "failed"],
)
def test_the_best_so_far_comes_back_however_it_ends(
    scores: list[float], options: dict[str, Any], rounds: int, stopped: str
) -> None:
    found = alike(poem(scores, **options)[0], "snow")
    assert (found.score, found.accepted, found.rounds, found.stopped) == (0.5, False, rounds, stopped)
    assert ("the judge is ill" in found.failed) == (stopped == "failed")


def test_a_first_round_that_fails_is_a_failure() -> None:
    loop, _ = poem([], rounds=3)
    assert "the judge is ill" in outcome(loop, "snow")
    assert "the judge is ill" in outcome(as_state_machine(loop), "snow")[1]


# -- orchestrator-workers ----------------------------------------------------------------------------------------


def nested(depth: int, most: int, plans: dict[str, list[Any]]) -> tuple[Any, list[str]]:
    """A trip whose planner knows a plan for each goal, and what was worked on."""
    worked: list[str] = []

    def work(task: str) -> str:
        worked.append(task)
        return f"did {task}"

    def put_together(said: str) -> str:
        work = Work.model_validate_json(said)
        return f"{work.goal}({', '.join(str(part.result or part.error) for part in work.parts)})"

    planner = heard("planner", lambda goal: json.dumps({"tasks": plans[goal]}), output=Plan)
    guide = heard("guide", put_together, input=Work)
    return orchestrator_workers("trip", planner, heard("scout", work), guide, most=most, depth=depth), worked


PLANS: dict[str, list[Any]] = {
    "go": ["train", {"task": "hut", "large": True}],
    "hut": ["beds", {"task": "food", "large": True}],
    "food": ["bread", "tea"],
}


@pytest.mark.parametrize(
    ("depth", "most", "expected"),
    [
        (1, 9, "go(did train, did hut)"),
        (2, 9, "go(did train, hut(did beds, did food))"),
        (3, 9, "go(did train, hut(did beds, food(did bread, did tea)))"),
        (3, 5, "go(did train, hut(did beds, food(did bread)))"),
        (3, 4, "go(did train, hut(did beds, did food))"),
        (3, 2, "go(did train, did hut)"),
    ],
)
def test_a_large_piece_is_cut_again_as_far_as_depth_and_pieces_go(depth: int, most: int, expected: str) -> None:
    trip, worked = nested(depth, most, PLANS)
    assert simulate(trip, "go") == expected
    assert len(worked) <= most


def test_nested_plans_survive_every_crash_and_are_no_state_machine() -> None:
    trip, _ = nested(3, 9, PLANS)
    report = crash_everywhere(trip, "go")
    assert report.outcome.value == "go(did train, hut(did beds, food(did bread, did tea)))"
    assert report.executions == 13  # itself, two parts, three plans, three put together, four scouts
    with pytest.raises(InvalidInput, match="trip can't be told as a state machine: how deep it goes"):
        as_state_machine(trip)
    flat, _ = nested(1, 9, PLANS)
    assert outcome(as_state_machine(flat), "go") == "go(did train, did hut)"


# -- prompt chaining ---------------------------------------------------------------------------------------------


def signed(text: str) -> str | None:
    return None if text.endswith("signed") else "nobody has signed"


def test_where_a_gate_stays_closed_a_better_agent_is_asked() -> None:
    expert = heard("expert", lambda said: "signed" if "refused: nobody has signed" in said else "?")
    chain = prompt_chain(
        "chain", Link(says("poor", "no"), gate=signed, tries=2, otherwise=expert), Link(says("e", "end"))
    )
    assert alike(chain, "write") == "end"
    poor = prompt_chain("chain", Link(says("poor", "no"), gate=signed, otherwise=says("other", "no")))
    words = "poor did not pass its gate in 3 tries: nobody has signed"
    assert words in outcome(poor, "write")
    assert outcome(as_state_machine(poor), "write") == ("GateClosed", words)


def test_a_gate_may_be_an_agent() -> None:
    def judge(said: str) -> str:
        return Objection(complaint=signed(said)).model_dump_json()

    author = heard("author", lambda said: "signed" if "refused" in said else "no")
    assert alike(prompt_chain("chain", Link(author, gate=heard("judge", judge, output=Objection))), "write") == "signed"


@pytest.mark.parametrize("agrees", [True, False])
def test_a_person_may_let_it_pass_after_days(agrees: bool) -> None:
    chain = prompt_chain("chain", Link(says("poor", "no"), gate=signed, ask="editor", within="7d"))

    async def scenario(world: World) -> Any:
        run = await world.start(chain, "write", id="c")
        await world.sleep("3d")
        (asked,) = world.open_approvals("c")
        assert (asked["role"], asked["data"]) == ("editor", "no")
        await (world.approve("c", by="ana") if agrees else world.deny("c", by="ana", reason="not like this"))
        return await run.result()

    report = crash_everywhere(scenario, functions=[chain])
    assert report.outcome.value == "no" if agrees else "not like this" in report.outcome.error
    with pytest.raises(InvalidInput, match="it asks a person"):
        as_state_machine(chain)


# -- augmented LLM -----------------------------------------------------------------------------------------------


def test_what_fits_is_remembered_from_long_ago() -> None:
    notes = Memory("helpdesk")
    prompts: list[str] = []

    def answer(messages: Any, tools: Any) -> str:
        prompts.append(messages[-1].content)
        return "noted"

    helpdesk = augmented_llm("helpdesk", Scripted(answer), notes=notes)

    async def scenario(world: World) -> list[int]:
        for text in (
            "My kettle is blue",
            *(f"Is it day {day}?" for day in range(12)),
            "What about the kettle?",
            "The kettle again?",
        ):
            run = await world.start(helpdesk, Question(text=text, memory="ana"))
            await run.result()
        return [
            prompts[-1].count(f"{asked}\nYou said: noted") for asked in ("My kettle is blue", "What about the kettle?")
        ]

    report = crash_everywhere(scenario, functions=[helpdesk], kills=20)
    assert report.outcome.value == [1, 1]  # long ago, and just now: once each


# -- durable agent -----------------------------------------------------------------------------------------------


def guard(decide: Callable[[Observation], Act], act: Callable[[str], Any] = str, **options: Any) -> Any:
    """A guard who decides by what it sees."""

    def said(text: str) -> str:
        return decide(Observation.model_validate_json(text)).model_dump_json()

    return durable_agent("guard", heard("watcher", said, input=Observation, output=Act), act, **options)


def test_several_events_wake_it_and_none_is_lost() -> None:
    def decide(seen: Observation) -> Act:
        told = " and ".join(f"{one.event} {one.data}" for one in seen.events) or str(seen.cause)
        return Act(action=told, finished="fire" in told, look_again="2h" if seen.cause == "bread" else None)

    watch = guard(decide, events=["delivery", "alarm"], every="1d")

    async def scenario(world: World) -> Life:
        run = await world.start(watch, Life(goal="guard"), id="g")
        await world.reached("g", "waiting")
        await world.signal("g", "delivery", "bread")
        await world.sleep("3h")  # it wanted to look after two
        await world.sleep("25h")
        await world.pause("g")
        await world.signal("g", "alarm", "smoke")
        await world.signal("g", "delivery", "milk")
        await world.resume("g")
        await world.signal("g", "alarm", "fire")
        return Life.model_validate(await run.result())

    report = crash_everywhere(scenario, functions=[watch], same=lambda one, other: told(one) == told(other))
    time = "it is time to look again"
    assert told(report.outcome.value) == ["alarm fire", "alarm smoke", "delivery bread", "delivery milk", time, time]


def told(life: Life) -> list[str]:
    """What woke it, whichever events came together."""
    return sorted(part for done in life.done for part in done.split(" and "))


def test_it_outlives_turns_acts_and_approvals_that_fail() -> None:
    def decide(seen: Observation) -> Act:
        if seen.cause == "bad":
            raise Final("no idea")
        return Act() if seen.cause == "nothing" else Act(action=str(seen.cause))

    def act(action: str) -> str:
        if action == "break":
            raise Final("it broke")
        return action

    watch = guard(decide, act, approve=lambda action: action == "risky", role="boss", within="1d")

    async def scenario(world: World) -> Life:
        run = await world.start(watch, Life(goal="guard"), id="g")
        for cause in ("bad", "break", "risky", "nothing", "water"):
            await world.signal("g", "wake", cause)
            await world.sleep("25h" if cause == "risky" else "1m")
        await world.signal("g", "stop")
        return Life.model_validate(await run.result())

    life = crash_everywhere(scenario, functions=[watch]).outcome.value
    assert life.stopped and life.turns == 5
    bad, broke, risky, water = life.done
    assert "could not decide" in bad and "no idea" in bad
    assert broke.startswith("failed: break (") and "it broke" in broke
    assert risky.startswith("not done: risky (") and "not decided in time" in risky
    assert water == "water"


def test_its_history_stays_short_and_what_it_carries_goes_on() -> None:
    watch = guard(lambda seen: Act(action=f"look {len(seen.done)}", finished=seen.cause == "enough"), every="1h")

    async def scenario(world: World) -> tuple[Life, list[str]]:
        run = await world.start(watch, Life(goal="guard"), id="g")
        await world.sleep("120h")
        await world.signal("g", "wake", "enough")
        life = Life.model_validate(await run.result())
        return life, [e["type"] for e in world.journal("g")]

    life, entries = simulate(scenario, functions=[watch])
    assert life.turns > 110 and len(life.done) == 20
    assert entries.count("checkpoint") == 2


@pytest.mark.parametrize("wish", ["tomorrow", "0m", "-1h", "99999d", "1"])
def test_a_wish_that_is_no_time_is_told_to_the_model(wish: str) -> None:
    with pytest.raises(ValidationError):
        Act(look_again=wish)


def test_what_woke_it_is_told() -> None:
    seen = Observation(goal="g", cause="x", done=[], events=[Woken(event="alarm", data={"a": 1})])
    assert Observation.model_validate_json(seen.model_dump_json()) == seen


def test_a_worker_may_be_another_pattern() -> None:
    @workflow
    async def careful(ctx: Context, task: str) -> str:
        """Do it."""
        return f"careful {task}"

    specialists = routing("specialists", None, {"refund": careful}, rules=[by_word], otherwise=says("any", "plain"))
    planner = says("planner", '{"tasks": ["money", "thanks"]}', output=Plan)
    guide = heard("guide", lambda said: said, input=Work)
    work = crash_everywhere(orchestrator_workers("team", planner, specialists, guide), "x").outcome.value
    assert [part.result["result"] for part in Work.model_validate_json(work).parts] == ["careful money", "plain"]
