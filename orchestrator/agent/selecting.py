"""Which of many tools a model is offered. They are selected before the first call of a turn, by what it is about, and
more are added when the model has found some (``find_tools``). Each selection is an ``offered`` entry, before the call
that it is for: a replay reads it, and selects nothing again.
"""

from __future__ import annotations

from itertools import chain

from ..protocol.decider import Fact
from .conversation import Thread
from .spec import AgentSpec
from .turn import Turn


class Selecting:
    """For the turns of one agent."""

    __slots__ = ("_spec",)

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    def due(self, thread: Thread, turn: Turn) -> Fact | None:
        """The entry that must come before the model is asked; None when there is nothing to select. Raises InvalidInput
        for what the agent's rule raises, or returns."""
        spec = self._spec
        if not spec.selects:
            return None
        if turn.offered is None:
            called = chain.from_iterable(message.tool_calls for message in reversed(thread.messages([])))
            chosen, why = spec.select(turn.content, [call.name for call in called])
            return self._entry(turn, chosen, why)
        known = set(turn.offered)
        found = [name for name in turn.discovered if name not in known and spec.find(name) is not None]
        return self._entry(turn, (*turn.offered, *dict.fromkeys(found)), "the model has found them") if found else None

    @staticmethod
    def _entry(turn: Turn, tools: tuple[str, ...], why: str) -> Fact:
        return {"type": "offered", "op": turn.thinking(), "tools": list(tools), "why": why}
