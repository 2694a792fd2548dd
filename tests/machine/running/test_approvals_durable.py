"""An approval that a Task waits for outlives whoever waits: deaths at every moment, long waits, pauses, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overwinter import StateMachine, tool
from overwinter.orchestrator.machine.history.replaying import replay
from overwinter.orchestrator.machine.history.telling import states
from overwinter.orchestrator.protocol.decider import Access, Invoke, Verdict
from overwinter.orchestrator.usercode.resilience import ONCE, Policy
from overwinter.orchestrator.usercode.served import served
from overwinter.state.errors import AlreadyFinished, InvalidInput
from overwinter.testing import crash_everywhere, simulate
from overwinter.testing.world import World
from overwinter.tests.machine.running.looking import looked

DONE: list[str] = []


@tool(effect="irreversible", approval="desk", approval_within="2d")
async def refund(order: str) -> str:
    """Give the money back."""
    DONE.append(order)
    return f"refunded {order}"


@tool(effect="idempotent", approval="desk", approval_within="90d")
async def give(order: str) -> str:
    """May be done twice."""
    DONE.append(order)
    return f"gave {order}"


@tool(effect="idempotent", approval="desk")
async def fragile(order: str, count: int = 0) -> str:
    """Fails."""
    DONE.append(f"{order} {count}")
    raise ConnectionError("nobody there")


async def same(given: Any) -> Any:
    return given


def task(order: Any = "$.order", name: str = "refund", **more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": name, "Parameters": {"order.$": order}, "End": True} | more


def machine(states: dict[str, Any], **top: Any) -> StateMachine:
    return StateMachine("m", {"StartAt": next(iter(states)), "States": states} | top, [refund, fragile, give, same])


def flow(start: str, **state: Any) -> dict[str, Any]:
    return {"StartAt": start, "States": {start: task(**state)}}


def simulated(scenario: Callable[[World], Any], *functions: object) -> Any:
    DONE.clear()
    return simulate(scenario, functions=list(functions))


async def ops(world: World, id: str, count: int) -> list[str]:
    """The approvals that are open, when there are so many."""
    while len(found := world.open_approvals(id)) < count:
        await world.sleep("1s")
    return [str(one["op"]) for one in found]


CATCH = [{"ErrorEquals": ["Denied"], "ResultPath": "$.said", "Next": "No"}]
NO = {"Type": "Pass", "InputPath": "$.said.Error", "End": True}
ITEMS = {"Type": "Map", "ItemsPath": "$.orders", "ItemProcessor": flow("Item", order="$", name="give"), "End": True}
BRANCHES = [
    flow("R", name="give"),
    {"StartAt": "D", "States": {"D": task("$.other", "give", Catch=CATCH), "No": NO}},
    {"StartAt": "M", "States": {"M": ITEMS}},
]
BESIDE = machine({"P": {"Type": "Parallel", "Branches": BRANCHES, "End": True}})


async def beside(world: World) -> Any:
    run = await world.start(BESIDE, {"order": "o-1", "other": "o-2", "orders": ["a", "b"]}, id="x")
    first, second, *items = await ops(world, "x", 4)
    for op in (*items, first):
        await world.approve("x", op=op, by="ana")
    await world.deny("x", op=second, by="ana", reason="too much")
    return await run.result()


def test_only_what_was_approved_is_done_wherever_the_process_dies() -> None:
    def alike(expected: Any, found: Any) -> bool:
        return bool(expected == found and set(DONE) == {"o-1", "a", "b"})

    report = crash_everywhere(beside, functions=[BESIDE], fresh=DONE.clear, same=alike)
    assert report.outcome.value == ["gave o-1", "Denied", ["gave a", "gave b"]]
    assert report.points > 20


def test_what_can_not_be_taken_back_is_done_once_at_most() -> None:
    async def approved(world: World) -> Any:
        run = await world.start(once, {"order": "o-1"}, id="x")
        await world.approve("x", by="ana")
        return await run.result()

    def alike(expected: Any, found: Any) -> bool:
        return len(DONE) <= 1 and found in (expected, {"Error": "InDoubt"})

    catch = [{"ErrorEquals": ["InDoubt"], "Next": "Doubt"}]
    doubt = {"Type": "Pass", "Parameters": {"Error.$": "$.Error"}, "End": True}
    once = machine({"R": task(Catch=catch), "Doubt": doubt})
    assert crash_everywhere(approved, functions=[once], fresh=DONE.clear, same=alike).outcome.value == "refunded o-1"


APART = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}} | flow("I", order="$", name="give")
DISTRIBUTED = ITEMS | {"ItemProcessor": APART, "ToleratedFailureCount": 1}


def test_items_of_a_distributed_map_wait_for_theirs() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(each, {"orders": ["a", "b"]}, id="x")
        a, b = await ops(world, "x", 2)
        assert DONE == []
        await world.deny("x", op=a, by="ana")
        await world.approve("x", op=b, by="ana")
        return await run.result()

    each = machine({"M": DISTRIBUTED})
    assert "gave b" in simulated(scenario, each) and DONE == ["b"]


@pytest.mark.parametrize(
    ("more", "said"), [({"TimeoutSeconds": 3600}, "States.Timeout"), ({}, "not decided in time"), ({"Retry": []}, "")]
)
def test_who_waits_too_long_gives_up(more: dict[str, Any], said: str) -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(waits, {"order": "o-1"}, id="x")
        (op,) = await ops(world, "x", 1)
        await world.sleep("3d")
        with pytest.raises((InvalidInput, AlreadyFinished)):
            await world.process.runtime.approve("x", op)
        return await run.result()

    caught = [{"ErrorEquals": ["States.ALL"], "Next": "No"}]
    waits = machine({"R": task(Catch=caught, **more), "No": {"Type": "Pass", "End": True}})
    found = simulated(scenario, waits)
    assert said in f"{found['Error']} {found['Cause']}" and DONE == []


def test_what_is_no_longer_waited_for_can_not_come_late() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(goes_on, {"order": "o-1"}, id="x")
        await ops(world, "x", 1)
        return await run.result()

    soon = {"Type": "Wait", "Seconds": 60, "Next": "F"}
    fails = {"StartAt": "Soon", "States": {"Soon": soon, "F": {"Type": "Fail", "Error": "No"}}}
    beside = {"Type": "Parallel", "Branches": [flow("R"), fails], "Catch": [{"ErrorEquals": ["No"], "Next": "W"}]}
    wait = {"Type": "Wait", "Seconds": 5 * 86400, "Next": "S"}
    end = {"Type": "Pass", "Result": "went on", "End": True}
    goes_on = machine({"P": beside | {"Next": "S"}, "W": wait, "S": end})
    assert simulated(scenario, goes_on) == "went on"


def test_a_decision_about_something_else_is_none() -> None:
    decider = machine({"R": task()}).decider("x")
    decider.offer({"type": "start", "at": 0, "seed": "s", "input": {"order": "o-1"}})
    asked = looked(decider).entries[-1]
    no = {"type": "decided", "at": 1, "op": asked["op"], "approved": True, "digest": "sha256:of something else"}
    assert decider.offer(no) is Verdict.IGNORED and not decider.decide().perform
    assert decider.offer(no | {"digest": asked["digest"]}) is Verdict.TAKEN
    assert [call.name for call in decider.decide().perform if isinstance(call, Invoke)] == ["refund"]


def test_a_decision_about_what_was_given_up_is_none() -> None:
    wait = {"Type": "Wait", "Seconds": 864000, "End": True}
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "W"}]
    decider = machine({"R": task(TimeoutSeconds=60, Catch=catch), "W": wait}).decider("x")
    decider.offer({"type": "start", "at": 0, "seed": "s", "input": {"order": "o-1"}})
    asked = looked(decider).entries[-1]
    assert asked["until"] == 60_000
    for fact in decider.expire(60_000):
        decider.offer(fact)
    assert decider.decide().awaits.startswith("timer")
    late = {"type": "decided", "at": 60_001, "op": asked["op"], "approved": True, "digest": asked["digest"]}
    assert decider.offer(late) is Verdict.IGNORED and not decider.decide().perform


def test_who_is_given_up_before_it_is_known_what_stands_is_not_asked_about() -> None:
    pass_ = {"Type": "Pass", "Result": "late", "End": True}
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "P"}]
    decider = machine({"R": task(TimeoutSeconds=60, Catch=catch), "P": pass_}).decider("x")
    decider.offer({"type": "start", "at": 0, "seed": "s", "input": {"order": "o-1"}})
    (look,) = (one for one in decider.decide().perform if isinstance(one, Access))
    for fact in decider.expire(60_000):
        decider.offer(fact)
    decision = decider.decide()
    assert (list(decision.abandon), decision.status) == ([look.op], "completed")
    late = {"type": "step", "op": look.op, "name": look.name, "at": 60_001, "value": []}
    assert decider.offer(late) is Verdict.IGNORED and not decider.decide().entries


@pytest.mark.parametrize("seen", [{"op": "1", "type": "begun", "n": 1}, {"op": "1", "type": "step", "value": "done"}])
def test_what_an_earlier_release_called_without_asking_is_not_asked_about(seen: dict[str, Any]) -> None:
    decider = machine({"R": task()}).decider("x")
    start = {"type": "start", "at": 0, "seed": "s", "input": {"order": "o-1"}}
    decider.replay("", 1, [start, {"type": "machine", "at": 0, "definition": decider.source}, seen | {"at": 1}], 2)
    decision = decider.decide()
    assert (decider.problem, decision.awaits) == ("", "")
    assert [call.begun for call in decision.perform if isinstance(call, Invoke)] == [True] * ("n" in seen)


@pytest.mark.parametrize(("count", "asked"), [(1, 1), ("$$.State.RetryCount", 3)])
def test_what_was_approved_is_tried_again_without_asking(count: Any, asked: int) -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(again, {"order": "o-1"}, id="x")
        for _ in range(asked):
            await ops(world, "x", 1)
            await world.approve("x", by="ana")
            await world.sleep("10s")
        assert await run.result() == "gone"
        return [entry for entry in world.journal("x") if entry.get("kind") == "approval"]

    counted = {"count.$": count} if isinstance(count, str) else {"count": count}
    retry = [{"ErrorEquals": ["ConnectionError"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    catch = [{"ErrorEquals": ["ConnectionError"], "Next": "S"}]
    tried = task(name="fragile", Retry=retry, Catch=catch) | {"Parameters": {"order.$": "$.order"} | counted}
    again = machine({"R": tried, "S": {"Type": "Pass", "Result": "gone", "End": True}})
    assert len(simulated(scenario, again)) == asked
    assert len(DONE) == 3


def test_a_redrive_asks_anew() -> None:
    async def scenario(world: World) -> None:
        await world.start(fails, {"order": "o-1"}, id="x")
        await world.approve("x", by="ana")
        await world.reached("x", "failed")
        await world.retry("x")
        await ops(world, "x", 1)

    fails = machine({"R": task(name="fragile")})
    simulated(scenario, fails)
    assert DONE == ["o-1 0"]


@pytest.mark.parametrize("verb", ["cancel", "terminate"])
def test_what_has_ended_asks_nobody(verb: str) -> None:
    async def scenario(world: World) -> None:
        await world.start(one, {"order": "o-1"}, id="x")
        await ops(world, "x", 1)
        await getattr(world, verb)("x")
        await world.reached("x", "cancelled", "terminated")
        assert world.open_approvals("x") == []

    one = machine({"R": task()})
    simulated(scenario, one)
    assert DONE == []


def test_what_is_approved_in_a_pause_is_done_after_it() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(one, {"order": "o-1"}, id="x")
        (op,) = await ops(world, "x", 1)
        await world.pause("x")
        await world.reached("x", "paused")
        await world.process.runtime.approve("x", op, by="ana")
        await world.sleep("1h")
        assert DONE == []
        await world.resume("x")
        return await run.result()

    one = machine({"R": task()})
    assert simulated(scenario, one) == "refunded o-1"


def test_a_long_journal_keeps_what_is_open() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(long, {"order": "o-1", "items": list(range(500))}, id="x")
        while (head := world.head("x")) is None or head.length < 503:
            await world.sleep("1s")
        world.process.kill()
        await world.approve("x", by="ana")
        return await run.result()

    each = {"StartAt": "S", "States": {"S": {"Type": "Task", "Resource": "same", "End": True}}}
    items = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": each, "ResultSelector": {}, "End": True}
    branches = [flow("R", name="give"), {"StartAt": "M", "States": {"M": items}}]
    long = machine({"P": {"Type": "Parallel", "Branches": branches, "End": True}})
    assert simulated(scenario, long) == ["gave o-1", {}]


@pytest.mark.parametrize("given", [{"amount": 1}, "o-1"])
def test_nobody_is_asked_about_what_could_not_be_called(given: Any) -> None:
    wrong = machine(
        {
            "R": task(Catch=[{"ErrorEquals": ["InvalidInput"], "Next": "S"}]) | {"Parameters": given},
            "S": {"Type": "Pass", "Result": "caught", "End": True},
        }
    )
    if isinstance(given, str):
        wrong = machine(
            {
                "R": {"Type": "Task", "Resource": "refund", "InputPath": "$.order", "End": True}
                | {"Catch": [{"ErrorEquals": ["InvalidInput"], "Next": "S"}]},
                "S": {"Type": "Pass", "Result": "caught", "End": True},
            }
        )
    assert simulate(wrong, {"order": "o-1"}) == "caught"


INVOKE = "arn:aws:states:::lambda:invoke"
TOKEN = {"Type": "Task", "Resource": f"{INVOKE}.waitForTaskToken", "HeartbeatSeconds": 60, "End": True}
SENT = {"FunctionName": "refund", "Payload": {"order.$": "$$.Task.Token"}}


def test_the_heart_of_a_task_beats_from_the_call_on() -> None:
    decider = machine({"R": TOKEN | {"Parameters": SENT}}).decider("x")
    decider.offer({"type": "start", "at": 0, "seed": "s", "input": {}})
    asked = looked(decider).entries[-1]
    assert decider.expire(3_600_000) == []
    decider.offer(_approved(asked, 3_600_000))
    (call,) = (one for one in decider.decide().perform if isinstance(one, Invoke))
    decider.offer({"type": "step", "op": call.op, "name": call.name, "value": "sent", "at": 3_601_000})
    assert (decider.decide().awaits, decider.expire(3_659_000)) == ("task token of R", [])
    (late,) = decider.expire(3_660_000)
    assert late["kind"] == "heartbeat"


def test_what_is_made_elsewhere_is_told_that_it_is_approved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(served(refund)), "elsewhere", Policy(ONCE))
    decider = machine({"R": task()}).decider("x")
    decider.offer({"type": "start", "at": 0, "seed": "s", "input": {"order": "o-1"}})
    asked = looked(decider).entries[-1]
    decider.offer(_approved(asked, 1))
    (call,) = (one for one in decider.decide().perform if isinstance(one, Invoke))
    assert call.away is not None and call.away.approved


def test_a_refused_call_that_nobody_waits_for_fails_all_the_same() -> None:
    invoked = {"FunctionName": "refund", "InvocationType": "Event", "Payload": {"order": "o-1"}}
    state = {"Type": "Task", "Resource": INVOKE, "Parameters": invoked, "End": True}
    decider = machine({"R": state}).decider("x")
    decider.offer({"type": "start", "at": 0, "seed": "s", "input": {}})
    asked = looked(decider).entries[-1]
    decider.offer(_approved(asked, 1) | {"approved": False})
    assert decider.decide().status == "failed"


def _approved(asked: dict[str, Any], at: int) -> dict[str, Any]:
    return {"type": "decided", "at": at, "op": asked["op"], "approved": True, "digest": asked["digest"]}


def test_its_history_needs_no_tool() -> None:
    journals: list[list[Any]] = []

    async def scenario(world: World) -> Any:
        run = await world.start(one, {"order": "o-1"}, id="x")
        await ops(world, "x", 1)
        journals.append(world.journal("x"))
        await world.approve("x", by="ana")
        await run.result()
        journals.append(world.journal("x"))

    one = machine({"R": task(TimeoutSeconds=60)})
    simulated(scenario, one)
    asked, done = (replay("x", "m", journal) for journal in journals)
    assert (asked.problem, done.problem) == ("", "")
    (waiting,), (over,) = states(asked).visits, states(done).visits
    at = journals[0][0]["at"]
    assert waiting.waits is not None and waiting.waits.as_json() == {
        "for": "approval",
        "name": "refund",
        "until": at + 60_000,
    }
    assert (over.status, over.result) == ("completed", "refunded o-1")
