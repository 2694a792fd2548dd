"""What an MCP server may ask back during a call: a model's words (sampling), a person's (elicitation). A function that
was given for that answers; without one the server is told that this is not supported here."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast


class Sampling(NamedTuple):
    """A server wants a model's words: the conversation as pairs of role and text, and how many tokens at the most."""

    server: str
    system: str
    messages: tuple[tuple[str, str], ...]
    most_tokens: int


class Elicitation(NamedTuple):
    """A server wants a person's: what it asks, and the JSON schema of the answer ({} and ``url`` when the person is to
    go there)."""

    server: str
    message: str
    schema: Mapping[str, Any]
    url: str = ""


Sample = Callable[[Sampling], Awaitable[str]]
"""Gives the words."""
Elicit = Callable[[Elicitation], Awaitable[Mapping[str, Any] | None]]
"""Gives the answer; None: declined."""


class Answers:
    """For one server."""

    def __init__(self, server: str, sample: Sample | None, elicit: Elicit | None) -> None:
        self._server = server
        self._sample = sample
        self._elicit = elicit

    def callbacks(self) -> dict[str, Any]:
        """As the SDK's Client takes them. A server learns from those that are there what it may ask."""
        found = {"sampling_callback": self._sampled if self._sample else None}
        return found | {"elicitation_callback": self._elicited if self._elicit else None}

    async def _sampled(self, context: Any, asked: Any) -> Any:
        types: Any = importlib.import_module("mcp_types")
        if self._sample is None:
            return types.ErrorData(code=types.INVALID_REQUEST, message="nobody answers for a model here")
        messages = tuple((str(message.role), _words(message)) for message in asked.messages)
        words = await self._sample(Sampling(self._server, asked.system_prompt or "", messages, asked.max_tokens))
        content = types.TextContent(type="text", text=words)
        return types.CreateMessageResult(role="assistant", content=content, model="overwinter", stop_reason="endTurn")

    async def _elicited(self, context: Any, asked: Any) -> Any:
        types: Any = importlib.import_module("mcp_types")
        if self._elicit is None:
            return types.ErrorData(code=types.INVALID_REQUEST, message="nobody answers for a person here")
        schema: Any = getattr(asked, "requested_schema", {})
        dumped = getattr(schema, "model_dump", None)
        plain: Any = schema if dumped is None else dumped(mode="json", by_alias=True, exclude_none=True)
        url = str(getattr(asked, "url", ""))
        answer = await self._elicit(Elicitation(self._server, asked.message, plain, url))
        if answer is None:
            return types.ElicitResult(action="decline")
        return types.ElicitResult(action="accept", content=None if url else dict(answer))


def _words(message: Any) -> str:
    content: Any = message.content
    blocks = cast("Sequence[Any]", content if isinstance(content, list) else [content])
    return "\n".join(str(block.text) for block in blocks if getattr(block, "type", "") == "text")
