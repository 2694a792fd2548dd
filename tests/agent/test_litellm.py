"""The litellm adapter against a provider on loopback that speaks OpenAI's protocol. litellm takes seconds to
import, so all of this stands in one module."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from overwinter import Agent, Retry, tool
from overwinter.functions.models import litellm as adapter
from overwinter.functions.models.litellm import LiteLLM, ModelUnavailable, _missing_key
from overwinter.functions.models.port import Answer, Message, OutputSchema, Request, ToolCall, ToolSchema, Usage
from overwinter.orchestrator.agent.answer import read
from overwinter.orchestrator.errors import traces
from overwinter.orchestrator.errors.failures import encode
from overwinter.orchestrator.usercode.resilience import retry_after
from overwinter.state.codec import dumps
from overwinter.state.errors import InvalidInput, KeyRefused, UnknownModel

from .driver import Driver, run
from .provider import Provider, serving

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # litellm and what it imports warn about themselves
]


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def provider(server: Provider) -> Provider:
    server.asked.clear()
    return server


MODEL = LiteLLM("openai/gpt-4o-mini")


def ask(provider: Provider, model: LiteLLM = MODEL, **request: Any) -> Answer:
    settings = {"api_base": provider.url, "api_key": "k", "timeout": 5, **request.pop("settings", {})}
    messages = request.pop("messages", (Message("user", "hi"),))
    return asyncio.run(model.complete(Request(model.name, messages, settings=settings, **request)))


def refused(provider: Provider) -> Exception:
    provider.asked.clear()
    with pytest.raises((InvalidInput, ModelUnavailable)) as caught:
        ask(provider)
    assert len(provider.asked) == 1  # litellm and the provider's client make no attempts of their own
    return caught.value


def test_an_answer_comes_with_usage_and_cost(provider: Provider) -> None:
    provider.says(content="hello")
    assert ask(provider) == Answer("hello", (), Usage(100, 20), "0.000027", "openai/gpt-4o-mini")


def test_a_model_of_unknown_price_has_no_cost_until_the_settings_tell(provider: Provider) -> None:
    provider.says(content="hello")
    provider.answer[2]["model"] = "unheard-of"
    unknown = LiteLLM("openai/unheard-of")
    assert ask(provider, unknown).cost is None
    prices = {"input_cost_per_token": 0.001, "output_cost_per_token": 0.01}
    assert ask(provider, unknown, settings=prices).cost == "0.3"


def test_a_conversation_with_tools_goes_out_in_the_providers_form(provider: Provider) -> None:
    provider.says(
        "tool_calls", tool_calls=[{"id": "c2", "type": "function", "function": {"name": "lookup", "arguments": "{bad"}}]
    )
    schema = ToolSchema("lookup", "Look up.", {"type": "object", "properties": {}})
    messages = (
        Message("system", "Be kind."),
        Message("user", "hi"),
        Message("assistant", "", (ToolCall("c1", "lookup", '{"a":1}'),)),
        Message("tool", "found", tool_call_id="c1"),
    )
    answer = ask(provider, messages=messages, tools=(schema,), settings={"temperature": 0.5})
    assert answer.finish == "tool_calls" and answer.tool_calls == (ToolCall("c2", "lookup", "{bad"),)
    (asked,) = provider.asked
    assert asked["temperature"] == 0.5
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "tool"]
    assert asked["messages"][2]["tool_calls"][0]["function"] == {"name": "lookup", "arguments": '{"a":1}'}
    assert asked["messages"][3]["tool_call_id"] == "c1"
    assert asked["tools"][0]["function"]["name"] == "lookup"
    assert set(asked) == {"messages", "model", "temperature", "tools"}


def test_an_output_type_goes_out_where_the_model_takes_one(provider: Provider) -> None:
    provider.says(content="{}")
    output = OutputSchema("Verdict", {"type": "object", "properties": {"x": {"type": "string"}}})
    ask(provider, output=output)
    ask(provider, LiteLLM("openai/unheard-of"), output=output)
    known, unknown = provider.asked
    assert known["response_format"]["json_schema"]["name"] == "Verdict"
    assert "response_format" not in unknown


def test_cut_off_refused_and_empty_answers_say_so(provider: Provider) -> None:
    provider.says("length", content="to be cont")
    assert ask(provider).finish == "length"
    provider.says("content_filter", content="")
    assert ask(provider).finish == "content_filter"
    provider.says(refusal="I won't.")
    assert ask(provider).refusal == "I won't."
    provider.says()
    provider.answer[2]["choices"] = []
    empty = ask(provider)
    assert (empty.text, empty.tool_calls) == ("", ())
    assert read(empty.record(), "t1.m1").text == ""


def test_too_many_requests_may_be_tried_again_when_the_provider_says(provider: Provider) -> None:
    provider.fails(429, "slow down", "rate_limit_exceeded", Retry_After="7")
    error = refused(provider)
    assert isinstance(error, ModelUnavailable) and error.status == 429
    assert retry_after(error) == 7 and Retry().again(error)
    provider.fails(429, "slow down", Retry_After="Mon, 01 Jan 2001 00:00:00 GMT")
    assert retry_after(refused(provider)) == 0


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_a_broken_provider_may_be_tried_again(provider: Provider, status: int) -> None:
    provider.fails(status, "overloaded", Retry_After="3")
    error = refused(provider)
    assert isinstance(error, ModelUnavailable) and retry_after(error) == 3


def test_what_is_no_answer_may_be_tried_again(provider: Provider) -> None:
    provider.answer = (200, {}, "<html>bad gateway</html>")
    assert isinstance(refused(provider), ModelUnavailable)


@pytest.mark.parametrize(
    ("status", "message", "code", "advice"),
    [
        (401, "Incorrect API key provided", "invalid_api_key", "API key in the environment"),
        (403, "not allowed", "", "API key in the environment"),
        (404, "The model does not exist", "model_not_found", "Check the model's name"),
        (400, "Unrecognized argument", "", "correct the model's name or the settings"),
        (400, "This model's maximum context length is 128000 tokens.", "context_length_exceeded", "history shorter"),
        (429, "You exceeded your current quota", "insufficient_quota", "no quota left"),
    ],
)
def test_what_another_attempt_would_only_repeat_is_final(
    provider: Provider, status: int, message: str, code: str, advice: str
) -> None:
    provider.fails(status, message, code)
    error = refused(provider)
    assert isinstance(error, InvalidInput) and advice in str(error) and message in str(error)
    assert not Retry().again(error)


def test_what_the_provider_said_is_cut_and_cleaned(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_LLM_KEY", "tulips-and-roses")
    for message in (
        "Incorrect API key provided: tulips-and-roses. See the docs",
        "Incorrect API key provided: sk-proj-abcdef0123456789. See the docs",
        'it failed\nTraceback (most recent call last):\n  File "/usr/lib/x/main.py", line 3\n    call(tulips)',
        'it failed in /usr/lib/python3/site-packages/litellm/main.py:77: {"messages": [{"content": "tulips"}]}',
        "it failed. " + "tulips " * 1000,
    ):
        provider.fails(401, message)
        error = refused(provider)
        written = dumps(encode(error))
        assert "tulips-and-roses" not in written and "abcdef0123456789" not in written
        assert "Traceback" not in written and "/usr/lib" not in written and '"messages"' not in written
        assert len(written) < 2000 and "API key" in str(error)
        assert "it failed" in str(error) or "See the docs" in str(error)


def test_an_unmapped_error_brings_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    async def broken(**_: Any) -> Any:
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise litellm.exceptions.APIConnectionError(
                f"x - inner\n{traceback.format_exc()}", "openai", "gpt-4o"
            ) from error

    monkeypatch.setattr(litellm, "acompletion", broken)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(ModelUnavailable) as caught:
        asyncio.run(MODEL.complete(Request(MODEL.name, (Message("user", "?"),))))
    written = dumps(traces.without(encode(caught.value)))
    assert "inner" in written and "Traceback" not in written and "test_litellm" not in written


def test_a_provider_out_of_reach_or_silent_may_be_tried_again(provider: Provider) -> None:
    with pytest.raises(ModelUnavailable):
        ask(provider, settings={"api_base": "http://127.0.0.1:1/v1"})


def test_a_provider_nobody_knows_is_final() -> None:
    with pytest.raises(UnknownModel, match="Check the model's name"):
        asyncio.run(LiteLLM("nobody/nothing").complete(Request("x", (Message("user", "hi"),))))


def test_a_missing_package_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(InvalidInput, match=r"pip install 'overwinter\[llm\]'"):
        adapter._load()


def test_litellm_is_not_imported_before_the_first_answer() -> None:
    code = (
        "import sys; from overwinter import Agent; Agent('a', 'openai/gpt-5-mini').request([]); "
        "print([name for name in ('litellm', 'openai', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_agent_talks_to_a_provider(provider: Provider) -> None:
    @tool
    def lookup(order_id: str) -> str:
        """Look an order up."""
        return f"order {order_id} is on its way"

    settings = {"api_base": provider.url, "api_key": "k"}
    driver = Driver(Agent("desk", "openai/gpt-4o-mini", "Help.", [lookup], settings=settings))
    driver.say("m1", "Where is A-1?")
    call = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"order_id": "A-1"}'}}
    provider.says("tool_calls", tool_calls=[call])
    driver.ask()
    driver.tool("t1.m1.0", run(driver.effect("t1.m1.0")))
    provider.says(content="On its way.")
    driver.ask()
    assert driver.entries("reply")[0]["value"] == "On its way."
    assert provider.asked[1]["messages"][-1]["content"] == "order A-1 is on its way"
    assert {entry["value"]["cost"] for entry in driver.entries("model")} == {"0.000027"}


def test_a_server_of_ones_own_needs_no_key(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client wants one, and takes a lack for a broken connection, which is tried again for half an hour."""
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    provider.says(content="Hello.")
    for place in ("api_base", "base_url"):
        request = Request("openai/llama3.2", (Message("user", "?"),), settings={place: provider.url, "timeout": 5})
        assert asyncio.run(LiteLLM("openai/llama3.2").complete(request)).text == "Hello."
    model = LiteLLM("openai/llama3.2")
    model._library = adapter._load()
    assert model._no_key({"api_base": provider.url}) == {"api_key": "none"}
    assert not model._no_key({"api_base": provider.url, "api_key": "k"})
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert not model._no_key({"api_base": provider.url}), "a key that is there is the one to use"


