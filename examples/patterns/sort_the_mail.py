"""Routing: a rule or a classifier hands each letter to whoever can answer it; where one can't, a generalist does."""

import re

from overwinter import Agent, run
from overwinter.functions.model import Scripted
from overwinter.patterns import routing
from overwinter.patterns.routing import Choice

triage = Agent(
    "triage",
    Scripted({"money": '{"route": "refund"}', "broken": '{"route": "technical"}', ".*": '{"route": "?"}'}, "triage"),
    "Say who should answer: refund or technical.",
    output=Choice,
)
refunds = Agent("refunds", Scripted(["Your money is on its way."], "refunds"))
technician = Agent("technician", Scripted(["Turn it off and on again."], "technician"))
generalist = Agent("generalist", Scripted(["Thank you for writing."], "generalist"))


def by_number(letter: str) -> str | None:
    """A rule: a letter that names a return belongs to the refunds, and no model is asked."""
    return "refund" if re.search(r"\br-\d+\b", letter) else None


desk = routing(
    "desk",
    triage,
    {"refund": refunds, "technical": technician},
    rules=[by_number],
    otherwise=generalist,
    fallback=generalist,
)

if __name__ == "__main__":
    for letter in ("My kettle is broken", "Where is r-17?"):
        routed = run(desk, letter, store="memory://")
        print(f"{letter} → {routed.route}, by {routed.by}: {routed.result}")
