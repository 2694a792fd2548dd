"""Tools with a prefix to their names, so that two sets do not clash."""

from __future__ import annotations

from ..tools.tool import Tool
from .changed import Changed
from .source import Source


class Prefixed(Changed):
    """``lookup`` is called ``crm_lookup`` with the prefix ``crm``."""

    def __init__(self, inner: Source, prefix: str) -> None:
        super().__init__(inner)
        self._prefix = prefix

    def change(self, tool: Tool) -> Tool:
        return tool.but(name=f"{self._prefix}_{tool.name}")
