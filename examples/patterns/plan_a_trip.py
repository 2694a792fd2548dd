"""Orchestrator-workers: a planner finds the pieces, workers do them in parallel, one puts them together."""

from collections.abc import Sequence

from overwinter import Agent, run
from overwinter.functions.model import Message, Scripted, ToolSchema
from overwinter.patterns import orchestrator_workers
from overwinter.patterns.orchestrator_workers import Plan, Work


def scout_script(messages: Sequence[Message], tools: Sequence[ToolSchema]) -> str:
    return f"{messages[-1].content}: done"


planner = Agent("planner", Scripted(['{"tasks": ["train", "hut", "skis"]}'], "planner"), output=Plan)
scout = Agent("scout", Scripted(scout_script, "scout"))
guide = Agent("guide", Scripted(["Take the train, sleep in the hut, rent skis."], "guide"), input=Work)
trip = orchestrator_workers("trip", planner, scout, guide, most=10, concurrency=2)

if __name__ == "__main__":
    print(run(trip, "A weekend in the snow", store="memory://"))
