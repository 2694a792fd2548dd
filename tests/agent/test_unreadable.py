"""A provider that answers, and not with an answer: which of it is an outage, which costs and is tried thrice, and which
is what the model wrote. On the providers that litellm reads in ways of their own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter import Agent, Limits, Retry
from overwinter.functions.agents.agent import MODEL_RETRY
from overwinter.functions.models.litellm import LiteLLM, ModelUnavailable, Unreadable
from overwinter.functions.models.port import Message, Request, ToolSchema
from overwinter.state.errors import InvalidInput, UnknownModel

from .driver import Driver
from .provider import Provider, serving
from .test_reasoning import lookup

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves

MODELS = {
    "anthropic/claude-sonnet-4-5": "",
    "azure/gpt-4o": "",
    "bedrock/converse/anthropic.claude-3-7-sonnet-20250219-v1:0": "",
    "cohere_chat/command-r-plus": "",
    "deepseek/deepseek-chat": "/v1",
    "gemini/gemini-2.5-flash": "",
    "groq/llama-3.3-70b-versatile": "/v1",
    "mistral/mistral-large-latest": "/v1",
    "moonshot/kimi-k2-thinking": "/v1",
    "openai/gpt-4o-mini": "/v1",
    "openrouter/openai/gpt-4o": "/v1",
    "together_ai/meta/llama": "/v1",
    "xai/grok-4": "/v1",
}
UNFIT = {
    "id": "x", "type": "message", "object": "chat.completion", "role": "assistant", "model": "m", "created": 1,
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "tool_calls": [{"id": 5}]}}],
    "content": [{"type": "tool_use", "id": 5}], "stop_reason": "end_turn",
    "candidates": [{"content": {"parts": [{"functionCall": 7}]}}], "output": {"message": {"content": [{"toolUse": 5}]}},
    "usage": {"prompt_tokens": "many", "input_tokens": "many"},
}  # fmt: skip
"""JSON that looks like an answer of every provider, with a call that none of them would send."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
    provider.judge = None
    for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("REGION_NAME", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)


def settings(provider: Provider, model: str) -> dict[str, Any]:
    found = {"api_base": provider.url.removesuffix("/v1") + MODELS[model], "api_key": "k", "timeout": 5}
    return found | ({"api_version": "2024-10-21"} if model.startswith("azure") else {})


def failed(provider: Provider, model: str) -> Exception:
    """What a model raises; it is asked once."""
    provider.asked.clear()
    request = Request(model, (Message("user", "hi"),), settings=settings(provider, model))
    with pytest.raises((InvalidInput, ModelUnavailable)) as caught:
        asyncio.run(LiteLLM(model).complete(request))
    assert len(provider.asked) == 1
    return caught.value


def attempts(error: Exception) -> int:
    """How often an agent asks that is answered like that each time."""
    return next(count for count in range(1, 99) if not MODEL_RETRY.again(error, count))


@pytest.mark.parametrize("model", MODELS)
def test_a_page_of_a_gateway_is_an_outage(provider: Provider, model: str) -> None:
    for body in ("<html>bad gateway</html>", ""):
        provider.answer = (200, {}, body)
        error = failed(provider, model)
        assert type(error) is ModelUnavailable and attempts(error) == MODEL_RETRY.attempts, body


@pytest.mark.parametrize("model", MODELS)
def test_an_answer_that_can_not_be_read_is_asked_for_thrice(provider: Provider, model: str) -> None:
    provider.answer = (200, {}, UNFIT)
    error = failed(provider, model)
    assert type(error) is Unreadable and attempts(error) == 3
    assert "could not be read" in str(error) and "model's name" not in str(error) and "Traceback" not in str(error)
    assert Retry(attempts=9, retry=(Unreadable,)).again(error, 5), "the user's word goes first"
    provider.answer = (200, {}, json.dumps(UNFIT)[:40])
    assert isinstance(failed(provider, model), ModelUnavailable) and attempts(error) == 3


@pytest.mark.parametrize("model", MODELS)
def test_a_refusal_with_a_page_for_a_body_stays_a_refusal(provider: Provider, model: str) -> None:
    provider.answer = (400, {}, "<html>no</html>")
    assert isinstance(failed(provider, model), InvalidInput)
    provider.answer = (503, {}, "<html>bad gateway</html>")
    error = failed(provider, model)
    assert type(error) is ModelUnavailable and attempts(error) == MODEL_RETRY.attempts


WROTE = '<function=lookup{"order_id": }</function>'


@pytest.mark.parametrize("code", ["tool_use_failed", "json_validate_failed"])
@pytest.mark.parametrize("model", ["groq/llama-3.3-70b-versatile", "openai/gpt-4o-mini", "openrouter/openai/gpt-4o"])
def test_a_call_that_the_provider_could_not_read_is_the_models_mistake(
    provider: Provider, model: str, code: str
) -> None:
    """Groq's answer as recorded. The agent tells its model, which asks again; each time counts as an iteration."""
    message = "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details."
    body = {"message": message, "type": "invalid_request_error", "code": code, "failed_generation": WROTE}
    provider.answer = (400, {}, {"error": body})
    agent = Agent("desk", model, "", [lookup], limits=Limits(2, cost="1"), settings=settings(provider, model))
    driver = Driver(agent)
    driver.say("m1", "Where is A-1?")
    driver.ask()
    value = driver.entries("model")[0]["value"]
    assert value == {"text": WROTE, "finish": "malformed", "usage": {"input": 0, "output": 0}, "cost": "0"}
    (note,) = driver.entries("observed")
    assert "could not be read" in note["text"] and WROTE in note["text"]
    assert [message.role for message in driver.prompt()] == ["user", "user"]
    driver.ask()
    assert driver.entries("reply")[0]["error"]["data"]["limit"] == "iterations"


def test_an_ordinary_refusal_is_not_taken_for_the_models_mistake(provider: Provider) -> None:
    provider.fails(400, "tools: too many")
    assert isinstance(failed(provider, "groq/llama-3.3-70b-versatile"), InvalidInput)


def test_no_provider_is_asked_where_none_is_known(provider: Provider) -> None:
    provider.asked.clear()
    schema = ToolSchema("lookup", "", {"type": "object", "properties": {}})
    request = Request("x", (Message("user", "hi"),), (schema,))
    with pytest.raises(UnknownModel, match="Check the model's name"):
        asyncio.run(LiteLLM("nobody/nothing").complete(request))
