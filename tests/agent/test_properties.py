"""Whatever a model, tools, people and the network do: the loop never raises, every message gets exactly one
reply, and a process that replays the journal after any transition knows what the living one knew."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from overwinter import Agent, Limits, tool
from overwinter.functions.agents.compacting import Way
from overwinter.functions.agents.limits import History
from overwinter.functions.hooks import Hook, ToolUse
from overwinter.functions.models.scripted import Scripted
from overwinter.functions.window import Drop, Leaving, Shorten, Summarize
from overwinter.orchestrator.agent.answer import read
from overwinter.orchestrator.protocol.decider import Invoke, Spawn
from overwinter.state.errors import InDoubt
from overwinter.state.records import FINAL

from .driver import Driver, answered, called


class Verdict(BaseModel):
    score: int


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


@tool(effect="irreversible", approval=lambda amount: "desk" if amount > 100 else None)
async def refund(amount: int) -> str:
    """Refund."""
    return ""


helper = Agent("helper", Scripted(["no"]))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
good_calls = st.one_of(
    st.builds(lambda id, order: called("lookup", id, order_id=order), st.sampled_from("abc"), st.text(max_size=3)),
    st.builds(lambda id, amount: called("refund", id, amount=amount), st.sampled_from("abc"), st.integers(0, 200)),
    st.builds(lambda id, text: called("helper", id, input=text), st.sampled_from("abc"), st.text(max_size=3)),
)
bad_calls = st.one_of(
    json_values,
    st.fixed_dictionaries({"id": json_values, "name": json_values, "arguments": json_values, "opaque": json_values}),
    st.builds(lambda raw: {"id": "n", "name": "lookup", "arguments": raw}, st.sampled_from(["", "null", "None", None])),
    st.builds(lambda raw: {"id": "r", "name": "lookup", "arguments": raw}, st.text(max_size=20)),
)
final_calls = st.one_of(
    st.builds(lambda id, score: called("final_result", id, score=score), st.sampled_from("abc"), st.integers(0, 3)),
    st.builds(lambda id, note: called("final_result", id, note=note), st.sampled_from("abc"), st.text(max_size=3)),
)
verdicts = st.one_of(
    st.none(),
    st.just({"retry": "look again"}),
    st.just({"value": {"score": 9}}),
    json_values,
    st.builds(OSError, st.just("no answer")),
)
hooked = st.one_of(
    st.none(),
    st.fixed_dictionaries({"change": st.just({"order_id": "8"}) | json_values}),
    st.sampled_from([{"skip": 1}, {"guide": "no"}, {"ask": "boss"}, {"refuse": "no"}]),
    json_values,
    st.builds(OSError, st.just("down")),
)
answers = st.one_of(
    st.text(max_size=10),
    st.just('{"score": 1}'),
    st.lists(final_calls, min_size=1, max_size=2),
    st.lists(good_calls | final_calls, min_size=1, max_size=3),
    st.lists(good_calls, min_size=1, max_size=4),
    st.lists(good_calls | bad_calls, min_size=1, max_size=4),
    st.fixed_dictionaries(
        {},
        optional={
            "text": json_values,
            "finish": st.sampled_from(["stop", "length", "content_filter", "tool_calls", "pause", "malformed"])
            | json_values,
            "opaque": json_values | st.just({"thinking_blocks": [{"signature": "s" * 30}]}),
            "model": json_values,
            "refusal": json_values,
            "tool_calls": st.lists(good_calls | bad_calls, max_size=3) | json_values,
            "usage": json_values | st.fixed_dictionaries({"input": json_values, "output": json_values}),
            "cost": json_values | st.sampled_from(["0.5", "1e-400", "-1", "NaN", "9" * 40]),
        },
    ),
    st.builds(ConnectionError, st.text(max_size=5)),
)
outcomes = json_values | st.builds(KeyError, st.text(max_size=5)) | st.builds(InDoubt, st.just("began"))
steps = st.one_of(
    st.tuples(st.just("say"), st.integers(0, 6), json_values),
    st.tuples(st.just("model"), st.integers(0, 3), answers),
    st.tuples(st.just("model"), st.integers(0, 3), answers),
    st.tuples(st.just("tool"), st.integers(0, 3), outcomes),
    st.tuples(st.just("tool"), st.integers(0, 3), outcomes),
    st.tuples(st.just("check"), st.integers(0, 3), verdicts),
    st.tuples(st.just("hook"), st.integers(0, 3), hooked),
    st.tuples(st.just("hook"), st.integers(0, 3), st.none()),
    st.tuples(st.just("decided"), st.integers(0, 3), st.booleans()),
    st.tuples(st.just("child"), st.integers(0, 3), outcomes),
    st.tuples(st.just("sent"), st.integers(0, 3), st.none()),
    st.tuples(st.just("retrying"), st.integers(0, 3), st.integers(1, 5)),
    st.tuples(st.just("begun"), st.integers(0, 3), st.integers(1, 2)),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("retry"), st.none(), st.none()),
    st.tuples(st.just("time"), st.integers(1, 8_000), st.none()),
    st.tuples(st.just("again"), st.integers(0, 50), st.none()),
    st.tuples(
        st.just("strange"),
        st.sampled_from(["event", "tool", "model", "check", "child", "decided", "what"]),
        json_values,
    ),
)


def specs() -> st.SearchStrategy[Agent[Any]]:
    return st.builds(
        lambda typed, mode, validator, limits, history, hooks, choice, parallel: Agent(
            "desk",
            Scripted(["no"]),
            tools=[lookup, refund, helper],
            output=cast("Any", Verdict if typed else None),
            limits=limits,
            history=history,
            output_mode=mode,
            output_validator=validator,
            hooks=hooks,
            tool_choice=choice if limits.repairs is not None else "auto",  # else it may go on for ever
            parallel_calls=parallel,
        ),
        st.booleans(),
        st.sampled_from(["auto", "tool"]),
        st.sampled_from([None, lambda answer: answer]),
        st.sampled_from([Limits(), Limits(3, tokens=60, cost="0.04", time="10s"), Limits(None, repairs=None)]),
        st.sampled_from([History(), History(4), History(size=60)]) | st.builds(compacting, ways, bounds),
        st.lists(st.sampled_from(HOOKS), max_size=2),
        st.sampled_from(["auto", "auto", "required", "none", "lookup"]),
        st.sampled_from([None, False]),
    )


def quiet(use: ToolUse, outcome: str = "") -> None:
    return None


def still(*looked_at: Any) -> None:
    return None


HOOKS = [
    Hook(quiet, failing="pass"),
    Hook(quiet, quiet, failing="end"),
    Hook(after_tool=quiet),
    Hook(quiet),
    Hook(before_run=still, after_run=still),
    Hook(before_model=still, failing="pass"),
    Hook(after_model=still, failing="end"),
    Hook(quiet, before_run=still, after_model=still, after_run=still),
]


def briefly(leaving: Leaving) -> str:
    return "They talked."


ways = st.lists(
    st.sampled_from([Shorten(10), Drop(), Drop(0), Summarize(Scripted(["never asked"], "cheap"), 0.3), briefly]),
    min_size=1,
    max_size=3,
)
bounds = st.sampled_from(
    [{"messages": 1}, {"messages": 5}, {"size": 300}, {"tokens": 40}, {"messages": 9, "size": 500}]
)


def compacting(ways: list[Way], bounds: dict[str, int]) -> History:
    return History(**bounds, compaction=ways)  # type: ignore[arg-type]  # names of bounds


class World:
    """Interprets steps on a driver; what can't be done now is skipped."""

    def __init__(self, spec: Agent) -> None:
        self.driver = Driver(spec)

    def invokes(self, report: str) -> list[Invoke]:
        return [e for e in self.driver.open.values() if isinstance(e, Invoke) and e.report == report]

    def do(self, kind: str, which: Any, value: Any) -> None:
        driver = self.driver
        driver.now += 1
        if kind == "say":
            driver.say(f"m{which}", value)
        elif kind in ("model", "tool", "check", "hook"):
            calls = self.invokes(kind) or (self.invokes("summary") if kind == "model" else [])
            if calls:
                call = calls[which % len(calls)]
                driver.turn([driver.fact(call, answered(value) if kind == "model" else value)])
        elif kind in ("retrying", "begun"):
            calls = self.invokes(("model", "check", "summary", "hook")[which % 4] if kind == "retrying" else "tool")
            if calls:
                call = calls[which % len(calls)]
                error = {"kind": "x.Busy", "message": ""}
                fact = {"type": kind, "op": call.op, "name": call.name, "n": call.attempt + 1}
                if kind == "retrying":
                    fact |= {"until": driver.now + value * 1000, "error": error}
                    driver.turn([fact])
                elif call.policy.at_most_once:
                    driver.turn([fact])
        elif kind == "decided":
            waiting = [c.op for c in driver.loop._run.turn.approvals()] if driver.loop._run.turn else []
            if waiting:
                op = waiting[which % len(waiting)]
                driver.send({"type": "decided", "op": op, "approved": value, "by": "ann", "reason": ""})
        elif kind == "child":
            orders = [e for e in driver.entries("ordered") if e["kind"] == "child"]
            if orders:
                outcome = (
                    {"error": {"kind": "x.Y", "message": "z"}} if isinstance(value, Exception) else {"value": value}
                )
                driver.send({"type": "child", "id": orders[which % len(orders)]["id"], "status": "x", **outcome})
        elif kind == "sent":
            sends = [op for op, effect in driver.open.items() if not isinstance(effect, Invoke)]
            if sends:
                driver.turn([{"type": "sent", "op": sends[which % len(sends)]}])
        elif kind == "retry":
            if driver.decision.status == "failed":
                driver.send({"type": "retry", "by": "ana"})
        elif kind == "restart":
            driver.restart()
        elif kind == "time":
            driver.expire(driver.now + which)
        elif kind == "again":
            facts = [
                e
                for e in driver.entries()
                if e["type"] in ("model", "tool", "check", "hook", "sent", "child", "decided", "timer")
            ]
            if facts:
                fact = facts[which % len(facts)]
                if fact.get("op") not in driver.open:
                    driver.turn([fact]) if "op" in fact else driver.send(fact)
        elif kind == "strange":
            driver.send({"type": which, "op": "nowhere", "id": "nobody", "value": value})

    def drain(self) -> None:
        """Let everything come to its end."""
        driver = self.driver
        for _ in range(400):
            turn = driver.loop._run.turn
            if turn is None or driver.decision.status in FINAL:
                return
            if self.invokes("model"):
                driver.model('{"score": 1}')
            elif summaries := self.invokes("summary"):
                driver.turn([driver.fact(summaries[0], {"text": "x"})])
            elif hooks := self.invokes("hook"):
                driver.turn([driver.fact(hooks[0], None)])
            elif checks := self.invokes("check"):
                driver.turn([driver.fact(checks[0], None)])
            elif self.invokes("tool"):
                driver.tool(self.invokes("tool")[0].op, "done")
            elif (approval := next(iter(turn.approvals()), None)) is not None:
                driver.send({"type": "decided", "op": approval.op, "approved": False, "by": "", "reason": ""})
            elif spawned := [c.child for c in turn.unfinished() if c.child]:
                driver.send({"type": "child", "id": spawned[0], "status": "completed", "value": 1})
            else:
                assert driver.decision.wake is not None, "nothing is open and nothing wakes it"
                driver.expire(driver.decision.wake)
        raise AssertionError("it does not come to an end")


