"""The tools of one agent: those that are known, and those that its servers have listed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, cast

from ...orchestrator.agent.turn import FINDER
from ...state.errors import InvalidInput
from ..framework.target import served
from ..models.port import ToolSchema
from ..tools.making import made
from ..tools.selection import Selected, Selection
from ..tools.tool import Tool
from ..toolsets.combined import is_source
from ..toolsets.source import UNASKED, Server, Source
from .child import ChildTool
from .subagents import TaskTool

_REMEMBERED = 8
"""Listings whose tools are kept; sessions under way may go by different ones."""


class Hand:
    """Tools by their names; those of ours ``beside`` them; of many, those that are ``selected``; and what a model is
    told of all."""

    def __init__(
        self, tools: dict[str, Tool | ChildTool | TaskTool], beside: Mapping[str, Tool], selected: Selected | None
    ) -> None:
        self.tools = tools
        self.selected = selected
        self.beside = {**beside, **(selected.finder() if selected is not None else {})}
        self._schemas: tuple[ToolSchema, ...] | None = None

    @property
    def schemas(self) -> tuple[ToolSchema, ...]:
        if self._schemas is None:
            offered = (*self.tools.values(), *self.beside.values())
            self._schemas = tuple(ToolSchema(tool.name, tool.description, tool.parameters) for tool in offered)
        return self._schemas

    def noted(self, tool: str, what: str) -> Any:
        """What the function of a tool says of itself to the loop."""
        found = self.tools.get(tool)
        return getattr(found.function, what, None) if isinstance(found, Tool) else None

    def narrows(self, tool: str, value: Any) -> Collection[str] | None:
        """What a skill's tool says of its result: which other tools may still be called (``toolsets.skills``)."""
        rule: Callable[[Any], Collection[str] | None] | None = self.noted(tool, "narrows")
        names = None if rule is None else rule(value)
        if names is None:
            return None
        return {*names, *(name for name in self.tools if self.noted(name, "narrows") is not None), *self.beside}


class Toolbox:
    """Raises InvalidInput for what is no tool, and for two of one name. ``known`` are the tools that need no asking,
    ``beside`` those that every agent of its kind has."""

    def __init__(
        self,
        agent: str,
        things: Iterable[object],
        beside: Mapping[str, Tool] = MappingProxyType({}),
        selection: Selection | None = None,
    ) -> None:
        self.agent = agent
        self._beside = beside
        self._selection = selection
        self._parts = [_part(agent, thing) for thing in things]
        self.beside = {*beside, *((FINDER,) if selection is not None and selection.find else ())}  # no user's tools
        self.always = () if selection is None else selection.always
        self.servers: dict[str, Server] = {}
        for server in (one for part in self._parts if is_source(part) for one in cast("Source", part).servers):
            if self.servers.setdefault(server.name, server) is not server:
                raise InvalidInput(f"agent {agent!r} has two servers named {server.name!r}; give one another name=")
        self.known = self._hand(UNASKED)
        self._listed: dict[str, Hand] = {}

    def listed(self, value: Mapping[str, Any]) -> Hand:
        """All tools, with those of a listing. Raises InvalidInput for two of one name."""
        digest = str(value.get("digest", ""))
        found = self._listed.get(digest)
        if found is None:
            found = self._hand(value.get("servers", {}))
            while len(self._listed) >= _REMEMBERED:
                del self._listed[next(iter(self._listed))]
            self._listed[digest] = found
        return found

    def _hand(self, listed: Mapping[str, Any]) -> Hand:
        tools = self._found(listed)
        if taken := [name for name in self._beside if name in tools]:
            raise InvalidInput(f"agent {self.agent!r}: {taken[0]!r} is a tool of every such agent; rename yours")
        chosen = self._selection
        whole = not self.servers  # else what these have may be absent
        selected = None if chosen is None else Selected(self.agent, chosen, tools, whole=whole)
        return Hand(tools, self._beside, selected)

    def _found(self, listed: Mapping[str, Any]) -> dict[str, Tool | ChildTool | TaskTool]:
        found: dict[str, Tool | ChildTool | TaskTool] = {}
        for part in self._parts:
            several = (
                cast("Source", part).tools(listed) if is_source(part) else [cast("Tool | ChildTool | TaskTool", part)]
            )
            for tool in several:
                if tool.name in found:
                    raise InvalidInput(
                        f"agent {self.agent!r} has two tools named {tool.name!r}; give one of them another name, or "
                        'all of one toolset a prefix: toolset.prefixed("crm")'
                    )
                found[tool.name] = tool
        return found


def _part(agent: str, thing: object) -> Tool | ChildTool | TaskTool | Source:
    if is_source(thing):
        return cast("Source", thing)
    if isinstance(thing, TaskTool):
        return thing
    it: Any = served(thing)
    if getattr(it, "kind", None) in ("agent", "workflow") and hasattr(it, "decider"):
        return ChildTool(it)
    tool = made(thing, f"agent {agent!r}")
    if tool is None:
        raise InvalidInput(
            f"agent {agent!r}: {thing!r} is no tool; give a function, a @tool, a toolset, a workflow or another agent"
        )
    return tool
