"""Sub-agents: a task goes to another agent that starts fresh, and gives back its result alone."""

from __future__ import annotations

from typing import Any, cast

import pytest
from pydantic import BaseModel

from overwinter import Agent, InvalidInput, Limits, Runtime, Scripted, call, tool, workflow
from overwinter.functions.hooks import Hook
from overwinter.functions.team import subagents
from overwinter.testing import World, crash_everywhere

from .driver import Driver, called

NEVER = Scripted(["never asked"])


@tool
async def search(query: str) -> str:
    """Search."""
    return f"all about {query}"


researcher = Agent("researcher", NEVER, description="Finds things.")
writer = Agent("writer", NEVER, description="Writes things.")


def boss(*agents: Any, **more: Any) -> Agent:
    return Agent("boss", NEVER, tools=[search, subagents(agents or [researcher, writer], **more)])


def asked(agent: Agent, *calls: dict[str, str]) -> Driver:
    driver = Driver(agent)
    driver.start()
    driver.model(list(calls))
    return driver


def test_the_model_is_told_who_there_is_and_takes_one_by_name() -> None:
    found = boss().find("task")
    assert found is not None
    assert found.description.splitlines()[-3:] == [
        "- researcher: Finds things.",
        "- writer: Writes things.",
        "- general: has the same tools as you; for anything that takes many steps",
    ]
    assert found.parameters["properties"]["agent"]["enum"] == ["researcher", "writer", "general"]
    assert set(Runtime([boss()], "memory://").functions) == {"boss", "search", "researcher", "writer", "boss-general"}


def test_several_tasks_of_one_answer_are_begun_together_and_only_results_come_back() -> None:
    driver = asked(
        boss(),
        called("task", "a", description="Find owls.", agent="researcher"),
        called("task", "b", description="Write.", agent="general"),
        called("task", "c", description="Write.", agent="nobody"),
        called("task", "d", description=" ", agent="writer"),
    )
    assert [(one.function, one.input) for one in driver.spawned()] == [
        ("researcher", "Find owls."),
        ("boss-general", "Write."),
    ]
    told = {entry["call"]: entry["text"] for entry in driver.entries("observed")}
    assert "there is no agent 'nobody'; there are researcher, writer, general" in told["c"]
    assert "description is the task as text" in told["d"]
    driver.restart()
    for number, value in enumerate(("owls", "text")):
        driver.send({"type": "child", "id": f"desk/1/t1.m1.{number}", "status": "completed", "value": value})
    assert [one.content for one in driver.prompt()[2:4]] == ["owls", "text"]


def test_the_general_one_has_the_agent_s_model_tools_and_hooks_and_no_sub_agents_unless_deeper() -> None:
    script = Scripted(["x"])
    hook = Hook(lambda use: None, name="look", tools=["search", "task"])
    flat, deep = (
        Agent("boss", script, tools=[search, subagents(depth=depth)], hooks=hook, limits=Limits(iterations=7))
        for depth in (1, 2)
    )
    general, nested = (Runtime([one], "memory://").functions["boss-general"] for one in (flat, deep))
    assert isinstance(general, Agent) and isinstance(nested, Agent)
    assert list(general.tool_names()) == ["search"] and list(nested.tool_names()) == ["search", "task"]
    assert general.model is script and general.limits.iterations == 7 and general.hooks == (hook,)
    deepest = Runtime([deep], "memory://").functions["boss-general-general"]
    assert list(deepest.tool_names()) == ["search"]
    flat.model = other = Scripted(["y"])
    assert general.model is other


def test_limits_are_its_own_and_tasks_may_be_bounded() -> None:
    agent = boss(limits=Limits(iterations=2), most=1)
    assert Runtime([agent], "memory://").functions["boss-general"].limits.iterations == 2
    driver = asked(agent, *(called("task", id, description="Go.", agent="writer") for id in "ab"))
    assert len(driver.spawned()) == 1 and "may be called 1 times" in driver.entries("observed")[0]["text"]


def test_a_long_task_survives_a_death_at_every_transition() -> None:
    script = Scripted(
        {
            "Everything": [
                call("task", description="owls", agent="general"),
                call("task", description="snow", agent="poet"),
            ],
            "all about owls": "Owls are birds.",
            "owls": call("search", query="owls"),
            "Owls are": "Done.",
            ".*": "Done.",
        },
        "boss",
    )
    poet = Agent("poet", Scripted({".*": "It snows."}, "poet"))
    agent = Agent("boss", script, tools=[search, subagents([poet])])

    async def scenario(world: World) -> list[Any]:
        answer = await (await world.start(agent, "Everything about owls", id="b")).result()
        return [answer, [entry["value"] for entry in world.journal("b") if entry["type"] == "child"]]

    answer, results = crash_everywhere(scenario, functions=[agent], same=alike).outcome.value
    assert answer == "Done." and sorted(results) == ["It snows.", "Owls are birds."]


def alike(one: list[Any], other: list[Any]) -> bool:
    """Children end in any order."""
    return bool(one[0] == other[0] and sorted(one[1]) == sorted(other[1]))


class Order(BaseModel):
    id: str


@workflow
async def count_up(ctx: Any, text: str) -> int:
    """Count the letters."""
    return len(text)


def test_a_workflow_that_takes_text_may_do_a_task() -> None:
    found = boss(count_up, general=False).find("task")
    assert found is not None and found.description.endswith("- count_up: Count the letters.")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: subagents([search]), "is no agent"),
        (lambda: subagents(general=False), "there are none"),
        (lambda: subagents([Agent("orders", NEVER, input=Order)]), "takes no text"),
        (lambda: subagents([Agent("general", NEVER)]), "rename yours"),
        (lambda: subagents([Agent("a", NEVER), Agent("a", NEVER)]), "two are named 'a'"),
        (lambda: subagents(depth=0), "depth"),
        (lambda: subagents(cast("Any", Agent("a", NEVER))), r"write subagents\(\[…\]\)"),
        (lambda: Agent("boss", NEVER, tools=[subagents(), subagents(name="b")]), "'boss' has two subagents"),
        (lambda: Agent("boss", NEVER, tools=[subagents(depth=8)]), "'boss': the name of its general .* less depth"),
        (lambda: Agent("b" * 60, NEVER, tools=[subagents()]), "a shorter name"),
        (
            lambda: Agent("boss", NEVER, tools=[subagents(), subagents(general=False, agents=[Agent("a", NEVER)])]),
            "two tools named 'task'",
        ),
    ],
)
def test_what_can_t_work_is_refused(made: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        made()
