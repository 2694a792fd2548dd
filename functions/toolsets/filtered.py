"""Some of the tools of a set."""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..tools.tool import Tool
from .changed import Changed
from .naming import known
from .source import Source


class Filtered(Changed):
    """``only`` these names, or those tools of which a pure function says True, ``without`` these. Raises InvalidInput
    for a name that no tool has."""

    def __init__(
        self, inner: Source, only: Collection[str] | Callable[[Tool], bool] | None, without: Collection[str]
    ) -> None:
        super().__init__(inner)
        self._only = only
        self._without = frozenset(without)
        known(inner, [*without, *([] if only is None or callable(only) else only)], "filtered")

    def change(self, tool: Tool) -> Tool | None:
        only = self._only
        wanted = only is None or (only(tool) if callable(only) else tool.name in only)
        return tool if wanted and tool.name not in self._without else None
