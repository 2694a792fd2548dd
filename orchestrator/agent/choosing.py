"""Which model is asked, by the agent's own rule or in the place of one that has failed (``routing``)."""

from __future__ import annotations

from ..errors.failures import Failure
from ..errors.groups import kind_in, said_in
from ..governance.usage import Allowance
from ..protocol.decider import Fact
from .conversation import Thread
from .routing import Choice, question
from .seeing import READ, shows
from .spec import AgentSpec
from .turn import Turn


class Choosing:
    """Of one agent."""

    __slots__ = ("_spec",)

    def __init__(self, spec: AgentSpec) -> None:
        self._spec = spec

    def chosen(self, thread: Thread, turn: Turn, offered: AgentSpec, limits: Allowance) -> Fact:
        """Which model is to answer now, by the agent's own rule. Raises InvalidInput when that can't be told."""
        used, messages = turn.usage.minus(turn.allowed), thread.messages(turn.messages)
        tools = tuple(offered.tool_names())
        asked = question(turn.content, turn.asked + 1, messages, tools, used, limits)
        return self._spec.choose(asked).entry(turn.thinking())

    def instead(self, thread: Thread, turn: Turn, error: Failure, name: str) -> Fact | None:
        """The call of the model of that name has failed for good: who is asked instead, if that may help."""
        choice = self._spec.instead(error, name, turn.route)
        op = turn.thinking(1)
        if (choice is None or choice.shorter) and kind_in(error) in READ and (thread.sees() or shows(turn)):
            why = f"{said_in(error)[:200]} (asked again without the images and files of earlier turns and of tools)"
            return Choice(name, turn.route, why).entry(op) | {"unseen": True}
        if choice is None or not choice.shorter:
            return None if choice is None else choice.entry(op)
        kept = None if turn.shortened else thread.half()
        return None if kept is None else choice.entry(op, kept)
