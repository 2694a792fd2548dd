"""What the agent loop asks of an agent, without knowing where agents come from.

Everything here but ``think``'s and ``invoke``'s results is pure: asked twice, it answers the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, NamedTuple, Protocol

from ...state.codec import Writer
from ..errors.failures import Failure
from ..governance.approvals.rule import Approval
from ..governance.budgets.bound import Bound
from ..governance.budgets.held import Held
from ..governance.budgets.hold import Terms
from ..governance.usage import Allowance
from ..usercode.resilience import Policy
from .around import Asked, ModelReply, ModelUse, RunUse
from .conversation import Message, Window
from .leaving import Compactor, Leaving
from .routing import Choice, Question

Taking = Callable[[Any], Any]
"""Gives a value as plain JSON of a type, or raises InvalidInput."""


class ToolSpec(Protocol):
    """One tool as the loop sees it. Arguments are plain JSON objects."""

    @property
    def name(self) -> str: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def threaded(self) -> bool:
        """A plain function: it runs in a thread."""
        ...

    @property
    def pure(self) -> bool:
        """It changes nothing."""
        ...

    @property
    def child(self) -> str:
        """Name of the agent or workflow that a call starts, or of those that it may; "" for a function."""
        ...

    @property
    def approval_within(self) -> int:
        """Milliseconds after which an approval that nobody decided counts as denied."""
        ...

    @property
    def most(self) -> int | None:
        """How many calls of it a model may ask for in a turn; None: as many as it wants."""
        ...

    def check(self, arguments: dict[str, Any]) -> None:
        """Raises InvalidInput that says which parameter is wrong and how."""
        ...

    def rule(self, arguments: dict[str, Any]) -> Approval | None:
        """Who must approve this call first; None: nobody. Raises InvalidInput when that can't be told."""
        ...

    @property
    def version(self) -> str:
        """What an approval of a call is bound to; "" for what is never approved."""
        ...

    def starts(self, arguments: dict[str, Any]) -> str:
        """Name of the one that is started by a call with these."""
        ...

    def input(self, arguments: dict[str, Any]) -> Any:
        """The input of the child execution, as plain JSON."""
        ...

    def invoke(self, arguments: dict[str, Any]) -> Any:
        """Call the function; its result or an awaitable of it."""
        ...

    @property
    def elsewhere(self) -> Policy | None:
        """How the function is reached where another process makes its calls; None: it is called here."""
        ...

    def send(self, arguments: dict[str, Any]) -> Awaitable[Any]:
        """Have the call made elsewhere; its result. Raises Pending while there is none, and what it raised there."""
        ...

    @property
    def write(self) -> Writer:
        """Makes plain JSON of the result. Raises InvalidInput when it does not fit or would not come back as it is."""
        ...


class HandoffSpec(Protocol):
    """A tool whose call hands the conversation to another agent (``handing``)."""

    @property
    def to(self) -> str:
        """The name of that agent."""
        ...

    def stands(self, leaving: Leaving, told: str) -> str | None:
        """What the other one reads in the place of all that is in the conversation beside what the turn is about; None:
        it reads all of it. ``told`` is what it is told in any case. Raises InvalidInput."""
        ...


class OutputChecks(Protocol):
    """The validators of an agent's final answers, called together as one step."""

    @property
    def name(self) -> str: ...

    @property
    def policy(self) -> Policy: ...

    @property
    def threaded(self) -> bool:
        """Plain functions: they run in a thread."""
        ...

    def call(self, value: Any, content: Any) -> Callable[[], Any]:
        """A function that asks them about an answer, whose turn is about ``content``. What it gives, or its awaitable,
        is None when they take it, ``{"value": …}`` when they make another one of it, ``{"retry": why}`` when the model
        is to try again."""
        ...


class Listing(Protocol):
    """The servers of tools of an agent, asked together as one step."""

    @property
    def name(self) -> str: ...

    @property
    def policy(self) -> Policy: ...

    def call(self, known: dict[str, Any] | None) -> Callable[[], Awaitable[dict[str, Any]]]:
        """A function that asks them for their tools. It gives a listing as plain JSON, or ``{"same": digest}`` when
        that is the one that is known."""
        ...


class ToolUse(NamedTuple):
    """A tool call as hooks see it: the tool's name, the arguments as plain JSON, the model's id of the call."""

    tool: str
    arguments: dict[str, Any]
    id: str


class HookSpec(Protocol):
    """Functions that look at tool calls and their outcomes (``hooking``), at runs and at model calls (``gating``)."""

    @property
    def name(self) -> str: ...

    @property
    def failing(self) -> str:
        """What it means when it fails: "pass", "refuse" or "end"."""
        ...

    @property
    def policy(self) -> Policy: ...

    def threaded(self, place: str) -> bool:
        """Whether the function for that place ("before_tool", "after_run" …) is a plain one: it runs in a thread."""
        ...

    @property
    def looks_before(self) -> bool: ...

    @property
    def looks_after(self) -> bool: ...

    def minds(self, tool: str) -> bool:
        """Whether it looks at calls of that tool."""
        ...

    def before(self, use: ToolUse) -> Callable[[], Any]:
        """A function that says what it has to say of a call, as plain JSON, or an awaitable of it."""
        ...

    def after(self, use: ToolUse, outcome: str) -> Callable[[], Any]:
        """The same for what the model would read as the outcome."""
        ...

    @property
    def places(self) -> Collection[str]:
        """Where else it looks: "before_run", "before_model", "after_model", "after_run"."""
        ...

    def begin(self, run: RunUse, fits: Taking, finish: Taking) -> Callable[[], Any]:
        """The same for a run. ``fits`` and ``finish`` take another input, and an output, as plain JSON."""
        ...

    def ask(self, use: Callable[[], ModelUse]) -> Callable[[], Any]:
        """The same for a model call."""
        ...

    def answer(self, use: Callable[[], ModelUse], reply: ModelReply) -> Callable[[], Any]:
        """The same for what the model has answered."""
        ...

    def end(self, run: RunUse, output: Any, finish: Taking) -> Callable[[], Any]:
        """The same for the output of a run."""
        ...