LENIENT = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@LENIENT
@given(specs(), st.lists(steps, max_size=25))
def test_a_session_survives_everything_and_answers_each_message_once(spec: Agent, script: list[Any]) -> None:
    world = World(spec)
    for step in script:
        world.do(*step)
    world.drain()
    driver = world.driver
    assert driver.mailbox == []
    asked = [entry["id"] for entry in driver.entries("message")]
    assert [entry["to"] for entry in driver.entries("reply")] == asked
    assert len({entry["op"] for entry in driver.entries("check") if "error" not in entry}) == len(
        [entry for entry in driver.entries("check") if "error" not in entry]
    )
    assert all(("value" in entry) != ("error" in entry) for entry in driver.entries("reply"))


@LENIENT
@given(specs(), st.lists(steps.filter(lambda step: step[0] != "say"), max_size=25), st.integers(0, 30))
def test_a_run_survives_everything_and_ends_once(spec: Agent, script: list[Any], cancelled: int) -> None:
    world = World(spec)
    world.driver.start("go")
    for index, step in enumerate(script):
        if index == cancelled:
            world.driver.send({"type": "cancel", "reason": "", "by": "me"})
        if world.driver.decision.status not in FINAL or step[0] == "retry":
            world.do(*step)
    world.drain()
    ends = [entry["type"] for entry in world.driver.entries() if entry["type"] in FINAL]
    assert ends[-1] == world.driver.decision.status and len(ends) == 1 + len(world.driver.entries("retry"))
    assert world.driver.entries()[-1]["type"] in (*FINAL, "sent")


