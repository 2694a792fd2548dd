"""Durable agent: it sleeps until something happens or a day has passed, and asks before it opens the roof."""

from collections.abc import Sequence

from overwinter import Agent
from overwinter.functions.model import Message, Scripted, ToolSchema
from overwinter.patterns import durable_agent
from overwinter.patterns.durable_agent import Act, Life, Observation
from overwinter.testing import World, simulate


def gardener_script(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    seen = Observation.model_validate_json(messages[-1].content)
    if seen.cause == {"frost": True}:
        return '{"action": "heat"}'
    if seen.cause == {"sun": True}:
        return '{"action": "open the roof", "finished": true}'
    return '{"action": "water"}'


async def act(action: str) -> str:
    """What would move a valve."""
    return f"{action}: done"


def risky(action: str) -> bool:
    return "roof" in action


gardener = Agent("gardener", Scripted(gardener_script, "gardener"), input=Observation, output=Act)
greenhouse = durable_agent(
    "greenhouse",
    gardener,
    act,
    events=["wake", "weather"],
    every="1d",
    approve=risky,
    role="head-gardener",
    within="2d",
)
life = Life(goal="keep the plants alive")


async def three_days(world: World) -> Life:
    """What happens to it: a frost, a day of nothing, sun."""
    run = await world.start(greenhouse, life, id="greenhouse")
    await world.signal("greenhouse", "weather", {"frost": True})
    await world.sleep("30h")
    await world.signal("greenhouse", "weather", {"sun": True})
    await world.sleep("1d")
    await world.approve("greenhouse", by="head gardener")
    lived: Life = await run.result()
    return lived


if __name__ == "__main__":
    print(simulate(three_days, functions=[greenhouse]).done)  # in virtual time
