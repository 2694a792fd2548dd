"""Hooks around tool calls: each is asked once and recorded, in an order in which nothing changes after the approval."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, History, InvalidInput, Limits, Scripted, call, tool
from overwinter.functions.hooks import Ask, Change, Guide, Hook, Refuse, Skip, ToolUse
from overwinter.functions.window import Shorten
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called, run

NEVER = Scripted(["never asked"])


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


@tool(effect="irreversible", approval="desk")
async def refund(amount: int) -> str:
    """Refund."""
    return ""


helper = Agent("helper", NEVER)


def says(verdict: Any, **more: Any) -> Hook:
    return Hook(lambda use: verdict, name="hook", **more)


def desk(*hooks: Hook, name: str = "lookup", **arguments: Any) -> Driver:
    """A run whose model has called a tool."""
    driver = Driver(Agent("desk", NEVER, tools=[lookup, refund, helper], hooks=hooks))
    driver.start()
    driver.model([called(name, **(arguments or {"order_id": "7"}))])
    return driver


def speak(driver: Driver, op: str) -> Invoke:
    """The hook of that op is really asked."""
    hook = driver.open[op]
    assert isinstance(hook, Invoke) and hook.report == "hook"
    driver.turn([driver.fact(hook, run(hook))])
    return hook


def read(driver: Driver) -> str:
    return str(driver.prompt()[-1].content)


def kinds(driver: Driver) -> list[str]:
    return [entry["type"] for entry in driver.entries()]


# -- before ----------------------------------------------------------------------------------------------


def test_a_call_waits_for_its_hook_and_goes_on_when_that_has_nothing_against_it() -> None:
    seen: list[ToolUse] = []
    driver = desk(Hook(seen.append, name="look"))
    assert list(driver.open) == ["t1.m1.0.b1"]
    driver.restart()
    assert list(driver.open) == ["t1.m1.0.b1"]
    hook = speak(driver, "t1.m1.0.b1")
    assert seen == [ToolUse("lookup", {"order_id": "7"}, "c1")] and hook.name == "look"
    assert list(driver.open) == ["t1.m1.0"]
    driver.restart()
    assert list(driver.open) == ["t1.m1.0"], "what it said is read, and it is not asked again"
    driver.tool("t1.m1.0", "found")
    assert kinds(driver) == ["start", "model", "hook", "tool"] and read(driver) == "found"


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (Skip({"cached": 1}), '{"cached":1}'),
        (Guide("Ask for the address first."), "The call was not made. Ask for the address first."),
        (Refuse("not on Sundays."), "Error: Denied: not on Sundays. The call was not carried out."),
    ],
)
def test_it_may_stop_a_call_and_the_model_is_told(verdict: Any, told: str) -> None:
    driver = desk(says(verdict), Hook(lambda use: pytest.fail("it was stopped"), name="second"))
    speak(driver, "t1.m1.0.b1")
    assert kinds(driver) == ["start", "model", "hook", "observed"] and read(driver) == told
    driver.restart()
    assert read(driver) == told


def test_what_one_has_changed_the_next_one_and_the_tool_get() -> None:
    seen: list[ToolUse] = []
    driver = desk(says(Change({"order_id": "8"})), Hook(seen.append, name="look"))
    speak(driver, "t1.m1.0.b1")
    assert list(driver.open) == ["t1.m1.0.b2"]
    driver.restart()
    speak(driver, "t1.m1.0.b2")
    assert seen[0].arguments == {"order_id": "8"}
    assert run(driver.open["t1.m1.0"]) == "8"  # type: ignore[arg-type]  # it is a call


@tool(effect="irreversible", approval="desk")
async def pack(boxes: list[dict[str, Any]]) -> str:
    """Pack boxes."""
    return str(boxes)


def test_what_a_hook_does_to_what_it_is_shown_changes_nothing() -> None:
    """Only what it returns is recorded; what it changes in passing would be neither approved nor replayed."""

    def meddle(use: ToolUse, *outcome: str) -> None:
        use.arguments["boxes"][0]["of"] = "gold"
        use.arguments["boxes"].append({"of": "silver"})

    asked: dict[str, Any] = {"boxes": [{"of": "tin"}]}
    driver = Driver(Agent("desk", NEVER, tools=[pack], hooks=[Hook(meddle, meddle, name="meddle")]))
    driver.start()
    driver.model([called("pack", **asked)])
    speak(driver, "t1.m1.0.b1")
    (order,) = driver.entries("ordered")
    assert order["data"] == asked
    driver.send({"type": "decided", "op": "t1.m1.0", "approved": True, "by": "ana", "reason": ""})
    made = driver.open["t1.m1.0"]
    assert isinstance(made, Invoke) and run(made) == str(asked["boxes"])
    driver.tool("t1.m1.0", "packed")
    speak(driver, "t1.m1.0.a1")
    assert read(driver) == "packed" and "gold" not in "".join(driver.journal)


def test_a_change_that_does_not_fit_is_not_carried_out() -> None:
    driver = desk(says(Change({"number": 8})))
    speak(driver, "t1.m1.0.b1")
    assert "tool" not in kinds(driver) and "a hook changed the arguments" in read(driver)


def test_arguments_that_do_not_fit_are_seen_by_no_hook() -> None:
    driver = desk(Hook(lambda use: pytest.fail("they do not fit"), name="look"), number=8)
    assert kinds(driver) == ["start", "model", "observed"]


def test_an_approval_is_of_what_the_hooks_have_made_of_it() -> None:
    driver = desk(says(Change({"amount": 5})), name="refund", amount=900)
    assert driver.entries("ordered") == []
    speak(driver, "t1.m1.0.b1")
    (order,) = driver.entries("ordered")
    assert (order["data"], order["role"]) == ({"amount": 5}, "desk")
    driver.send({"type": "decided", "op": "t1.m1.0", "approved": True, "by": "ana", "reason": ""})
    assert list(driver.open) == ["t1.m1.0"]
    driver.restart()
    assert list(driver.open) == ["t1.m1.0"]


def test_a_person_is_asked_when_a_hook_wants_it_and_those_after_it_still_speak() -> None:
    driver = desk(says(Ask("boss")), says(None))
    speak(driver, "t1.m1.0.b1")
    assert driver.entries("ordered") == []
    speak(driver, "t1.m1.0.b2")
    (order,) = driver.entries("ordered")
    assert order["role"] == "boss"
    driver.restart()
    driver.send({"type": "decided", "op": "t1.m1.0", "approved": False, "by": "ana", "reason": "no"})
    assert "denied by ana" in read(driver)
    driver = desk(says(Ask("boss")), says(Refuse("no.")))
    speak(driver, "t1.m1.0.b1")
    speak(driver, "t1.m1.0.b2")
    assert driver.entries("ordered") == [] and "Denied: no." in read(driver)


def test_calls_of_agents_are_looked_at_too() -> None:
    driver = desk(says(Change({"input": "better"})), name="helper", input="worse")
    assert driver.spawned() == []
    speak(driver, "t1.m1.0.b1")
    assert driver.spawned()[0].input == "better"


def test_a_hook_looks_at_its_own_tools_only() -> None:
    assert list(desk(says(None, tools=["refund"])).open) == ["t1.m1.0"]


def test_a_call_that_had_begun_is_not_held_up_by_a_hook_that_came_later() -> None:
    driver = desk(name="refund", amount=9)
    driver.send({"type": "decided", "op": "t1.m1.0", "approved": True, "by": "ana", "reason": ""})
    driver.turn([{"type": "begun", "op": "t1.m1.0", "name": "refund", "n": 1}])
    driver.spec = Agent("desk", NEVER, tools=[lookup, refund, helper], hooks=says(Refuse("too late.")))
    driver.restart()
    assert list(driver.open) == ["t1.m1.0"]


# -- after -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (None, "secret"),
        (Change("***"), "***"),
        (Guide("Mind the date."), "secret\n\nMind the date."),
        (Refuse("it is private."), "Error: Denied: the call was made, and its result is withheld: it is private."),
    ],
)
def test_an_outcome_is_looked_at_before_the_model_reads_it(verdict: Any, told: str) -> None:
    seen: list[str] = []

    def look(use: ToolUse, outcome: str) -> Any:
        seen.append(outcome)
        return verdict

    driver = desk(Hook(after_tool=look))
    driver.tool("t1.m1.0", "secret")
    assert list(driver.open) == ["t1.m1.0.a1"]
    driver.restart()
    assert list(driver.open) == ["t1.m1.0.a1"], "the call is not made again"
    speak(driver, "t1.m1.0.a1")
    assert seen == ["secret"] and read(driver) == told and list(driver.open) == ["t1.m2"]
    driver.restart()
    assert read(driver) == told


def test_the_next_one_sees_what_one_has_made_of_an_outcome() -> None:
    seen: list[str] = []
    hooks = [
        Hook(after_tool=lambda use, told: Change(told + "!")),
        Hook(after_tool=lambda use, told: seen.append(told)),
    ]
    driver = desk(*hooks)
    driver.tool("t1.m1.0", "found")
    speak(driver, "t1.m1.0.a1")
    speak(driver, "t1.m1.0.a2")
    assert seen == ["found!"] and read(driver) == "found!"


def test_what_an_agent_gave_is_looked_at_too() -> None:
    driver = desk(Hook(after_tool=lambda use, told: Change("short")), name="helper", input="go")
    (child,) = driver.spawned()
    driver.turn([{"type": "sent", "op": child.op}])
    driver.send({"type": "child", "id": child.id, "status": "completed", "value": "long"})
    speak(driver, "t1.m1.0.a1")
    assert read(driver) == "short"


def test_a_hook_that_is_gone_lets_the_outcome_through() -> None:
    driver = desk(Hook(after_tool=lambda use, told: None))
    driver.tool("t1.m1.0", "found")
    driver.spec = Agent("desk", NEVER, tools=[lookup, refund, helper])
    driver.restart()
    assert read(driver) == "found" and list(driver.open) == ["t1.m2"]


def test_what_was_withheld_is_not_to_be_read_in_the_journal_either() -> None:
    said: list[str] = []

    def script(messages: Any, tools: Any) -> Any:
        results = [message.content for message in messages if message.role == "tool"]
        said.extend(results)
        if not results:
            return call("lookup", order_id="secret" * 9)
        return call("read_result", entry=len(results) + 2) if len(results) < 6 else "done"

    agent = Agent(
        "reader",
        Scripted(script),
        tools=[lookup],
        history=History(size="20KB", compaction=Shorten()),
        hooks=Hook(after_tool=lambda use, told: Refuse("private."), tools=["lookup"]),
    )

    async def talked(world: World) -> str:
        return str(await (await world.start(agent, "go", id="r")).result())

    crash_everywhere(talked, functions=[agent], kills=1)
    assert said and not any("secret" in text for text in said)


# -- when one fails ---------------------------------------------------------------------------------------


def fails(driver: Driver, op: str) -> None:
    hook = driver.open[op]
    assert isinstance(hook, Invoke)
    driver.turn([driver.fact(hook, OSError("down"))])


def test_a_hook_that_fails_refuses_unless_it_says_otherwise() -> None:
    driver = desk(says(None))
    fails(driver, "t1.m1.0.b1")
    assert "Denied: the hook hook has failed (down)" in read(driver) and "tool" not in kinds(driver)
    driver = desk(Hook(after_tool=lambda use, told: None))
    driver.tool("t1.m1.0", "secret")
    fails(driver, "t1.m1.0.a1")
    assert "withheld" in read(driver) and "secret" not in read(driver)


def test_a_hook_that_may_fail_is_passed_over() -> None:
    driver = desk(says(None, failing="pass"))
    fails(driver, "t1.m1.0.b1")
    driver.restart()
    assert list(driver.open) == ["t1.m1.0"]


def test_a_hook_whose_failure_ends_the_turn_is_asked_again_on_a_retry() -> None:
    driver = desk(says(None, failing="end"))
    fails(driver, "t1.m1.0.b1")
    assert driver.decision.status == "failed" and driver.entries("failed")[0]["error"]["message"] == "down"
    driver.restart()
    driver.send({"type": "retry", "by": "ana"})
    assert list(driver.open) == ["t1.m1.0.b1"]
    speak(driver, "t1.m1.0.b1")
    assert list(driver.open) == ["t1.m1.0"]


def test_a_turn_that_ends_takes_its_hooks_with_it() -> None:
    driver = desk(says(None))
    assert driver.send({"type": "cancel", "reason": "", "by": "me"}).abandon == ["t1.m1.0.b1"]
    driver = Driver(Agent("desk", NEVER, tools=[lookup], hooks=says(None), limits=Limits(time="5s")))
    driver.say("m1")
    driver.model([called("lookup", order_id="7")])
    assert driver.expire(99_000).abandon == ["t1.m1.0.b1"] and driver.decision.status == "idle"


@pytest.mark.parametrize("verdict", ["no", True, Change(7), Guide(""), Refuse(" "), Ask("")])
def test_what_is_no_verdict_is_an_error_of_the_hook(verdict: Any) -> None:
    hook = desk(says(verdict)).open["t1.m1.0.b1"]
    assert isinstance(hook, Invoke)
    with pytest.raises(InvalidInput, match="the hook 'hook'"):
        hook.call()


@pytest.mark.parametrize("verdict", [Skip("x"), Ask("boss")])
def test_what_comes_too_late_after_a_call_is_said(verdict: Any) -> None:
    driver = desk(Hook(after_tool=lambda use, told: verdict))
    driver.tool("t1.m1.0", "found")
    hook = driver.open["t1.m1.0.a1"]
    assert isinstance(hook, Invoke)
    with pytest.raises(InvalidInput, match="Change, Guide, Refuse"):
        hook.call()


@pytest.mark.parametrize(
    "made",
    [
        lambda: Hook(),
        lambda: Hook("look"),  # type: ignore[arg-type]  # as users may give it
        lambda: Hook(print, failing="maybe"),  # type: ignore[arg-type]  # as users may give it
        lambda: Hook(print, tools="lookup"),
        lambda: Agent("a", NEVER, hooks=[print]),  # type: ignore[list-item]  # as users may give it
        lambda: Agent("a", NEVER, tools=[lookup], hooks=Hook(print, tools=["look_up"])),
    ],
)
def test_what_can_not_be_is_said(made: Any) -> None:
    with pytest.raises(InvalidInput):
        made()


# -- whole -------------------------------------------------------------------------------------------------


async def slow(use: ToolUse) -> Any:
    return Change({"order_id": use.arguments["order_id"] + "0"})


def boss(use: ToolUse) -> Any:
    return Ask("boss") if use.arguments["order_id"] == "970" else None


def mask(use: ToolUse, outcome: str) -> Any:
    return Change(outcome.replace("7", "*"))


calls = [call("lookup", order_id="7"), call("lookup", order_id="97")]
masked = Agent(
    "masked",
    Scripted(lambda messages, tools: calls if messages[-1].role == "user" else messages[-1].content),
    tools=[lookup],
    hooks=[
        Hook(slow),
        Hook(lambda use: Ask("boss") if use.arguments["order_id"] == "970" else None, mask, name="both"),
    ],
)


async def talked(world: World) -> str:
    sent = await world.send(masked, "c", "Where is it?")
    await world.approve("masked/c", by="ana")
    return str(await sent.reply())


def test_it_survives_a_crash_at_every_transition() -> None:
    report = crash_everywhere(talked, functions=[masked])
    assert report.outcome.value == "9*0"
