"""Routing as a state machine: a Task and a Choice for each rule, a Task that classifies, a Choice, a Task for each
route; what fails is caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ... import Agent, asl
from .states import COMPLAINT, INPUT, RESULT, ask, names, text

WAY = {"route": asl.jsonata("$way"), "by": asl.jsonata("$by"), "failed": asl.jsonata("$failed")}


def machine(
    classifier: Agent[Any] | None,
    routes: Mapping[str, Any],
    otherwise: Any,
    rules: Sequence[Callable[[str], str | None]],
    fallback: Any,
    confidence: float,
) -> asl.Definition:
    """From text to ``{"route", "result", "by", "failed"}``."""
    name = names("Begin", "Which way?")
    begin = asl.Pass("Begin", assign={"task": INPUT, "way": "otherwise", "by": "rule", "failed": ""})
    known = f"[{', '.join(map(text, routes))}]"
    steps: list[Any] = [begin]
    for rule in map(named, rules, range(1, len(rules) + 1)):
        said = asl.jsonata("$exists($states.result) ? $states.result : null")
        steps.append(ask(name(rule.__name__), rule, asl.jsonata("$task"), assign={"said": said}))
        way = asl.jsonata(f'$said in {known} ? $said : "otherwise"')
        steps.append(
            asl.Choice(
                name(f"{rule.__name__} knows?"),
                asl.when(asl.jsonata("$said != null"), "Which way?", assign={"way": way}),
            )
        )
    if classifier is not None:
        sure = f"$states.result.route in {known} and $states.result.confidence >= {confidence}"
        chosen = {"way": asl.jsonata(f'{sure} ? $states.result.route : "otherwise"'), "by": "model"}
        lost = asl.catch(assign={"by": "fallback", "failed": asl.jsonata(COMPLAINT)}, then="Which way?")
        steps.append(ask(name(classifier.name), classifier, asl.jsonata("$task"), assign=chosen, catch=[lost]))
    last = None
    if fallback is not None:
        output = {"route": "fallback", "by": "fallback", "failed": asl.jsonata("$failed"), "result": RESULT}
        last = ask(name("fallback"), fallback, asl.jsonata("$task"), output=output)

    def work(called: str, function: Any) -> asl.Task:
        caught = [] if last is None else [asl.catch(assign={"failed": asl.jsonata(COMPLAINT)}, then=last)]
        return ask(name(called), function, asl.jsonata("$task"), output={**WAY, "result": RESULT}, catch=caught)

    ways = [asl.when(asl.jsonata(f"$way = {text(one)}"), work(one, function)) for one, function in routes.items()]
    rest = work("otherwise", otherwise)
    if ways:
        steps.append(asl.Choice("Which way?", *ways, otherwise=rest))
    else:
        steps += [asl.Pass("Which way?"), rest]
    return asl.machine(*steps, query_language="JSONata")


def named(rule: Callable[[str], str | None], number: int) -> Callable[[str], str | None]:
    """The rule under a name of its own: a Task goes by the name of its function, and lambdas share one."""
    if rule.__name__ != "<lambda>":
        return rule

    def called(task: str) -> str | None:
        return rule(task)

    called.__name__ = f"rule-{number}"
    return called
