"""The version of a tool, as far as who approves a call relies on it: its name, what it takes and what its calls do.
What its code does nobody can tell from outside, so a change there that changes what is approved deserves another name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from ....state.codec import dumps


def version_of(name: str, parameters: Mapping[str, Any], effect: str) -> str:
    """16 hex digits."""
    bound = dumps([name, _sorted(dict(parameters)), effect])
    return hashlib.sha256(bound.encode()).hexdigest()[:16]


def _sorted(value: Any) -> Any:
    """The same, whatever order its fields were written in."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
    return [_sorted(one) for one in value] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]  # JSON
