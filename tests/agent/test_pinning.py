"""What servers of tools have listed is asked for once a turn and pinned in the journal: a replay from wherever it
begins offers the same tools, and a list that has changed is said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Agent, History
from overwinter.functions.hooks import Hook
from overwinter.functions.tools.selection import Selection
from overwinter.functions.tools.tool import Tool
from overwinter.functions.toolsets.source import UNASKED, Listed, Server
from overwinter.functions.window import Shorten
from overwinter.orchestrator.agent.decider import AgentLoop
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.orchestrator.protocol.journal import Rules
from overwinter.state.codec import loads
from overwinter.state.errors import ContextTooLong, FunctionUnavailable, InvalidInput
from overwinter.tests.agent.driver import Driver, called, run


class Shelf:
    """A toolset of one server, whose tools can be set."""

    def __init__(self, name: str = "shelf", *tools: str) -> None:
        self.name = name
        self.now = list(tools)
        self.asked = 0
        self.away = self.gone = False

    @property
    def servers(self) -> Sequence[Server]:
        return (self,)

    async def listing(self) -> dict[str, Any]:
        self.asked += 1
        if self.gone:
            raise FunctionUnavailable("it is gone")
        return {"error": "away", "tools": []} if self.away else {"tools": [{"name": name} for name in self.now]}

    def tools(self, listed: Listed = UNASKED) -> Sequence[Tool]:
        def made(name: str) -> Tool:
            return Tool(lambda: name, name=name, description=name, schema={})

        return [made(tool["name"]) for tool in listed.get(self.name, {}).get("tools", ())]


def agent(shelf: Shelf, **options: Any) -> Agent:
    return Agent("desk", "scripted:echo", tools=[shelf], **options)


def listing(driver: Driver) -> Invoke:
    (call,) = [effect for effect in driver.open.values() if isinstance(effect, Invoke) and effect.report == "listed"]
    return call


def answer_listing(driver: Driver) -> None:
    call = listing(driver)
    driver.turn([driver.fact(call, run(call))])


def offered(loop: AgentLoop) -> list[str]:
    turn = loop._run.turn
    assert turn is not None
    return list(loop._offered(turn).tool_names())


def test_the_servers_are_asked_before_the_model_and_once() -> None:
    shelf = Shelf("shelf", "a", "b")
    driver = Driver(agent(shelf))
    driver.start()
    assert list(driver.open) == ["t1.list"] and driver.effect("t1.list").name == "shelf"
    answer_listing(driver)
    assert list(driver.open) == ["t1.m1"] and offered(driver.loop) == ["a", "b"]
    driver.model([called("a")])
    driver.tool("t1.m1.0", "a")
    driver.model("done")
    assert driver.decision.status == "completed" and shelf.asked == 1
    assert [entry["type"] for entry in driver.entries()] == ["start", "listed", "model", "tool", "model", "completed"]


def test_a_server_that_changes_changes_nothing_within_a_turn() -> None:
    shelf = Shelf("shelf", "a")
    driver = Driver(agent(shelf))
    driver.say("1")
    answer_listing(driver)
    shelf.now = ["b"]
    driver.model([called("a"), called("b", "c2")])
    assert list(driver.open) == ["t1.m1.0"]  # b is not there yet
    driver.restart()
    assert offered(driver.loop) == ["a"] and list(driver.open) == ["t1.m1.0"]
    driver.tool("t1.m1.0", "a")
    driver.model("done")
    driver.say("2")
    answer_listing(driver)
    assert offered(driver.loop) == ["b"]
    assert driver.entries("listed")[1]["value"]["changed"] == {"shelf": "added b; removed a"}


def test_what_is_as_before_is_not_written_again_while_it_is_within_the_window() -> None:
    shelf = Shelf("shelf", "a")
    driver = Driver(agent(shelf, history=History(messages=4)))
    said: list[bool] = []
    for number in range(8):
        driver.say(str(number))
        answer_listing(driver)
        said.append("same" in driver.entries("listed")[-1]["value"])
        driver.restart()  # from the base on, which moves
        assert offered(driver.loop) == ["a"]
        driver.model("done")
    assert said == [False, True, True, False, True, True, False, True]


def shortened(shelf: Shelf) -> Driver:
    """A session whose fifth turn has taken its past away, in which the listing stood."""
    driver = Driver(agent(shelf))
    for number in range(4):
        driver.say(str(number), "x" * 100)
        answer_listing(driver)
        driver.model("y" * 100)
    driver.say("5")
    answer_listing(driver)
    assert "same" in driver.entries("listed")[-1]["value"]
    shelf.now, shelf.gone = ["b"], True  # from here on the server is another one, and can't be asked
    driver.model(ContextTooLong("too long", model="m"))
    assert driver.entries("routed")[-1]["kept"] < 4
    return driver


def test_what_is_pinned_stays_when_its_listing_leaves_the_window_and_no_server_is_asked() -> None:
    driver = shortened(Shelf("shelf", "a"))
    said = driver.entries("listed")[-1]
    assert said["op"] == "t5.list.r1" and said["value"]["servers"] == {"shelf": {"tools": [{"name": "a"}]}}
    assert list(driver.open) == ["t5.m1.r1"] and offered(driver.loop) == ["a"]
    driver.restart()
    assert list(driver.open) == ["t5.m1.r1"] and offered(driver.loop) == ["a"]
    rules = Rules()
    for number, text in enumerate(driver.journal, 1):
        rules.take(number, loads(text))
    assert not rules.wrong


def test_what_is_pinned_for_a_turn_that_ends_is_not_said_in_the_next_one() -> None:
    shelf = Shelf("shelf", "a")
    driver = shortened(shelf)
    driver.model("done")
    shelf.gone = False
    driver.say("6")
    answer_listing(driver)
    assert driver.entries("listed")[-1]["value"]["changed"] == {"shelf": "added b; removed a"}
    assert offered(driver.loop) == ["b"]


def test_a_journal_whose_listing_is_out_of_reach_has_the_servers_asked_anew() -> None:
    """As those that were written before it was said once more."""
    shelf = Shelf("shelf", "a")
    driver = shortened(shelf)
    assert loads(driver.journal.pop())["type"] == "listed"
    driver.restart()
    assert list(driver.open) == ["t5.list.r1"]
    shelf.gone = False
    answer_listing(driver)
    assert "same" not in driver.entries("listed")[-1]["value"] and offered(driver.loop) == ["b"]


def test_a_server_that_can_not_be_asked_ends_the_turn_and_not_the_session() -> None:
    shelf = Shelf("shelf", "a")
    driver = Driver(agent(shelf))
    driver.say("1")
    call = listing(driver)
    driver.turn([driver.fact(call, FunctionUnavailable("it is down"))])
    reply = driver.entries("reply")[0]
    assert reply["error"]["message"] == "it is down" and reply["error"]["op"] == "t1.list"
    driver.say("2")
    answer_listing(driver)
    assert offered(driver.loop) == ["a"]


def test_a_run_that_failed_so_can_be_tried_again() -> None:
    driver = Driver(agent(Shelf("shelf", "a")))
    driver.start()
    driver.turn([driver.fact(listing(driver), FunctionUnavailable("it is down"))])
    assert driver.decision.status == "failed"
    driver.send({"type": "retry"})
    answer_listing(driver)
    assert list(driver.open) == ["t1.m1"]


def test_a_name_that_no_server_has_is_told_once_and_while_one_is_away_not_at_all(caplog: Any) -> None:
    """The guard of a tool that has another name now guards nothing, and somebody must hear of that."""
    shelf = Shelf("shelf", "pay", "look")

    def driven(**more: Any) -> Driver:
        driver = Driver(agent(shelf, **more))
        driver.say("1")
        answer_listing(driver)
        driver.model("done")
        return driver

    guard, chosen = Hook(print, tools=["pay", "read_result"]), Selection(5, always=["look"])
    driver = driven(hooks=guard, selection=chosen, history=History(compaction=[Shorten()]))
    assert caplog.text == ""
    shelf.now = ["pay_out", "look_up"]
    for number in range(3):
        driver.say(f"again {number}")
        answer_listing(driver)
        driver.model("done")
    assert caplog.text.count("names look, pay, and there is no such tool") == 1
    caplog.clear()
    driver.spec = agent(shelf, hooks=Hook(print, tools=["payout"]))
    driver.restart()  # the same list, and new code
    driver.say("new")
    answer_listing(driver)
    assert "same" in driver.entries("listed")[-1]["value"] and "names payout" in caplog.text
    caplog.clear()
    shelf.away = True
    driven(hooks=guard, selection=chosen, history=History(compaction=[Shorten()]))
    assert caplog.text == ""


def test_late_and_repeated_listings_change_nothing() -> None:
    shelf = Shelf("shelf", "a")
    driver = Driver(agent(shelf))
    driver.say("1")
    call = listing(driver)
    fact = driver.fact(call, run(call))
    driver.turn([fact])
    before = list(driver.journal)
    shelf.now = ["b"]
    driver.turn([driver.fact(call, run(call))])
    assert driver.journal == before and offered(driver.loop) == ["a"]


def test_code_that_has_lost_its_servers_goes_on_without_their_tools() -> None:
    driver = Driver(agent(Shelf("shelf", "a")))
    driver.say("1")
    answer_listing(driver)
    driver.model([called("a")])
    driver.spec = Agent("desk", "scripted:echo")
    driver.restart()
    assert "no tool named 'a'" in driver.entries("observed")[-1]["text"]
    assert list(driver.open) == ["t1.m2"]


def test_two_servers_whose_tools_clash_are_found_before_the_model_is_asked() -> None:
    driver = Driver(Agent("desk", "scripted:echo", tools=[Shelf("one", "a"), Shelf("two", "a")]))
    driver.say("1")
    assert driver.effect("t1.list").name == "one, two"
    with pytest.raises(InvalidInput, match="two tools named 'a'"):
        run(listing(driver))


@given(st.lists(st.sampled_from(["a", "b", "ab", "long"]), min_size=1, max_size=12), st.integers(1, 6))
def test_whatever_servers_do_a_replay_offers_what_was_offered(changes: list[str], messages: int) -> None:
    shelf = Shelf("shelf")
    driver = Driver(agent(shelf, history=History(messages=messages)))
    for number, change in enumerate(changes):
        shelf.now = [change] if change == "long" else list(change)
        driver.say(str(number))
        answer_listing(driver)
        assert offered(driver.loop) == shelf.now == offered(driver.replayed())
        driver.model(ContextTooLong("too long", model="m") if change == "long" else "done")
        if change == "long":
            for effect in [*driver.open.values()]:
                if isinstance(effect, Invoke) and effect.report == "listed":
                    answer_listing(driver)
            if driver.loop._run.turn is not None:
                assert offered(driver.loop) == shelf.now == offered(driver.replayed())
                driver.model("done")
