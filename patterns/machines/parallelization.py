"""Parallelization as state machines: sections are a Parallel, a vote is a Map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import Agent, asl
from .states import COMPLAINT, INPUT, RESULT, names, told, too_many


def sections(parts: Mapping[str, Any], tolerate: int) -> asl.Definition:
    """From text to ``{"results", "failed"}``."""
    name = names("Sections", "Enough?", "Together", "Too many failed")
    branches = [
        told(
            {"part": part, "result": RESULT},
            {"part": part, "error": asl.jsonata(COMPLAINT)},
            function,
            name,
            part,
            all=not tolerate,
        )
        for part, function in parts.items()
    ]
    merged = "$merge($append([], $states.input[{}].{{part: {}}}))"
    together = asl.Pass(
        "Together",
        output={
            "results": asl.jsonata(merged.format("$not($exists(error))", "result")),
            "failed": asl.jsonata(merged.format("$exists(error)", "error")),
        },
    )
    return asl.machine(
        asl.Parallel("Sections", *branches),
        too_many("Enough?", str(tolerate), [together]),
        query_language="JSONata",
    )


def vote(agent: Agent[Any], times: int, least: int) -> asl.Definition:
    """From text to the answer that was given often enough."""
    name = names("Votes", "Enough?", "Count", "Majority?", "Winner", "No majority", "Too many failed")
    each = told({"answer": RESULT}, {"error": asl.jsonata(COMPLAINT)}, agent, name, agent.name, all=times == least)
    answers = "$append([], $states.input[$not($exists(error))].{'answer': answer})"
    counted = (
        f"($all := {answers}; $all ~> $map(function($one) {{ {{'answer': $one.answer, "
        "'votes': $count($all[$string(answer) = $string($one.answer)])} }))"
    )
    first = "$reduce($states.input, function($best, $one) { $one.votes > $best.votes ? $one : $best })"
    none = f'"the best answer has " & $best.votes & " of {times} votes, {least} are needed"'
    return asl.machine(
        asl.Map("Votes", each, items=asl.jsonata(f"[1..{times}]"), item_selector=INPUT),
        too_many(
            "Enough?",
            str(times - least),
            [
                asl.Pass("Count", output=asl.jsonata(f"$append([], {counted})")),
                asl.Pass("Winner", output=asl.jsonata(first), assign={"best": asl.jsonata(first)}),
                asl.Choice(
                    "Majority?",
                    asl.when(
                        asl.jsonata(f"$best.votes < {least}"),
                        asl.Fail("No majority", error="NoMajority", cause=asl.jsonata(none)),
                    ),
                    output=asl.jsonata("$best.answer"),
                ),
                asl.Succeed("Chosen"),
            ],
        ),
        query_language="JSONata",
    )
