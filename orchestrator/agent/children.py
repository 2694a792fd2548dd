"""The entry by which a tool call begins another execution, an agent's or a workflow's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...state.ids import child_id
from ..protocol.decider import Fact
from .call import Call
from .spec import ToolSpec


def child(
    execution: str,
    call: Call,
    tool: ToolSpec,
    arguments: dict[str, Any],
    looks: Mapping[str, Any],
    budget: Mapping[str, Any],
) -> Fact:
    """``looks`` is what it says of hooks, ``budget`` what is left of the limits of who orders it."""
    entry: Fact = {
        "type": "ordered",
        "op": call.op,
        "kind": "child",
        "name": tool.starts(arguments),
        "id": child_id(execution, call.op),
        "detached": False,
        "input": tool.input(arguments),
        **looks,
    }
    return entry | ({"budget": dict(budget)} if budget else {})
