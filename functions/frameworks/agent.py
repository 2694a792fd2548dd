"""``ForeignAgent``: an agent that is made elsewhere, as a function of overwinter.

It is started, sent messages, called by workflows and other agents as an ``Agent`` is. The conversation is kept here:
what a turn has kept is a part of its reply, and is handed to the turns after it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from functools import cached_property
from types import FunctionType
from typing import Any, NamedTuple, cast

from ...orchestrator.usercode.resilience import DEFAULT, Policy, Retry
from ...orchestrator.workflow.context import Context
from ...orchestrator.workflow.session import SessionDecider
from ...orchestrator.workflow.talking import TurnContext
from ...orchestrator.workflow.targets import decoder, losses, writer
from ...state.codec import complaints, copied, stored, taker
from ...state.errors import InvalidInput
from ...state.ids import check_name
from ...state.quantities import Duration, count, positive
from .callables import OneStep
from .endpoint import Endpoint
from .port import CURRENT, MODEL_RETRY, MODEL_TIMEOUT, Calls, Foreign, Turn


class Made(NamedTuple):
    """What an agent is made with, where an Agent has its model: nothing is asked of it but its name."""

    name: str


class ForeignAgent:
    """An agent from elsewhere: ``ForeignAgent("research", PydanticAI(agent))``, or of any callable.

    - ``answers``: an object with ``answer`` (see ``Foreign``), or a callable of the input, or of the input and the
      past. A callable is one step: it is called as a whole, and recorded as a whole.
    - ``input``: the type of a run's input and of messages. ``output``: that of its answers; without a word, what
      ``answers`` says.
    - ``history``: how many turns of a session are handed to the next one.
    - ``retry``, ``timeout``: of one model call, or of a callable as a whole. ``tool_retry``, ``tool_timeout``: of one
      tool call.
    - ``irreversible``: tools that are begun at most once: of one that may have run when its process died, nobody says
      that it did not, and it is not called again.
    - ``approval``: who must approve the calls of a tool: roles by the names of tools. ``approval_within``: how long
      that may take.
    - ``uses``: agents, workflows and tools that it reaches, which are served with it.

    Raises InvalidInput for what can't work.
    """

    kind = "agent"

    def __init__(
        self,
        name: str,
        answers: Foreign | Callable[..., Any],
        *,
        input: Any = str,
        output: Any = None,
        description: str = "",
        history: int = 50,
        retry: Retry = MODEL_RETRY,
        timeout: Duration | None = MODEL_TIMEOUT,
        tool_retry: Retry | None = None,
        tool_timeout: Duration | None = None,
        irreversible: Iterable[str] = (),
        approval: Mapping[str, str] | None = None,
        approval_within: Duration | None = None,
        uses: Iterable[object] = (),
    ) -> None:
        self.name = check_name(name, "agent", for_models=True)
        said: dict[str, Any] = {} if retry is MODEL_RETRY else {"retry": retry}
        said |= {} if timeout is MODEL_TIMEOUT else {"timeout": timeout}
        seen = inspect.iscoroutinefunction(getattr(answers, "answer", None))
        self.foreign: Foreign = (
            cast("Foreign", answers) if seen else OneStep(cast("Callable[..., Any]", answers), **said)
        )
        self.description = description
        self.input = input
        self.output: Any = getattr(self.foreign, "output", str) if output is None else output
        try:
            self.turns = count(history, 0, "history, a number of turns,")
            Policy(retry, timeout)
            Policy(tool_retry or retry, tool_timeout)
            if approval_within is not None:
                positive(approval_within, "approval_within")
        except ValueError as error:
            raise InvalidInput(f"agent {self.name!r}: {error}") from None
        self.calls = Calls(
            retry, timeout, tool_retry, tool_timeout, frozenset(irreversible), dict(approval or {}), approval_within
        )
        self._seen_into(said)
        self.tools = tuple(uses)
        self.settings: dict[str, Any] = {}
        self.model = Made(self.foreign.name)
        self.models: tuple[Made, ...] = ()  # none that anything could be known against

    def __repr__(self) -> str:
        return f"ForeignAgent({self.name!r}, {self.foreign.name})"

    def _seen_into(self, said: Mapping[str, Any]) -> None:
        """Raises InvalidInput for what is said of calls that nobody sees: it would not hold, and nothing would tell."""
        tools: dict[str, object] = {"irreversible": self.calls.irreversible, "approval": self.calls.approval}
        tools |= {"tool_retry": self.calls.tool_retry, "tool_timeout": self.calls.tool_timeout}
        unheld = [name for name, given in tools.items() if given]
        if getattr(self.foreign, "whole", False) and unheld:
            raise InvalidInput(
                f"agent {self.name!r}: {', '.join(unheld)} can't hold, since {self.foreign.name} is called as a whole "
                "and nobody sees its tools; make them tools of an Agent, or steps and approvals of a workflow"
            )
        if isinstance(self.foreign, Endpoint) and said:
            raise InvalidInput(f"agent {self.name!r}: say {' and '.join(said)} on its Endpoint(…)")

    # -- as the engine sees it -----------------------------------------------------------------------

    def check(self, value: Any) -> Any:
        """The input, or a message's content, as plain JSON. Raises InvalidInput that names the fields, or says why what
        it answers could not be recorded."""
        if self.lost:
            raise InvalidInput(self.lost)
        try:
            return taker(self.input)(value)
        except InvalidInput as error:
            cause = error.__cause__
            wrong = complaints(cause, "input") if isinstance(cause, ValueError) else error
            raise type(error)(f"the input of {self.name} does not fit: {wrong}") from None

    def decider(self, id: str) -> SessionDecider:
        return SessionDecider(self, id)

    @cached_property
    def lost(self) -> str:
        """Why it can't run, whatever it is asked. "": it can."""
        try:
            decoder(self.input, f"the input of {self.name!r}")
            return self._unknown() or losses(self.output, f"what {self.name!r} answers")
        except InvalidInput as error:
            return str(error)

    def _unknown(self) -> str:
        """Why what is said of a tool can't hold: there is none of that name. "" where all are there or nobody knows.
        Looked at when it is first asked, since tools may be added to an agent after it is given here."""
        known: Collection[str] | None = getattr(self.foreign, "tools", None)
        if known is None:
            return ""
        for said, names in (("approval", self.calls.approval), ("irreversible", self.calls.irreversible)):
            for name in sorted(set(names) - set(known)):
                there = f"it has {', '.join(sorted(known))}" if known else "it has none"
                return f"agent {self.name!r} has no tool {name!r}, of which {said}= says something; {there}"
        return ""

    def function(self) -> FunctionType:
        """A plain function that stands for this agent where a platform loads one by its name, as Functions Framework
        does."""
        from ..framework.server import function_for

        here = inspect.currentframe()
        module = here.f_back.f_globals.get("__name__", "") if here is not None and here.f_back is not None else ""
        return function_for(self, module=str(module))

    # -- as its sessions see it ----------------------------------------------------------------------

    def once(self) -> Life:
        return Life(self, "", (), session=False)

    def turn(self, prefix: str, past: Sequence[Any]) -> Life:
        return Life(self, prefix, past, session=True)


