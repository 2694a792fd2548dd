"""Evaluator-optimizer as a state machine: two Tasks in a loop, and variables for what is best so far."""

from __future__ import annotations

from typing import Any

from ... import Agent, asl
from .states import COMPLAINT, INPUT, RESULT, ask, names

NEVER = 2**31  # rounds; a machine's expression has no infinity


def machine(writer: Agent[str], judge: Agent[Any], rounds: int, patience: int | None) -> asl.Definition:
    """From a task to ``{"text", "accepted", "rounds", "score", "feedback", "stopped", "failed"}``."""
    name = names("Begin", "Good?", "Enough?", "Accepted", "Rounds", "Patience", "First?", "First failed", "Failed")
    write, judging = name(writer.name), name(judge.name)
    begin: dict[str, Any] = {"task": INPUT, "asked": INPUT, "best": "", "score": -1, "said": "", "turn": 1, "stale": -1}
    failed = asl.chain(
        asl.Choice(
            "First?",
            asl.when(
                asl.jsonata("$turn = 1"),
                asl.Fail("First failed", error=asl.jsonata("$error"), cause=asl.jsonata("$complaint")),
            ),
            otherwise=_end("Failed", "failed", rounds="$turn - 1", failed="$complaint"),
        )
    )
    wrong = {"error": asl.jsonata("$states.errorOutput.Error"), "complaint": asl.jsonata(COMPLAINT)}

    def caught(then: Any) -> Any:
        return asl.catch(assign=wrong, then=then)

    draft = {"task": asl.jsonata("$task"), "draft": asl.jsonata("$draft")}
    kept = "$verdict.accepted or $verdict.score >= $score"
    return asl.machine(
        asl.Pass("Begin", assign=begin),
        ask(
            write, writer, asl.jsonata("$asked"), assign={"draft": RESULT}, catch=[asl.catch(assign=wrong, then=failed)]
        ),
        ask(judging, judge, draft, assign={"verdict": RESULT}, catch=[caught("First?")]),
        asl.Pass(
            "Good?",
            assign={
                "stale": asl.jsonata("$verdict.score > $score ? 0 : $stale + 1"),
                "best": asl.jsonata(f"{kept} ? $draft : $best"),
                "score": asl.jsonata(f"{kept} ? $verdict.score : $score"),
                "said": asl.jsonata(f"{kept} ? $verdict.feedback : $said"),
                "worse": asl.jsonata(f'{kept} ? "" : "\\n\\nA later draft was judged worse: " & $verdict.feedback'),
            },
        ),
        asl.Choice(
            "Enough?",
            asl.when(asl.jsonata("$verdict.accepted"), _end("Accepted", "accepted")),
            asl.when(asl.jsonata(f"$turn >= {rounds}"), _end("Rounds", "rounds")),
            asl.when(asl.jsonata(f"$stale >= {patience or NEVER}"), _end("Patience", "patience")),
            otherwise=write,
            assign={
                "asked": asl.jsonata('$task & "\\n\\nYour draft:\\n" & $best & "\\n\\nImprove it: " & $said & $worse'),
                "turn": asl.jsonata("$turn + 1"),
            },
        ),
        query_language="JSONata",
    )


def _end(name: str, stopped: str, *, rounds: str = "$turn", failed: str = '""') -> asl.Succeed:
    return asl.Succeed(
        name,
        output={
            "text": asl.jsonata("$best"),
            "accepted": stopped == "accepted",
            "rounds": asl.jsonata(rounds),
            "score": asl.jsonata("$score"),
            "feedback": asl.jsonata("$said"),
            "stopped": stopped,
            "failed": asl.jsonata(failed),
        },
    )
