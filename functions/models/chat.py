"""OpenAI's chat protocol as JSON: a request out, an answer in, read without trust.

The parts of an answer that a server wants to see again (reasoning, signatures of calls) are kept as they came and stand
in its message again, for the model that gave them. What is no answer raises Unfit; who asked makes an error of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ...orchestrator.agent.conversation import Opaque
from ...state.codec import dumps
from .counting import cost_in, split
from .fields import part
from .opaque import settings_for, shown
from .port import Answer, Request, ToolCall, ToolSchema
from .reasoning import thought

OWN = frozenset(
    {
        "api_base", "api_key", "api_version", "base_url", "custom_llm_provider", "drop_params", "extra_body",
        "extra_headers", "headers", "input_cost_per_token", "max_retries", "mock_response", "num_retries",
        "output_cost_per_token", "stream", "stream_options", "timeout",
    }
)  # fmt: skip
"""Settings that are for an adapter, this one or litellm's, and would mean nothing to a server."""
_FINISH = {
    "stop": "stop", "tool_calls": "tool_calls", "function_call": "tool_calls", "length": "length",
    "max_tokens": "length", "model_length": "length", "content_filter": "content_filter", "pause_turn": "pause",
}  # fmt: skip
_REASONING = ("reasoning_details", "thinking_blocks", "reasoning_content", "reasoning")
"""Names under which servers give reasoning, and take it back. One says it all: others repeat it as plain text."""
_BESIDE_MESSAGE = ("provider_specific_fields",)
_BESIDE_CALL = ("extra_content", "provider_specific_fields")


class Unfit(ValueError):
    """The JSON has not the form of an answer. The text says where."""


def finished(reason: object) -> str:
    """Why an answer ended, in our words."""
    return _FINISH.get(str(reason), "stop")


def described(tool: ToolSchema) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def choosing(request: Request) -> dict[str, Any]:
    """Which tool is to be called, and whether several may be at once, where that is not as always."""
    told: dict[str, Any] = {}
    if request.tools and request.choice != "auto":
        named = {"type": "function", "function": {"name": request.choice}}
        told["tool_choice"] = request.choice if request.choice in ("required", "none") else named
    if request.tools and request.parallel is not None:
        told["parallel_tool_calls"] = request.parallel
    return told


def beside(settings: Mapping[str, Any]) -> list[Any]:
    """Tools that the provider itself runs, which stand beside ours: in the settings, or in their ``extra_body``."""
    extra = part(settings.get("extra_body"), "tools")
    given = settings.get("tools"), extra
    return [tool for tools in given if isinstance(tools, (list, tuple)) for tool in cast("Sequence[Any]", tools)]


def question(request: Request, wire: str, model: str) -> dict[str, Any]:
    """What is posted. ``wire`` is the server's name of the model, ``model`` ours. A setting of None is left out."""
    settings = settings_for(request, model)
    body: dict[str, Any] = {"model": wire, "messages": [shown(message, model) for message in request.messages]}
    output = request.output
    if output is not None and (output.always or not request.tools):  # beside tools, servers hold the calls to the
        form = {"name": output.name, "schema": output.schema, "strict": False}  # schema as well, or refuse both
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    body |= choosing(request)
    body |= {name: value for name, value in settings.items() if name not in OWN}
    extra = settings.get("extra_body")
    body |= cast("Mapping[str, Any]", extra) if isinstance(extra, Mapping) else {}
    if tools := [*map(described, request.tools), *beside(settings)]:
        body["tools"] = tools
    return {name: value for name, value in body.items() if value is not None}


def answer(body: object, model: str) -> Answer:
    """The answer in ``body``; without choices it is an empty one. Raises Unfit."""
    whole = fields_of(body, "the answer")
    usage = split(whole.get("usage"))
    found = Answer(model=model, usage=usage, cost=cost_in(whole) if usage.total else None)
    choices = whole.get("choices")
    if choices is None or not isinstance(choices, list):
        raise Unfit("it has no choices")
    if not choices:
        return found
    choice = fields_of(cast("list[object]", choices)[0], "a choice")
    message = fields_of(choice.get("message"), "the message of a choice")
    given = message.get("tool_calls")
    if given is not None and not isinstance(given, list):
        raise Unfit("tool_calls is no list")
    calls = tuple(_call(item) for item in cast("list[object]", given or []))
    return found._replace(
        text=words(message.get("content")),
        tool_calls=calls,
        finish=finished(choice.get("finish_reason")),
        refusal=words(message.get("refusal")),
        opaque=_opaque(message),
        reasoning=thought(message)[0],
    )


def _call(item: object) -> ToolCall:
    call = fields_of(item, "a tool call")
    function = fields_of(call.get("function"), "the function of a tool call")
    name, arguments, id = function.get("name"), function.get("arguments"), call.get("id")
    if not isinstance(name, str):
        raise Unfit("a tool call has no name")
    if id is not None and not isinstance(id, str):
        raise Unfit("the id of a tool call is no text")
    text = arguments if isinstance(arguments, str) else "" if arguments is None else dumps(arguments)
    kept = {field: call[field] for field in _BESIDE_CALL if call.get(field)}
    return ToolCall(id or "", name, text, kept or None)


def _opaque(message: Mapping[str, Any]) -> Opaque | None:
    kept: dict[str, Any] = {field: message[field] for field in _BESIDE_MESSAGE if message.get(field)}
    said = next((field for field in _REASONING if message.get(field)), None)
    if said is not None:
        kept[said] = message[said]
    return kept or None


def words(value: object) -> str:
    """A text, or the texts among the parts that some servers give in its place."""
    if isinstance(value, list):
        parts = [cast("dict[str, Any]", part) for part in cast("Sequence[object]", value) if isinstance(part, dict)]
        return "".join(
            part["text"] for part in parts if part.get("type") == "text" and isinstance(part.get("text"), str)
        )
    return value if isinstance(value, str) else ""


def fields_of(value: object, what: str) -> Mapping[str, Any]:
    """The fields of ``value``, a JSON object. Raises Unfit, which says ``what`` is none."""
    if not isinstance(value, dict):
        raise Unfit(f"{what} is no JSON object")
    return cast("dict[str, Any]", value)
