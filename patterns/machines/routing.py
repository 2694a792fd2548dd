"""Routing as a state machine: a Task that classifies, a Choice, and a Task for each route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ... import Agent, asl
from .states import INPUT, RESULT, ask, names, text


def machine(classifier: Agent[Any], routes: Mapping[str, Any], otherwise: Any, confidence: float) -> asl.Definition:
    """From text to ``{"route", "result"}``."""
    name = names("Which way?")
    first = ask(name(classifier.name), classifier, output=INPUT, assign={"choice": RESULT})
    rules = [
        asl.when(
            asl.jsonata(f"$choice.route = {text(route)} and $choice.confidence >= {confidence}"),
            ask(name(route), function, output={"route": route, "result": RESULT}),
        )
        for route, function in routes.items()
    ]
    rest = ask(name("otherwise"), otherwise, output={"route": "otherwise", "result": RESULT})
    choice = asl.Choice("Which way?", *rules, otherwise=rest) if rules else rest
    return asl.machine(first, choice, query_language="JSONata")
