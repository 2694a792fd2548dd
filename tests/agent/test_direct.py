"""The direct adapter against servers on loopback: what goes out, what comes back, what goes wrong, how connections are
kept. Of what it reads out of answers see ``test_provider_answers``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import Agent, Limits, Retry, Runtime
from overwinter.functions.agents.agent import MODEL_RETRY
from overwinter.functions.invocation.loading import reachable
from overwinter.functions.invocation.looking import look
from overwinter.functions.model import KeyRefused, ModelError, ModelUnavailable, Prices, RateLimited, Unreadable
from overwinter.functions.models.chat import Unfit, answer
from overwinter.functions.models.choosing import choose
from overwinter.functions.models.direct import Direct, endpoint
from overwinter.functions.models.port import Answer, Message, OutputSchema, Request, ToolCall, ToolSchema, Usage
from overwinter.orchestrator.errors.failures import encode
from overwinter.state.codec import dumps, loads
from overwinter.state.errors import InvalidInput

from .answers import SAID, call, chat, counted
from .bodies import CASES, REFUSALS, google
from .driver import Driver, run
from .provider import BROKEN, Asked, Provider, breaking, serving
from .test_model_errors import means
from .test_reasoning import DETAILS, SIGNATURE, lookup
from .test_unreadable import UNFIT, WROTE

SCHEMA = ToolSchema("lookup", "Look up.", {"type": "object", "properties": {}})
OUTPUT = OutputSchema("Verdict", {"type": "object", "properties": {"x": {"type": "string"}}})
HELLO = chat("stop", counted(100, 20), content="hello")


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture
def provider(server: Provider, monkeypatch: pytest.MonkeyPatch) -> Provider:
    for name in [name for name in os.environ if name.endswith(("_API_KEY", "_API_BASE"))]:
        monkeypatch.delenv(name)
    server.asked.clear()
    server.headers.clear()
    server.peers.clear()
    server.judge = None
    server.answer = (200, {}, HELLO)
    return server


def ask(provider: Provider, **request: Any) -> Answer:
    model = Direct("llama3.2", provider.url)
    messages = request.pop("messages", (Message("user", "hi"),))
    return asyncio.run(model.complete(Request(model.name, messages, **request)))


def failed(provider: Provider) -> ModelError:
    provider.asked.clear()
    with pytest.raises(ModelError) as caught:
        ask(provider)
    assert len(provider.asked) == 1  # it makes no attempts of its own
    return caught.value


# -- out ---------------------------------------------------------------------------------------------


def test_a_conversation_goes_out_in_the_protocols_form(provider: Provider) -> None:
    messages = (
        Message("system", "Be kind."),
        Message("user", "hi"),
        Message("assistant", "", (ToolCall("c1", "lookup", '{"a":1}'),)),
        Message("tool", "found ✓", tool_call_id="c1"),
    )
    settings = {"temperature": 0.5, "seed": None, "num_retries": 3, "timeout": "5s", "extra_body": {"top_k": 4}}
    found = ask(provider, messages=messages, tools=(SCHEMA,), output=OUTPUT, settings=settings)
    assert found == Answer("hello", (), Usage(100, 20), None, "openai-compatible/llama3.2")
    (asked,) = provider.asked
    assert asked == {
        "model": "llama3.2",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "hi"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"a":1}'}}
                ],
            },
            {"role": "tool", "content": "found ✓", "tool_call_id": "c1"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "lookup",
                    "description": "Look up.",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
        ],
        "temperature": 0.5,
        "top_k": 4,
    }
    assert provider.paths[-1] == "/v1/chat/completions" and "authorization" not in provider.headers[-1]


def test_an_output_type_goes_out_where_there_are_no_tools(provider: Provider) -> None:
    ask(provider, output=OUTPUT)
    ask(provider, output=OUTPUT, settings={"response_format": None})
    assert provider.asked[0]["response_format"]["json_schema"]["name"] == "Verdict"
    assert "response_format" not in provider.asked[1]


def test_the_key_comes_from_the_settings_or_the_environment(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", "of-the-environment\n")
    monkeypatch.setenv("SHOP_KEY", "of-the-shop")
    for settings in ({}, {"api_key": "own"}, {"api_key": "os.environ/SHOP_KEY"}, {"api_key": ""}):
        ask(provider, settings=settings)
    told = [headers.get("authorization") for headers in provider.headers]
    assert told == ["Bearer of-the-environment", "Bearer own", "Bearer of-the-shop", None]
    ask(provider, settings={"extra_headers": {"Authorization": "Basic x", "X-Title": "shop"}})
    assert provider.headers[-1]["authorization"] == "Basic x" and provider.headers[-1]["x-title"] == "shop"
    for key in ("os.environ/NOT_SET", "käse", "a\nb", 5):
        with pytest.raises(KeyRefused):
            ask(provider, settings={"api_key": key})


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
        ("http://localhost:11434/", "http://localhost:11434/v1/chat/completions"),
        ("https://gw.example/api/v2/", "https://gw.example/api/v2/chat/completions"),
        ("https://gw.example/x/chat/completions", "https://gw.example/x/chat/completions"),
        ("https://a.example/openai?api-version=1", "https://a.example/openai/chat/completions?api-version=1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1/chat/completions"),
    ],
)
def test_the_address_may_be_a_servers_or_an_apis(url: str, place: str) -> None:
    assert endpoint(url) == place


@pytest.mark.parametrize(
    "name",
    ["", "@http://x", " m@http://x", "m@http://", "m@http://x:port", "m@http://x y", "m@http://u:p@x", "m@http:///v1"],
)
def test_what_names_no_model_or_no_server_is_refused_at_once(name: str) -> None:
    with pytest.raises(InvalidInput):
        Agent("desk", f"openai-compatible:{name}")


def test_the_server_may_come_from_the_name_the_settings_or_the_environment(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = choose(f"openai-compatible:org/model@q4@{provider.url}")
    assert named.name == "openai-compatible/org/model@q4"
    bare = choose("openai-compatible:llama3.2")
    (finding,) = look(reachable([Agent("desk", bare)]))
    assert finding.certain and "openai-compatible:llama3.2@http://localhost:11434/v1" in finding.text
    for model, settings in ((named, {}), (bare, {"api_base": provider.url}), (bare, {"base_url": provider.url})):
        asyncio.run(model.complete(Request(model.name, (Message("user", "?"),), settings=settings)))
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_BASE", provider.url)
    asyncio.run(bare.complete(Request(bare.name, (Message("user", "?"),))))
    assert [asked["model"] for asked in provider.asked] == ["org/model@q4", *["llama3.2"] * 3]


def test_what_is_against_a_model_is_told_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_COMPATIBLE_API_KEY", raising=False)
    local, far = Direct("m", "http://localhost:1/v1"), Direct("m", "https://gw.example/v1")
    assert local.absent() == local.wrong({}) == local.doubt({}) == ""
    assert far.wrong({}) == "" and "has no key" in far.doubt({}) and far.doubt({"api_key": "k"}) == ""
    open_ = Direct("m", "http://gw.example/v1")
    assert "unencrypted" in open_.doubt({"api_key": "k"}) and Direct("m", "http://10.0.0.8/v1").doubt({}) == ""
    assert "timeout" in local.wrong({"timeout": "soon"}) and "os.environ" not in local.wrong({"api_key": "k"})
    assert "set NOWHERE" in local.wrong({"api_key": "os.environ/NOWHERE"})
    assert "correct the settings" in local.wrong({"temperature": object()})


# -- what goes wrong ---------------------------------------------------------------------------------

SPOKEN = [pair for pair in CASES if pair[0] not in ("anthropic", "gemini")]


@pytest.mark.parametrize(("name", "case"), SPOKEN)
def test_what_a_server_says_is_an_error_of_what_can_be_done(provider: Provider, name: str, case: str) -> None:
    refusal = REFUSALS[name][case]
    provider.answer = (refusal.status, refusal.headers, refusal.body)
    error = failed(provider)
    means(error, refusal)
    assert error.model == "openai-compatible/llama3.2" and f"HTTP {refusal.status}" in str(error)


def test_googles_list_of_errors_is_read_too(provider: Provider) -> None:
    provider.answer = (400, {}, [google(400, "INVALID_ARGUMENT", "API key not valid.")])
    assert type(failed(provider)) is KeyRefused


def test_a_page_of_a_gateway_is_an_outage(provider: Provider) -> None:
    for body in ("<html>bad gateway</html>", "", "upstream timed out"):
        provider.answer = (200, {}, body)
        error = failed(provider)
        assert type(error) is ModelUnavailable and MODEL_RETRY.again(error, MODEL_RETRY.attempts - 1)


@pytest.mark.parametrize(
    "body",
    [
        UNFIT,
        json.dumps(HELLO)[:80],
        [],
        {"choices": 5},
        {"choices": [5]},
        {"choices": [{}]},
        {"choices": [{"message": {"tool_calls": {}}}]},
        chat("stop", counted(7, 1), tool_calls=[{"id": "c", "function": {"arguments": "{}"}}]),
        "[" * 100_000,
    ],
)
def test_an_answer_that_can_not_be_read_is_asked_for_thrice(provider: Provider, body: Any) -> None:
    provider.answer = (200, {}, body)
    error = failed(provider)
    assert type(error) is Unreadable and "could not be read" in str(error)
    assert MODEL_RETRY.again(error, 2) and not MODEL_RETRY.again(error, 3)


def test_an_unreadable_answer_that_was_counted_was_billed(provider: Provider) -> None:
    body = chat("stop", counted(70, 10, cost=0.25), tool_calls=[{"id": 5}])
    provider.answer = (200, {}, body)
    assert failed(provider).billed == {"usage": {"input": 70, "output": 10}, "cost": "0.25"}
    answers = iter([body, HELLO])
    provider.judge = lambda asked: (200, {}, next(answers))
    model = f"openai-compatible:m@{provider.url}"
    agent = Agent("desk", model, retry=Retry(first=0), prices=Prices(1, 10))

    async def main() -> Any:
        async with Runtime([agent], "memory://") as runtime:
            assert await (await runtime.send(agent, "s", "hello")).reply("30s") == "hello"
            head = await runtime.store.head("desk/s")
            assert head is not None
            return loads(head.state)["usage"]

    assert asyncio.run(main()) == {"iterations": 1, "input": 170, "output": 30, "cost": "0.00047"}


def test_an_error_with_a_good_status_is_one(provider: Provider) -> None:
    """As gateways send that had begun to answer."""
    provider.answer = (200, {"retry-after": "3"}, {"error": {"code": 429, "message": "slow down"}})
    error = failed(provider)
    assert type(error) is RateLimited and error.retry_after == 3
    broken = chat("error", counted(9, 4), content="It is", choice={"error": {"code": 502, "message": "upstream"}})
    provider.answer = (200, {}, broken)
    error = failed(provider)
    assert type(error) is ModelUnavailable and error.billed == {"usage": {"input": 9, "output": 4}, "cost": None}


@pytest.mark.parametrize("code", ["tool_use_failed", "json_validate_failed"])
def test_a_call_that_the_server_could_not_read_is_the_models_mistake(provider: Provider, code: str) -> None:
    body = {"message": "no", "type": "invalid_request_error", "code": code, "failed_generation": WROTE}
    provider.answer = (400, {}, {"error": body})
    agent = Agent("desk", f"openai-compatible:m@{provider.url}", "", [lookup], limits=Limits(2, cost="1"))
    driver = Driver(agent)
    driver.say("m1", "Where is A-1?")
    driver.ask()
    assert driver.entries("model")[0]["value"] == {
        "text": WROTE, "finish": "malformed", "usage": {"input": 0, "output": 0}, "cost": "0",
    }  # fmt: skip
    assert WROTE in driver.entries("observed")[0]["text"]


def test_the_key_stands_in_no_error(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", "tulips-and-roses")
    provider.answer = (401, {}, {"error": {"message": "Incorrect API key provided: tulips-and-roses"}})
    assert "tulips-and-roses" not in dumps(encode(failed(provider)))


@pytest.mark.parametrize("sent", BROKEN)
def test_a_connection_that_dies_in_the_middle_may_be_tried_again(sent: bytes) -> None:
    with breaking(sent) as url, pytest.raises(ModelUnavailable) as caught:
        asyncio.run(Direct("m", url).complete(Request("m", (Message("user", "?"),))))
    assert type(caught.value) is ModelUnavailable and caught.value.status is None


def test_a_server_that_is_silent_or_not_there_may_be_tried_again() -> None:
    with breaking(b"", hold=True) as url, pytest.raises(ModelUnavailable, match=r"no answer within 0\.05 s"):
        asyncio.run(Direct("m", url).complete(Request("m", (Message("user", "?"),), settings={"timeout": 0.05})))
    with pytest.raises(ModelUnavailable):
        asyncio.run(Direct("m", "http://127.0.0.1:1").complete(Request("m", (Message("user", "?"),))))


def test_a_broken_encoding_is_unreadable() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope"
    with breaking(head) as url, pytest.raises(Unreadable):
        asyncio.run(Direct("m", url).complete(Request("m", (Message("user", "?"),))))


# -- what goes back ----------------------------------------------------------------------------------

SIGNED: dict[str, Any] = {"extra_content": {"google": {"thought_signature": SIGNATURE}}}
KEPT: dict[str, tuple[dict[str, Any], Any]] = {
    "reasoning_content": ({"reasoning_content": SIGNATURE, "tool_calls": [call("c1")]}, SIGNATURE),
    "reasoning": ({"reasoning": SIGNATURE, "tool_calls": [call("c1")]}, SIGNATURE),
    "reasoning_details": (
        {"reasoning": "Let me see.", "reasoning_details": DETAILS, "tool_calls": [call("c1")]},
        DETAILS,
    ),
    "tool_calls": ({"tool_calls": [call("c1", **SIGNED)]}, [call("c1", **SIGNED)]),
}


@pytest.mark.parametrize("field", KEPT)
def test_reasoning_goes_back_with_the_result_of_the_call_it_led_to(provider: Provider, field: str) -> None:
    first, kept = KEPT[field]

    def judge(asked: Asked) -> Any:
        own = [message for message in asked["messages"] if message["role"] == "assistant"]
        if not own:
            return (200, {}, chat("tool_calls", counted(9, 5), **first))
        return (200, {}, HELLO) if own[0][field] == kept else (400, {}, {"error": {"message": "reasoning is missing"}})

    provider.judge = judge
    driver = Driver(Agent("desk", f"openai-compatible:m@{provider.url}", "Help.", [lookup]))
    driver.say("m1", "Where is A-1?")
    driver.ask()
    driver.restart()  # and as a process knows it that has only the journal
    driver.tool("t1.m1.0", run(driver.effect("t1.m1.0")))
    driver.ask()
    assert driver.entries("reply")[0].get("value", driver.entries("reply")[0].get("error")) == "hello"
    assert "".join(driver.journal).count(SIGNATURE) == 1, "it is stored once"
    driver.spec = Agent("desk", f"openai-compatible:other@{provider.url}", "Help.", [lookup])
    driver.say("m2", "Thanks.")
    driver.restart()
    provider.judge = None
    driver.ask()
    assert SIGNATURE not in dumps(provider.asked[-1]), "another model does not see it"


def test_arguments_that_are_no_text_become_one(provider: Provider) -> None:
    provider.answer = (200, {}, chat("tool_calls", counted(9, 5), tool_calls=[call(None, {"order_id": "A-1"})]))
    assert ask(provider).tool_calls == (ToolCall("", "lookup", '{"order_id":"A-1"}'),)


def test_a_text_in_parts_is_one_text(provider: Provider) -> None:
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    provider.answer = (200, {}, chat("stop", counted(9, 5), content=parts))
    assert ask(provider).text == "hello"


def test_an_answer_without_choices_is_an_empty_one(provider: Provider) -> None:
    provider.answer = (200, {}, {"choices": [], "usage": counted(9, 0)})
    assert ask(provider) == Answer(usage=Usage(9), model="openai-compatible/llama3.2")


def test_the_price_is_what_the_server_tells_or_nobody_knows(provider: Provider) -> None:
    assert ask(provider).cost is None
    provider.answer = (200, {}, SAID["openrouter"]["text"].body)
    assert ask(provider).cost == "0.00123"
    provider.answer = (200, {}, chat("stop", counted(9, 5, cost="free"), content="hello"))
    assert ask(provider).cost is None


# -- connections -------------------------------------------------------------------------------------


def test_connections_are_kept_within_a_loop_and_closed_with_it(provider: Provider) -> None:
    model = Direct("m", provider.url)
    request = Request(model.name, (Message("user", "?"),))

    async def twice() -> None:
        await model.complete(request)
        await model.complete(request)
        await asyncio.gather(*(model.complete(request) for _ in range(3)))

    asyncio.run(twice())
    assert len(set(provider.peers[:2])) == 1 and len(set(provider.peers)) <= 3
    asyncio.run(twice())  # on another loop, of which the first one's connections are no part
    assert len(provider.asked) == 10
    threads = [threading.Thread(target=asyncio.run, args=(model.complete(request),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(provider.asked) == 14
    (connections,) = model._connections.values()
    assert all(loop.is_closed() for loop in connections._clients)
    assert all(client.is_closed for client, _ in connections._clients.values())


def test_nothing_heavy_is_imported(provider: Provider) -> None:
    code = (
        "import asyncio, sys\n"
        "from overwinter import Agent\n"
        "agent = Agent('a', f'openai-compatible:m@{sys.argv[1]}')\n"
        "assert 'httpx' not in sys.modules\n"
        "from overwinter.functions.model import Message, Request\n"
        "said = asyncio.run(agent.model.complete(Request('m', (Message('user', '?'),))))\n"
        "print(said.text, [name for name in ('litellm', 'openai', 'httpx2', 'tiktoken') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, provider.url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "hello []" and done.stderr == ""


WORDS = st.sampled_from(
    ["choices", "message", "tool_calls", "function", "name", "arguments", "id", "content", "usage", "error", "text"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=30,
)


@given(JSON)
def test_whatever_a_server_says_is_an_answer_or_unfit(body: object) -> None:
    try:
        found = answer(body, "m")
    except Unfit:
        return
    record = found.record("m")
    assert loads(dumps(record)) == record and all(count >= 0 for count in found.usage)


@given(JSON)
def test_whatever_stands_in_a_message_is_read_or_unfit(message: object) -> None:
    try:
        answer({"choices": [{"message": message}]}, "m")
    except Unfit:
        return
    assert isinstance(message, dict)
