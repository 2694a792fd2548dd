"""What whoever ordered an execution from another process says about itself, and how much of that goes on to what the
execution orders in turn: for whom it is, until when, and in which trace."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...state.errors import InvalidInput
from ...state.ids import check_id

TRACE = ("traceparent", "tracestate", "baggage")
"""Of W3C: in which trace something is done, and what goes along with it."""
REQUEST, TURN = "aws", "aws/turn"
"""``from`` of a trace that AWS has begun for one request, in X-Ray's form: of what that begins, and of a turn of a
session, which has more of them. Others are ``event``, or unsaid: somebody has named the trace to be in."""
HTTP = "http"
"""``from`` of a request that names no trace, where traces are looked at."""
HANDED_ON = ("user", "tenant", "by", "deadline", "budget", *TRACE)


def handed_on(caller: Mapping[str, Any]) -> dict[str, Any]:
    """The part of it that goes on."""
    return {name: caller[name] for name in HANDED_ON if name in caller} if caller else {}


def caller_of(fact: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known of who began something, by the fact that began it: ``by`` is the person it is done for."""
    said: Mapping[str, Any] = fact.get("caller", {})
    return {**said, "by": fact["by"]} if fact.get("by") and "by" not in said else said


def named(user: str = "", tenant: str = "") -> dict[str, str]:
    """For whom something is done. Raises InvalidInput for what can't be the name of a user or a tenant."""
    said = {"user": user, "tenant": tenant}
    for kind, name in said.items():
        if name == "*":  # no account, and no memory, would be its own
            raise InvalidInput(f"a {kind} can't be called '*': that stands for every {kind}")
    return {name: check_id(text, f"the name of a {name}") for name, text in said.items() if text}


def traced(said: Mapping[str, Any]) -> dict[str, str]:
    """The trace in what is said by an event or a request, as of whoever ordered what it begins. One that can't be gone
    on with is left out, its state too: tracing is for those who look on, and costs nobody an execution."""
    found = {name: said[name] for name, fits in _FITS.items() if fits.fullmatch(str(said.get(name) or ""))}
    if "traceparent" not in found:
        found.pop("tracestate", None)
    return found


def trace_in(caller: Mapping[str, Any]) -> dict[str, Any]:
    """The trace alone of what is said of who began something."""
    return {name: caller[name] for name in (*TRACE, "from") if name in caller} if caller else {}


def of_event(said: Mapping[str, Any]) -> dict[str, str]:
    """The trace in what an event says. It came by an event, and whoever looks at traces may only link to it."""
    found = traced(said)
    return {**found, "from": "event"} if found.get("traceparent") else found


def of_request(said: Mapping[str, Any], *, turn: bool = False) -> dict[str, str]:
    """The trace in what is said of a request, and by whom."""
    found = traced(said)
    if said.get("from") in (REQUEST, TURN) and "traceparent" in found:
        found["from"] = TURN if turn else REQUEST
    elif said.get("from") == HTTP:
        found["from"] = HTTP
    return found


_TRACE = "-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
_FITS = {
    "traceparent": re.compile(rf"00{_TRACE}|(?!00|ff)[0-9a-f]{{2}}{_TRACE}(-[!-~]{{1,144}})?"),  # it becomes a header
    "tracestate": re.compile(r"[ -~]{1,1000}"),
    "baggage": re.compile(r"[ -~]{1,8192}"),
}
