"""What makes two calls of a tool the same, and what an approval of one is bound to."""

from __future__ import annotations

import hashlib
import json

from ..protocol.decider import Fact
from .call import Call
from .spec import ToolSpec


def identity(call: Call) -> str:
    """What makes two calls the same: the tool and the exact arguments, as canonical JSON."""
    return json.dumps([call.name, call.arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(call: Call, mark: str) -> str:
    """``sha256:…`` over the tool, the exact arguments and the turn; what an approval is bound to."""
    return "sha256:" + hashlib.sha256(f"{identity(call)}\n{mark}".encode()).hexdigest()


def approval(call: Call, tool: ToolSpec, role: str, mark: str, at: int) -> Fact:
    """The entry by which somebody of that role is asked to approve the call."""
    return {
        "type": "ordered",
        "op": call.op,
        "kind": "approval",
        "name": tool.name,
        "what": tool.name,
        "data": call.arguments,
        "digest": digest(call, mark),
        "role": role,
        "until": at + tool.approval_within,
    }
