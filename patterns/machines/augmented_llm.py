"""Augmented LLM as a state machine: a Task that retrieves, a Task that asks. What was said before is kept in the store
by the workflow, which a machine has no state for: a question with a memory is refused, not answered without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ... import Agent, asl
from .states import ask, names

NO_MEMORY = "A state machine has no memory of what was said before; ask without one, or ask the workflow."


def machine(mind: Agent[str], retrieve: Callable[[str], Awaitable[list[str]]] | None) -> asl.Definition:
    """From a question to text."""
    name = names("Remembers?", "No memory")
    question = asl.jsonata("$states.input.text")
    remembers = asl.jsonata("$exists($states.input.memory) and $states.input.memory != null")
    refuse = asl.Fail("No memory", error="InvalidInput", cause=NO_MEMORY)
    steps: list[Any] = [asl.Choice("Remembers?", asl.when(remembers, refuse), assign={"question": question})]
    passages = "[]"
    if retrieve is not None:
        steps.append(asl.Task(name("Retrieve"), retrieve, arguments=asl.jsonata("$question")))
        passages = '$map($states.input, function($one, $index) { "Passage " & ($index + 1) & ": " & $one })'
    prompt = asl.jsonata(f'$join($append($append([], {passages}), [$question]), "\\n\\n")')
    return asl.machine(*steps, ask(name(mind.name), mind, prompt), query_language="JSONata")
