"""``Agent``: instructions, a model and tools, run as a durable function.

An agent is a plain object without state. Started with an input it runs once and completes with its output;
sent messages under a session's id it lives on and answers each of them. Limits hold for one run, or for
each message of a session.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from types import FunctionType
from typing import Any, Generic, cast, get_args

from pydantic_core import ValidationError
from typing_extensions import TypeForm, TypeVar

from ...orchestrator.agent.around import AS_ALWAYS, Asked, ModelUse
from ...orchestrator.agent.conversation import READER, Message
from ...orchestrator.agent.decider import AgentLoop
from ...orchestrator.agent.observations import told
from ...orchestrator.agent.routing import Choice, Question
from ...orchestrator.agent.spec import Listing, OutputChecks
from ...orchestrator.errors.failures import Failure
from ...orchestrator.protocol.media import is_parts, meant
from ...orchestrator.usercode.resilience import Breaker, Policy, Retry
from ...orchestrator.workflow.targets import decoder as known_as
from ...orchestrator.workflow.targets import losses
from ...security.redaction import holds_a_secret, remember
from ...state.codec import decoder, form, taker
from ...state.errors import InvalidInput
from ...state.formless import FORMLESS, reason
from ...state.ids import check_name
from ...state.quantities import Duration
from ..models.hosts import Hosts
from ..models.port import Model, Request
from ..models.prices import PriceList, price_list
from ..models.routing import Route, Routing, hasty
from ..tools.parameters import complaint
from ..tools.selection import Selection
from ..tools.tool import Tool
from .asking import Asking
from .checking import Validator, checks
from .child import ChildTool
from .choice import Choosing, ToolChoice
from .choice import request as asking
from .compacting import beside, compactors
from .hooks import Hook, known_to
from .hooks import hooks as hooks_of
from .instructions import Instructions, Told
from .limits import DEFAULT_HISTORY, DEFAULT_LIMITS, History, Limits, window
from .narrowing import narrowed
from .output import Output, OutputMode
from .reading import reader
from .toolbox import Toolbox

MODEL_RETRY = Retry(attempts=10, first="500ms", most="10m")

Out_co = TypeVar("Out_co", covariant=True, default=str)
V = TypeVar("V", bound=Validator)


class Agent(Generic[Out_co]):
    """A model with instructions and tools. ``Agent[Resolution]`` is one whose final answer is a Resolution.

    - ``model``: a name ("openai/gpt-5-mini", "scripted:echo") or an object with the Model protocol; several in a list,
      of which the next is asked when one can't answer; or a Route, which chooses for each call.
    - ``instructions``: the system prompt, or a pure function that makes it from what this turn is about (the
      input of a run, the content of a message), which it gets as the type ``input``; or a ``Template`` in a file, whose
      variables are the fields of it; or several of these in a list.
    - ``tools``: ``@tool`` functions, plain functions, toolsets, workflows and other agents; the last two run as
      children.
    - ``output``: the type of the final answer, whatever it is: a model, a dataclass, a union, a list …; str: any text.
      ``output_mode``: how it is asked for: by the provider's own mode ("native"), a tool for each member of a union
      ("tool"), in words ("prompt"), or in words and by the provider's mode where it is known to have one ("auto").
      ``output_validator``: a function, plain or async, of the typed answer, or of it and the input; it returns the
      answer or another one, or raises ModelRetry to make the model try again. Several in a list;
      ``@agent.output_validator`` adds one.
    - ``input``: the type of a run's input and of messages. One that takes text takes it with images, sounds and files
      (``image``, ``audio``, ``file``) in a list too; ``media_hosts`` are the hosts of which they may name addresses.
    - ``history``: how much of the conversation the model reads: "64KB", a number of messages, or a History, which may
      bound tokens too and say what is done when it is more (``compaction``).
    - ``hooks``: functions that are asked before a run, a model call or a tool call, or about what came of it: a Hook,
      or several in a list.
    - ``selection``: with many tools, which of them the model is offered.
    - ``tool_choice``: whether it must call one: "auto", "required", "none" or a tool's name, or a pure function of the
      input that returns one of these; once that was called, it is free. ``parallel_calls``: whether it may call several
      at once; False: they are made one after the other.
    - ``retry``, ``timeout``, ``breaker``: how one model call is made.
    - ``settings``: passed to the provider (temperature, api_base …).
    - ``prices``: what tokens cost, where that is not the provider's list price: Prices, or a mapping of them by the
      name of the model that answers.

    Raises InvalidInput for what can't work.
    """

    kind = "agent"

    def __init__(
        self,
        name: str,
        model: str | Model | Sequence[str | Model] | Route,
        instructions: Instructions = "",
        tools: Iterable[object] = (),
        output: TypeForm[Out_co] = str,  # type: ignore[assignment]  # pyright: ignore[reportArgumentType]  # TypeVar's default
        limits: Limits = DEFAULT_LIMITS,
        *,
        input: Any = str,
        history: History | str | int = DEFAULT_HISTORY,
        description: str = "",
        retry: Retry = MODEL_RETRY,
        timeout: Duration | None = "5m",
        breaker: Breaker | None = None,
        settings: Mapping[str, Any] | None = None,
        prices: PriceList | None = None,
        output_mode: OutputMode = "auto",
        output_validator: Validator | Sequence[Validator] | None = None,
        media_hosts: Sequence[str] | str = (),
        hooks: Hook | Sequence[Hook] = (),
        selection: Selection | None = None,
        tool_choice: ToolChoice = "auto",
        parallel_calls: bool | None = None,
    ) -> None:
        self.name = check_name(name, "agent", for_models=True)
        self._routing = Routing(model)
        self.description = description
        self.input = input
        self._hosts = Hosts(f"agent {name}", media_hosts)
        self.instructions = instructions
        self.limits = limits
        self._history = history
        self.compactors = compactors(self.name, history.compaction if isinstance(history, History) else ())
        self._policy = Policy(retry=retry, timeout=timeout, breaker=breaker)
        self._hasty = hasty(self._policy)
        self.settings = dict(settings or {})
        self.prices = price_list(name, prices)
        remember(*(value for key, value in self.settings.items() if isinstance(value, str) and holds_a_secret(key)))
        self.window = window(history, self.model.name)
        self.hooks = hooks_of(self.name, hooks)
        looked_at = any(hook.looks_after for hook in self.hooks)
        self._toolbox = Toolbox(self.name, tools, beside(self.compactors, children=not looked_at), selection)
        self._hand = self._toolbox.known
        self._choice = Choosing(self.name, tool_choice, self.input)
        self.parallel = parallel_calls
        if not self._toolbox.servers:  # what these have is not known yet
            known_to(self.name, self.hooks, self._tools)
            self._choice.known(self.tool_names())
        self._validators = output_validator
        self._answers(output, output_mode)

    def _answers(self, output: Any, mode: OutputMode) -> None:
        """The final answer is of that type, asked for in that mode."""
        self._output = Output(str if output is None else output, self.name, mode)
        self.output = cast("type[Out_co]", self._output.annotation)
        self._checks = checks(self.name, self._output.annotation, self.input, self._validators)
        if mode == "tool" and (taken := [name for name in self._output.names if name in self._tools]):
            raise InvalidInput(f"agent {self.name!r}: {taken[0]!r} is the tool that gives its answer; rename yours")

    def output_validator(self, validator: V) -> V:
        """A decorator: ask that function about every final answer, after those that are asked already."""
        self._checks.add(validator)
        return validator

    @property
    def __orig_class__(self) -> Any:
        """What it was made as: typing sets it after ``Agent[Resolution](…)``."""
        return Agent[self.output]  # type: ignore[name-defined]  # a type that is known at run time

    @__orig_class__.setter
    def __orig_class__(self, made: Any) -> None:
        given = get_args(made)
        if given and not self._output.typed and not isinstance(given[0], TypeVar):
            self._answers(given[0], self._output.mode)

    @property
    def _tools(self) -> dict[str, Tool | ChildTool]:
        return self._hand.tools

    def __repr__(self) -> str:
        return f"Agent({self.name!r}, model={self.model.name!r}, tools={list(self._tools)})"

    @property
    def model(self) -> Model:
        """The one that is asked first, where no rule chooses. May be set, to others too, as tests do."""
        return self.models[0]

    @model.setter
    def model(self, given: str | Model | Sequence[str | Model] | Route) -> None:
        self._routing = Routing(given)
        self.window = window(self._history, self.model.name)  # its tokenizer may be another

    @property
    def instructions(self) -> Instructions:
        """As they were given. May be set."""
        return self._instructions

    @instructions.setter
    def instructions(self, given: Instructions) -> None:
        self._told = Told(self.name, given, self.input)
        self._instructions = given

    @property
    def models(self) -> tuple[Model, ...]:
        """All that may be asked."""
        return tuple(self._routing.models.values())

    # -- as the engine sees it -----------------------------------------------------------------------

    def check(self, value: Any) -> Any:
        """The input (or a message's content) as plain JSON. Raises InvalidInput that names the fields, or says why
        what the agent or a tool of it returns could not be recorded."""
        if self.lost:
            raise InvalidInput(self.lost)
        if self.input is str and not isinstance(value, str):
            value = meant(value)
        if self.input in (str, Any) and is_parts(value):
            return self._hosts.checked(cast("list[Any]", value))
        try:
            found = taker(self.input)(value)
            typed = decoder(self.input)
            return found if typed is None or self.input is str else form(self.input).write(typed(found))
        except InvalidInput as error:
            cause = error.__cause__
            wrong = complaint(cause) if isinstance(cause, ValidationError) else error
            raise type(error)(f"the input of {self.name} does not fit: {wrong}") from None

    fits = check  # what hooks make of it

    @cached_property
    def lost(self) -> str:
        """Why it can't run, whatever it is asked: a type of its own or of a tool has no form, or no schema. "": it
        can."""
        try:
            return self._losses()
        except InvalidInput as error:
            return str(error)

    def _losses(self) -> str:
        known_as(self.input, f"the input of {self.name!r}")
        returned = losses(self.output, f"what agent {self.name!r} returns")
        try:
            self._output.describe()
        except FORMLESS as error:
            returned = returned or f"what agent {self.name!r} returns can't be described to a model ({reason(error)})"
        return next(filter(None, (returned, *(tool.lost for tool in self._tools.values()))), "")

    def decider(self, id: str) -> AgentLoop:
        return AgentLoop(id, self)

    def function(self) -> FunctionType:
        """A plain function that stands for this agent where a platform loads one by its name, as Functions
        Framework does: ``support_function = support.function()``. It may call what its module holds."""
        from ..framework.server import function_for

        here = inspect.currentframe()
        module = here.f_back.f_globals.get("__name__", "") if here is not None and here.f_back is not None else ""
        return function_for(self, module=str(module))

    # -- as its loop sees it -------------------------------------------------------------------------

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
        """The Tools, agents and workflows it may call."""
        return tuple(tool.function if isinstance(tool, ChildTool) else tool for tool in self._tools.values())

    @property
    def checks(self) -> OutputChecks | None:
        return self._checks or None

    def concludes(self, tool: str) -> bool:
        return self._output.typed and tool not in self._tools and tool in self._output.names

    def conclude(self, tool: str, arguments: str) -> Any:
        return self._output.conclude(tool, arguments)

    def find(self, tool: str) -> Tool | ChildTool | None:
        return self._tools.get(tool) or self._hand.beside.get(tool) or (self._reader if tool == READER else None)

    @cached_property
    def _reader(self) -> Tool:
        return reader(children=not any(hook.looks_after for hook in self.hooks))

    @property
    def listing(self) -> Listing | None:
        return self._asking if self._toolbox.servers else None

    @cached_property
    def _asking(self) -> Listing:
        from .listing import Servers

        return Servers(self._toolbox)

    def offering(self, listed: dict[str, Any] | None) -> Agent[Out_co]:
        if listed is None or not self._toolbox.servers:
            return self
        other = copy(self)
        other._hand = self._toolbox.listed(listed)
        return other

    def narrows(self, tool: str, value: Any) -> Collection[str] | None:
        return narrowed(self._tools, tool, value)

    def tool_names(self) -> Sequence[str]:
        return [*self._tools, *self._hand.beside]

    def choice(self, content: Any, called: Collection[str]) -> str:
        return "auto" if self._choice.free else self._choice.of(content, called, self.tool_names())

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
    ) -> Callable[[], Awaitable[dict[str, Any]]]:
        """A function that asks the model of that name and gives the answer's JSON."""
        request = partial(self.request, messages, content, name, offered, asked)
        return Asking(self._routing.models[name], request, self.prices, self._hosts)

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
        return taker(self.output)(value) if self.typed else told(value)

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
            name or self.model.name,
            (Message("system", system), *messages) if system else tuple(messages),
            self._hand.schemas + self._output.offered,
            self._output.native,
            self.settings,
            finals=self._output.names,
            offered=None if offered is None else {*offered, *self._hand.beside},
            asked=asked,
            choice=self.choice(content, asked.called),
            parallel=self.parallel,
            reader=self._reader,
        )

    def _system(self, content: Any) -> str:
        words = self._told(content)
        return f"{words}\n\n{self._output.words}".strip() if self.typed else words
