"""Tools under other names, and with other descriptions for the model."""

from __future__ import annotations

from collections.abc import Mapping

from ..tools.tool import Tool
from .changed import Changed
from .naming import known
from .source import Source


class Renamed(Changed):
    """``names`` maps names to other ones; the tools that it does not tell of keep theirs. Raises InvalidInput for a
    name that no tool has."""

    def __init__(self, inner: Source, names: Mapping[str, str]) -> None:
        super().__init__(inner)
        self._names = dict(names)
        known(inner, self._names, "renamed")

    def change(self, tool: Tool) -> Tool:
        name = self._names.get(tool.name)
        return tool if name is None else tool.but(name=name)
