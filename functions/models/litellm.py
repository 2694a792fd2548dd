"""Models of all providers through litellm, which is imported at the first answer and nowhere else: it takes
seconds and 200 MB.

One call is one attempt: litellm's own retries are off. Usage and cost are recorded on every answer. What becomes of
errors is in ``mapped``, what goes back to the provider that gave it in ``opaque``.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ...state.errors import InvalidInput, KeyRefused, ModelUnavailable, QuotaUsedUp, Unreadable
from . import opaque
from .catalogue import doubtful, unknown
from .chat import described, finished
from .counting import split
from .failing import text_of
from .mapped import translated, written
from .port import Answer, Request, ToolCall

__all__ = ["LiteLLM", "ModelUnavailable", "Unreadable"]

_ELSEWHERE = frozenset({"api_key", "api_base", "base_url", "extra_headers", "headers", "mock_response"})
"""Settings with which no key needs to be in the environment."""
_PLACE = frozenset({"api_base", "base_url"})
"""Settings that name a server of one's own. It needs no key, but its client does, and takes a lack for an outage."""
_INSTALL = "pip install 'overwinter[llm]'"

log = logging.getLogger("overwinter")


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
            raise KeyRefused(missing, model=self.name)
        try:
            response = await library.acompletion(**self._arguments(request))
        except library.exceptions.BudgetExceededError as error:
            raise QuotaUsedUp(f"{self.name}: {text_of(error)}", model=self.name) from None
        except _openai_error(library) as error:
            log.debug("the model %s failed", self.name, exc_info=error)  # the journal keeps what the caller can use
            if (answer := written(self.name, error)) is not None:
                return answer
            raise translated(self.name, error) from None
        return _answer(response, self.name)

    def absent(self) -> str:
        """Why it can't answer, without loading what it needs; "" when that is there."""
        if "litellm" in sys.modules or importlib.util.find_spec("litellm") is not None:
            return ""
        return f"{self.name} needs litellm, which is not installed: {_INSTALL}"

    def wrong(self, settings: Mapping[str, Any]) -> str:
        """Why it can't answer, as far as this machine can know: nobody is asked. "" when nothing is against it."""
        try:
            library = _load()
        except InvalidInput as error:
            return str(error)
        return unknown(library, self.name, settings) or _missing_key(library, self.name, settings)

    def doubt(self, settings: Mapping[str, Any]) -> str:
        """Why its name may be mistaken, after ``wrong``; "" when litellm knows it, or nothing like it."""
        return doubtful(_load(), self.name, settings)

    def _no_key(self, settings: Mapping[str, Any]) -> dict[str, str]:
        """Something in a key's place for a server of one's own, when there is no key anywhere."""
        wanted = bool(_PLACE & settings.keys()) and "api_key" not in settings
        elsewhere = {name: value for name, value in settings.items() if name not in _PLACE}
        return {"api_key": "none"} if wanted and _missing_key(self._library, self.name, elsewhere) else {}

    def _arguments(self, request: Request) -> dict[str, Any]:
        arguments: dict[str, Any] = {
            "model": self.name,
            "messages": [opaque.shown(message, self.name) for message in request.messages],
            **opaque.settings_for(request, self.name),
            **self._no_key(request.settings),
            "num_retries": 0,
            "max_retries": 0,
        }
        if request.tools:
            arguments |= _quirks()
            arguments["tools"] = [described(tool) for tool in request.tools]
        if request.output is not None and self._library.supports_response_schema(model=self.name):
            name, schema = request.output
            form = {"name": name, "schema": schema, "strict": False}
            arguments["response_format"] = {"type": "json_schema", "json_schema": form}
        return arguments


def _load() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it fetches a price list at import
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")  # or it reads a .env around its own folder, also under serve
    try:
        library: Any = importlib.import_module("litellm")
    except ImportError as error:
        raise InvalidInput(f"models of providers need litellm ({error}): {_INSTALL}") from error
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


def _answer(response: Any, asked: str) -> Answer:
    """What litellm answered, read without trust: an answer without choices is an empty one."""
    counted = split(getattr(response, "usage", None))
    choices: Sequence[Any] = getattr(response, "choices", None) or ()
    answer = Answer(model=asked, usage=counted, cost=_cost(response) if counted.total else None)
    if not choices:
        return answer
    message: Any = getattr(choices[0], "message", None)
    extra: dict[str, Any] = getattr(message, "provider_specific_fields", None) or {}
    refusal: Any = getattr(message, "refusal", None) or extra.get("refusal")
    calls = tuple(_call(call) for call in getattr(message, "tool_calls", None) or ())
    return answer._replace(
        text=_text(getattr(message, "content", None)),
        tool_calls=calls,
        finish=_finish(getattr(choices[0], "finish_reason", None), extra.get("stop_reason")),
        refusal=_text(refusal),
        opaque=opaque.of_message(message, calls),
    )


def _finish(finish: object, stopped: object) -> str:
    """Why it ended. litellm calls a pause that the provider makes a cut, and keeps the provider's word beside it."""
    return finished("pause_turn" if stopped == "pause_turn" else finish)


def _call(call: Any) -> ToolCall:
    function: Any = getattr(call, "function", None)
    kept = opaque.of_call(call)
    name, arguments = (_text(getattr(function, field, None)) for field in ("name", "arguments"))
    return ToolCall(opaque.id_of(call, kept), name, arguments, kept)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _cost(response: Any) -> str | None:
    """The price by litellm's list, that of cached tokens included; None when it knows none. Some models are free: 0."""
    hidden: dict[str, Any] = getattr(response, "_hidden_params", None) or {}
    cost: Any = hidden.get("response_cost")
    return format(cost, ".12f").rstrip("0").rstrip(".") if isinstance(cost, (int, float)) else None
