"""Routing: a classifier hands each letter to whoever can answer it."""

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
desk = routing("desk", triage, {"refund": refunds, "technical": technician}, otherwise=generalist)

if __name__ == "__main__":
    print(run(desk, "My kettle is broken", store="memory://"))
