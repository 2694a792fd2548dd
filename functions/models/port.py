"""The model port: what an agent asks of a model, and what a model answers. Any object with ``name`` and
``complete`` is a model.

``complete`` raises an error with ``retry_after`` or a TimeoutError, ConnectionError or Retryable when trying
again may help, and InvalidInput when the caller must change something. It makes no attempts of its own. A model that
also has ``stream`` tells what it says while it says it; the answer is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ...orchestrator.agent.conversation import Message, Opaque, ToolCall
from ...orchestrator.governance.parts import Tokens
from .reasoning import thought

__all__ = [
    "Answer",
    "Delta",
    "Emit",
    "Message",
    "Model",
    "Opaque",
    "OutputSchema",
    "Request",
    "Streaming",
    "ToolCall",
    "ToolSchema",
    "Usage",
]


class ToolSchema(NamedTuple):
    """A tool as the model sees it. ``parameters`` is the JSON schema of the arguments object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class OutputSchema(NamedTuple):
    """The type that the final answer must have, always an object. ``always``: to be told to the provider, whatever is
    known of the model and whichever tools it has."""

    name: str
    schema: Mapping[str, Any]
    always: bool = False


class Request(NamedTuple):
    """One question to a model. ``settings`` go to the provider as they are (temperature, api_base …). ``choice`` says
    which tool it must call: auto, required (some), none, or a name; ``parallel`` whether it may call several at once,
    None: as its provider thinks best."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSchema, ...] = ()
    output: OutputSchema | None = None
    settings: Mapping[str, Any] = {}
    choice: str = "auto"
    parallel: bool | None = None


class Usage(Tokens):
    """Tokens of one answer, in parts that don't overlap: ``input`` (read anew), ``output``, ``cache_read``,
    ``cache_write``, ``reasoning``, ``audio_in``, ``audio_out``, ``image_in``, ``image_out``. A provider counts some
    inside others; who writes a model takes them apart."""

    __slots__ = ()


class Answer(NamedTuple):
    """What a model said. ``cost`` is an exact decimal text in US dollars, None when nobody knows the price.
    ``finish`` is stop, tool_calls, length, content_filter, pause (the same request with this answer behind it goes on)
    or malformed (the text is what the provider could make no call of). ``reasoning`` is what the model thought before,
    where its provider shows that: for people, and no part of the text. ``opaque``, here and in a call, is plain JSON
    that later requests bring back in ``Message.opaque`` and ``ToolCall.opaque``; ``Message.model`` says whose it is.
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()
    cost: str | None = None
    model: str = ""
    finish: str = "stop"
    refusal: str = ""
    opaque: Opaque | None = None
    reasoning: str = ""

    def record(self, asked: str = "") -> dict[str, Any]:
        """The answer as the journal keeps it. Left out is what is empty or goes without saying: ``finish`` when it
        is stop or tool_calls, ``model`` when it is the one that was ``asked``, ``reasoning`` that ``opaque`` holds."""
        record: dict[str, Any] = {}
        if self.text:
            record["text"] = self.text
        if self.tool_calls:
            record["tool_calls"] = [_recorded(call) for call in self.tool_calls]
        if self.refusal:
            record["refusal"] = self.refusal
        if self.opaque:
            record["opaque"] = self.opaque
        if self.reasoning and thought(self.opaque)[0] != self.reasoning:
            record["reasoning"] = self.reasoning
        if self.finish not in ("stop", "tool_calls"):
            record["finish"] = self.finish
        if self.model != asked:
            record["model"] = self.model
        record["usage"] = self.usage.record()
        record["cost"] = self.cost
        return record


class Delta(NamedTuple):
    """A piece of an answer while it is being said: of its text, or of the reasoning before it. Never both empty."""

    text: str = ""
    reasoning: str = ""


Emit = Callable[[Delta], None]
"""Takes each piece, in order. It is quick and raises nothing."""


def _recorded(call: ToolCall) -> dict[str, Any]:
    record: dict[str, Any] = {"id": call.id, "name": call.name, "arguments": call.arguments}
    return record | {"opaque": call.opaque} if call.opaque else record


class Model(Protocol):
    """A language model. ``name`` shows in every journal entry.

    It may also have ``absent()``, ``wrong(settings)`` and ``doubt(settings)``: why it can't answer on this machine,
    told without loading anything, told thoroughly, or why it may be mistaken; "" for nothing. Nobody is asked for them.
    """

    @property
    def name(self) -> str: ...

    async def complete(self, request: Request) -> Answer:
        """Answer one request, in one attempt."""
        ...


@runtime_checkable
class Streaming(Model, Protocol):
    """A model that tells what it says while it says it."""

    async def stream(self, request: Request, emit: Emit) -> Answer:
        """As ``complete``: one attempt, the same errors, the same whole answer. Its text is what was emitted, joined;
        only that of a ``malformed`` answer may be another. Tool calls and refusals are not emitted, and what can't be
        streamed is emitted at its end or not at all."""
        ...
