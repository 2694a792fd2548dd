"""A tool call that starts an execution of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...state.ids import child_id
from ..protocol.decider import Fact
from .call import Call
from .spec import ToolSpec


def starting(execution: str, call: Call, tool: ToolSpec, looks: Fact, budget: Mapping[str, Any]) -> Fact:
    """The entry by which the child is ordered. ``looks`` is what it says of hooks that look at the outcome, ``budget``
    what is left of the limits."""
    return {
        "type": "ordered",
        "op": call.op,
        "kind": "child",
        "name": tool.child,
        "id": child_id(execution, call.op),
        "detached": False,
        "input": tool.input(call.arguments or {}),
        **looks,
    } | ({"budget": budget} if budget else {})
