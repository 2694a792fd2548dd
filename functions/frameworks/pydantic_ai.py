"""Agents of pydantic-ai. Its seams are wrappers: each request to the model and each call of a tool is a step.

The rest of its run is repeated on replay: instructions, history processors, validators and hooks of the agent must be
the same each time, and reach nothing outside. Tools may do anything. What is recorded is JSON, so a tool's result
reaches the model as JSON too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, Self, cast

try:
    from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ModelRetry, RunContext, ToolDenied
    from pydantic_ai.capabilities import HandleDeferredToolCalls
    from pydantic_ai.exceptions import ApprovalRequired, CallDeferred, UserError
    from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, ToolReturn
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse, infer_model
    from pydantic_ai.models.wrapper import WrapperModel
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, ToolsetTool, WrapperToolset
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: pip install 'overwinter[pydantic-ai]'", name=error.name) from error

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ...state.errors import Denied, Final
from .port import Turn


class PydanticAI:
    """``ForeignAgent("research", PydanticAI(agent))``. ``deps``: what its tools get as dependencies, or a function of
    the turn that makes them; they are made anew on replay, and what tools change in them is not recorded.

    A tool that requires approval waits for a person, and is called or refused as decided. The model is asked without
    streaming.
    """

    name = "pydantic-ai"

    def __init__(self, agent: Agent[Any, Any], deps: object | Callable[[Turn], object] = None) -> None:
        self._agent = agent
        self._deps = deps
        output: Any = agent.output_type
        self.output: Any = output if isinstance(output, type) else Any

    @property
    def tools(self) -> Collection[str] | None:
        """Of its functions; None when it has a toolset whose tools are found in the middle of a run."""
        names: set[str] = set()
        for toolset in self._agent.toolsets:
            if not isinstance(toolset, FunctionToolset):
                return None
            names |= toolset.tools.keys()
        return names

    async def answer(self, turn: Turn) -> Any:
        agent = self._agent
        deps: Any = self._deps(turn) if callable(self._deps) else self._deps
        toolsets: Sequence[AbstractToolset[Any]] = [RecordedToolset(toolset, turn) for toolset in agent.toolsets]
        with agent.override(model=RecordedModel(self._model, turn), toolsets=toolsets, tools=[]):
            result = await agent.run(
                turn.input,
                message_history=ModelMessagesTypeAdapter.validate_python(turn.past) or None,
                deps=deps,
                infer_name=False,
                capabilities=[HandleDeferredToolCalls(_asking(turn))],
            )
        turn.keep(ModelMessagesTypeAdapter.dump_python(result.new_messages(), mode="json"))
        return result.output

    @cached_property
    def _model(self) -> Model:
        """Made when it is first asked, since a key may be missing where nothing is asked."""
        if self._agent.model is None:
            raise UserError("the agent has no model; give it one: Agent('openai:gpt-5-mini')")
        return infer_model(self._agent.model)


def _asking(turn: Turn) -> Callable[[RunContext[Any], DeferredToolRequests], Any]:
    """Asks a person about each call that requires it."""

    async def decided(_: RunContext[Any], requests: DeferredToolRequests) -> DeferredToolResults:
        results = DeferredToolResults()
        for call in requests.approvals:
            try:
                await turn.approve(call.tool_name, call.args_as_dict())
                results.approvals[call.tool_call_id] = True
            except Denied as denied:
                results.approvals[call.tool_call_id] = ToolDenied(str(denied))
        return results

    return decided


class RecordedModel(WrapperModel):
    """Each request is a step of the turn."""

    def __init__(self, wrapped: Model, turn: Turn) -> None:
        super().__init__(wrapped)
        self._turn = turn

    async def __aenter__(self) -> Self:
        return self  # its connections belong to the loop that steps run on, and stay open from turn to turn

    async def __aexit__(self, *_: object) -> None:
        return None

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        async def ask() -> Any:
            try:
                response = await self.wrapped.request(messages, model_settings, model_request_parameters)
            except UserError as error:
                raise Final(str(error)) from error
            return ModelMessagesTypeAdapter.dump_python([response], mode="json")[0]

        answered = await self._turn.model(self.model_name, ask)
        return cast("ModelResponse", ModelMessagesTypeAdapter.validate_python([answered])[0])

    @asynccontextmanager
    async def request_stream(self, *_: Any, **__: Any) -> AsyncGenerator[StreamedResponse]:
        _refuse_streams()
        yield cast("Any", None)  # it makes this a generator


def _refuse_streams() -> NoReturn:
    raise UserError("an answer that is streamed can't be recorded as a step; leave event_stream_handler out")


@dataclass
class RecordedToolset(WrapperToolset[Any]):
    """Each call of a tool is a step of the turn."""

    turn: Turn

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        async def called(_: Mapping[str, Any]) -> Any:
            try:
                return {"value": _plain(name, await self.wrapped.call_tool(name, tool_args, ctx, tool))}
            except ModelRetry as error:
                return {"retry": error.message}  # an outcome for the model, and no failure to be tried again
            except (ApprovalRequired, CallDeferred) as error:
                raise Final(
                    f"tool {name} puts off its call from within, which can't be recorded; declare it with "
                    "requires_approval=True, or name who approves it: ForeignAgent(approval={…})"
                ) from error

        try:
            outcome: Any = await self.turn.tool(name, to_jsonable_python(tool_args), called)
        except Denied as denied:
            return str(denied)
        if "retry" in outcome:
            raise ModelRetry(outcome["retry"])
        return outcome["value"]


def _plain(name: str, value: Any) -> Any:
    """What a tool returns, as JSON."""
    if isinstance(value, ToolReturn):
        if value.content is not None:
            raise Final(f"tool {name} returns content beside its value, which can't be recorded; return the value")
        value = cast("Any", value.return_value)
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise Final(f"tool {name} returns what can't be recorded as JSON ({error})") from None
