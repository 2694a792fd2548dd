"""The base of what changes the tools of a source, one by one: each tool is changed once and stays the same object."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, cast
from weakref import WeakKeyDictionary

from ..tools.tool import Tool
from .source import Listed, Server, Source

_SAME: Final = object()


class Changed(ABC):
    """``inner`` with each of its tools as ``change`` makes it; None leaves one out."""

    def __init__(self, inner: Source) -> None:
        self._inner = inner
        self._known: WeakKeyDictionary[Tool, object] = WeakKeyDictionary()

    @property
    def servers(self) -> Sequence[Server]:
        return self._inner.servers

    def tools(self, listed: Listed) -> Sequence[Tool]:
        return [changed for tool in self._inner.tools(listed) if (changed := self._one(tool)) is not None]

    @abstractmethod
    def change(self, tool: Tool) -> Tool | None: ...

    def _one(self, tool: Tool) -> Tool | None:
        if tool not in self._known:
            changed = self.change(tool)
            self._known[tool] = _SAME if changed is tool else changed  # what refers to its key is never let go
        known = self._known[tool]
        return tool if known is _SAME else cast("Tool | None", known)
