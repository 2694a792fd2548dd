"""What makes two tool calls the same."""

from __future__ import annotations

import hashlib
import json

from .call import Call


def identity(call: Call) -> str:
    """What makes two calls the same: the tool and the exact arguments, as canonical JSON."""
    return json.dumps([call.name, call.arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(call: Call, mark: str) -> str:
    """``sha256:…`` over the tool, the exact arguments and the turn; what an approval is bound to."""
    return "sha256:" + hashlib.sha256(f"{identity(call)}\n{mark}".encode()).hexdigest()
