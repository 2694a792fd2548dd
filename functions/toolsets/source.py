"""The port of all toolsets: where tools come from.

A source whose tools are known without asking has no servers, and gives the same Tools each time. One that asks names
its servers; what those have listed is handed in, as it was recorded, and the tools are made of that and of nothing
else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol

from ..tools.tool import Tool

Listed = Mapping[str, Any]
"""What servers have listed, as plain JSON by their names: ``{"version", "tools": [{"name", "description", "schema",
"digest", …}]}``, or ``{"error"}`` for one that an agent can do without."""
UNASKED: Final[Listed] = MappingProxyType({})
"""Nobody was asked."""


class Server(Protocol):
    """Something that lists tools when it is asked."""

    @property
    def name(self) -> str:
        """Under which what it lists is recorded."""
        ...

    def listing(self) -> Awaitable[dict[str, Any]]:
        """What it has now (see Listed). Raises FunctionUnavailable, InvalidInput."""
        ...


class Source(Protocol):
    """Where tools come from."""

    @property
    def servers(self) -> Sequence[Server]:
        """Who must be asked before the tools are known."""
        ...

    def tools(self, listed: Listed) -> Sequence[Tool]:
        """In their order; the same objects for the same listing. Servers that are not in ``listed`` have none."""
        ...
