"""What makes two calls of a tool the same, and what tells one from every other one."""

from __future__ import annotations

import json

from .call import Call


def identity(call: Call) -> str:
    """What makes two calls the same: the tool and the exact arguments, as canonical JSON."""
    return json.dumps([call.name, call.arguments], sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def life(name: str, mark: str) -> str:
    """What an approval is bound to beside what is asked: the tool, or whose input or output it is, and the turn."""
    return f"{name} {mark}"
