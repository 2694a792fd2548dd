"""Hooks around runs and model calls: each is asked once and recorded, and what it says holds in every process."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, InvalidInput, Limits, Scripted, call, image
from overwinter.functions.hooks import Ask, Change, Guide, Hook, ModelReply, ModelUse, Refuse, RunUse, Skip
from overwinter.functions.models.port import ToolCall
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called, run
from .tools import lookup, note

NEVER = Scripted(["never asked"])
OTHER = Scripted(["never asked either"], "other")


def desk(*hooks: Hook, **options: Any) -> Driver:
    return Driver(Agent("desk", [NEVER, OTHER], "Be kind.", tools=[lookup, note], hooks=hooks, **options))


def speak(driver: Driver, op: str) -> Invoke:
    """The hook of that op is really asked, and nothing else is open."""
    assert list(driver.open) == [op]
    hook = driver.open[op]
    assert isinstance(hook, Invoke) and hook.report == "hook"
    driver.turn([driver.fact(hook, run(hook))])
    return hook


def fails(driver: Driver, op: str) -> None:
    hook = driver.open[op]
    assert isinstance(hook, Invoke)
    driver.turn([driver.fact(hook, OSError("down"))])


def kinds(driver: Driver) -> list[str]:
    return [entry["type"] for entry in driver.entries()]


def end(driver: Driver) -> Any:
    last = driver.entries()[-1]
    return last.get("value", last.get("error", {}).get("message"))


def asked(driver: Driver) -> ModelUse:
    """What the open model call asks."""
    (made,) = [effect for effect in driver.open.values() if isinstance(effect, Invoke) and effect.report == "model"]
    request = made.call._request()  # type: ignore[attr-defined]  # it is an Asking
    return ModelUse(made.name, (), request.messages, tuple(each.name for each in request.tools), request.settings, 0)


# -- before the run --------------------------------------------------------------------------------------


def test_a_run_begins_when_its_hooks_have_nothing_against_it() -> None:
    seen: list[RunUse] = []
    driver = desk(Hook(before_run=seen.append, name="look"))
    driver.start("hello")
    driver.restart()
    speak(driver, "t1.b1")
    assert seen == [RunUse("desk", "hello", 1)] and list(driver.open) == ["t1.m1"]
    driver.restart()
    assert list(driver.open) == ["t1.m1"], "it is not asked again"


def test_a_hook_changes_what_the_run_is_about_and_the_next_one_sees_it() -> None:
    seen: list[Any] = []
    driver = desk(
        Hook(before_run=lambda run: Change(run.content + "!")), Hook(before_run=lambda r: seen.append(r.content))
    )
    driver.start("hello")
    speak(driver, "t1.b1")
    speak(driver, "t1.b2")
    assert seen == ["hello!"] and [message.content for message in driver.prompt()] == ["hello!"]


def test_images_stay_when_the_words_are_changed() -> None:
    agent = Agent("desk", NEVER, hooks=Hook(before_run=lambda run: Change("Which is it?")))
    driver = Driver(agent, compare=False)
    part = {"type": "image", "digest": "sha256:1", "media_type": "image/png", "size": 3}
    driver.send({"type": "start", "input": ["What?", part], "seed": "s", "media": True})
    speak(driver, "t1.b1")
    (message,) = driver.prompt()
    assert [each.kind for each in message.parts] == ["text", "image"] and message.content == "Which is it?"


@pytest.mark.parametrize("given", [7, {"order": 1}, None])
def test_another_input_must_be_one(given: Any) -> None:
    driver = desk(Hook(before_run=lambda run: Change(given), name="hook"))
    driver.start()
    hook = driver.open["t1.b1"]
    assert isinstance(hook, Invoke)
    with pytest.raises(InvalidInput, match="the hook 'hook'"):
        hook.call()


def test_images_are_nothing_that_a_hook_gives() -> None:
    driver = desk(Hook(before_run=lambda run: Change([image(b"\x89PNG\r\n\x1a\n")])))
    driver.start()
    hook = driver.open["t1.b1"]
    assert isinstance(hook, Invoke)
    with pytest.raises(InvalidInput, match="gives images, sounds or files, which only tools and messages may"):
        hook.call()


def test_a_hook_answers_at_once_in_the_required_form() -> None:
    driver = desk(Hook(before_run=lambda run: Skip("We are closed.")))
    driver.start()
    speak(driver, "t1.b1")
    assert kinds(driver) == ["start", "hook", "completed"] and end(driver) == "We are closed."
    driver = desk(Hook(before_run=lambda run: Skip("seven"), name="hook"), output=int)
    driver.start()
    hook = driver.open["t1.b1"]
    assert isinstance(hook, Invoke)
    with pytest.raises(InvalidInput, match="does not fit"):
        hook.call()


def test_what_a_hook_wants_the_model_to_know_stays_in_the_conversation() -> None:
    driver = desk(Hook(before_run=lambda run: Guide("Ana is a friend.")))
    driver.say("m1")
    speak(driver, "t1.b1")
    driver.model("hi")
    driver.say("m2")
    speak(driver, "t2.b1")
    assert [message.content for message in driver.prompt()][1] == "Ana is a friend."


def test_a_run_is_refused() -> None:
    driver = desk(Hook(before_run=lambda run: Refuse("not on Sundays.")))
    driver.say("m1")
    speak(driver, "t1.b1")
    (reply,) = driver.entries("reply")
    assert reply["error"]["kind"].endswith(".Denied") and reply["error"]["message"] == "not on Sundays."
    assert driver.decision.status == "idle"


def test_a_person_lets_a_run_begin_or_does_not() -> None:
    for approved in (True, False):
        driver = desk(Hook(before_run=lambda run: Ask("boss")))
        driver.start("pay")
        speak(driver, "t1.b1")
        (order,) = driver.entries("ordered")
        assert (order["kind"], order["role"], order["data"]) == ("approval", "boss", {"input": "pay"})
        driver.restart()
        assert driver.decision.status == "waiting" and driver.decision.awaits == "approval desk input"
        driver.send({"type": "decided", "op": order["op"], "approved": approved, "by": "ana", "reason": "no"})
        driver.restart()
        assert list(driver.open) == (["t1.m1"] if approved else [])
    assert end(driver) == "the desk input was denied by ana: no"


def test_a_decision_on_something_else_does_not_count() -> None:
    driver = desk(Hook(before_run=lambda run: Ask("boss")))
    driver.start("pay")
    speak(driver, "t1.b1")
    (order,) = driver.entries("ordered")
    driver.send(
        {"type": "decided", "op": order["op"], "digest": "sha256:0", "approved": True, "by": "ana", "reason": ""}
    )
    assert driver.decision.awaits == "approval desk input"


def test_nobody_decides_in_time() -> None:
    driver = desk(Hook(before_run=lambda run: Ask("boss")), limits=Limits(time=None))
    driver.start("pay")
    speak(driver, "t1.b1")
    assert driver.decision.wake is not None
    driver.expire(driver.decision.wake)
    assert end(driver) == "nobody approved the desk input in time."


# -- before a model call ---------------------------------------------------------------------------------


def test_a_hook_sees_what_would_be_asked() -> None:
    seen: list[ModelUse] = []
    driver = desk(Hook(before_model=seen.append), settings={"temperature": 1})
    driver.start("hello")
    driver.restart()
    speak(driver, "t1.m1.b1")
    (use,) = seen
    assert [message.content for message in use.messages] == ["Be kind.", "hello"] and use.step == 1
    assert (use.model, use.models) == (NEVER.name, (NEVER.name, OTHER.name))
    assert use.tools == ("lookup", "note") and use.settings == {"temperature": 1}
    assert list(driver.open) == ["t1.m1"]
    driver.restart()
    assert list(driver.open) == ["t1.m1"]
    driver.model([called("lookup", order_id="7")])
    driver.tool("t1.m1.0", "found")
    speak(driver, "t1.m2.b1")
    assert seen[1].step == 2


def test_hooks_change_what_is_asked_this_time() -> None:
    first = Change(
        {
            "instructions": "Be short.",
            "message": "Mind the date.",
            "model": OTHER.name,
            "tools": ["note"],
            "settings": {"a": 1},
        }
    )
    driver = desk(
        Hook(before_model=lambda use: first if use.step == 1 else None),
        Hook(
            before_model=lambda use: (
                Change({"instructions": "In French.", "settings": {"b": 2}}) if use.step == 1 else None
            )
        ),
        settings={"a": 0, "c": 3},
    )
    driver.start("hello")
    speak(driver, "t1.m1.b1")
    speak(driver, "t1.m1.b2")
    for _ in range(2):
        use = asked(driver)
        assert use.model == OTHER.name and use.tools == ("note",) and use.settings == {"a": 1, "b": 2, "c": 3}
        told = [message.content for message in use.messages]
        assert told == ["Be kind.\n\nBe short.\n\nIn French.", "hello", "Mind the date."]
        driver.restart()
    driver.model([called("lookup", order_id="7")])
    driver.tool("t1.m1.0", "found")
    speak(driver, "t1.m2.b1")
    speak(driver, "t1.m2.b2")
    use = asked(driver)
    assert use.tools == ("lookup", "note") and [message.content for message in use.messages][:2] == [
        "Be kind.",
        "hello",
    ]
    assert "Mind the date." not in [message.content for message in use.messages]


@pytest.mark.parametrize(
    ("to", "match"),
    [
        ({"model": "gpt"}, "name them all"),
        ({"tools": ["refund"]}, "is not offered"),
        ({"tools": "note"}, "in a list"),
        ({"temperature": 1}, "there are instructions"),
        ({"message": ""}, "give a text"),
        ({}, "give a mapping"),
        ("x", "give a mapping"),
    ],
)
def test_what_can_not_be_asked_is_said(to: Any, match: str) -> None:
    driver = desk(Hook(before_model=lambda use: Change(to)))
    driver.start()
    hook = driver.open["t1.m1.b1"]
    assert isinstance(hook, Invoke)
    with pytest.raises(InvalidInput, match=match):
        hook.call()


def test_a_hook_answers_in_the_model_s_place_and_it_costs_nothing() -> None:
    driver = desk(Hook(before_model=lambda use: Skip("cached"), name="cache"))
    driver.start()
    speak(driver, "t1.m1.b1")
    assert kinds(driver) == ["start", "hook", "model", "completed"] and end(driver) == "cached"
    (answer,) = driver.entries("model")
    assert answer["value"]["model"] == "hook/cache" and answer["value"]["cost"] == "0"
    assert '"cost":"0"' in driver.state


def test_a_hook_calls_tools_in_the_model_s_place() -> None:
    driver = desk(Hook(before_model=lambda use: Skip(call("lookup", order_id="7")) if use.step == 1 else None))
    driver.start()
    speak(driver, "t1.m1.b1")
    assert list(driver.open) == ["t1.m1.0"]
    driver.restart()
    driver.tool("t1.m1.0", "found")
    assert driver.prompt()[-1].content == "found"


def test_an_answer_of_hooks_again_and_again_comes_to_an_end() -> None:
    driver = desk(
        Hook(before_model=lambda use: Skip(call("lookup", order_id=str(use.step)))), limits=Limits(iterations=2)
    )
    driver.start()
    speak(driver, "t1.m1.b1")
    driver.tool("t1.m1.0", "found")
    speak(driver, "t1.m2.b1")
    assert driver.decision.status == "failed"


def test_a_model_call_is_refused_or_guided() -> None:
    driver = desk(Hook(before_model=lambda use: Refuse("too late.")))
    driver.start()
    speak(driver, "t1.m1.b1")
    assert kinds(driver) == ["start", "hook", "failed"] and end(driver) == "too late."
    driver = desk(Hook(before_model=lambda use: Guide("Use your notes.")))
    driver.start()
    speak(driver, "t1.m1.b1")
    assert [message.content for message in driver.prompt()] == ["hello", "Use your notes."]


def test_the_model_in_the_place_of_one_that_failed_is_looked_at_too() -> None:
    driver = desk(Hook(before_model=lambda use: Change({"model": NEVER.name}) if use.model != NEVER.name else None))
    driver.start()
    speak(driver, "t1.m1.b1")
    driver.model(ConnectionError("down"))
    hook = driver.open["t1.m1.r1.b1"]
    assert isinstance(hook, Invoke)
    speak(driver, "t1.m1.r1.b1")
    assert asked(driver).model == NEVER.name


# -- about an answer -------------------------------------------------------------------------------------


def test_an_answer_is_looked_at_before_anything_of_it_is_done() -> None:
    seen: list[ModelReply] = []
    driver = desk(Hook(after_model=lambda use, reply: seen.append(reply)))
    driver.start()
    driver.model([called("lookup", order_id="7")])
    driver.restart()
    speak(driver, "t1.m1.a1")
    assert seen == [ModelReply("", (ToolCall("c1", "lookup", '{"order_id":"7"}'),), "", "test")]
    assert list(driver.open) == ["t1.m1.0"] and kinds(driver) == ["start", "model", "hook", "passed"]
    driver.restart()
    assert list(driver.open) == ["t1.m1.0"]


@pytest.mark.parametrize(
    ("to", "calls", "text"),
    [
        ("Be patient.", 0, "Be patient."),
        (call("note", text="7"), 1, ""),
        (ModelReply("Wait.", (call("note", text="7"), call("note", text="8")), "", ""), 2, "Wait."),
    ],
)
def test_another_answer_takes_its_place(to: Any, calls: int, text: str) -> None:
    driver = desk(Hook(after_model=lambda use, reply: Change(to)))
    driver.start()
    driver.model({**answer([called("lookup", order_id="7")]), "opaque": {"signed": "lookup"}})
    speak(driver, "t1.m1.a1")
    driver.restart()
    assert len(driver.open) == calls
    if not calls:
        assert end(driver) == text
        return
    for op in list(driver.open):
        driver.tool(op, "done")
    said = next(message for message in driver.prompt() if message.role == "assistant")
    assert said.content == text and said.opaque is None and {each.name for each in said.tool_calls} == {"note"}


def answer(calls: list[Any]) -> dict[str, Any]:
    return {"tool_calls": calls, "finish": "tool_calls", "model": "test", "usage": {"input": 1}, "cost": "0.01"}


def test_what_a_hook_has_against_an_answer_the_model_reads_and_nothing_of_it_is_done() -> None:
    driver = desk(Hook(after_model=lambda use, reply: Guide("Ask first.") if use.step == 1 else None))
    driver.start()
    driver.model([called("lookup", order_id="7")])
    speak(driver, "t1.m1.a1")
    driver.restart()
    assert list(driver.open) == ["t1.m2"] and "tool" not in kinds(driver)
    assert [message.content for message in driver.prompt()][2:] == [
        "The call was not made: read what stands below.",
        "Ask first.",
    ]
    driver.model("Which order?")
    speak(driver, "t1.m2.a1")
    assert end(driver) == "Which order?"


def test_what_is_sent_back_again_and_again_comes_to_an_end() -> None:
    driver = desk(Hook(after_model=lambda use, reply: Guide("No.")), limits=Limits(iterations=2))
    driver.start()
    for step in (1, 2):
        driver.model("well")
        speak(driver, f"t1.m{step}.a1")
    assert driver.decision.status == "failed" and '"input":20' in driver.state.replace(" ", "")


def test_an_answer_is_refused_and_on_a_retry_looked_at_again() -> None:
    driver = desk(Hook(after_model=lambda use, reply: Refuse("rude.")))
    driver.start()
    driver.model("no!")
    speak(driver, "t1.m1.a1")
    assert driver.decision.status == "failed" and end(driver) == "rude."
    driver.send({"type": "retry", "by": "ana"})
    driver.spec = Agent("desk", NEVER, tools=[lookup, note], hooks=Hook(after_model=lambda use, reply: None))
    driver.restart()
    speak(driver, "t1.m1.a1.r1")
    assert end(driver) == "no!"


def test_an_answer_that_is_none_yet_is_no_hook_s_business() -> None:
    driver = desk(Hook(after_model=lambda use, reply: pytest.fail("it was cut off")))
    driver.start()
    driver.model({"text": "well, I", "finish": "length", "usage": {}, "cost": "0"})
    assert list(driver.open) == ["t1.m2"]


def test_a_hook_that_is_gone_lets_an_answer_through() -> None:
    driver = desk(Hook(after_model=lambda use, reply: None))
    driver.start()
    driver.model([called("lookup", order_id="7")])
    driver.spec = Agent("desk", NEVER, tools=[lookup])
    driver.restart()
    assert list(driver.open) == ["t1.m1.0"]


# -- about the output ------------------------------------------------------------------------------------


def test_the_output_is_looked_at_and_changed_in_the_required_form() -> None:
    seen: list[Any] = []

    def look(run: RunUse, output: Any) -> Any:
        seen.append((run.content, output))
        return Change(output + 1)

    driver = desk(Hook(after_run=look), Hook(after_run=lambda run, output: Change(output * 2)), output=int)
    driver.start("how many?")
    driver.model("7")
    driver.restart()
    speak(driver, "t1.m1.e1")
    driver.restart()
    speak(driver, "t1.m1.e2")
    assert seen == [("how many?", 7)] and end(driver) == 16 and driver.decision.status == "completed"


def test_another_output_must_be_one() -> None:
    driver = desk(Hook(after_run=lambda run, output: Change("seven")), output=int)
    driver.start()
    driver.model("7")
    hook = driver.open["t1.m1.e1"]
    assert isinstance(hook, Invoke)
    with pytest.raises(InvalidInput, match="does not fit"):
        hook.call()


@pytest.mark.parametrize("mode", ["prompt", "tool"])
def test_the_model_goes_on_when_the_output_is_sent_back(mode: Any) -> None:
    hook = Hook(after_run=lambda run, output: Guide("Too few.") if output < 8 else None)
    driver = desk(hook, output=int, output_mode=mode)
    driver.start()
    for step, said in ((1, 7), (2, 8)):
        driver.model(f"{said}" if mode == "prompt" else [called("final_result", result=said)])
        speak(driver, f"t1.m{step}.e1")
        driver.restart()
    assert any("Too few." in entry.get("text", "") for entry in driver.entries("observed"))
    assert end(driver) == 8


def test_an_answer_given_at_once_is_looked_at_too() -> None:
    driver = desk(
        Hook(before_run=lambda run: Skip("closed"), after_run=lambda run, output: Change(output.upper())),
    )
    driver.start()
    speak(driver, "t1.b1")
    speak(driver, "t1.e1")
    assert end(driver) == "CLOSED"
    driver = desk(Hook(before_run=lambda run: Skip("closed"), after_run=lambda run, output: Guide("Say why.")))
    driver.start()
    speak(driver, "t1.b1")
    speak(driver, "t1.e1")
    driver.restart()
    assert list(driver.open) == ["t1.m1"] and "Say why." in driver.prompt()[-1].content


def test_a_person_approves_an_output_before_it_leaves() -> None:
    for approved in (True, False):
        driver = desk(
            Hook(after_run=lambda run, output: Change(f"{output}!")), Hook(after_run=lambda run, o: Ask("boss"))
        )
        driver.say("m1")
        driver.model("you get it back")
        speak(driver, "t1.m1.e1")
        speak(driver, "t1.m1.e2")
        (order,) = driver.entries("ordered")
        assert order["data"] == {"output": "you get it back!"} and driver.entries("reply") == []
        driver.restart()
        driver.send({"type": "decided", "op": order["op"], "approved": approved, "by": "ana", "reason": ""})
        (reply,) = driver.entries("reply")
        assert reply.get("value") == ("you get it back!" if approved else None)
    assert reply["error"]["message"] == "the desk output was denied by ana."


def test_an_output_is_refused_and_on_a_retry_looked_at_again() -> None:
    driver = desk(Hook(after_run=lambda run, output: Refuse("secret.")))
    driver.start()
    driver.model("the code is 7")
    speak(driver, "t1.m1.e1")
    assert end(driver) == "secret."
    driver.send({"type": "retry", "by": "ana"})
    driver.restart()
    speak(driver, "t1.m1.e1.r1")
    assert end(driver) == "secret."


# -- when one fails --------------------------------------------------------------------------------------


def nothing(*_: Any) -> None: ...


def hook(place: str, function: Any, **more: Any) -> Hook:
    given: dict[str, Any] = {place: function, "name": "hook", **more}
    return Hook(**given)


def reaching(place: str, **more: Any) -> tuple[Driver, str]:
    """A run that waits for a hook at that place."""
    driver = desk(hook(place, nothing, **more))
    driver.start()
    if place in ("after_model", "after_run"):
        driver.model("an answer")
    (op,) = driver.open
    return driver, op


@pytest.mark.parametrize("place", ["before_run", "before_model", "after_model", "after_run"])
def test_a_hook_that_fails_refuses_unless_it_says_otherwise(place: str) -> None:
    driver, op = reaching(place)
    fails(driver, op)
    assert driver.decision.status == "failed" and end(driver) == "the hook hook has failed (down)"
    driver, op = reaching(place, failing="pass")
    fails(driver, op)
    driver.restart()
    assert driver.decision.status == ("completed" if place.startswith("after") else "running")
    driver, op = reaching(place, failing="end")
    fails(driver, op)
    assert driver.decision.status == "failed" and end(driver) == "down"
    driver.restart()
    driver.send({"type": "retry", "by": "ana"})
    assert list(driver.open) == [op]
    speak(driver, op)
    assert driver.decision.status == ("completed" if place.startswith("after") else "running")


@pytest.mark.parametrize("place", ["before_run", "before_model", "after_model", "after_run"])
def test_a_turn_that_ends_takes_its_hooks_with_it(place: str) -> None:
    driver, op = reaching(place)
    assert driver.send({"type": "cancel", "reason": "", "by": "me"}).abandon == [op]


@pytest.mark.parametrize("place", ["before_run", "before_model", "after_model", "after_run"])
def test_a_hook_that_is_tried_again_later_is_waited_for(place: str) -> None:
    driver, op = reaching(place)
    driver.turn([{"type": "retrying", "op": op, "name": "hook", "n": 1, "until": 9_000, "error": {"message": "x"}}])
    driver.restart()
    assert driver.decision.wake is not None and driver.open == {}
    driver.expire(9_000)
    assert list(driver.open) == [op]


@pytest.mark.parametrize(
    ("place", "verdict"),
    [
        ("before_run", "no"),
        ("before_model", Ask("boss")),
        ("after_model", Skip("x")),
        ("after_model", Ask("boss")),
        ("after_model", Change("")),
        ("after_run", Skip("x")),
        ("after_run", Guide(" ")),
    ],
)
def test_what_may_not_be_said_there_is_an_error_of_the_hook(place: str, verdict: Any) -> None:
    driver, op = reaching(place)
    driver.spec = Agent("desk", NEVER, hooks=hook(place, lambda *_: verdict))
    driver.restart()
    open_ = driver.open[op]
    assert isinstance(open_, Invoke)
    with pytest.raises(InvalidInput, match="the hook 'hook'"):
        open_.call()


# -- whole -----------------------------------------------------------------------------------------------


async def greet(run_: RunUse) -> Any:
    return Change(f"{run_.content} (of ana)")


def shout(use: ModelUse, reply: ModelReply) -> Any:
    return Guide("Louder.") if reply.text and not reply.text.isupper() else None


script = Scripted(
    lambda messages, tools: (
        call("lookup", order_id="7")
        if messages[-1].role == "user" and messages[-1].content != "Louder."
        else messages[-1].content + " is found"
        if messages[-1].role == "tool"
        else "IT IS FOUND"
    )
)
whole = Agent(
    "whole",
    script,
    tools=[lookup],
    hooks=[
        Hook(before_run=greet, before_model=lambda use: Change({"message": "Louder."}) if use.step == 3 else None),
        Hook(after_model=shout, after_run=lambda run, output: Ask("boss")),
        Hook(after_run=lambda run, output: Change(f"{output}.")),
    ],
)


async def talked(world: World) -> str:
    sent = await world.send(whole, "c", "Where is it?")
    await world.approve("whole/c", by="ana")
    return str(await sent.reply())


def test_it_survives_a_crash_at_every_transition() -> None:
    report = crash_everywhere(talked, functions=[whole])
    assert report.outcome.value == "IT IS FOUND."
