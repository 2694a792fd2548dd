"""A session answers each message exactly once, in order, and costs the same after a thousand turns as after one."""

from __future__ import annotations

from overwinter import Agent, tool
from overwinter.functions.agents.limits import History
from overwinter.functions.models.scripted import Scripted
from overwinter.state.codec import loads

from .driver import Driver, called

MODEL = Scripted(["never asked"])


@tool
async def lookup(order_id: str) -> str:
    """Look an order up."""
    return order_id


def agent(**options: object) -> Agent:
    return Agent("desk", MODEL, "Be kind.", [lookup], **options)  # type: ignore[arg-type]


def test_a_message_is_answered_by_a_reply_and_the_session_lives_on() -> None:
    driver = Driver(agent())
    decision = driver.say("m1", "hi")
    assert decision.immediate and decision.status == "running"
    decision = driver.model("hello")
    assert decision.status == "idle" and decision.wake is None and decision.awaits == ""
    (reply,) = driver.entries("reply")
    assert (reply["to"], reply["value"]) == ("m1", "hello")
    driver.say("m2", "and now?")
    assert list(driver.open) == ["t2.m1"]
    assert [m.content for m in driver.prompt()] == ["hi", "hello", "and now?"]


def test_messages_that_come_during_a_turn_wait_in_the_mailbox_and_are_answered_in_order() -> None:
    driver = Driver(agent())
    driver.say("m1")
    for id in ("m2", "m3"):
        assert driver.say(id).entries == []
    assert [fact["id"] for fact in driver.mailbox] == ["m2", "m3"]
    for text in ("one", "two", "three"):
        driver.model(text)
    assert [(entry["to"], entry["value"]) for entry in driver.entries("reply")] == [
        ("m1", "one"),
        ("m2", "two"),
        ("m3", "three"),
    ]
    assert driver.mailbox == []


def test_a_message_is_answered_once_even_if_it_comes_again() -> None:
    driver = Driver(agent())
    driver.say("m1")
    driver.say("m1")
    driver.model("hello")
    driver.say("m1")
    assert driver.mailbox == [] and driver.open == {}
    assert len(driver.entries("message")) == len(driver.entries("reply")) == 1


def test_a_model_that_fails_ends_the_turn_and_not_the_session() -> None:
    driver = Driver(agent())
    driver.say("m1", "first")
    assert driver.model(ConnectionError("no net")).status == "idle"
    (reply,) = driver.entries("reply")
    assert reply["to"] == "m1" and reply["error"]["kind"] == "builtins.ConnectionError"
    driver.say("m2", "second")
    assert [m.content for m in driver.prompt()] == ["first", "second"]
    driver.model("fine")
    assert driver.entries("reply")[1]["value"] == "fine"


def test_cancel_answers_the_open_message_and_ends_the_session() -> None:
    driver = Driver(agent())
    driver.say("m1")
    driver.say("m2")
    decision = driver.send({"type": "cancel", "reason": "closing", "by": "me"})
    assert decision.status == "cancelled" and decision.abandon == ["t1.m1"]
    assert [entry["type"] for entry in driver.entries()][-2:] == ["reply", "cancelled"]
    assert driver.entries("reply")[0]["error"]["kind"].endswith(".ExecutionCancelled")
    assert driver.say("m3").entries == []


def test_cancel_while_idle_ends_the_session() -> None:
    driver = Driver(agent())
    driver.say("m1")
    driver.model("hello")
    assert driver.send({"type": "cancel", "reason": "", "by": "me"}).status == "cancelled"


def test_a_start_means_nothing_to_a_session_and_a_message_nothing_to_a_run() -> None:
    driver = Driver(agent())
    driver.say("m1")
    driver.model("hello")
    assert driver.start().status == "idle"
    assert driver.entries("start") == []


def test_a_turn_that_ended_early_leaves_no_call_without_an_answer() -> None:
    driver = Driver(agent(limits=_seconds(10)))
    driver.say("m1", "look")
    driver.model([called("lookup", "a", order_id="1"), called("lookup", "b", order_id="2")])
    driver.tool("t1.m1.0", "found")
    driver.expire(20_000)
    driver.say("m2", "well?")
    roles = [(m.role, m.tool_call_id) for m in driver.prompt()]
    assert roles == [("user", ""), ("assistant", ""), ("tool", "a"), ("tool", "b"), ("user", "")]
    assert driver.prompt()[2].content == "found"
    assert "may have taken effect" in driver.prompt()[3].content


def test_old_turns_leave_the_window_whole_and_the_base_moves_with_them() -> None:
    driver = Driver(agent(history=History(messages=6)))
    for number in range(5):
        driver.say(f"m{number}", f"question {number}")
        driver.model([called("lookup", f"c{number}", order_id="1")])
        driver.tool(f"t{number + 1}.m1.0", "found")
        driver.model(f"answer {number}")
    driver.say("last", "and?")
    assert [m.content for m in driver.prompt()] == ["question 4", "", "found", "answer 4", "and?"]
    first = loads(driver.journal[driver.base - 1])
    assert (first["type"], first["id"]) == ("message", "m4")


def test_a_single_turn_larger_than_the_window_is_kept_for_the_next_one() -> None:
    driver = Driver(agent(history="1KB"))
    driver.say("m1", "x" * 5_000)
    driver.model("long")
    driver.say("m2", "and?")
    assert [len(m.content) for m in driver.prompt()] == [5_000, 4, 4]
    driver.model("short")
    driver.say("m3", "now?")
    assert [m.content for m in driver.prompt()] == ["and?", "short", "now?"]


def test_thousands_of_turns_cost_the_same_as_one() -> None:
    driver = Driver(agent(history=History(messages=10)), compare=False)
    sizes: set[int] = set()
    for number in range(3_000):
        driver.say(f"m{number}", f"question {number}")
        driver.model(f"answer {number}")
        sizes.add(len(driver.journal) - driver.base + 1)
        if number % 500 == 0:
            driver.check()
    assert max(sizes) <= 15
    assert len(driver.state) < 400
    state = loads(driver.state)
    assert state["turn"] == 3_000
    assert state["usage"] == {"iterations": 3_000, "input": 30_000, "output": 15_000, "cost": "30.00"}
    driver.restart()
    driver.say("last", "and?")
    assert list(driver.open) == ["t3001.m1"]
    assert len(driver.prompt()) == 11


def test_entries_the_loop_does_not_know_may_stand_in_the_journal() -> None:
    """People pause and resume a session; the engine journals that without asking the loop."""
    driver = Driver(agent(history=History(messages=4)), compare=False)
    for number in range(6):
        driver.say(f"m{number}", f"question {number}")
        driver.journal += ['{"type":"paused","at":1,"by":"me"}', '{"type":"resumed","at":1,"by":"me"}'] * 3
        driver.model(f"answer {number}")
    driver.say("last", "and?")
    before = driver.prompt()
    driver.restart()
    assert list(driver.open) == ["t7.m1"]
    assert driver.prompt() == before
    driver.model("done")
    assert driver.entries("reply")[-1]["to"] == "last"


def _seconds(time: int) -> object:
    from overwinter import Limits

    return Limits(time=time)
