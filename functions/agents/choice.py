"""Whether a model must call a tool (``Agent(tool_choice=…)``), and what it is asked with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any

from ...orchestrator.agent.around import Asked
from ...orchestrator.agent.conversation import READER, Message
from ...orchestrator.usercode.calling import judged
from ...state.codec import copied, decoder
from ...state.errors import InvalidInput
from ..models.port import OutputSchema, Request, ToolSchema
from ..tools.tool import Tool

ToolChoice = str | Callable[[Any], str]
"""auto · required: some tool · none · the name of one; or a plain function of the input that returns one of these."""
WORDS = ("auto", "required", "none")
FREE = ("auto", "none")
"""Those by which no tool must be called."""


class Choosing:
    """The choice of the agent ``agent``, for inputs of the type ``input``. Raises InvalidInput for what can't work."""

    def __init__(self, agent: str, given: ToolChoice, input: Any) -> None:
        self._agent = agent
        self._input = input
        if not isinstance(given, str) and (not callable(given) or iscoroutinefunction(given)):
            raise InvalidInput(
                f"tool_choice of agent {agent!r} is {given!r:.60}; give one of {', '.join(WORDS)}, the name of a tool, "
                "or a plain function of the input that returns one"
            )
        self._given = given

    @property
    def free(self) -> bool:
        """Whether nothing is asked for."""
        return self._given == "auto"

    def known(self, tools: Collection[str]) -> None:
        """Raises InvalidInput for the name of what is no tool, and where there is none that could be called."""
        if self._given == "required" and not tools:
            raise InvalidInput(f"agent {self._agent!r} must call a tool and has none; give it tools=[…]")
        if isinstance(self._given, str):
            self._checked(self._given, tools)

    def of(self, content: Any, called: Collection[str], tools: Collection[str]) -> str:
        """The choice for a turn that is about ``content`` and in which these tools were ``called``: once the tool was
        called that must be, the model is free. Raises InvalidInput."""
        given = self._given
        if not isinstance(given, str):
            read, rule = decoder(self._input), given
            typed = copied(content) if read is None else read(content)
            told: object = judged(lambda: rule(typed), f"the tool_choice of agent {self._agent!r} failed")
            given = str(told)
        chosen = self._checked(given, tools)
        done = chosen in called or (chosen == "required" and not set(tools).isdisjoint(called))
        return "auto" if done else chosen

    def _checked(self, name: str, tools: Collection[str]) -> str:
        if name not in WORDS and name not in tools:
            raise InvalidInput(
                f"tool_choice of agent {self._agent!r} is {name[:60]!r}; it is one of {', '.join((*WORDS, *tools))}"
            )
        return name


def together(agent: str, given: bool | None) -> bool | None:
    """Whether calls are asked for at once. Raises InvalidInput for what is no such word."""
    if given not in (True, False, None):
        raise InvalidInput(f"agent {agent!r}: parallel_calls={given!r:.40}; it is True, False or None")
    return given


def request(
    model: str,
    messages: tuple[Message, ...],
    schemas: tuple[ToolSchema, ...],
    output: OutputSchema | None,
    settings: Mapping[str, Any],
    *,
    finals: Sequence[str],
    offered: Collection[str] | None,
    asked: Asked,
    choice: str,
    parallel: bool | None,
    reader: Tool,
) -> Request:
    """What a model is asked. Of the tools those are ``offered`` (None: all), those that give the final answer always,
    and the one that it must call. ``asked`` says what is different this time."""
    names = showing([schema.name for schema in schemas], finals, offered, asked, choice)
    shown = schemas if len(names) == len(schemas) else tuple(schema for schema in schemas if schema.name in names)
    wanted = possible("auto" if choice == "none" and finals else choice, names, asked)
    if asked.tools is None or reader.name in asked.tools:
        shown += _reading(messages, shown, reader)
    settings = {**settings, **asked.settings} if asked.settings else settings
    at_once = parallel if asked.parallel is None else asked.parallel
    return Request(model, messages, shown, output, settings, wanted, at_once)


def showing(
    names: Sequence[str], finals: Sequence[str], offered: Collection[str] | None, asked: Asked, choice: str
) -> dict[str, bool]:
    """Which of the tools of these names a model is shown, and whether each is one that it can be made to call."""
    among: set[str] | None = None if offered is None else {*offered, *([] if choice in WORDS else [choice])}
    if asked.tools is not None:
        among = {*asked.tools}
    if choice == "none" and finals:  # they are how it answers
        among = set()
    return {name: name not in finals for name in names if among is None or name in among or name in finals}


def possible(choice: str, shown: Mapping[str, bool], asked: Asked) -> str:
    """The choice, or "auto" where no tool that is shown and that it may call fits it."""
    if choice in FREE:
        return choice
    may = {name for name, tool in shown.items() if tool and (asked.within is None or name in asked.within)}
    return choice if choice in may or (choice == "required" and may) else "auto"


def _reading(messages: Sequence[Message], shown: Sequence[ToolSchema], reader: Tool) -> tuple[ToolSchema, ...]:
    """The tool that reads the whole of a result, when one was cut and it is not there anyway."""
    cut = any([message.entry and READER in message.content for message in messages])
    if not cut or any(schema.name == reader.name for schema in shown):
        return ()
    return (ToolSchema(reader.name, reader.description, reader.parameters),)
