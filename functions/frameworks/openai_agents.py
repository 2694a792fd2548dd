"""Agents of the OpenAI Agents SDK. Its seams are models and function tools: each answer of a model, and each call of a
function tool, is a step, also of the agents that it hands off to.

The rest of its run is repeated on replay: instructions, guardrails, hooks and filters must be the same each time, and
reach nothing outside. An agent that is a tool of another (``as_tool``) is one step as a whole. Tracing is off, since a
replay would tell everything again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from copy import copy
from dataclasses import replace
from typing import Any, cast

try:
    from agents import (
        Agent,
        CodeInterpreterTool,
        FileSearchTool,
        FunctionTool,
        Handoff,
        HostedMCPTool,
        ImageGenerationTool,
        Model,
        ModelResponse,
        RunConfig,
        Runner,
        Tool,
        UserError,
        WebSearchTool,
    )
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: pip install 'overwinter[openai-agents]'", name=error.name) from error

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_jsonable_python

from ...state.errors import Denied, Final, InvalidInput, OverwinterError
from .port import Turn

_RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)
_HOSTED = (WebSearchTool, FileSearchTool, CodeInterpreterTool, ImageGenerationTool, HostedMCPTool)
"""Tools that the provider runs within its answer."""


class OpenAIAgents:
    """``ForeignAgent("support", OpenAIAgents(agent))``. ``context``: what its tools get as context, or a function of
    the turn that makes it; it is made anew on replay, and what tools change in it is not recorded.

    A tool that needs approval waits for a person, and is called or refused as decided. Raises InvalidInput for an agent
    with tools that have no seam.
    """

    name = "openai-agents"

    def __init__(
        self,
        agent: Agent[Any],
        context: object | Callable[[Turn], object] = None,
        *,
        run_config: RunConfig | None = None,
        max_turns: int = 20,
    ) -> None:
        self._agent = agent
        self._context = context
        self._config = replace(run_config or RunConfig(), tracing_disabled=True)
        self._max_turns = max_turns
        output: Any = agent.output_type
        self.output: Any = str if output is None else output if isinstance(output, type) else Any
        _check(agent, set())

    @property
    def tools(self) -> Collection[str] | None:
        """The function tools of all that it may hand off to; None when one of them is made in the middle of a run."""
        return _names(self._agent, set())

    async def answer(self, turn: Turn) -> Any:
        try:
            return await self._answered(turn)
        except UserError as error:  # what a tool raises comes in one of these
            if isinstance(error.__cause__, OverwinterError):
                raise error.__cause__ from None
            raise

    async def _answered(self, turn: Turn) -> Any:
        agent = Recording(turn, self._config).agent(self._agent)
        context: Any = self._context(turn) if callable(self._context) else self._context
        config = replace(self._config, model=None)  # it is in the agents by now
        given: Any = [*turn.past, *_asked(turn.input)]
        result = await Runner.run(agent, given, context=context, run_config=config, max_turns=self._max_turns)
        while result.interruptions:
            state = result.to_state()
            for item in result.interruptions:
                try:
                    await turn.approve(item.tool_name or "tool", _arguments(item.arguments))
                    state.approve(item)
                except Denied as denied:
                    state.reject(item, rejection_message=str(denied))
            result = await Runner.run(agent, state, run_config=config, max_turns=self._max_turns)
        turn.keep(to_jsonable_python(result.to_input_list()[len(turn.past) :]))
        return result.final_output


class Recording:
    """Copies of agents whose models and tools are steps of a turn."""

    def __init__(self, turn: Turn, config: RunConfig) -> None:
        self._turn = turn
        self._config = config
        self._made: dict[int, Agent[Any]] = {}

    def agent(self, agent: Agent[Any]) -> Agent[Any]:
        """The copy, the same one for the same agent: they may hand off in a circle."""
        made = self._made.get(id(agent))
        if made is None:
            tools = [self._tool(tool) for tool in agent.tools]
            made = self._made[id(agent)] = agent.clone(model=self._model(agent), tools=tools, handoffs=[])
            made.handoffs = [self._handoff(to) for to in agent.handoffs]
        return made

    def _model(self, agent: Agent[Any]) -> Model:
        chosen = self._config.model if self._config.model is not None else agent.model
        model = chosen if isinstance(chosen, Model) else self._config.model_provider.get_model(chosen)
        name = chosen if isinstance(chosen, str) else getattr(model, "model", None) or type(model).__name__
        return RecordedModel(model, str(name), self._turn)

    def _handoff(self, to: Agent[Any] | Handoff[Any, Any]) -> Agent[Any] | Handoff[Any, Any]:
        if isinstance(to, Agent):
            return self.agent(to)
        made, invoke = copy(to), to.on_invoke_handoff

        async def handed(*given: Any) -> Agent[Any]:
            return self.agent(await invoke(*given))

        made.on_invoke_handoff = handed
        return made

    def _tool(self, tool: Tool) -> Tool:
        if not isinstance(tool, FunctionTool):
            return tool
        made, invoke, turn = copy(tool), tool.on_invoke_tool, self._turn

        async def invoked(context: Any, arguments: str) -> Any:
            async def called(_: Mapping[str, Any]) -> Any:
                return _plain(tool.name, await invoke(context, arguments))

            try:
                return await turn.tool(tool.name, _arguments(arguments), called)
            except Denied as denied:
                return str(denied)

        made.on_invoke_tool = invoked
        return made


class RecordedModel(Model):
    """Each answer is a step of the turn."""

    def __init__(self, wrapped: Model, name: str, turn: Turn) -> None:
        self._wrapped = wrapped
        self._name = name
        self._turn = turn

    async def get_response(self, *args: Any, **kwargs: Any) -> ModelResponse:
        async def ask() -> Any:
            try:
                response = await self._wrapped.get_response(*args, **kwargs)
            except UserError as error:
                raise Final(str(error)) from error
            return _RESPONSE.dump_python(response, mode="json")

        return _RESPONSE.validate_python(await self._turn.model(self._name, ask))

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise UserError("an answer that is streamed can't be recorded as a step; this agent is run without streaming")


def _check(agent: Agent[Any], seen: set[int]) -> None:
    """Raises InvalidInput for what would reach outside without a step."""
    if id(agent) in seen:
        return
    seen.add(id(agent))
    if agent.mcp_servers:
        raise InvalidInput(
            f"agent {agent.name!r} has MCP servers, which are asked for their tools in the middle of a run; wrap what "
            "you need of them in function tools"
        )
    for tool in agent.tools:
        if not isinstance(tool, (FunctionTool, *_HOSTED)):
            raise InvalidInput(
                f"agent {agent.name!r}: calls of {type(tool).__name__} can't be recorded; use a function tool instead"
            )
    for to in agent.handoffs:
        if isinstance(to, Agent):
            _check(to, seen)


def _names(agent: Agent[Any], seen: set[int]) -> set[str] | None:
    """The function tools of an agent and of those that it hands off to."""
    if id(agent) in seen:
        return set()
    seen.add(id(agent))
    names = {tool.name for tool in agent.tools if isinstance(tool, FunctionTool)}
    for to in agent.handoffs:
        others = _names(to, seen) if isinstance(to, Agent) else None
        if others is None:
            return None
        names |= others
    return names


def _asked(value: Any) -> list[Any]:
    """An input as the SDK's items: a list is taken as such."""
    if isinstance(value, list):
        return value  # pyright: ignore[reportUnknownVariableType]  # JSON
    text = value if isinstance(value, str) else json.dumps(to_jsonable_python(value), ensure_ascii=False)
    return [{"role": "user", "content": text}]


def _arguments(text: str | None) -> dict[str, Any]:
    """What a model has written for arguments; whatever is no object stands under ``input``."""
    try:
        found: Any = json.loads(text or "{}")
    except ValueError:
        found = text
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {"input": found}


def _plain(name: str, value: Any) -> Any:
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise Final(f"tool {name} returns what can't be recorded as JSON ({error})") from None
