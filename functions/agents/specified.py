"""An agent as its loop sees it: what ``orchestrator.agent.spec.AgentSpec`` asks for of an ``Agent``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from itertools import chain
from typing import Any, Self

from ...orchestrator.agent.around import AS_ALWAYS, Asked, ModelUse
from ...orchestrator.agent.conversation import READER, Message, Window
from ...orchestrator.agent.observations import told
from ...orchestrator.agent.routing import Choice, Question
from ...orchestrator.agent.spec import Listing, OutputChecks
from ...orchestrator.errors.failures import Failure
from ...orchestrator.governance.budgets.bound import Bound
from ...orchestrator.governance.budgets.held import NO_MEANS, Held
from ...orchestrator.governance.budgets.hold import Terms
from ...orchestrator.usercode.resilience import Policy
from ...state.codec import dumps, taker
from ..models.hosts import Hosts
from ..models.port import Request, ToolSchema
from ..models.prices import Prices
from ..models.routing import Routing
from ..tools.tool import Tool
from .asking import Asking
from .checking import Checks
from .child import ChildTool
from .choice import FREE, Choosing, possible, showing
from .choice import request as asking
from .handoff import Handoff
from .hooks import Hook
from .instructions import Told
from .output import Output
from .paying import Paying
from .reading import reader
from .subagents import TaskTool
from .terms import terms, weight
from .toolbox import Hand, Toolbox


class Specified:
    """The half of an ``Agent`` that its loop knows. Set by the other half."""

    name: str
    input: Any
    settings: dict[str, Any]
    prices: Mapping[str, Prices]
    hooks: tuple[Hook, ...]
    budgets: tuple[Bound, ...]
    window: Window
    parallel: bool | None
    _routing: Routing
    _hosts: Hosts
    _policy: Policy
    _hasty: Policy
    _told: Told
    _output: Output
    _checks: Checks
    _toolbox: Toolbox
    _hand: Hand
    _handing: dict[str, Handoff]
    _choice: Choosing

    @property
    def _tools(self) -> dict[str, Tool | ChildTool | TaskTool]:
        return self._hand.tools

    def model_named(self, name: str) -> str:
        return self._routing.named(name)

    def model_policy(self, name: str, route: str) -> Policy:
        return self._policy if self._routing.last(name, route) else self._hasty

    @property
    def routes(self) -> bool:
        return self._routing.by is not None

    def choose(self, question: Question) -> Choice:
        return self._routing.choose(question)

    def instead(self, error: Failure, name: str, route: str) -> Choice | None:
        return self._routing.instead(error, name, route)

    @property
    def typed(self) -> bool:
        return self._output.typed

    @property
    def tools(self) -> tuple[object, ...]:
        """The Tools, agents and workflows it may call, and the agents it may hand over to."""
        several = [(tool,) if isinstance(tool, Tool) else tool.functions for tool in self._tools.values()]
        return (*chain.from_iterable(several), *(handoff.agent for handoff in self._handing.values()))

    @property
    def checks(self) -> OutputChecks | None:
        return self._checks or None

    def concludes(self, tool: str) -> bool:
        return self._output.typed and tool not in self._tools and tool in self._output.names

    def conclude(self, tool: str, arguments: str) -> Any:
        return self._output.conclude(tool, arguments)

    def find(self, tool: str) -> Tool | ChildTool | TaskTool | Handoff | None:
        found = self._tools.get(tool) or self._hand.beside.get(tool) or self._handing.get(tool)
        return found or (self._reader if tool == READER else None)

    @cached_property
    def _reader(self) -> Tool:
        return reader(children=not any(hook.looks_after for hook in self.hooks), most=self.window.result)

    def handoff(self, tool: str) -> Handoff | None:
        return self._handing.get(tool)

    def about(self, content: Any) -> Any:
        return dumps(content) if self.input is str and not isinstance(content, str) else content

    @property
    def listing(self) -> Listing | None:
        return self._asking if self._toolbox.servers else None

    @cached_property
    def _asking(self) -> Listing:
        from .listing import Servers

        return Servers(self._toolbox, {name for hook in self.hooks for name in hook.tools or ()})

    def offering(self, listed: dict[str, Any] | None) -> Self:
        if listed is None or not self._toolbox.servers:
            return self
        other = copy(self)
        other.__dict__.pop("_terms", None)
        other._hand = self._toolbox.listed(listed)
        return other

    def narrows(self, tool: str, value: Any) -> Collection[str] | None:
        return self._hand.narrows(tool, value)

    def keeps(self, tool: str) -> str:
        return self._hand.noted(tool, "keeps") or ""

    def recalls(self, tool: str) -> str:
        return self._hand.noted(tool, "recalls") or ""

    def tool_names(self) -> Sequence[str]:
        return [*self._tools, *self._hand.beside, *self._handing]

    def choice(self, content: Any, offered: Sequence[str] | None, asked: Asked) -> str:
        chosen = self._chosen(content, asked)
        if chosen in FREE:
            return chosen
        names = [schema.name for schema in self._tool_schemas()]
        return possible(chosen, showing(names, self._output.names, self._among(offered), asked, chosen), asked)

    def _chosen(self, content: Any, asked: Asked) -> str:
        free = self._choice.free
        return asked.choice or ("auto" if free else self._choice.of(content, asked.called, self.tool_names()))

    def _among(self, offered: Sequence[str] | None) -> Collection[str] | None:
        return None if offered is None else {*offered, *self._hand.beside, *self._handing}

    @property
    def selects(self) -> bool:
        return self._hand.selected is not None and self._hand.selected.needed

    def select(self, content: Any, called: Sequence[str]) -> tuple[tuple[str, ...], str]:
        return ((), "") if self._hand.selected is None else self._hand.selected.select(content, called)

    def think(
        self,
        messages: Sequence[Message],
        content: Any,
        name: str,
        offered: Sequence[str] | None = None,
        asked: Asked = AS_ALWAYS,
        means: Held = NO_MEANS,
    ) -> Callable[[], Awaitable[dict[str, Any]]]:
        """A function that asks the model of that name and gives the answer's JSON."""
        request = partial(self.request, messages, content, name, offered, asked)
        paying = partial(self._paying, name, content, offered)
        return Asking(self._routing.models[name], request, self.prices, self._hosts, means, paying)

    def _paying(self, name: str, content: Any, offered: Sequence[str] | None, means: Held) -> Paying:
        return Paying(means, partial(self.terms, name, content, offered), self._counts)

    def _counts(self, tool: str) -> bool:
        return self.find(tool) is not None and self.handoff(tool) is None and not self.concludes(tool)

    def terms(self, name: str, content: Any, offered: Sequence[str] | None) -> Terms:
        model = self._routing.models[name]
        known = self._terms.get(key := (name, offered))
        if known is None:
            among = self._among(offered)
            shown = [one for one in self._tool_schemas() if among is None or one.name in among]
            prices = self.prices.get(name) or self.prices.get("")
            known = self._terms[key] = terms(model, self.settings, prices, weight("", shown))
        return known._replace(beside=known.beside + len(self._system(content)))

    @cached_property
    def _terms(self) -> dict[tuple[str, Sequence[str] | None], Terms]:
        return {}

    def parse(self, text: str) -> Any:
        """The final answer as plain JSON of the output type. Raises InvalidInput that says what is wrong, whatever the
        code of that type raises."""
        return self._output.parse(text)

    def used(
        self,
        messages: Sequence[Message],
        content: Any,
        name: str,
        offered: Sequence[str] | None,
        asked: Asked,
        step: int,
    ) -> ModelUse:
        request = self.request(messages, content, name, offered, asked)
        tools = tuple(schema.name for schema in request.tools if schema.name not in self._output.names)
        models = tuple(self._routing.models)
        return ModelUse(name, models, request.messages, tools, request.settings, step, request.choice)

    def finish(self, value: Any) -> Any:
        return taker(self._output.annotation)(value) if self.typed else told(value)

    def request(
        self,
        messages: Sequence[Message],
        content: Any = None,
        name: str = "",
        offered: Sequence[str] | None = None,
        asked: Asked = AS_ALWAYS,
    ) -> Request:
        """What the model of that name is asked, given the conversation, what its last turn is about, and which of its
        tools it is offered (None: all); ``asked`` is what is different this time."""
        system = "\n\n".join(filter(None, (self._system(content), asked.instructions)))
        return asking(
            name or self._routing.first,
            (Message("system", system), *messages) if system else tuple(messages),
            self._tool_schemas(),
            self._output.native,
            self.settings,
            finals=self._output.names,
            offered=self._among(offered),
            asked=asked,
            choice=self._chosen(content, asked),
            parallel=self.parallel,
            reader=self._reader,
        )

    def _system(self, content: Any) -> str:
        words = self._told(content)
        return f"{words}\n\n{self._output.words}".strip() if self.typed else words

    def _tool_schemas(self) -> tuple[ToolSchema, ...]:
        return (*self._hand.schemas, *(one.schema for one in self._handing.values()), *self._output.offered)
