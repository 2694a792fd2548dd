"""Prompt chaining as a state machine: a Task for each link; a gate is a Task behind it, and a Choice that sends the
work back or goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import TypeAdapter

from ... import Agent, asl
from .states import ask, names, text

Link = tuple[Agent[Any], Callable[[Any], Any] | None, int]
"""An agent, its gate, and how often it is asked."""


def machine(links: Sequence[Link]) -> asl.Definition:
    """From text to the last agent's output."""
    name = names()
    parts = [part for agent, gate, tries in links for part in _link(name, agent, gate, tries)]
    return asl.machine(*parts, query_language="JSONata")


def _link(name: Callable[[str], str], agent: Agent[Any], gate: Any, tries: int) -> list[Any]:
    if gate is None:
        return [ask(name(agent.name), agent)]
    begin, work, check, passed = (name(f"{word}{agent.name}") for word in ("Begin ", "", "Gate of ", "Passed "))
    refused = '$string($task) & "\\n\\nYour last answer was refused: " & $states.input'  # what the workflow says
    cause = f"{text(f'{agent.name} did not pass its gate in {tries} tries: ')} & $states.input"
    return [
        asl.Pass(
            begin, assign={"task": asl.jsonata("$states.input"), "asked": asl.jsonata("$states.input"), "tried": 1}
        ),
        ask(work, agent, asl.jsonata("$asked"), assign={"result": asl.jsonata("$states.result")}),
        asl.Task(check, checking(agent, gate), arguments=asl.jsonata("$result")),
        asl.Choice(
            passed,
            asl.when(asl.jsonata("$states.input = null"), output=asl.jsonata("$result")),
            asl.when(
                asl.jsonata(f"$tried >= {tries}"),
                asl.Fail(name(f"Closed {agent.name}"), error="GateClosed", cause=asl.jsonata(cause)),
            ),
            otherwise=work,
            assign={"asked": asl.jsonata(refused), "tried": asl.jsonata("$tried + 1")},
        ),
        asl.Pass(name(f"After {agent.name}")),
    ]


def checking(agent: Agent[Any], gate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The gate as a function of JSON: it is given what the agent's output type says."""
    typed = TypeAdapter(agent.output).validate_python

    def called(given: Any) -> Any:
        return gate(typed(given))

    called.__name__ = f"gate-of-{agent.name}"
    return called