@LENIENT
@given(specs(), st.lists(steps, max_size=25))
def test_every_call_in_every_prompt_has_one_result(spec: Agent, script: list[Any]) -> None:
    """Providers refuse a conversation in which a call has no result, or a result no call."""
    world = World(spec)
    for step in script:
        world.do(*step)
        if world.invokes("model"):
            paired(world.driver)


def paired(driver: Driver) -> None:
    """In what the model reads, each call has its result right after it, and each result its call."""
    due: list[str] = []
    for message in driver.prompt():
        if message.role == "tool":
            assert due.pop(0) == message.tool_call_id
        else:
            assert due == []
            due = [call.id for call in message.tool_calls]
    assert due == []


turns = st.lists(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from([5, 40, 400])), max_size=3), min_size=4, max_size=20
)
"""Of a conversation: for each turn the answers with so many calls, whose results are so long."""


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.builds(compacting, ways, bounds), turns, st.data())
def test_long_conversations_stay_paired_whatever_makes_them_shorter(
    history: History, script: list[list[tuple[int, int]]], data: st.DataObject
) -> None:
    agent = Agent("desk", Scripted(["no"]), tools=[lookup], history=history, limits=Limits(None, repeats=None))
    world = World(agent)
    driver = world.driver
    windows: list[int] = []

    def summarized() -> None:
        while summaries := world.invokes("summary"):
            said = data.draw(st.sampled_from([{"text": "Brief."}, {"text": ""}, ConnectionError("no net"), "Brief."]))
            driver.turn([driver.fact(summaries[0], said)])

    for number, answers_ in enumerate(script):
        driver.say(f"m{number}", f"question {number}")
        for calls, length in answers_:
            summarized()
            paired(driver)
            driver.model([called("lookup", f"{number}.{index}", order_id=str(index)) for index in range(calls)])
            for effect in world.invokes("tool"):
                driver.tool(effect.op, "x" * length)
        summarized()
        paired(driver)
        assert driver.prompt()[0].role == "user" and f"question {number}" in [m.content for m in driver.prompt()]
        driver.model(f"answer {number}")
        windows.append(len(driver.loop._run.thread.messages([])))
        if data.draw(st.integers(0, 4)) == 0:
            driver.restart()
    asked = [entry["id"] for entry in driver.entries("message")]
    assert (
        [entry["to"] for entry in driver.entries("reply")] == asked == [f"m{number}" for number in range(len(script))]
    )
    kept = driver.loop._run.thread
    assert kept.dropped + len(list(kept.past())) == len(script)
    for entry in driver.entries("compacted"):
        assert entry.get("turns") or entry.get("steps") or entry.get("shortened")


