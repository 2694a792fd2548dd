"""What the machines of several patterns have in common."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from typing import Any

from ... import asl

RESULT = asl.jsonata("$states.result")
INPUT = asl.jsonata("$states.input")
_CAUSE = "$states.errorOutput.Cause"
COMPLAINT = f"$contains({_CAUSE}, '\"errorMessage\"') ? $parse({_CAUSE}).errorMessage : {_CAUSE}"
"""What went wrong, as whoever raised it said."""


def text(value: str) -> str:
    """A text within an expression of JSONata."""
    return json.dumps(value, ensure_ascii=False)


def names(*taken: str) -> Callable[[str], str]:
    """Gives each state a name of its own: what is wished, or that with a number."""
    given = set(taken)

    def name(wished: str) -> str:
        found, number = wished[:80], 1
        while found in given:
            number += 1
            found = f"{wished[:75]} {number}"
        given.add(found)
        return found

    return name


def ask(name: str, function: Any, what: asl.Expression | dict[str, Any] = INPUT, **fields: Any) -> asl.Task:
    """A Task that gives ``function`` its input. A tool takes an object of its arguments; what is asked is its first."""
    tool = getattr(function, "__overwinter__", function)
    given = {next(iter(inspect.signature(function).parameters)): what} if getattr(tool, "kind", "") == "tool" else what
    return asl.Task(name, function, arguments=given, **fields)


def told(
    part: dict[str, Any], failed: dict[str, Any], function: Any, name: Callable[[str], str], wished: str, *, all: bool
) -> asl.Chain:
    """A branch that ends well either way: with ``part``, and with ``failed`` when its function fails. With ``all``, a
    failure is none that is told, but the branch's."""
    caught = [] if all else [asl.catch(output=failed, then=asl.Pass(name(f"{wished} failed")))]
    return asl.chain(ask(name(wished), function, output=part, catch=caught))


def too_many(name: str, tolerated: str, then: Iterable[asl.Chain | Any]) -> asl.Choice:
    """Fails when more parts have failed than ``tolerated`` says."""
    failed = '$count($states.input[$type(error) = "string"])'
    cause = asl.jsonata(f'$string({failed}) & " of " & $string($count($states.input)) & " failed"')
    fail = asl.Fail("Too many failed", error="CompletionFailed", cause=cause)
    return asl.Choice(name, asl.when(asl.jsonata(f"{failed} > {tolerated}"), fail), otherwise=asl.chain(*then))
