"""Orchestrator-workers as a state machine: a Task that plans, a Map over its pieces, a Task that puts them together."""

from __future__ import annotations

from typing import Any

from ... import Agent, asl
from .states import COMPLAINT, INPUT, RESULT, ask, names, told, too_many


def machine(
    planner: Agent[Any], worker: Any, synthesizer: Agent[Any], most: int, concurrency: int, tolerate: float
) -> asl.Definition:
    """From a goal to the synthesizer's output."""
    name = names("Pieces", "Enough?", "Too many failed")
    first = f"$filter($states.result.tasks, function($task, $index) {{ $index < {most} }})"
    pieces = asl.jsonata(f'$append([], $map({first}, function($one) {{ $type($one) = "string" ? $one : $one.task }}))')
    plan = ask(name(planner.name), planner, output=pieces, assign={"goal": INPUT})
    done = {"task": INPUT, "result": RESULT, "error": None}
    failed = {"task": INPUT, "result": None, "error": asl.jsonata(COMPLAINT)}
    each = told(done, failed, worker, name, f"{planner.name}'s worker", all=not tolerate)
    last = ask(name(synthesizer.name), synthesizer, {"goal": asl.jsonata("$goal"), "parts": INPUT})
    return asl.machine(
        plan,
        asl.Map("Pieces", each, items=INPUT, max_concurrency=concurrency),
        too_many("Enough?", f"{tolerate} * $count($states.input)", [last]),
        query_language="JSONata",
    )
