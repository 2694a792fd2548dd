"""Models of all providers through litellm, which is imported at the first answer and nowhere else: it takes
seconds and 200 MB.

One call is one attempt: litellm's own retries are off. Usage and cost are recorded on every answer. Errors
that another attempt may heal become ModelUnavailable with the provider's ``retry_after``; all others become
InvalidInput that says what to change.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...orchestrator.attributes import cut
from ...orchestrator.resilience import retry_after, wait_of
from ...state.errors import InvalidInput, Retryable
from .port import Answer, Message, Request, ToolCall, ToolSchema, Usage

_READ, _TOLD = 16 * 1024, 600
"""Characters of a provider's error that are looked at, and that are told."""
_CLUTTER = re.compile(
    r"(?i)Traceback \(most recent call last\)|\n\s*File \"|Received Model Group|Available Model Group|LiteLLM Retried"
    r"|litellm_params|litellm_debug|[\"']?messages[\"']?\s*[:=]\s*\["
    r"|\brequest(?:[ _](?:body|data|kwargs))?[\"']?\s*[:=]\s*[{\[]"
)
_PATH = re.compile(r"(?:[A-Za-z]:)?(?:[\\/][\w.~@+-]+){2,}\.(?:py|pyc|so|json)\b(?::\d+)?")
_ELSEWHERE = frozenset({"api_key", "api_base", "base_url", "extra_headers", "headers", "mock_response"})
"""Settings with which no key needs to be in the environment."""
_PASSING = {408, 409, 425, 429}
_FINISH = {"stop": "stop", "tool_calls": "tool_calls", "function_call": "tool_calls", "length": "length",
           "max_tokens": "length", "content_filter": "content_filter"}  # fmt: skip


log = logging.getLogger("overwinter")