@pytest.mark.parametrize(
    "way", [Shorten(10), Drop(), Summarize(Scripted(["never asked"], "cheap")), briefly], ids=lambda way: way.__class__
)
def test_five_thousand_turns_stay_paired_and_wake_as_fast(way: Way) -> None:
    agent = Agent("desk", Scripted(["no"]), tools=[lookup], history=History(messages=30, compaction=[way, Drop(0.3)]))
    world = World(agent)
    driver = world.driver
    driver.compare = False
    longest = 0

    def model(answer: Any) -> None:
        while summaries := world.invokes("summary"):
            driver.turn([driver.fact(summaries[0], {"text": "They talked."})])
        driver.model(answer)

    for number in range(5_000):
        driver.mailbox.append({"type": "message", "at": driver.now, "id": f"m{number}", "content": "and?"})
        driver.turn([])
        if number % 5 == 0:
            model([called("lookup", "same", order_id="7")])
            driver.tool(world.invokes("tool")[0].op, "x" * 300)
        if number % 1_000 == 999:
            driver.restart()
            driver.check()
            paired(driver)
        model("so")
        longest = max(longest, len(driver.journal) - driver.base)
    assert longest < 150 and len(driver.entries("reply")) == 5_000
    assert driver.loop._run.thread.dropped > 4_900


@given(json_values)
def test_any_json_can_be_read_as_an_answer(value: Any) -> None:
    reading = read(value, "t1.m1")
    assert len({asked.call.id for asked in reading.calls}) == len(reading.calls)
    assert reading.usage.cost >= 0


def test_effects_are_of_known_kinds() -> None:
    driver = Driver(Agent("desk", Scripted(["no"]), tools=[helper]))
    driver.start()
    driver.model([called("helper", input="x")])
    assert {type(effect) for effect in driver.open.values()} == {Spawn}
