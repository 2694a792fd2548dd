"""The servers of tools of an agent, asked together as one step, and what has changed since they were asked last."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, cast

from ...orchestrator.usercode.resilience import Policy, Retry
from ...state.codec import dumps, loads
from .toolbox import Toolbox

ASKED = Policy(Retry(), timeout="60s")


class Servers:
    """Of one agent. What it gives is what the ``listed`` entry says."""

    policy = ASKED

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self.name = ", ".join(toolbox.servers)

    def call(self, known: dict[str, Any] | None) -> Callable[[], Awaitable[dict[str, Any]]]:
        return partial(self._ask, known)

    async def _ask(self, known: dict[str, Any] | None) -> dict[str, Any]:
        asked = self._toolbox.servers
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_listing(server.listing())) for name, server in asked.items()}
        servers = loads(dumps({name: task.result() for name, task in tasks.items()}))
        digest = f"sha256:{hashlib.sha256(dumps(servers).encode()).hexdigest()}"
        if known is not None and known.get("digest") == digest:
            return {"same": digest}
        value: dict[str, Any] = {"digest": digest, "servers": servers}
        self._toolbox.listed(value)  # two of one name are found now, and not when the model is to be asked
        if known is not None and (changed := _changes(known.get("servers", {}), servers)):
            value["changed"] = changed
        return value


async def _listing(asked: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return await asked


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, str]:
    """In words, for each server whose tools are others than before."""
    found: dict[str, str] = {}
    for name in {**before, **now}:
        old, new = _tools(before.get(name)), _tools(now.get(name))
        parts = {
            "added": [tool for tool in new if tool not in old],
            "removed": [tool for tool in old if tool not in new],
            "changed": [tool for tool in new if tool in old and old[tool] != new[tool]],
        }
        if said := "; ".join(f"{what} {', '.join(tools)}" for what, tools in parts.items() if tools):
            found[name] = said
    return found


def _tools(server: Any) -> dict[str, Any]:
    said = cast("Mapping[str, Any]", server if isinstance(server, dict) else {})
    return {str(tool.get("name")): tool for tool in said.get("tools", ())}
