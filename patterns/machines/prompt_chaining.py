"""Prompt chaining as a state machine: a Task for each link; a gate is a Task behind it, and a Choice that sends the
work back or goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter

from ... import Agent, asl
from .states import INPUT, RESULT, ask, names, text

Link = tuple[Agent[Any], Any, int, Agent[Any] | None]
"""An agent, its gate, how often it is asked, and who is asked after it."""


def machine(links: Sequence[Link]) -> asl.Definition:
    """From text to the last agent's output."""
    name = names()
    parts = [part for link in links for part in _link(name, *link)]
    return asl.machine(*parts, query_language="JSONata")


def _link(name: Callable[[str], str], agent: Agent[Any], gate: Any, tries: int, other: Agent[Any] | None) -> list[Any]:
    if gate is None:
        return [ask(name(agent.name), agent)]
    begin, work, check, passed = (name(f"{word}{agent.name}") for word in ("Begin ", "", "Gate of ", "Passed "))
    refused = '$string($task) & "\\n\\nYour last answer was refused: " & $complaint'  # what the workflow says
    made = {"result": asl.jsonata("$states.result")}
    most = tries + (1 if other else 0)
    cause = f"{text(f'{agent.name} did not pass its gate in {most} tries: ')} & $complaint"
    last: list[Any] = []
    if other is not None:
        expert = ask(name(other.name), other, asl.jsonata("$asked"), assign=made, next=check)
        last = [asl.when(asl.jsonata(f"$tried = {tries}"), expert, assign=_again(refused))]
    return [
        asl.Pass(begin, assign={"task": INPUT, "asked": INPUT, "tried": 1}),
        ask(work, agent, asl.jsonata("$asked"), assign=made),
        ask(check, gate, asl.jsonata("$result"), assign={"complaint": asl.jsonata("$states.result.complaint")})
        if isinstance(gate, Agent)
        else asl.Task(check, checking(agent, gate), arguments=asl.jsonata("$result"), assign={"complaint": RESULT}),
        asl.Choice(
            passed,
            asl.when(asl.jsonata("$complaint = null"), output=asl.jsonata("$result")),
            asl.when(
                asl.jsonata(f"$tried >= {most}"),
                asl.Fail(name(f"Closed {agent.name}"), error="GateClosed", cause=asl.jsonata(cause)),
            ),
            *last,
            otherwise=work,
            assign=_again(refused),
        ),
        asl.Pass(name(f"After {agent.name}")),
    ]


def _again(refused: str) -> dict[str, Any]:
    return {"asked": asl.jsonata(refused), "tried": asl.jsonata("$tried + 1")}


def checking(agent: Agent[Any], gate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The gate as a function of JSON: it is given what the agent's output type says."""
    typed = TypeAdapter(agent.output).validate_python

    def called(given: Any) -> Any:
        return gate(typed(given))

    called.__name__ = f"gate-of-{agent.name}"
    return called