class ModelUnavailable(Retryable):
    """The provider is overloaded, rate-limited, broken or out of reach. ``status`` is its HTTP status."""

    def __init__(self, message: str, *, retry_after: float | None = None, status: int | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class LiteLLM:
    """The litellm model ``name`` (``provider/model``). Keys come from the provider's environment variables."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._library: Any = None  # litellm has no useful types

    def __repr__(self) -> str:
        return f"LiteLLM({self.name!r})"

    async def complete(self, request: Request) -> Answer:
        if self._library is None:
            self._library = await asyncio.to_thread(_load)
        library = self._library
        if missing := _missing_key(library, self.name, request.settings):
            raise InvalidInput(missing)
        try:
            response = await library.acompletion(**self._arguments(request))
        except library.exceptions.BudgetExceededError as error:
            raise InvalidInput(f"{self.name}: {said(error)}") from None
        except _openai_error(library) as error:
            log.debug("the model %s failed", self.name, exc_info=error)  # the journal keeps what the caller can use
            raise _translated(self.name, library, error) from None
        return _answer(response, self.name)

    def _arguments(self, request: Request) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.name,
            "messages": [_message(message) for message in request.messages],
            **request.settings,
            "num_retries": 0,
            "max_retries": 0,
        }
        if request.tools:
            arguments |= _quirks()
            arguments["tools"] = [_tool(tool) for tool in request.tools]
        if request.output is not None and self._library.supports_response_schema(model=self.name):
            name, schema = request.output
            described = {"name": name, "schema": schema, "strict": False}
            arguments["response_format"] = {"type": "json_schema", "json_schema": described}
        return arguments


def _load() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it fetches a price list at import
    try:
        library: Any = importlib.import_module("litellm")
    except ImportError as error:
        raise InvalidInput(f"models of providers need litellm ({error}): pip install 'overwinter[llm]'") from error
    library.telemetry = False
    library.suppress_debug_info = True
    return library


def _missing_key(library: Any, model: str, settings: Mapping[str, Any]) -> str:
    """What to set when the provider's key is nowhere; "" when it is there, or need not be. Some clients would call
    that a broken connection, which is tried again for an hour."""
    if _ELSEWHERE & settings.keys() or library.api_key:
        return ""
    missing: list[str] = library.validate_environment(model)["missing_keys"]
    keys = [name for name in missing if name.endswith("_API_KEY")]
    own = any(getattr(library, name.lower().replace("_api_key", "_key"), None) for name in keys)
    if not keys or own or len(keys) < len(missing):  # clouds find their credentials in many places
        return ""
    return f"{model} needs the provider's key: set {' or '.join(keys)} in the environment of this process"


def _quirks() -> dict[str, Any]:
    """litellm looks among the tools for those of an MCP gateway, and can't without packages of its proxy. The
    releases that look can be told not to; earlier ones would hand the word on to the provider."""
    looks = importlib.util.find_spec("litellm.responses.mcp.chat_completions_handler")
    return {} if looks is None else {"_skip_mcp_handler": True}


def _openai_error(library: Any) -> type[Exception]:
    """The root of all errors that litellm maps a provider's to."""
    error: type[Exception] = importlib.import_module("openai").OpenAIError
    return error


def _translated(model: str, library: Any, error: Exception) -> Exception:
    """A provider's error as what the caller can do about it."""
    status = getattr(error, "status_code", None)
    told = f"{model}: {said(error)}"
    known = library.exceptions
    if isinstance(error, known.ContextWindowExceededError):
        return InvalidInput(f"{told}. The conversation is too long for this model; make the agent's history shorter")
    if isinstance(error, known.AuthenticationError) or status in (401, 403):
        return InvalidInput(f"{told}. Check the provider's API key in the environment, such as OPENAI_API_KEY")
    if isinstance(error, known.NotFoundError):
        return InvalidInput(f"{told}. Check the model's name, written as provider/model")
    if status == 429 and "insufficient_quota" in _code(error):
        return InvalidInput(f"{told}. The account has no quota left; add credit or choose another model")
    if status is None or status in _PASSING or status >= 500:
        return ModelUnavailable(told, retry_after=_wait(error), status=status)
    return InvalidInput(f"{told}. The provider refuses the request; correct the model's name or the settings")


def said(error: Exception) -> str:
    """What the provider said: without the traceback, the file paths and the dump of the request that litellm adds, and
    without the key that some providers repeat."""
    text = cut(str(error), _READ)
    clutter = _CLUTTER.search(text)
    text = " ".join(_PATH.sub("…", text[: clutter.start()] if clutter else text).split())
    return (text[:_TOLD] + "…" if len(text) > _TOLD else text).rstrip(" .:-") or type(error).__name__


def _code(error: Exception) -> str:
    body: Any = getattr(error, "body", None)
    return f"{getattr(error, 'code', '')} {body or ''} {error}"


def _wait(error: Exception) -> float | None:
    """Retry-After: litellm keeps the provider's headers beside the response, not in it."""
    headers: Any = getattr(error, "litellm_response_headers", None)
    return retry_after(error) if headers is None else wait_of(headers)


def _message(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        shown["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
        shown["content"] = message.content or None
    if message.tool_call_id:
        shown["tool_call_id"] = message.tool_call_id
    return shown


def _tool(tool: ToolSchema) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _answer(response: Any, asked: str) -> Answer:
    """What litellm answered, read without trust: an answer without choices is an empty one."""
    usage: Any = getattr(response, "usage", None)
    counted = Usage(_count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))
    choices: Sequence[Any] = getattr(response, "choices", None) or ()
    answer = Answer(model=asked, usage=counted, cost=_cost(response))
    if not choices:
        return answer
    message: Any = choices[0].message
    calls = tuple(_call(call) for call in getattr(message, "tool_calls", None) or ())
    finish = _FINISH.get(str(choices[0].finish_reason), "stop")
    extra: dict[str, Any] = getattr(message, "provider_specific_fields", None) or {}
    refusal: Any = getattr(message, "refusal", None) or extra.get("refusal")
    return answer._replace(text=_text(message.content), tool_calls=calls, finish=finish, refusal=_text(refusal))


def _call(call: Any) -> ToolCall:
    function = call.function
    return ToolCall(_text(call.id), _text(function.name), _text(function.arguments))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(usage: Any, field: str) -> int:
    value = getattr(usage, field, None)
    return value if isinstance(value, int) and value > 0 else 0


def _cost(response: Any) -> str | None:
    """The price litellm reckons; None when it knows none. Some models are free: that is 0."""
    hidden: dict[str, Any] = getattr(response, "_hidden_params", None) or {}
    cost: Any = hidden.get("response_cost")
    return format(cost, ".12f").rstrip("0").rstrip(".") if isinstance(cost, (int, float)) else None
