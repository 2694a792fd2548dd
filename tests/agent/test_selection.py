"""With many tools, a model is offered those that fit; which and why stands in the journal, and it may find others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from overwinter import Agent, History, InvalidInput, Scripted, call, tool
from overwinter.functions.tools.selection import Index, Rule, Selection, ToolInfo, words
from overwinter.functions.tools.tool import Tool
from overwinter.functions.window import Drop
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called

NEVER = Scripted(["never asked"])


def made(name: str, description: str, *tags: str) -> Tool:
    async def function(value: str = "") -> str:
        return f"{name} {value}"

    return Tool(function, name=name, description=description, tags=tags)


TOOLS = [
    made("lookup_order", "Say where an order is.", "orders"),
    made("cancel_order", "Call off an order.", "orders"),
    made("refund", "Give the money for an order back.", "billing"),
    made("send_invoice", "Send an invoice by mail.", "billing"),
    made("weather", "Tell the weather of a city."),
    made("translate", "Translate a text."),
]


def desk(selection: Selection | None, tools: Sequence[Tool] = TOOLS, **more: Any) -> Driver:
    return Driver(Agent("desk", NEVER, tools=tools, selection=selection, **more))


def offered(driver: Driver) -> list[str]:
    """What the model is shown."""
    turn = driver.loop._run.turn
    assert turn is not None
    return [schema.name for schema in driver.spec.request(driver.prompt(), turn.content, "", turn.offered).tools]


def why(driver: Driver) -> str:
    return str(driver.entries("offered")[-1]["why"])


def test_the_tools_that_fit_the_words_are_offered_and_the_journal_says_which() -> None:
    driver = desk(Selection(most=2))
    driver.start("Cancel my orders!")
    (entry,) = driver.entries("offered")
    assert (entry["op"], entry["tools"]) == ("t1.m1", ["cancel_order", "lookup_order"])
    assert entry["why"] == "2 of 6 by search"
    assert offered(driver) == ["lookup_order", "cancel_order", "find_tools"]
    driver.restart()
    assert offered(driver) == ["lookup_order", "cancel_order", "find_tools"]


def test_what_was_offered_stays_though_the_agent_selects_otherwise_since() -> None:
    driver = desk(Selection(most=1))
    driver.start("What is the weather?")
    driver.spec = Agent("desk", NEVER, tools=TOOLS, selection=Selection(most=1, always=["refund"]))
    driver.restart()
    assert offered(driver) == ["weather", "find_tools"] and len(driver.entries("offered")) == 1


def test_what_the_model_is_shown_is_what_was_offered() -> None:
    seen: list[list[str]] = []

    def script(messages: Any, tools: Any) -> str:
        seen.append([schema.name for schema in tools])
        return "done"

    driver = Driver(Agent("desk", Scripted(script), tools=TOOLS, selection=Selection(most=1, find=False)))
    driver.start("What is the weather?")
    driver.ask()
    assert seen == [["weather"]]


def test_few_tools_are_all_offered() -> None:
    driver = desk(Selection(most=6))
    driver.start("hello")
    assert driver.entries("offered") == [] and len(offered(driver)) == 6
    assert [entry["type"] for entry in driver.entries()] == ["start"]


def test_they_are_selected_once_a_turn_and_those_that_were_called_go_on() -> None:
    driver = desk(Selection(most=2))
    driver.say("m1", "What is the weather?")
    driver.model([called("weather")])
    driver.tool("t1.m1.0", "fine")
    driver.model("fine")
    assert len(driver.entries("offered")) == 1
    driver.say("m2", "Thanks. And an invoice?")
    assert driver.entries("offered")[-1]["tools"] == ["weather", "send_invoice"]


def test_what_was_called_before_the_window_is_forgotten_by_all_processes_alike() -> None:
    driver = desk(Selection(most=2), history=History(messages=4, compaction=Drop(0)))
    for number in range(6):
        driver.say(f"m{number}", "What is the weather?" if number % 2 else "hm")
        driver.model([called("weather")])
        driver.tool(f"t{number + 1}.m1.0", "fine")
        driver.model("fine")
    assert len(driver.entries("offered")) == 6


def test_tags_and_rules_select_too() -> None:
    driver = desk(Selection(most=3, tags=["billing"], always=["weather"]))
    driver.start("hello")
    assert driver.entries("offered")[0]["tools"] == ["weather", "refund", "send_invoice"]
    assert why(driver) == "3 of 6 by tags"

    def rule(content: Any, tools: Sequence[ToolInfo]) -> list[str]:
        return [each.name for each in tools if each.name.startswith(content)]

    driver = desk(Selection(most=3, by=rule))
    driver.start("trans")
    assert (driver.entries("offered")[0]["tools"], why(driver)) == (["translate"], "1 of 6 by the rule")


def test_a_model_finds_other_tools_and_they_are_offered_from_then_on() -> None:
    driver = desk(Selection(most=1))
    driver.start("What is the weather?")
    driver.model([called("find_tools", query="give money back")])
    assert driver.ask_tool("t1.m1.0") == ["refund"]
    assert driver.entries("offered")[-1]["tools"] == ["weather", "refund"]
    assert why(driver) == "the model has found them"
    assert offered(driver) == ["refund", "weather", "find_tools"]
    driver.restart()
    assert offered(driver) == ["refund", "weather", "find_tools"]
    driver.model([called("find_tools", "c2", query="money")])
    driver.ask_tool("t1.m2.0")
    assert len(driver.entries("offered")) == 2, "what is known is not offered again"


def test_a_tool_that_was_not_offered_may_be_called_and_one_that_is_none_may_not() -> None:
    driver = desk(Selection(most=1))
    driver.start("What is the weather?")
    driver.model([called("refund", "a"), called("money_back", "b")])
    assert list(driver.open) == ["t1.m1.0"]
    assert driver.entries("observed")[0]["text"].endswith("The tools are: weather.")


@pytest.mark.parametrize("told", [["nothing"], "refund", 7, KeyError("x")])
def test_a_rule_that_fails_ends_the_turn_and_says_why(told: Any) -> None:
    def rule(content: Any, tools: Sequence[ToolInfo]) -> Any:
        if isinstance(told, BaseException):
            raise told
        return told

    driver = desk(Selection(most=1, by=rule))
    driver.say("m1")
    assert "the rule of the agent's Selection" in driver.entries("reply")[0]["error"]["message"]
    assert driver.decision.status == "idle"


def rule(content: Any, tools: Sequence[ToolInfo]) -> list[str]:
    return []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Selection(0),
        lambda: Selection(always="refund"),
        lambda: Selection(by=rule, tags=["a"]),
        lambda: Selection(1, always=["refund", "weather"]),
        lambda: Agent("a", NEVER, tools=TOOLS, selection=Selection(always=["nothing"])),
        lambda: Agent("a", NEVER, tools=[*TOOLS, made("find_tools", "Mine.")], selection=Selection(2)),
        lambda: Agent("a", NEVER, tools=[*TOOLS, made("find_tools", "Mine.")], selection=Selection(20)),
        lambda: made_with_text(),
    ],
)
def test_what_can_not_be_is_said(wrong: Any) -> None:
    with pytest.raises(InvalidInput):
        wrong()


def made_with_text() -> Tool:
    return Tool(rule, tags="billing")


def test_rare_words_and_names_count_more() -> None:
    tools = [ToolInfo("a", "the order of the order", frozenset()), ToolInfo("order", "", frozenset())]
    assert Index(tools).search("order the") == ["order", "a"]
    assert Index(tools).search("nothing fits") == []
    assert words("lookupOrders_by-Größe") == ["lookup", "order", "by", "größe"]


def say(messages: Any, tools: Any) -> Any:
    names = [schema.name for schema in tools]
    if "refund" in names:
        return call("refund", value="7") if messages[-1].content == '["refund"]' else messages[-1].content
    return call("find_tools", query="money")


finding = Agent("finding", Scripted(say), tools=TOOLS, selection=Selection(most=1))
_: Rule = rule


async def talked(world: World) -> list[str]:
    first = await (await world.send(finding, "c", "What is the weather?")).reply()
    return [first, await (await world.start(finding, "The weather?", id="r")).result()]


def test_it_survives_a_crash_at_every_transition() -> None:
    report = crash_everywhere(talked, functions=[finding])
    assert report.outcome.value == ["refund 7", "refund 7"]


def test_a_decorated_tool_has_its_tags() -> None:
    @tool(tags=["billing"])
    async def bill() -> str:
        """Bill."""
        return ""

    driver = Driver(Agent("desk", NEVER, tools=[*TOOLS, bill], selection=Selection(most=3, tags=["billing"])))
    driver.start("x")
    assert "bill" in driver.entries("offered")[0]["tools"]
