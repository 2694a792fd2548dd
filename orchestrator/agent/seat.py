"""Who has the conversation of an execution: the agent that it was begun with, or one that it was handed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .pinning import Pins
from .spec import AgentSpec


class Seat:
    """``holder`` is its name, "" that of the first; ``lost``: no agent of that name is known here."""

    __slots__ = ("_altered", "_first", "_pins", "agent", "holder", "lost", "note")

    def __init__(self, first: AgentSpec, holder: str, altered: Mapping[str, str] = {}) -> None:
        self._altered = altered
        self._first = first.altered(**altered) if altered else first
        self._pins: dict[str, Pins] = {}
        self.agent = self._first
        self.holder = self.note = ""
        self.lost = False
        if holder:
            self.take(holder)

    def take(self, name: str) -> None:
        """The agent of that name has it from now on. ``note`` says so, for people."""
        self.holder, self.note = "" if name == self._first.name else name, f"with {name}"
        found = self._first.colleague(name)
        if found is not None and self._altered and self.holder:
            found = found.altered(self._altered["model"], "")  # the instructions are those of another one
        self.agent, self.lost = found or self._first, found is None

    def alter(self, model: str, instructions: str) -> Seat:
        """The same in a fork that has another model, or other instructions."""
        changed = model or instructions
        return Seat(self._first, self.holder, {"model": model, "instructions": instructions}) if changed else self

    def about(self, content: Any) -> Any:
        """What a message to the first one is about, as its agent takes it."""
        return self.agent.about(content) if self.holder else content

    def record(self) -> dict[str, str]:
        """For the head."""
        return {"agent": self.holder} if self.holder else {}

    def alterations(self) -> dict[str, dict[str, str]]:
        """For the head: what a fork has changed."""
        return {"forked": dict(self._altered)} if self._altered else {}

    @property
    def pins(self) -> Pins:
        """What the servers of its agent have listed."""
        return self._pins.setdefault(self.holder, Pins())
