"""Whether a model must call a tool, and whether it may call several at once: asked of the provider, and minded here."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, InvalidInput, Limits, Scripted, call, tool
from overwinter.functions.agents.choice import Choosing
from overwinter.functions.hooks import Change, Hook, Skip
from overwinter.functions.models import wire
from overwinter.functions.models.chat import question
from overwinter.functions.models.litellm import LiteLLM, _load
from overwinter.functions.models.port import Request
from overwinter.functions.tools.selection import Selection
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called
from .tools import lookup, note

NEVER = Scripted(["never asked"])


def desk(*tools: Any, **options: Any) -> Driver:
    driver = Driver(Agent("desk", NEVER, tools=tools or [lookup, note], **options))
    driver.start()
    return driver


def request(driver: Driver) -> Request:
    made: Any = next(iter(driver.open.values()))
    asked: Request = made.call._request()
    return asked


def end(driver: Driver) -> Any:
    return driver.entries()[-1].get("value")


@pytest.mark.parametrize(("choice", "tool"), [("required", "note"), ("lookup", "lookup")])
def test_the_model_is_free_again_once_it_has_called_what_it_must(choice: str, tool: str) -> None:
    driver = desk(tool_choice=choice)
    assert request(driver).choice == choice
    driver.restart()
    driver.model([called(tool, **({"order_id": "7"} if tool == "lookup" else {"text": "7"}))])
    driver.tool("t1.m1.0", "done")
    assert request(driver).choice == "auto"
    driver.restart()
    assert request(driver).choice == "auto"
    driver.model("done")
    assert end(driver) == "done"


def test_an_answer_without_the_tool_is_a_repair() -> None:
    driver = desk(tool_choice="lookup", limits=Limits(repairs=1))
    driver.model("It is on its way.")
    (told,) = driver.entries("observed")
    assert "call the tool 'lookup' first" in told["text"] and told["repair"] == 1
    driver.model("It is on its way.")
    assert driver.decision.status == "failed"


def test_an_output_tool_is_not_the_tool_that_must_be_called() -> None:
    driver = desk(tool_choice="required", output=int, output_mode="tool")
    driver.model([called("final_result", result=7)])
    assert "call one of the tools first" in driver.prompt()[-1].content
    driver.model([called("note", text="7")])
    driver.tool("t1.m2.0", "noted")
    driver.model([called("final_result", result=7)])
    assert end(driver) == 7


def test_no_tool_is_called_where_none_is_to_be() -> None:
    driver = desk(tool_choice="none")
    assert request(driver).choice == "none" and len(request(driver).tools) == 2
    driver.model([called("lookup", order_id="7")])
    assert "no tools are to be called" in driver.prompt()[-1].content and driver.entries("tool") == []


def test_with_none_a_typed_answer_by_tool_is_still_possible() -> None:
    driver = desk(tool_choice="none", output=int, output_mode="tool")
    assert [each.name for each in request(driver).tools] == ["final_result"] and request(driver).choice == "auto"
    driver.model([called("final_result", result=7)])
    assert end(driver) == 7


def test_a_function_chooses_for_each_message() -> None:
    agent = Agent("desk", NEVER, tools=[lookup], tool_choice=lambda text: "lookup" if "order" in text else "none")
    driver = Driver(agent)
    driver.say("m1", "my order?")
    assert request(driver).choice == "lookup"
    driver.model([called("lookup", order_id="7")])
    driver.tool("t1.m1.0", "found")
    driver.model("found")
    driver.say("m2", "thanks")
    assert request(driver).choice == "none"


def test_a_selected_tool_is_shown_when_it_must_be_called() -> None:
    agent = Agent(
        "desk",
        NEVER,
        tools=[lookup, note],
        tool_choice="lookup",
        selection=Selection(tags=["none"], most=1, find=False),
    )
    driver = Driver(agent)
    driver.start()
    assert "lookup" in [each.name for each in request(driver).tools]


def test_a_hook_chooses_for_one_call_and_answers_without_the_tool() -> None:
    hook = Hook(before_model=lambda use: Change({"tool_choice": "note", "parallel_calls": False}))
    driver = desk(hooks=hook)
    made: Any = driver.open["t1.m1.b1"]
    driver.turn([driver.fact(made, made.call())])
    assert (request(driver).choice, request(driver).parallel) == ("note", False)
    driver = desk(tool_choice="required", hooks=Hook(before_model=lambda use: Skip("closed")))
    made = driver.open["t1.m1.b1"]
    driver.turn([driver.fact(made, made.call())])
    assert end(driver) == "closed"


def hooked(**changes: Any) -> Driver:
    """A hook asks so for the first call."""
    hook = Hook(before_model=lambda use: Change(changes) if use.step == 1 else None)
    return Driver(Agent("desk", NEVER, tools=[lookup, note], hooks=hook))


def let_through(driver: Driver, op: str) -> None:
    made: Any = driver.open[op]
    driver.turn([driver.fact(made, made.call())])


@pytest.mark.parametrize("choice", ["required", "lookup"])
def test_an_answer_without_the_tool_that_a_hook_has_chosen_is_sent_back(choice: str) -> None:
    driver = hooked(tool_choice=choice)
    driver.start()
    let_through(driver, "t1.m1.b1")
    driver.model("It is on its way.")
    assert "first, then answer" in driver.prompt()[-1].content
    let_through(driver, "t1.m2.b1")
    driver.restart()
    driver.model("It is on its way.")
    assert end(driver) == "It is on its way.", "that was for one call"


def test_no_call_is_made_where_a_hook_wants_none() -> None:
    driver = hooked(tool_choice="none")
    driver.start()
    let_through(driver, "t1.m1.b1")
    driver.restart()
    driver.model([called("lookup", order_id="7")])
    assert "no tools are to be called" in driver.prompt()[-1].content and driver.entries("tool") == []


SHUT = Hook(before_model=lambda use: Change({"tool_choice": "none"}))
BARE = Hook(before_model=lambda use: Change({"tools": []}))
OTHERS = Hook(before_model=lambda use: Change({"tools": ["note"]}))
NONE_OF_MANY = Selection(by=lambda about, tools: [], most=1, find=False)


@pytest.mark.parametrize(
    ("choice", "options"),
    [
        ("lookup", {"hooks": SHUT}),
        ("required", {"hooks": SHUT}),
        ("required", {"hooks": BARE}),
        ("lookup", {"hooks": OTHERS}),
        ("required", {"hooks": BARE, "output": str, "output_mode": "tool"}),
        ("required", {"selection": NONE_OF_MANY}),
    ],
)
def test_a_tool_that_the_model_is_not_shown_it_need_not_call(choice: str, options: dict[str, Any]) -> None:
    driver = desk(tool_choice=choice, **options)
    if "hooks" in options:
        let_through(driver, "t1.m1.b1")
    assert request(driver).choice in ("auto", "none")
    driver.restart()
    driver.model("closed")
    assert end(driver) == "closed"


def test_a_tool_that_a_skill_does_not_allow_need_not_be_called() -> None:
    driver = desk(tool_choice="lookup")
    turn: Any = driver.loop._run.turn
    driver.compare = False  # no tool here says so in the journal
    turn.narrow(["note"])
    driver.model("closed")
    assert end(driver) == "closed"


def test_a_tool_must_be_there_to_be_called() -> None:
    with pytest.raises(InvalidInput, match="must call a tool and has none"):
        Agent("desk", NEVER, tool_choice="required")


def test_calls_are_made_one_after_the_other_where_they_must_be() -> None:
    driver = desk(parallel_calls=False)
    driver.model([called("lookup", order_id="7"), called("note", id="c2", text="8"), called("nothing", id="c3")])
    assert list(driver.open) == ["t1.m1.0"]
    driver.restart()
    assert list(driver.open) == ["t1.m1.0"]
    driver.tool("t1.m1.0", "found")
    assert list(driver.open) == ["t1.m1.1"]
    driver.restart()
    driver.tool("t1.m1.1", "noted")
    assert list(driver.open) == ["t1.m2"] and [m.role for m in driver.prompt()] == ["user", "assistant", *["tool"] * 3]


def test_hooks_and_people_are_asked_one_after_the_other_too() -> None:
    driver = desk(parallel_calls=False, hooks=Hook(lambda use: None, after_tool=lambda use, told: None))
    driver.model([called("lookup", order_id="7"), called("note", id="c2", text="8")])
    for index in (0, 1):
        for op in (f"t1.m1.{index}.b1", f"t1.m1.{index}", f"t1.m1.{index}.a1"):
            assert list(driver.open) == [op]
            driver.restart()
            made: Any = driver.open[op]
            driver.turn([driver.fact(made, None if op.endswith("1") and len(op) > 7 else "done")])
    assert list(driver.open) == ["t1.m2"]


@tool(effect="irreversible", approval="desk")
def refund(amount: int) -> str:
    return f"refunded {amount}"


def test_a_hook_of_the_next_call_does_not_come_while_it_is_read_who_has_approved_this_one() -> None:
    driver = desk(refund, lookup, parallel_calls=False, hooks=Hook(lambda use: None))
    driver.model([called("refund", amount=101), called("lookup", id="c2", order_id="7")])
    made: Any = driver.open["t1.m1.0.b1"]
    driver.turn([driver.fact(made, None)])
    assert not driver.open and driver.entries("ordered")
    driver.restart()
    driver.send({"type": "decided", "op": "t1.m1.0", "approved": False, "by": "ann", "reason": "no"})
    assert list(driver.open) == ["t1.m1.1.b1"]


@pytest.mark.parametrize("given", ["sometimes", "look_up", 7, None])
def test_what_can_not_be_is_said(given: Any) -> None:
    with pytest.raises(InvalidInput, match="tool_choice of agent 'desk'"):
        Agent("desk", NEVER, tools=[lookup], tool_choice=given)


def test_a_function_that_chooses_what_is_not_there_is_said() -> None:
    choosing = Choosing("desk", lambda text: "look_up", str)
    with pytest.raises(InvalidInput, match="lookup"):
        choosing.of("x", (), ["lookup"])
    with pytest.raises(InvalidInput, match="failed"):
        Choosing("desk", lambda text: 1 // 0, str).of("x", (), ["lookup"])  # type: ignore[arg-type, return-value]  # as users may give it


# -- as providers are told ---------------------------------------------------------------------------------


def asked(choice: str, parallel: bool | None = None) -> Request:
    whole = request(desk(tool_choice=choice, parallel_calls=parallel))
    return whole._replace(model="m")


def test_a_server_is_told_in_openai_s_words() -> None:
    body = question(asked("lookup", False), "m", "m")
    assert body["tool_choice"] == {"type": "function", "function": {"name": "lookup"}}
    assert body["parallel_tool_calls"] is False
    assert question(asked("required"), "m", "m")["tool_choice"] == "required"
    assert not {"tool_choice", "parallel_tool_calls"} & question(asked("auto"), "m", "m").keys()


def test_litellm_is_told_what_it_can_tell_the_provider() -> None:
    pytest.importorskip("litellm")

    def told(name: str, *how: Any) -> dict[str, Any]:
        model = LiteLLM(name)
        model._library = _load()
        found = model._arguments(asked(*how))
        return {key: found[key] for key in ("tool_choice", "parallel_tool_calls") if key in found}

    named = {"type": "function", "function": {"name": "lookup"}}
    assert told("openai/gpt-5-mini", "lookup", False) == {"tool_choice": named, "parallel_tool_calls": False}
    assert told("anthropic/claude-haiku-4-5", "required", False) == {
        "tool_choice": "required",
        "parallel_tool_calls": False,
    }
    assert told("openai/o3", "required", False) == {"tool_choice": "required"}, "litellm would refuse it"
    assert told("openai/gpt-5-mini", "auto") == {}


def test_a_model_in_another_process_is_told() -> None:
    whole = asked("lookup", False)
    back = wire.request(wire.asked(whole), "m")
    assert (back.choice, back.parallel) == ("lookup", False)
    assert not {"choice", "parallel"} & wire.asked(asked("auto")).keys(), "older processes know no such fields"
    with pytest.raises(InvalidInput, match="parallel is true or false"):
        wire.request(wire.asked(whole) | {"parallel": "no"}, "m")


# -- whole -------------------------------------------------------------------------------------------------

script = Scripted(
    lambda messages, tools, request: (
        [call("lookup", order_id="7"), call("note", text="8")] if request.choice == "required" else messages[-1].content
    )
)
serial = Agent("serial", script, tools=[lookup, note], tool_choice="required", parallel_calls=False)


async def talked(world: World) -> str:
    return str(await (await world.start(serial, "go", id="s")).result())


def test_it_survives_a_crash_at_every_transition() -> None:
    assert crash_everywhere(talked, functions=[serial]).outcome.value == "8"


@pytest.mark.parametrize("given", ["no", 2, []])
def test_whether_calls_are_parallel_is_said_in_one_word(given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"agent 'desk': parallel_calls=.* it is True, False or None"):
        desk(parallel_calls=given)
