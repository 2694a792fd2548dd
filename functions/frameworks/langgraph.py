"""Graphs of LangGraph. Its seams are the chat models and tools that nodes use: wrapped by ``recorded`` before the graph
is made of them, each of their calls is a step.

The graph itself, its nodes and edges, is run again on replay, so it must decide the same each time and reach outside by
what is wrapped alone; another function is made a step by ``recorded`` too. Plain functions run at once, in no thread.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast, overload

try:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import (
        AIMessage,
        BaseMessage,
        HumanMessage,
        ToolMessage,
        messages_from_dict,
        messages_to_dict,
    )
    from langchain_core.outputs import ChatGeneration, ChatResult
    from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig
    from langchain_core.tools import BaseTool, ToolException
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.errors import GraphBubbleUp
    from langgraph.types import Command
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f"{error}: pip install 'overwinter[langgraph]'", name=error.name) from error

from pydantic_core import PydanticSerializationError, to_jsonable_python

from ...state.errors import Denied, Final, InvalidInput
from .port import Turn, current_turn

F = TypeVar("F", bound=Callable[..., Any])


class LangGraph:
    """``ForeignAgent("research", LangGraph(graph))``: a compiled graph.

    - ``state``: a function of the turn and of the messages of earlier turns, which makes the state that the graph
      begins with; by default ``{"messages": [*earlier, HumanMessage(turn.input)]}``.
    - ``result``: a function of the last state, which makes the answer; by default the text of its last message, or the
      state itself when it has no messages.
    - ``config``: as for ``ainvoke``.

    What a graph interrupts itself for waits for a person's approval, and goes on with True or False. The graph needs no
    checkpointer, and must have none: the journal is it. Raises InvalidInput.
    """

    name = "langgraph"

    def __init__(
        self,
        graph: Any,
        *,
        state: Callable[[Turn, list[BaseMessage]], Any] | None = None,
        result: Callable[[Any], Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        if not hasattr(graph, "ainvoke") or not hasattr(graph, "checkpointer"):
            raise InvalidInput(f"{type(graph).__name__} is no compiled graph; give graph.compile()")
        if graph.checkpointer:
            raise InvalidInput("the graph has a checkpointer, which would know of turns that begin again; leave it out")
        self._graph = graph
        self._state = state or _state
        self._result = result or _result
        self._config = dict(config or {})
        self.output: Any = Any

    async def answer(self, turn: Turn) -> Any:
        turn.ctx.inline_threads()
        earlier = messages_from_dict(turn.past)
        graph = self._graph.copy(update={"checkpointer": InMemorySaver()})  # of this life alone; interrupts want one
        config = self._config | {"configurable": {"thread_id": turn.session, **self._config.get("configurable", {})}}
        state: Any = await graph.ainvoke(self._state(turn, earlier), config, durability="exit")
        while isinstance(state, dict) and (asked := cast("Sequence[Any]", state.get("__interrupt__", ()))):
            decided = {one.id: await _decided(turn, one.value) for one in asked}
            state = await graph.ainvoke(Command(resume=decided), config, durability="exit")
        messages = _messages(state)
        if messages is not None:
            turn.keep(to_jsonable_python(messages_to_dict(messages[len(earlier) :])))
        return self._result(state)


def _state(turn: Turn, earlier: list[BaseMessage]) -> Any:
    return {"messages": [*earlier, HumanMessage(turn.input)]}


def _messages(state: Any) -> list[BaseMessage] | None:
    found: Any = cast("dict[str, Any]", state).get("messages") if isinstance(state, dict) else None
    return cast("list[BaseMessage]", found) if isinstance(found, list) else None


def _result(state: Any) -> Any:
    messages = _messages(state)
    return messages[-1].text if messages else to_jsonable_python(state)


async def _decided(turn: Turn, asked: Any) -> bool:
    shown: Any = to_jsonable_python(asked)
    data = cast("dict[str, Any]", shown) if isinstance(shown, dict) else {"question": shown}
    try:
        await turn.approve("interrupt", data)
    except Denied:
        return False
    return True


# -- what is recorded ------------------------------------------------------------------------------------


@overload
def recorded(thing: BaseChatModel) -> RecordedChat: ...
@overload
def recorded(thing: BaseTool) -> RecordedTool: ...
@overload
def recorded(thing: F) -> F: ...
def recorded(thing: Any) -> Any:
    """A chat model or a tool whose calls are steps of the turn that makes them, or an async function that is a step:
    plain JSON goes in and out of it. Outside of a turn they are what they were. Raises InvalidInput."""
    if isinstance(thing, BaseChatModel):
        return RecordedChat(wrapped=thing)
    if isinstance(thing, BaseTool):
        return RecordedTool.of(thing)
    if not inspect.iscoroutinefunction(thing):
        raise InvalidInput(f"{thing!r} can't be recorded; give a chat model, a tool, or an async function")

    @functools.wraps(thing)
    async def called(*args: Any, **kwargs: Any) -> Any:
        turn = current_turn()
        if turn is None:
            return await thing(*args, **kwargs)
        call = functools.partial(thing, *args, **kwargs)
        if not turn.governs(thing.__name__):
            return await turn.ctx.step(call, name=thing.__name__)
        shown = inspect.signature(thing).bind(*args, **kwargs).arguments
        return await turn.tool(thing.__name__, to_jsonable_python(shown), lambda _: call())

    return called


class RecordedChat(BaseChatModel):
    """A chat model whose answers are steps."""

    wrapped: BaseChatModel

    @property
    def _llm_type(self) -> str:
        return f"recorded-{self.wrapped._llm_type}"  # pyright: ignore[reportPrivateUsage]  # what models override

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        bound: Any = self.wrapped.bind_tools(tools, **kwargs)
        if not isinstance(bound, RunnableBinding):
            raise InvalidInput(f"{type(self.wrapped).__name__} binds tools in a way that can't be recorded")
        options: Any = bound.kwargs  # pyright: ignore[reportUnknownMemberType]  # of any model
        return self.bind(**options)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if current_turn() is not None:
            raise InvalidInput("in a node, ask the model by `await model.ainvoke(…)`, so that its answer is recorded")
        return self.wrapped._generate(messages, stop, run_manager, **kwargs)  # pyright: ignore[reportPrivateUsage]

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        turn = current_turn()

        async def ask() -> Any:
            result = await self.wrapped._agenerate(messages, stop, **kwargs)  # pyright: ignore[reportPrivateUsage]
            return to_jsonable_python(messages_to_dict([result.generations[0].message])[0])

        if turn is None:
            return await self.wrapped._agenerate(messages, stop, run_manager, **kwargs)  # pyright: ignore[reportPrivateUsage]
        answered = await turn.model(self._named(), ask)
        (message,) = messages_from_dict([answered])
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _named(self) -> str:
        named = (getattr(self.wrapped, field, None) for field in ("model_name", "model"))
        return next((name for name in named if isinstance(name, str)), type(self.wrapped).__name__)


class RecordedTool(BaseTool):
    """A tool whose calls are steps."""

    wrapped: BaseTool

    @classmethod
    def of(cls, tool: BaseTool) -> RecordedTool:
        same = {field: getattr(tool, field) for field in BaseTool.model_fields if field != "callback_manager"}
        return cls(wrapped=tool, **same)

    def _run(self, *args: Any, config: RunnableConfig, **kwargs: Any) -> Any:
        if current_turn() is not None:
            raise InvalidInput(f"call the tool {self.name} by `await tool.ainvoke(…)`, so that its result is recorded")
        return self.wrapped._run(*args, **kwargs, **self._options(self.wrapped._run, config))

    async def _arun(self, *args: Any, config: RunnableConfig, **kwargs: Any) -> Any:
        given = {**kwargs, **self._options(self.wrapped._arun, config)}
        turn = current_turn()
        if turn is None:
            return await self.wrapped._arun(*args, **given)

        async def called(_: Mapping[str, Any]) -> Any:
            try:
                return {"value": _plain(self.name, await self.wrapped._arun(*args, **given))}
            except ToolException as error:
                return {"refused": str(error)}  # an outcome for the model, and no failure to be tried again
            except GraphBubbleUp as error:
                raise Final(
                    f"tool {self.name} interrupts the graph, which a step can't; interrupt in a node"
                ) from error

        shown = {name: to_jsonable_python(value) for name, value in kwargs.items() if name in self.args}
        try:
            outcome: Any = await turn.tool(self.name, shown, called)
        except Denied as denied:
            raise ToolException(str(denied)) from None
        if "refused" in outcome:
            raise ToolException(outcome["refused"])
        value = outcome["value"]
        return tuple(value) if self.response_format == "content_and_artifact" else value

    def _options(self, run: Callable[..., Any], config: RunnableConfig) -> dict[str, Any]:
        return {"config": config} if "config" in inspect.signature(run).parameters else {}


def _plain(name: str, value: Any) -> Any:
    """What a tool returns, as JSON."""
    if isinstance(value, (Command, ToolMessage)):
        raise Final(f"tool {name} returns a Command or a message, which can't be recorded; let a node make it")
    try:
        return to_jsonable_python(value)
    except PydanticSerializationError as error:
        raise Final(f"tool {name} returns what can't be recorded as JSON ({error})") from None
