"""The version of a tool, as far as who approves a call relies on it: its name, what it takes, what its calls do
and who approves them.
What its code does nobody can tell from outside, so a change there that changes what is approved deserves another name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ....state.codec import dumps
from .rule import Approval


def version_of(name: str, parameters: Mapping[str, Any], effect: str, rule: Approval | None) -> str:
    """16 hex digits. ``rule``: who must approve each call; None when that depends on the arguments."""
    who = None if rule is None else [rule.role, rule.by, rule.requester]
    bound = dumps([name, _sorted(dict(parameters)), effect, who])
    return hashlib.sha256(bound.encode()).hexdigest()[:16]


def _sorted(value: Any) -> Any:
    """The same, whatever order its fields were written in."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
    return [_sorted(one) for one in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]  # JSON
