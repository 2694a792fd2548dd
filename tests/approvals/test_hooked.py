"""What a hook wants approved is bound, delegated and decided like what a tool wants approved."""

from __future__ import annotations

from functools import partial
from typing import Any

from overwinter import Agent, InvalidInput, Runtime, Scripted, call
from overwinter.functions.hooks import Ask, Hook
from overwinter.testing import crash_everywhere, simulate
from overwinter.testing.world import World

DAY = 86_400_000


def ask(*seen: Any) -> Ask:
    return Ask("desk")


writer = Agent("writer", Scripted(lambda messages, tools: "a draft"))
boss = Agent(
    "boss",
    Scripted(lambda messages, tools: "sent" if len(messages) > 1 else call("writer", input="write")),
    tools=[writer],
    hooks=[Hook(before_tool=ask)],
)
herald = Agent("herald", Scripted(lambda messages, tools: "news"), hooks=[Hook(after_run=ask)])


async def decide(said: dict[str, Any], runtime: Runtime) -> str:
    return await runtime.decide("x", None, True, by="ben", **said)


async def asked(world: World) -> Any:
    return (await world.until(lambda: world.open_approvals("x") or None))[0]


def test_a_call_of_an_agent_waits_for_days_and_is_bound_to_a_version() -> None:
    async def scenario(world: World) -> Any:
        await world.start(boss, "go", id="x")
        question = await asked(world)
        assert (question["role"], question["until"] - question["at"]) == ("desk", 7 * DAY) and question["version"]
        await world.sleep("6d")
        await world.approve("x", by="ben")
        return await world.result("x")

    assert simulate(scenario, functions=[boss, writer]) == "sent"


def test_an_output_is_given_on_and_let_through_wherever_the_process_dies() -> None:
    async def scenario(world: World) -> Any:
        await world.start(herald, "go", id="x")
        await world.delegate("x", by="ben", to="dora")
        await world.approve("x", by="dora")
        return await world.result("x"), [one["type"] for one in world.journal("x")].count("decided")

    assert crash_everywhere(scenario, functions=[herald]).outcome.value == ("news", 1)


def test_an_output_is_decided_by_who_is_asked_as_it_is() -> None:
    async def scenario(world: World) -> Any:
        await world.start(herald, "go", id="x")
        question = await asked(world)
        await world.reached("x", "waiting")
        why: list[str] = []
        wrong: list[dict[str, Any]] = [{"role": "boss"}, {"digest": "sha256:0"}, {"arguments": {"output": "lies"}}]
        for said in wrong:
            try:
                await world.call(partial(decide, said))
            except InvalidInput as error:
                why.append(str(error))
        assert world.open_approvals("x") == [question]
        await world.deny("x", by="ben", reason="not today")
        return why, await world.until(lambda: next((e for e in world.journal("x") if e["type"] == "failed"), None))

    why, failed = simulate(scenario, functions=[herald])
    assert "'boss' does not decide it" in why[0] and "read it again" in why[1] and "no arguments to edit" in why[2]
    assert "the herald output was denied by ben: not today" in failed["error"]["message"]
