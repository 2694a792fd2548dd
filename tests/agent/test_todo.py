"""A to-do list lies in the journal, and the model reads it whatever has left the window."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from overwinter import Agent, ModelRetry, Scripted, call
from overwinter.cli.view.story import Story, tell
from overwinter.cli.view.timeline import Timeline
from overwinter.functions.agents.limits import History
from overwinter.functions.team import Handoff, todo_list
from overwinter.functions.window import Drop, Shorten
from overwinter.orchestrator.agent.keeping import kept_in
from overwinter.orchestrator.protocol.decider import Invoke
from overwinter.state.records import Head
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called, run

NEVER = Scripted(["never asked"])
LIST = [{"content": "look  around", "status": "completed"}, {"content": "write", "status": "in_progress"}]
TEXT = "[x] look around\n[>] write"


def reads(driver: Driver) -> list[str]:
    """What the open model call is asked with."""
    (open_call,) = [one for one in driver.open.values() if isinstance(one, Invoke) and one.report == "model"]
    return [message.content for message in open_call.call._request().messages]  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]


def writing(todos: Any = LIST, **options: Any) -> Driver:
    driver = Driver(Agent("desk", NEVER, tools=[todo_list()], **options), "desk/1")
    driver.say("m1", "Do it.")
    driver.model([called("write_todos", todos=todos)])
    if "t1.m1.0" in driver.open:
        driver.ask_tool("t1.m1.0")
    return driver


def test_the_list_is_written_as_one_result_and_read_back_compactly() -> None:
    driver = writing()
    assert reads(driver) == ["Do it.", "", TEXT], "it stands in the conversation, once"
    driver.model([called("read_todos", "c2")])
    driver.restart()
    assert reads(driver)[-1] == TEXT and driver.entries("tool")[0]["value"] == TEXT
    driver.model([called("write_todos", "c3", todos=[])])
    driver.ask_tool("t1.m3.0")
    driver.model([called("read_todos", "c4")])
    assert reads(driver)[-1] == "There is nothing there yet."


def test_it_is_read_before_the_messages_when_what_wrote_it_has_left_the_window() -> None:
    for history in (3, History(messages=3, compaction=Drop())):
        driver = writing(history=history)
        driver.model("Begun.")
        for number in range(2, 6):
            driver.say(f"m{number}", "And?")
            driver.restart()
            if number > 3:
                assert reads(driver)[0] == f"This is kept by write_todos, as it stands now:\n{TEXT}"
            driver.model("Well.")
        assert driver.base > 6 and kept_in(driver.state) == {"todos": TEXT}
        driver.say("m6", "Next.")
        driver.model([called("write_todos", "c9", todos=LIST[:1])])
        driver.ask_tool("t6.m1.0")
        driver.restart()
        assert [text for text in reads(driver) if "[x]" in text] == ["[x] look around"]


def test_a_list_that_is_too_long_is_sent_back_and_the_one_before_stays() -> None:
    driver = writing()
    wrong: list[Any] = [[LIST[0]] * 31, [{"content": "x" * 121, "status": "pending"}], [{"content": "a"}]]
    for number, todos in enumerate(wrong, 2):
        driver.model([called("write_todos", f"c{number}", todos=todos)])
        op = f"t1.m{number}.0"
        if isinstance(tool := driver.open.get(op), Invoke):  # else it does not fit
            with pytest.raises(ModelRetry, match="30 items of 1 to 120 characters") as refused:
                run(tool)
            driver.tool(op, refused.value)
        assert reads(driver)[-1].startswith("Error: ") and driver.loop._run.kept.text("todos") == TEXT
        assert kept_in(driver.state) == {}, "a replay comes by it"


def test_one_that_was_shortened_is_read_whole() -> None:
    todos = [{"content": f"{number} " + "x" * 90, "status": "pending"} for number in range(25)]
    driver = writing(todos, history=History(size="1.5KB", compaction=Shorten("1KB")))
    driver.model("Begun.")
    driver.say("m2", "And?")
    assert driver.entries("compacted")[0]["shortened"] and "24 xxx" in reads(driver)[0]
    assert "12 xxx" in reads(driver)[0] and "12 xxx" not in "".join(reads(driver)[1:])


def test_it_goes_along_when_the_conversation_is_handed_over() -> None:
    other = Agent("other", NEVER, tools=[todo_list()])
    driver = writing(handoffs=[Handoff(other, keep="last")])
    driver.model([called("transfer_to_other", "c2")])
    driver.restart()
    assert TEXT in reads(driver)[0]


def test_people_see_it_where_the_execution_is_shown() -> None:
    async def scenario(world: World) -> Any:
        sent = await world.send(agent, "1", "Do it.")
        await sent.reply()
        head = world.head("desk/1")
        assert head is not None
        timeline = Timeline()
        for number, entry in enumerate(world.journal("desk/1"), 1):
            timeline.add(number, entry)
        console = Console(width=80)
        with console.capture() as shown:
            for line in tell(Story(head, timeline, now=head.updated), 80):
                console.print(line)
        return shown.get()

    agent = Agent("desk", Scripted([call("write_todos", todos=LIST), "Done."]), tools=[todo_list()])
    shown = crash_everywhere(scenario, functions=[agent]).outcome.value
    assert "todos\n  [x] look around\n  [>] write" in shown


def test_it_is_shown_when_its_entry_is_not_read() -> None:
    state = '{"kept":{"todos":["write_todos",3,"[ ] write"]}}'
    head = Head("desk/1", "desk", "agent", "idle", 9, 9, 5, 1, None, None, None, 1, 1, "", "", state)
    lines = [str(line) for line in tell(Story(head, Timeline(), now=1), 80)]
    assert lines[lines.index("todos") + 1] == "  [ ] write"
