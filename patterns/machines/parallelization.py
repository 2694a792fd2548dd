"""Parallelization as state machines: sections are a Parallel, a vote is a Map, or a Parallel of different voters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ... import Agent, asl
from .states import COMPLAINT, INPUT, RESULT, ask, names, text, told, too_many

ALL = "$append([], $states.input[$not($exists(error))].{'answer': answer})"


def sections(parts: Mapping[str, Any], tolerate: int, needed: Sequence[str]) -> asl.Definition:
    """From text to ``{"results", "failed"}``."""
    name = names("Sections", "Enough?", "Together", "Too many failed", "All that may not fail?", "Missing")
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
        too_many("Enough?", str(tolerate), [*_needed(needed), together]),
        query_language="JSONata",
    )


def _needed(needed: Sequence[str]) -> list[Any]:
    if not needed:
        return []
    missing = f"$states.input[$exists(error) and part in [{', '.join(map(text, needed))}]]"
    first = f"$append([], {missing})[0]"
    cause = asl.jsonata(f'{first}.part & " may not fail: " & {first}.error')
    fail = asl.Fail("Missing", error="PartMissing", cause=cause)
    return [asl.Choice("All that may not fail?", asl.when(asl.jsonata(f"$exists({missing})"), fail))]


def vote(voters: Sequence[Agent[Any]], least: int, arbiter: Agent[Any] | None) -> asl.Definition:
    """From text to the answer that was given often enough, or what the arbiter says."""
    fixed = ("Votes", "Enough?", "Count", "Majority?", "Winner", "No majority", "Too many failed", "Chosen")
    name, times, tolerated = names(*fixed), len(voters), len(voters) - (0 if arbiter else least)
    answer, error = {"answer": RESULT}, {"error": asl.jsonata(COMPLAINT)}
    if len({id(voter) for voter in voters}) == 1:
        each = told(answer, error, voters[0], name, voters[0].name, all=not tolerated)
        votes: Any = asl.Map(
            "Votes", each, items=asl.jsonata(f"[1..{times}]"), item_selector=INPUT, assign={"task": INPUT}
        )
    else:
        branches = [told(answer, error, voter, name, voter.name, all=not tolerated) for voter in voters]
        votes = asl.Parallel("Votes", *branches, assign={"task": INPUT})
    counted = (
        f"($all := {ALL}; $all ~> $map(function($one) {{ {{'answer': $one.answer, "
        "'votes': $count($all[$string(answer) = $string($one.answer)])} }))"
    )
    first = "$reduce($states.input, function($best, $one) { $one.votes > $best.votes ? $one : $best })"
    best = asl.jsonata(f"$count($states.input) = 0 ? {{'votes': 0}} : {first}")
    lost = asl.jsonata("$append([], $states.input[$exists(error)].error)")
    return asl.machine(
        votes,
        too_many(
            "Enough?",
            str(tolerated),
            [
                asl.Pass("Count", output=asl.jsonata(f"$append([], {counted})"), assign={"lost": lost}),
                asl.Pass("Winner", assign={"best": best, "all": asl.jsonata("$append([], $states.input)")}),
                asl.Choice(
                    "Majority?",
                    asl.when(asl.jsonata(f"$best.votes < {least}"), _undecided(name, times, least, arbiter)),
                    output=asl.jsonata("$best.answer"),
                ),
                asl.Succeed("Chosen"),
            ],
        ),
        query_language="JSONata",
    )


def _undecided(name: Any, times: int, least: int, arbiter: Agent[Any] | None) -> Any:
    if arbiter is None:
        cause = f'"the best answer has " & $best.votes & " of {times} votes, {least} are needed"'
        return asl.Fail("No majority", error="NoMajority", cause=asl.jsonata(cause))
    # each answer once, the most frequent first
    ranked = "$append([], $distinct($all)^(>votes))"
    ballot = {"task": asl.jsonata("$task"), "answers": asl.jsonata(ranked), "failed": asl.jsonata("$lost")}
    return ask(name(arbiter.name), arbiter, ballot, end=True)
