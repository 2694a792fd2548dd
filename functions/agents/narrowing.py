"""Tools whose results say which other tools may still be called in a turn: those of skills (``toolsets.skills``)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..tools.tool import Tool
from .child import ChildTool


def narrowed(tools: Mapping[str, Tool | ChildTool], name: str, value: Any) -> Collection[str] | None:
    """Which of the tools may be called after that result of a call of the one of that name; None: as before."""
    rule = _rule(tools.get(name))
    names = None if rule is None else rule(value)
    if names is None:
        return None
    return {*names, *(name for name, found in tools.items() if _rule(found) is not None)}


def _rule(tool: Tool | ChildTool | None) -> Callable[[Any], Collection[str] | None] | None:
    found: Callable[[Any], Collection[str] | None] | None = getattr(getattr(tool, "function", None), "narrows", None)
    return found if isinstance(tool, Tool) else None
