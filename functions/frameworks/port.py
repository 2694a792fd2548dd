"""The port: what an agent that is made elsewhere has to be, and what it is given for one turn.

What it does in ``answer`` is workflow code: it is run again from its beginning after a crash, and everything that it
asks of the turn comes from the journal then. So model and tool calls, and whatever else reaches outside, go through
``model`` and ``tool`` (or ``ctx.step``), and the rest must be the same each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from ...orchestrator.usercode.resilience import Retry
from ...orchestrator.workflow.talking import TurnContext
from ...state.quantities import Duration

_NOT_NOW = (408, 425, 429)


def refused(error: BaseException, attempt: int) -> bool | None:
    """Whether a call of a model may be tried again: not when its provider refuses it. The frameworks' own errors carry
    the HTTP status as ``status_code``, or are raised from one that does."""
    status = getattr(error, "status_code", getattr(error.__cause__, "status_code", None))
    return False if isinstance(status, int) and 400 <= status < 500 and status not in _NOT_NOW else None


MODEL_RETRY = Retry(attempts=10, first="500ms", most="10m", when=refused)
MODEL_TIMEOUT: Duration = timedelta(minutes=5)


@dataclass(frozen=True)
class Calls:
    """How model and tool calls are made: their retries, how long one attempt may take, which tools are begun at most
    once, and which role approves a tool's calls."""

    retry: Retry = MODEL_RETRY
    timeout: Duration | None = MODEL_TIMEOUT
    tool_retry: Retry | None = None
    tool_timeout: Duration | None = None
    irreversible: frozenset[str] = frozenset()
    approval: Mapping[str, str] = field(default_factory=dict[str, str])
    approval_within: Duration | None = None


class Turn:
    """One turn, as it is given to a foreign agent.

    ``ctx``: durable operations. ``input``: what it is asked, typed. ``past``: what earlier turns of the session have
    kept, oldest first, as plain JSON; empty in a run that is no session's. ``session``: the id of the execution.
    """

    def __init__(self, ctx: TurnContext, input: Any, past: Sequence[Any], calls: Calls) -> None:
        self.ctx = ctx
        self.input = input
        self.past = list(past)
        self.kept: list[Any] | None = None
        self._calls = calls

    @property
    def session(self) -> str:
        return self.ctx.execution

    def keep(self, messages: Sequence[Any]) -> None:
        """What later turns find in ``past``, beside what is there: plain JSON. Without a word, question and answer."""
        self.kept = [*messages]

    async def model(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Ask a model, once for all: what ``call`` returns, plain JSON, is recorded. What is asked is not compared on
        replay, since frameworks put times and ids into it."""
        calls = self._calls
        return await self.ctx.asked(call, f"model {name}", calls.retry, calls.timeout)

    async def tool(
        self, name: str, arguments: Mapping[str, Any], call: Callable[[Mapping[str, Any]], Awaitable[Any]]
    ) -> Any:
        """Call a tool, once for all, when somebody has approved it where that is wanted. Raises Denied."""
        calls = self._calls
        role = calls.approval.get(name)
        if role is not None:
            await self.approve(name, arguments, role)
        more: dict[str, Any] = {} if calls.tool_retry is None else {"retry": calls.tool_retry}
        once = name in calls.irreversible
        if calls.tool_timeout is not None:
            more["timeout"] = calls.tool_timeout
        return await self.ctx.step(call, arguments, name=f"tool {name}", at_most_once=once, **more)

    def governs(self, name: str) -> bool:
        """Whether something is said of calls of this tool: who approves them, or that they are begun at most once."""
        return name in self._calls.approval or name in self._calls.irreversible

    async def approve(self, name: str, arguments: Mapping[str, Any], role: str | None = None) -> None:
        """Wait until somebody has approved this call of a tool. Raises Denied."""
        await self.ctx.approve(name, data=dict(arguments), role=role, timeout=self._calls.approval_within)


class Foreign(Protocol):
    """What a foreign agent has to be. It may have ``output`` too, the type of what it answers; ``tools``, the names of
    all that it asks of ``Turn.tool``, or None when nobody knows; and ``whole``, true of what asks for none."""

    @property
    def name(self) -> str:
        """What it is made with, for people."""
        ...

    async def answer(self, turn: Turn) -> Any:
        """The answer to ``turn.input``. What it raises ends the turn, and leaves the session usable."""
        ...


CURRENT: ContextVar[Turn | None] = ContextVar("turn", default=None)


def current_turn() -> Turn | None:
    """The turn that this code answers; None outside of one, also within a step of it."""
    return CURRENT.get()
