"""litellm's chunks as pieces of OpenAI's chat protocol.

They are put together here and not by litellm, which loses text of thinking that is not signed, keeps of signatures that
come one by one the last, and writes counts of its own where the provider gave none. Its chunks are read without
trust, and its iterator only for what no chunk tells.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from inspect import isawaitable
from typing import Any, cast

from .fields import part
from .pieces import Pieces

_FIELDS = (
    "role", "content", "reasoning_content", "reasoning", "thinking_blocks", "reasoning_items",
    "provider_specific_fields",
)  # fmt: skip
_LEFT_OUT = ("refusal", "reasoning_details")
"""What litellm takes for nothing when it comes alone."""
_ENDINGS = ("received_finish_reason", "intermittent_finish_reason", "received_any_finish_reason")


def piece(chunk: Any) -> dict[str, Any]:
    """The chunk as JSON."""
    choices: Any = part(chunk, "choices")
    return {"choices": [_choice(choice) for choice in choices or ()], "usage": part(chunk, "usage")}


def unfinished(stream: Any) -> bool:
    """Whether litellm made up why an answer has ended, because its provider did not say it."""
    known = [name for name in _ENDINGS if hasattr(stream, name)]
    return bool(known) and not any(getattr(stream, name) for name in known)


def counts(stream: Any) -> Iterator[object]:
    """What the provider counted: litellm takes it out of its chunks, and estimates at their end what was not there."""
    chunks: Any = getattr(stream, "chunks", None)
    for chunk in cast("list[object]", chunks) if isinstance(chunks, list) else ():
        if (usage := part(chunk, "usage")) is not None:
            yield usage


def price(chunk: Any) -> object:
    """What litellm's list says the answer costs; it stands at the chunk with the count."""
    hidden: object = getattr(chunk, "_hidden_params", None)
    return cast("dict[str, Any]", hidden).get("response_cost") if isinstance(hidden, dict) else None


def tapped(stream: Any, pieces: Pieces) -> Any:
    """litellm's iterator. What it leaves out is taken from what it reads itself."""
    inner = getattr(stream, "completion_stream", None)
    if hasattr(inner, "__aiter__"):
        stream.completion_stream = _tap(inner, pieces)
    return stream


async def _tap(inner: Any, pieces: Pieces) -> AsyncGenerator[Any]:
    try:
        async for chunk in inner:
            for choice in cast("list[Any]", part(chunk, "choices") or ())[:1]:
                delta = part(choice, "delta")
                pieces.left_out({name: value for name in _LEFT_OUT if (value := part(delta, name))})
            yield chunk
    finally:
        close: Any = getattr(inner, "aclose", None) or getattr(inner, "close", None)
        done = close() if close is not None else None
        if isawaitable(done):
            await done


def _choice(choice: Any) -> dict[str, Any]:
    delta = part(choice, "delta")
    told = {name: value for name in _FIELDS if (value := part(delta, name)) is not None}
    if calls := part(delta, "tool_calls"):
        told["tool_calls"] = [_call(call) for call in cast("list[object]", calls)]
    return {"index": part(choice, "index"), "finish_reason": part(choice, "finish_reason"), "delta": told}


def _call(call: object) -> dict[str, Any]:
    function = part(call, "function")
    specific = part(call, "provider_specific_fields") or part(function, "provider_specific_fields")
    return {
        "id": part(call, "id"),
        "index": part(call, "index"),
        "function": {"name": part(function, "name"), "arguments": part(function, "arguments")},
        "provider_specific_fields": specific if isinstance(specific, Mapping) else None,
    }
