"""What whoever ordered an execution from another process says about itself, and how much of that goes on to what the
execution orders in turn: for whom it is, until when, and in which trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HANDED_ON = ("user", "tenant", "deadline", "traceparent", "tracestate", "baggage")


def handed_on(caller: Mapping[str, Any]) -> dict[str, Any]:
    """The part of it that goes on."""
    return {name: caller[name] for name in HANDED_ON if name in caller} if caller else {}