class Life:
    """The code of one turn, as its decider sees a workflow."""

    policy: Policy = DEFAULT

    def __init__(self, agent: ForeignAgent, prefix: str, past: Sequence[Any], *, session: bool) -> None:
        self.name = agent.name
        self._agent = agent
        self._prefix = prefix
        self._past = past
        self._session = session
        self._turn: Turn | None = None

    @property
    def place(self) -> str:
        return f"the agent {self.name}"

    def body(self, ctx: Context, input: Any) -> Coroutine[Any, Any, Any]:
        """The coroutine of the turn. Raises InvalidInput."""
        decode = decoder(self._agent.input, f"the input of {self.name!r}")
        try:
            typed = copied(input) if decode is None else decode(input)
        except ValueError as error:
            raise InvalidInput(f"the input of {self.name} is not valid: {complaints(error, 'input')}") from None
        past = copied(list(self._past))
        self._turn = Turn(TurnContext.within(ctx, self._prefix), typed, past, self._agent.calls)
        return self._answered(self._turn, input)

    async def _answered(self, turn: Turn, input: Any) -> Any:
        CURRENT.set(turn)
        value = await self._agent.foreign.answer(turn)
        written = self._written(value)
        if turn.kept is None:
            turn.keep([{"role": "user", "content": input}, {"role": "assistant", "content": written}])
        return written

    def _written(self, value: Any) -> Any:
        what = f"what {self.name!r} answers"
        try:
            return writer(self._agent.output, what)(value)
        except InvalidInput as error:
            raise type(error)(f"the answer of {self.name} can't be recorded: {error}") from None

    def accept(self, value: Any, limit: int | None = None) -> Any:
        return stored(value, limit)

    def result(self, value: Any) -> Any:
        """What is recorded. Raises InvalidInput when what was kept has no JSON form."""
        if not self._session:
            return value
        kept = self._turn.kept if self._turn is not None else None
        return {"value": value, "kept": stored(kept or [])}
