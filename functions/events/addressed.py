"""Calls of functions that have no address, and their answers, as events: each is meant for one function or one store.

``io.overwinter.call``: the subject is the function's name, the data what is sent by HTTP (``{"call", "input"}``); the
attribute ``answerto`` names the store whose processes take the answer, ``answerfor`` the function that has ordered it,
``idempotencykey`` is the key of the call.
``io.overwinter.answered``: the subject is the execution that has ordered the call, the data ``{"operation", "key",
"mark", "outcome"}``; without ``outcome`` somebody is at work on it. The mark is the proof: only who was sent the call
knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .event import CloudEvent
from .intake import ANSWERED, PREFIX, digest_of

ORDERED = PREFIX + "call"
TO, FOR, KEY = "answerto", "answerfor", "idempotencykey"


def call(function: str, body: Mapping[str, Any], number: int, address: str) -> CloudEvent:
    """A call, or its cancellation, as it is sent for the so-manieth time."""
    about: Mapping[str, Any] = body["call"]
    one = digest_of(str(about["key"]), str(about["mark"]))
    by = str(about.get("caller", ""))
    return CloudEvent(
        id=f"{one}-{'cancel' if 'cancel' in body else number}",
        source="/overwinter/calls",
        type=ORDERED,
        subject=function,
        data=dict(body),
        # What is cancelled was ordered before: a broker that keeps an order keeps theirs.
        extensions={TO: address, "partitionkey": one, KEY: str(about["key"])} | ({FOR: by} if by else {}),
    )


def answer(owed: Mapping[str, Any], outcome: Mapping[str, Any] | None) -> CloudEvent:
    """What has come of a call, or that it is being worked on. ``owed``: see ``telling``."""
    data = {name: owed[name] for name in ("operation", "key", "mark")}
    return CloudEvent(
        id=str(owed["event"]),
        source=f"/overwinter/{digest_of(str(owed['function']))}",
        type=ANSWERED,
        subject=str(owed["execution"]),
        data=data if outcome is None else {**data, "outcome": dict(outcome)},
        extensions={TO: str(owed["to"])} | ({FOR: str(owed["caller"])} if owed.get("caller") else {}),
    )


def lane_of(event: CloudEvent) -> str:
    """Where an event that only one subscription means lies by itself, if the broker has such lanes; "" for events that
    anybody may mean."""
    if event.type == ORDERED and event.subject is not None:
        return calls(event.subject)
    address = event.extensions.get(TO)
    return answers(str(address)) if event.type == ANSWERED and address is not None else ""


def calls(function: str) -> str:
    return f"calls:{function}"


def answers(address: str) -> str:
    return f"answers:{address}"
