"""The servers of tools of an agent, asked together as one step, and what has changed since they were asked last."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Any, cast

from ...orchestrator.usercode.resilience import Policy, Retry
from ...state.codec import dumps, loads
from .toolbox import Toolbox

log = logging.getLogger("overwinter")

ASKED = Policy(Retry(), timeout="60s")


class Servers:
    """Of one agent. What it gives is what the ``listed`` entry says."""

    policy = ASKED

    def __init__(self, toolbox: Toolbox, named: Collection[str] = ()) -> None:
        self._toolbox = toolbox
        self._named = {*named, *toolbox.always}  # tools at which the agent's hooks look, or that are always offered
        self._missing: set[str] = set()
        self.name = ", ".join(toolbox.servers)

    def call(self, known: dict[str, Any] | None) -> Callable[[], Awaitable[dict[str, Any]]]:
        return partial(self._ask, known)

    async def _ask(self, known: dict[str, Any] | None) -> dict[str, Any]:
        asked = self._toolbox.servers
        async with asyncio.TaskGroup() as group:
            tasks = {name: group.create_task(_listing(server.listing())) for name, server in asked.items()}
        servers = loads(dumps({name: task.result() for name, task in tasks.items()}))
        digest = f"sha256:{hashlib.sha256(dumps(servers).encode()).hexdigest()}"
        value: dict[str, Any] = {"digest": digest, "servers": servers}
        hand = self._toolbox.listed(value)  # two of one name are found now, and not when the model is to be asked
        if not any("error" in said for said in servers.values()):
            self._warn(self._named - hand.tools.keys() - hand.beside.keys())
        if known is not None and known.get("digest") == digest:
            return {"same": digest}
        if known is not None and (changed := _changes(known.get("servers", {}), servers)):
            value["changed"] = changed
        return value

    def _warn(self, missing: set[str]) -> None:
        """A server may take a tool away, so it is no error; but a guard whose tool has another name guards nothing."""
        if missing and missing != self._missing:
            log.warning(
                "agent %s: a hook or Selection(always=…) names %s, and there is no such tool; is the name right? A "
                "hook that names no tools looks at all",
                self._toolbox.agent,
                ", ".join(sorted(missing)),
            )
        self._missing = missing


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
