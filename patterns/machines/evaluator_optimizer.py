"""Evaluator-optimizer as a state machine: two Tasks in a loop, and variables for what is best so far."""

from __future__ import annotations

from typing import Any

from ... import Agent, asl
from .states import INPUT, RESULT, ask, names


def machine(writer: Agent[str], judge: Agent[Any], rounds: int) -> asl.Definition:
    """From a task to ``{"text", "accepted", "rounds"}``."""
    name = names("Begin", "Good?", "Accepted", "Over")
    write, judging = name(writer.name), name(judge.name)
    better = "$verdict.score > $score"
    again = '$task & "\\n\\nYour draft:\\n" & $draft & "\\n\\nImprove it: " & $verdict.feedback'
    begin: dict[str, Any] = {"task": INPUT, "asked": INPUT, "best": "", "score": -1, "turn": 1}
    draft = {"task": asl.jsonata("$task"), "draft": asl.jsonata("$draft")}
    best = asl.jsonata(f"{better} ? $draft : $best")
    return asl.machine(
        asl.Pass("Begin", assign=begin),
        ask(write, writer, asl.jsonata("$asked"), assign={"draft": RESULT}),
        ask(judging, judge, draft, assign={"verdict": RESULT}),
        asl.Choice(
            "Good?",
            asl.when(asl.jsonata("$verdict.accepted"), _end("Accepted", asl.jsonata("$draft"), accepted=True)),
            asl.when(asl.jsonata(f"$turn >= {rounds}"), _end("Over", best, accepted=False)),
            otherwise=write,
            assign={
                "best": best,
                "score": asl.jsonata(f"{better} ? $verdict.score : $score"),
                "asked": asl.jsonata(again),
                "turn": asl.jsonata("$turn + 1"),
            },
        ),
        query_language="JSONata",
    )


def _end(name: str, text: asl.Expression, *, accepted: bool) -> asl.Succeed:
    return asl.Succeed(name, output={"text": text, "accepted": accepted, "rounds": asl.jsonata("$turn")})
