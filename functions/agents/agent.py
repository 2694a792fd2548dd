"""``Agent``: instructions, a model and tools, run as a durable function.

An agent is a plain object without state. Started with an input it runs once and completes with its output;
sent messages under a session's id it lives on and answers each of them. Limits hold for one run, or for
each message of a session.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from types import FunctionType
from typing import Any, Generic, Union, cast, get_args

from pydantic_core import ValidationError
from typing_extensions import TypeForm, TypeVar

from ...orchestrator.agent.decider import AgentLoop
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
from ..models.choosing import hosted
from ..models.hosts import Hosts
from ..models.port import Model
from ..models.prices import PriceList, price_list
from ..models.routing import Route, Routing, hasty
from ..tools.parameters import complaint
from ..tools.selection import Selection
from .budget import Budget, budgets_of
from .checking import Validator, checks
from .choice import Choosing, ToolChoice, together
from .compacting import beside, compactors
from .handoff import Handoff, handoffs, team, unfit
from .hooks import Hook, known_to
from .hooks import hooks as hooks_of
from .instructions import Instructions, Told
from .limits import DEFAULT_HISTORY, DEFAULT_LIMITS, History, Limits, window
from .output import Output, OutputMode
from .specified import Specified
from .subagents import delegating
from .toolbox import Toolbox

MODEL_RETRY = Retry(attempts=10, first="500ms", most="10m")

Out_co = TypeVar("Out_co", covariant=True, default=str)
V = TypeVar("V", bound=Validator)


class Agent(Specified, Generic[Out_co]):
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
    - ``handoffs``: agents, or Handoffs, that the conversation may be handed to. May be set later, for agents that hand
      over to each other.
    - ``hooks``: functions that are asked before a run, a model call or a tool call, or about what came of it: a Hook,
      or several in a list.
    - ``selection``: with many tools, which of them the model is offered.
    - ``tool_choice``: whether it must call one: "auto", "required", "none" or a tool's name, or a pure function of the
      input that returns one of these; once that was called, it is free. ``parallel_calls``: whether it may call several
      at once; False: they are made one after the other.
    - ``budgets``: what else may be used, for one model call, the session as a whole, or an account that executions
      share; Budgets in a list.
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
        handoffs: Iterable[object] = (),
        tool_choice: ToolChoice = "auto",
        parallel_calls: bool | None = None,
        budgets: Sequence[Budget] | Budget = (),
    ) -> None:
        self.name = check_name(name, "agent", for_models=True)
        self._routing = Routing(model)
        self.input = input
        self.description, self.instructions, self.limits = description, instructions, limits
        self._hosts = Hosts(f"agent {name}", media_hosts)
        self._budgets = budgets_of(name, budgets)
        self.budgets = self._routing.know(self._budgets)
        self._history, self._validators = history, output_validator
        self.compactors = compactors(self.name, history.compaction if isinstance(history, History) else ())
        self._policy = Policy(retry=retry, timeout=timeout, breaker=breaker)
        self._hasty = hasty(self._policy)
        self.settings = dict(settings or {})
        self.prices = price_list(name, prices)
        remember(*(value for key, value in self.settings.items() if isinstance(value, str) and holds_a_secret(key)))
        self.window = window(history, self.model.name)
        self.hooks = hooks_of(self.name, hooks)
        looked_at = any(hook.looks_after for hook in self.hooks)
        made: Callable[..., Agent] = partial(
            Agent, model=model, retry=retry, timeout=timeout, breaker=breaker, settings=settings, prices=prices,
            history=history, media_hosts=media_hosts, selection=selection, limits=limits,
        )  # fmt: skip
        tools, self._generals = delegating(self.name, list(tools), self.hooks, made)
        reading = beside(self.compactors, children=not looked_at, most=self.window.result)
        self._toolbox = Toolbox(self.name, tools, reading, selection)
        self._hand = self._toolbox.known
        self._choice = Choosing(self.name, tool_choice, self.input)
        self.parallel = together(self.name, parallel_calls)
        self._handing: dict[str, Handoff] = {}
        self.handoffs = handoffs
        if not self._toolbox.servers:  # what these have is not known yet
            known_to(self.name, self.hooks, {*self._tools, *self._handing})
            self._choice.known(self.tool_names())
        self._answers(output, output_mode)

    def _answers(self, output: Any, mode: OutputMode) -> None:
        """The final answer is of that type, asked for in that mode."""
        self._output = Output(str if output is None else output, self.name, mode)
        self.output = cast("type[Out_co]", self._output.annotation)
        self._checks = checks(self.name, self._output.annotation, self.input, self._validators)
        taken = [name for name in self._output.names if name in self._tools or name in self._handing]
        if mode == "tool" and taken:
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
        self.budgets = self._routing.know(self._budgets)
        self.__dict__.pop("_terms", None)
        for one in self._generals:
            one.model = given

    @property
    def instructions(self) -> Instructions:
        """As they were given. May be set."""
        return self._instructions

    @instructions.setter
    def instructions(self, given: Instructions) -> None:
        self._told = Told(self.name, given, self.input)
        self._instructions = given

    @property
    def handoffs(self) -> tuple[Handoff, ...]:
        """To whom it may hand the conversation. May be set. Raises InvalidInput."""
        return tuple(self._handing.values())

    @handoffs.setter
    def handoffs(self, given: Iterable[object]) -> None:
        self._handing = handoffs(self.name, given, (*self._tools, *self._hand.beside))

    @property
    def outputs(self) -> Any:
        """The type of what a run gives, whoever of the agents that it may be handed to has it in the end."""
        others = tuple(one.output for one in team(self).values()) if self._handing else ()
        return Union[others] if others else self.output  # noqa: UP007  # made at run time

    @property
    def models(self) -> tuple[Model, ...]:
        """All that may be asked."""
        return tuple(self._routing.models.values())

    # -- as the engine sees it -----------------------------------------------------------------------

    def check(self, value: Any) -> Any:
        """The input (or a message's content) as plain JSON. Raises InvalidInput that names the fields, or says why
        what the agent or a tool of it returns could not be recorded."""
        if lost := self.lost or (unfit(self) if self._handing else ""):
            raise InvalidInput(lost)
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

    def altered(self, model: str, instructions: str) -> Agent[Any]:
        other = copy(self)
        other.__dict__.pop("_terms", None)
        other._generals = []  # those are this one's
        if model:
            known = (one for one in self.models if one.name == model or one.name.endswith(f"/{model}"))
            other.model = next(known, None) or hosted(model)
        if instructions:
            other.instructions = instructions
        return other

    def colleague(self, name: str) -> Agent[Any] | None:
        return self if name == self.name else cast("Agent[Any] | None", team(self).get(name))
