"""What a provider gives beside its words and wants to see again: signed thinking, reasoning, signatures of tool calls.

litellm names it neutrally (``thinking_blocks``, ``reasoning_content``, ``reasoning_items`` and
``provider_specific_fields``) and takes it back under the same names, so it is kept as it came, once: litellm repeats
the thinking in up to three places. A message shows it to the model that gave it and to no other, which would
refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ...orchestrator.agent.conversation import Opaque
from ...state.codec import plain
from .fields import part
from .media import pieces
from .port import Message, Request, ToolCall

_REASONING = ("thinking_blocks", "reasoning_items")
_TAKEN_BACK = (
    "compaction_blocks",
    "server_side_tool_invocations",
    "server_tool_calls",
    "thought_signatures",
    "tool_results",
    "web_search_results",
)
"""Those ``provider_specific_fields`` of a message that litellm reads when it gets them back. The others (citations, why
it stopped …) are for people, and strict providers refuse what they don't know."""
_BESIDE = "reasoning_details"
"""A field of the message itself, which litellm gives among the specific ones and hands on where it finds it."""
_THINKING = frozenset({"thinking", "reasoning_effort"})
_SIGNED = 16
"""Characters from which on a text at the end of an id is no part of it."""


def of_message(message: Any, calls: Iterable[ToolCall] = ()) -> Opaque | None:
    """What is to go back with this message of litellm, beside what goes with its ``calls``; None for nothing."""
    specific = _specific(message)
    kept: dict[str, Any] = {}
    for name in _REASONING:
        if found := part(message, name) or specific.get(name):
            kept[name] = found
    reasoning = part(message, "reasoning_content") or specific.get("reasoning_content")
    if reasoning and not kept:  # or it is the text of those
        kept["reasoning_content"] = reasoning
    if found := specific.get(_BESIDE) or part(message, _BESIDE):
        kept[_BESIDE] = found
    told = [value for call in calls if call.opaque for value in call.opaque["provider_specific_fields"].values()]
    taken = {name: _without(specific[name], told) for name in _TAKEN_BACK if specific.get(name)}
    if taken := {name: value for name, value in taken.items() if value}:
        kept["provider_specific_fields"] = taken
    return plain(kept) if kept else None


def of_call(call: Any) -> Opaque | None:
    """What is to go back with this tool call of litellm."""
    found = _specific(call) or _specific(part(call, "function"))
    kept = {name: value for name, value in found.items() if value is not None}
    return plain({"provider_specific_fields": kept}) if kept else None


def id_of(call: Any, opaque: Opaque | None) -> str:
    """The call's id, without the signature that litellm writes behind some providers' for clients that keep no more."""
    id = part(call, "id")
    if not isinstance(id, str):
        return ""
    for value in opaque["provider_specific_fields"].values() if opaque else ():
        if isinstance(value, str) and len(value) >= _SIGNED and id.endswith(value):
            return id.removesuffix(value).rstrip("_")
    return id


def shown(message: Message, model: str) -> dict[str, Any]:
    """The message as litellm takes it when ``model`` is asked."""
    own = message.model == model
    content = pieces(message.parts) if message.parts else message.content
    told: dict[str, Any] = {"role": message.role, "content": content}
    if message.tool_calls:
        told["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
                **(call.opaque if own and call.opaque else {}),
            }
            for call in message.tool_calls
        ]
        told["content"] = message.content or None
    if message.tool_call_id:
        told["tool_call_id"] = message.tool_call_id
    return told | (plain(message.opaque) if own and message.opaque else {})


def settings_for(request: Request, model: str) -> dict[str, Any]:
    """The settings for this request. A model that goes on where another has called tools has not thought before those
    calls, and a provider that signs thinking refuses a request to think between a call and its result."""
    last = next((message for message in reversed(request.messages) if message.role == "assistant"), None)
    taken_over = last is not None and bool(last.tool_calls) and last.model not in ("", model)
    return {name: value for name, value in request.settings.items() if not (taken_over and name in _THINKING)}


def _without(value: Any, told: list[Any]) -> Any:
    """The value without the items that are told already: a signature stands at its call."""
    return [item for item in value if item not in told] if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType]  # of any provider


def _specific(thing: Any) -> Mapping[str, Any]:
    found = part(thing, "provider_specific_fields")
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