class AgentSpec(Protocol):
    """An agent as the loop sees it."""

    @property
    def name(self) -> str: ...

    def model_named(self, name: str) -> str:
        """The model to ask when ``name`` was chosen: the first one, when that is "" or the agent has it no more."""
        ...

    def model_policy(self, name: str, route: str) -> Policy:
        """How a call of that model is made, which was taken from a route."""
        ...

    @property
    def routes(self) -> bool:
        """Whether a model is chosen for each call."""
        ...

    def choose(self, question: Question) -> Choice:
        """Which model is to answer. Raises InvalidInput when that can't be told."""
        ...

    def instead(self, error: Failure, name: str, route: str) -> Choice | None:
        """What may heal a final error of that model's call: another model, or the same with a shorter past. None:
        nothing."""
        ...

    @property
    def limits(self) -> Allowance: ...

    @property
    def budgets(self) -> Sequence[Bound]: ...

    def terms(self, name: str, content: Any, offered: Sequence[str] | None) -> Terms:
        """What is known of the model of that name before it is asked in a turn about that."""
        ...

    @property
    def window(self) -> Window: ...

    @property
    def compactors(self) -> Sequence[Compactor]:
        """What is tried, in this order, when the conversation does not fit into the window."""
        ...

    @property
    def hooks(self) -> Sequence[HookSpec]: ...

    @property
    def typed(self) -> bool:
        """Whether the final answer must fit an output type."""
        ...

    @property
    def checks(self) -> OutputChecks | None:
        """Its validators; None when it has none."""
        ...

    @property
    def listing(self) -> Listing | None:
        """Its servers of tools; None when all of its tools are known without asking."""
        ...

    def offering(self, listed: dict[str, Any] | None) -> AgentSpec:
        """The agent with the tools of a listing."""
        ...

    def find(self, tool: str) -> ToolSpec | None: ...

    def handoff(self, tool: str) -> HandoffSpec | None:
        """What a call of that tool hands the conversation over by; None for any other tool."""
        ...

    def altered(self, model: str, instructions: str) -> AgentSpec:
        """The agent with another model and other instructions, "" for its own."""
        ...

    def colleague(self, name: str) -> AgentSpec | None:
        """The agent of that name: this one, or one that it, or one of those, hands over to."""
        ...

    def about(self, content: Any) -> Any:
        """The content of a message as this agent takes it, whoever it was sent to."""
        ...

    def narrows(self, tool: str, value: Any) -> Collection[str] | None:
        """Which tools may still be called in a turn, after that result of a call of that tool; None: as before."""
        ...

    def keeps(self, tool: str) -> str:
        """Under which key the last result of that tool is kept (``keeping``); "": it is not."""
        ...

    def recalls(self, tool: str) -> str:
        """The key of what a call of that tool reads; "": it is a tool as any other."""
        ...

    def concludes(self, tool: str) -> bool:
        """Whether a call of that tool is the final answer."""
        ...

    def conclude(self, tool: str, arguments: str) -> Any:
        """``parse`` for the arguments, a JSON object, of a call of such a tool."""
        ...

    def tool_names(self) -> Sequence[str]: ...

    def choice(self, content: Any, offered: Sequence[str] | None, asked: Asked) -> str:
        """Which tool a model must call that was ``asked`` so in a turn about that: "auto", "required", "none" or a
        name. What it is not shown, or may not call, it need not. Raises InvalidInput."""
        ...

    @property
    def parallel(self) -> bool | None:
        """Whether calls of one answer are made at once; None: they are, and the provider decides whether it asks for
        several."""
        ...

    @property
    def selects(self) -> bool:
        """Whether it has so many tools that some are selected."""
        ...

    def select(self, content: Any, called: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """Which tools are offered in a turn about that, and why. ``called`` are those called before it, the latest
        first. Raises InvalidInput."""
        ...

    def think(
        self,
        messages: Sequence[Message],
        content: Any,
        name: str,
        offered: Sequence[str] | None,
        asked: Asked,
        means: Held,
    ) -> Callable[[], Any]:
        """A function that asks the model of that name; its awaitable gives the answer's JSON (see ``answer``).
        ``content`` is the input or message that the current turn is about, as plain JSON; ``offered`` are the tools
        that it is shown, None: all; ``asked`` is what is different this time, ``means`` what budgets leave for it."""
        ...

    def used(
        self,
        messages: Sequence[Message],
        content: Any,
        name: str,
        offered: Sequence[str] | None,
        asked: Asked,
        step: int,
    ) -> ModelUse:
        """What ``think`` would ask, for hooks. Raises what code of the user's raises."""
        ...

    def fits(self, value: Any) -> Any:
        """An input of its as plain JSON. Raises InvalidInput."""
        ...

    def finish(self, value: Any) -> Any:
        """A final answer that no model gave, as plain JSON of the output type. Raises InvalidInput."""
        ...

    def parse(self, text: str) -> Any:
        """The final answer as plain JSON of the output type. Raises InvalidInput that says what is wrong."""
        ...