def test_no_env_file_is_read_unasked() -> None:
    """litellm by itself reads a .env of the folders above its own: with a .venv in a project, the project's."""
    code = (
        "import dotenv\n"
        "dotenv.load_dotenv = lambda **how: print('read')\n"
        "from overwinter.functions.models.litellm import _load\n"
        "_load()\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "LITELLM_MODE"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert "read" not in done.stdout


@pytest.mark.parametrize("model", ["openai/gpt-5-mini", "gemini/gemini-2.5-flash", "groq/llama-3.3-70b-versatile"])
def test_a_missing_key_is_refused_at_once(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not called an outage, as some providers' clients do."""
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    with pytest.raises(
        KeyRefused, match=r"needs the provider's key: set (OPENAI|GOOGLE_API_KEY or GEMINI|GROQ)_API_KEY"
    ):
        asyncio.run(LiteLLM(model).complete(Request(model, (Message("user", "?"),))))


def test_a_key_may_come_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    import litellm

    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    model = "openai/gpt-5-mini"
    for settings in ({"api_key": "k"}, {"api_base": "http://127.0.0.1:1"}):
        assert not _missing_key(litellm, model, settings)
    assert not _missing_key(litellm, "bedrock/anthropic.claude-3", {}), "credentials may be in a file or the machine's"
    assert not _missing_key(litellm, "hosted_vllm/llama", {}), "a server of one's own needs none"
    monkeypatch.setattr(litellm, "openai_key", "k")
    assert not _missing_key(litellm, model, {})
    monkeypatch.setattr(litellm, "openai_key", None)
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert not _missing_key(litellm, model, {})
