"""Tools of several sources as one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from ...state.errors import InvalidInput
from ..framework.target import served
from ..tools.making import made
from ..tools.tool import Tool
from .source import Listed, Server, Source


class Combined:
    """Functions, ``@tool`` functions, methods of objects, and other sources. Raises InvalidInput for what is none."""

    def __init__(self, things: Iterable[object]) -> None:
        self._parts = [_part(thing) for thing in things]

    @property
    def servers(self) -> Sequence[Server]:
        return tuple(chain.from_iterable(part.servers for part in self._parts if not isinstance(part, Tool)))

    def tools(self, listed: Listed) -> Sequence[Tool]:
        found: list[Tool] = []
        for part in self._parts:
            found += [part] if isinstance(part, Tool) else part.tools(listed)
        return found


def _part(thing: object) -> Tool | Source:
    if is_source(thing):
        return thing  # type: ignore[return-value]  # pyright: ignore[reportReturnType]  # as was looked at
    tool = None if hasattr(served(thing), "decider") else made(thing, "a toolset")
    if tool is None:
        raise InvalidInput(
            f"{thing!r:.200} can't be in a toolset; give functions, tools and toolsets, and agents and workflows "
            "directly in Agent(tools=[…])"
        )
    return tool


def is_source(thing: object) -> bool:
    """Whether it is a toolset. An agent has tools too, but asks no servers."""
    return hasattr(thing, "servers") and callable(getattr(thing, "tools", None)) and not isinstance(thing, type)
