"""Answers that providers stream, in their own shapes, through litellm and through the direct adapter: what is emitted
is the text of the answer, and the answer is the one that comes without a stream."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from overwinter.functions.model import (
    ContentRefused,
    ContextTooLong,
    ModelError,
    ModelUnavailable,
    QuotaUsedUp,
    RateLimited,
    RequestRefused,
    Unreadable,
)
from overwinter.functions.models.direct import Direct
from overwinter.functions.models.litellm import LiteLLM
from overwinter.functions.models.port import Answer, Delta, Message, Request, Streaming

from .answers import OTHERS, SAID, SAYING, Said, call, chat, counted
from .bodies import ROUTES
from .provider import Asked, Provider, serving
from .streams import CLOSED, DONE, SSE, event, streamed
from .test_provider_answers import SCHEMA, told
from .test_reasoning import CASES, DETAILS, SIGNATURE, THINKING

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One loop for all of them, as in a process: litellm leaves connections open that belong to another."""
    with asyncio.Runner() as runner:
        yield runner
    gc.collect()  # here, where litellm may be warned of


def speaks(provider: Provider, events: list[str], whole: Any, headers: Mapping[str, str] = CLOSED) -> None:
    """The provider streams that when it is asked to, and else answers at once."""

    def judge(asked: Asked) -> Any:
        wanted = asked.get("stream") or "stream" in provider.paths[-1]
        return (200, {**SSE, **headers}, "".join(events)) if wanted else (200, dict(headers), whole)

    provider.judge = judge


def settings_for(provider: Provider, name: str) -> dict[str, Any]:
    _, path = ROUTES[name]
    settings: dict[str, Any] = {"api_base": provider.url.removesuffix("/v1") + path, "api_key": "k", "timeout": 5}
    return settings | ({"api_version": "2024-10-21"} if name == "azure" else {})


def both(runner: asyncio.Runner, model: Any, calls: bool = True, **settings: Any) -> tuple[Answer, Answer, list[Delta]]:
    """The streamed answer, the one that came at once, and what was emitted."""
    assert isinstance(model, Streaming)
    request = Request(model.name, (Message("user", "hi"),), (SCHEMA,) if calls else (), settings=settings)
    emitted: list[Delta] = []

    async def main() -> tuple[Answer, Answer]:
        return await model.stream(request, emitted.append), await model.complete(request)

    found, whole = runner.run(main())
    assert all(delta.text or delta.reasoning for delta in emitted)
    return found, whole, emitted


def same(said: Said, found: Answer, whole: Answer, emitted: list[Delta]) -> None:
    assert told(found) == said._replace(body=None)
    assert "".join(delta.text for delta in emitted) == found.text
    assert found == whole
    assert "".join(delta.reasoning for delta in emitted) == found.reasoning


@pytest.mark.parametrize(("name", "case"), SAYING)
def test_litellm_streams_it(provider: Provider, runner: asyncio.Runner, name: str, case: str) -> None:
    said = SAID[name][case]
    speaks(provider, streamed(name, said.body), said.body)
    found = both(runner, LiteLLM(ROUTES[name][0]), bool(said.calls), **settings_for(provider, name))
    same(said, *found)
    assert len(found[2]) > 1 or len(said.text) < 2


@pytest.mark.parametrize(("name", "case"), [pair for pair in SAYING if pair[0] not in OTHERS])
def test_the_direct_adapter_streams_it(provider: Provider, runner: asyncio.Runner, name: str, case: str) -> None:
    said = SAID[name][case]
    speaks(provider, streamed(name, said.body), said.body)
    found = both(runner, Direct("m", provider.url), bool(said.calls))
    same(said, *found)
    assert len(found[2]) > 1 or len(said.text) < 2


# -- what is cut off -----------------------------------------------------------------------------------

CUT = [("openai", "text"), ("openai", "parallel"), ("anthropic", "call"), ("gemini", "text"), ("mistral", "call")]
ENDING = ('"finish_reason": "', '"stop_reason": "', '"finishReason": "')


def dies(provider: Provider, text: str, *, in_order: bool) -> None:
    """The provider sends that and closes the connection, though more was announced; or ends as if that were all."""
    size = len(text.encode()) + (0 if in_order else 100)
    provider.judge = lambda asked: (200, {**SSE, "content-length": str(size), "connection": "close"}, text)


def attempt(runner: asyncio.Runner, model: Any, **settings: Any) -> tuple[Answer | ModelError, str]:
    emitted: list[Delta] = []
    request = Request(model.name, (Message("user", "hi"),), (SCHEMA,), settings=settings)
    try:
        return runner.run(model.stream(request, emitted.append)), "".join(delta.text for delta in emitted)
    except ModelError as error:
        return error, "".join(delta.text for delta in emitted)


def cut(events: list[str]) -> Iterator[str]:
    """Every beginning of a stream: after each event, and in its middle."""
    for place in range(len(events)):
        before = "".join(events[:place])
        yield before
        yield before + events[place][: len(events[place]) // 2]


@pytest.mark.parametrize(
    ("name", "case", "in_order"),
    # Of Gemini's answers litellm makes up why they ended, and tells nobody: one that ends in order is taken for whole.
    [(*pair, in_order) for pair in CUT for in_order in (False, True) if pair[0] != "gemini" or not in_order],
)
def test_no_answer_that_was_cut_off_is_taken_for_a_whole_one(
    provider: Provider, runner: asyncio.Runner, name: str, case: str, in_order: bool
) -> None:
    said = SAID[name][case]
    models: list[tuple[Any, dict[str, Any]]] = [(LiteLLM(ROUTES[name][0]), settings_for(provider, name))]
    models += [] if name in OTHERS else [(Direct("m", provider.url), {})]
    for model, settings in models:
        for text in cut(streamed(name, said.body)):
            dies(provider, text, in_order=in_order)
            found, emitted = attempt(runner, model, **settings)
            if isinstance(found, Answer):
                assert (found.text, found.tool_calls) == (said.text, said.calls), text
                assert any(mark in text for mark in ENDING)
            else:
                assert type(found) in (ModelUnavailable, Unreadable), text
                assert said.text.startswith(emitted)


def test_an_end_that_stands_in_each_piece_is_none_when_the_connection_dies(
    provider: Provider, runner: asyncio.Runner
) -> None:
    pieces = [event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}) for text in "ab"]
    dies(provider, "".join(pieces), in_order=False)
    assert type(attempt(runner, Direct("m", provider.url))[0]) is ModelUnavailable
    dies(provider, pieces[0], in_order=False)
    found, _ = attempt(runner, Direct("m", provider.url))
    assert isinstance(found, Answer) and found.text == "a", "it said why it ended, and nothing came behind"


def test_what_was_counted_before_it_was_cut_off_was_billed(provider: Provider, runner: asyncio.Runner) -> None:
    events = streamed("anthropic", SAID["anthropic"]["text"].body)
    dies(provider, "".join(events[:4]), in_order=False)
    found, _ = attempt(runner, LiteLLM("anthropic/claude-sonnet-4-5"), **settings_for(provider, "anthropic"))
    assert isinstance(found, ModelUnavailable) and found.billed is not None
    usage = {"input": 50, "output": 1, "cache_read": 2000, "cache_write": 1000}
    assert found.billed["usage"] == usage
    counting = event({"choices": [{"index": 0, "delta": {"content": "Hel"}}], "usage": counted(9, 1)})
    for in_order in (True, False):
        dies(provider, counting, in_order=in_order)
        found, _ = attempt(runner, Direct("m", provider.url))
        assert isinstance(found, ModelUnavailable)
        assert found.billed == {"usage": {"input": 9, "output": 1}, "cost": None}


def test_what_the_provider_did_not_count_is_not_estimated(provider: Provider, runner: asyncio.Runner) -> None:
    body = chat("stop", None, content="Hello.")
    speaks(provider, streamed("openai", body), body)
    for model in (LiteLLM("openai/gpt-4o-mini"), Direct("m", provider.url)):
        found, whole, _ = both(runner, model, False, **settings_for(provider, "openai"))
        assert found.usage.total == 0 and found.cost is None and found == whole


# -- what goes wrong in the middle -----------------------------------------------------------------------

MIDDLE: dict[str, tuple[Any, type[ModelError]]] = {
    "nothing more": ({"message": "The server had an error", "type": "server_error", "code": None}, ModelUnavailable),
    "a status": ({"message": "slow down", "type": "requests", "code": 429}, RateLimited),
    "a status as text": ({"message": "slow down", "code": "429"}, RateLimited),
    "a word for too much": ({"message": "slow down", "type": "tokens", "code": "rate_limit_exceeded"}, RateLimited),
    "too long": ({"message": "no", "code": "context_length_exceeded"}, ContextTooLong),
    "the filter": ({"message": "no", "code": "content_filter"}, ContentRefused),
    "no quota": ({"message": "no", "type": "insufficient_quota", "code": "insufficient_quota"}, QuotaUsedUp),
}


@pytest.mark.parametrize("case", MIDDLE)
def test_an_error_in_the_middle_is_of_what_can_be_done(provider: Provider, runner: asyncio.Runner, case: str) -> None:
    error, kind = MIDDLE[case]
    begun = event({"id": "x", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]})
    provider.judge = lambda asked: (200, {**SSE, **CLOSED}, begun + event({"error": error}) + DONE)
    for model in (LiteLLM("openai/gpt-4o-mini"), Direct("m", provider.url)):
        found, emitted = attempt(runner, model, **settings_for(provider, "openai"))
        assert type(found) is kind, (model, found)
        assert emitted == "Hel" and isinstance(found, ModelError) and error["message"] in str(found)


def test_an_overloaded_provider_in_the_middle_is_an_outage(provider: Provider, runner: asyncio.Runner) -> None:
    events = streamed("anthropic", SAID["anthropic"]["text"].body)[:5]
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    provider.judge = lambda asked: (200, {**SSE, **CLOSED}, "".join(events) + event(error, "error"))
    found, emitted = attempt(runner, LiteLLM("anthropic/claude-sonnet-4-5"), **settings_for(provider, "anthropic"))
    assert type(found) is ModelUnavailable and emitted == "Hell" and found.billed is not None
    assert "MidStream" not in str(found), "what litellm wraps it in says nothing"


def test_a_call_that_the_server_could_not_read_is_the_models_mistake(
    provider: Provider, runner: asyncio.Runner
) -> None:
    error = {"message": "no", "code": "tool_use_failed", "failed_generation": "<lookup>", "status_code": 400}
    provider.judge = lambda asked: (200, {**SSE, **CLOSED}, event({"error": error}, "error"))
    for model in (LiteLLM("openai/gpt-4o-mini"), Direct("m", provider.url)):
        found, emitted = attempt(runner, model, **settings_for(provider, "openai"))
        assert isinstance(found, Answer) and (found.finish, found.text, emitted) == ("malformed", "<lookup>", "")


@pytest.mark.parametrize("body", ["data: <html>\n\n", 'data: {"choices": [5]}\n\n', "data: []\n\n"])
def test_what_is_no_stream_is_unreadable(provider: Provider, runner: asyncio.Runner, body: str) -> None:
    provider.judge = lambda asked: (200, SSE, body)
    found, _ = attempt(runner, Direct("m", provider.url))
    assert type(found) is Unreadable


@pytest.mark.parametrize("body", ["<html>bad gateway</html>", "", "upstream timed out"])
def test_a_page_of_a_gateway_is_an_outage(provider: Provider, runner: asyncio.Runner, body: str) -> None:
    for headers in (SSE, {"content-type": "text/html"}):
        provider.judge = lambda asked, headers=headers: (200, headers, body)
        found, _ = attempt(runner, Direct("m", provider.url))
        assert type(found) is ModelUnavailable


def test_an_answer_without_an_end_is_refused(
    provider: Provider, runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overwinter.functions.models.direct._MOST", 1000)
    body = chat("stop", counted(9, 9), content="x" * 2000)
    speaks(provider, streamed("openai", body), body)
    found, _ = attempt(runner, Direct("m", provider.url))
    assert type(found) is Unreadable
    with pytest.raises(Unreadable):
        runner.run(Direct("m", provider.url).complete(Request("m", (Message("user", "hi"),))))


# -- servers that don't stream ---------------------------------------------------------------------------

HELLO = chat("stop", counted(100, 20), content="Hello.")


def test_an_answer_that_comes_at_once_all_the_same_is_read(provider: Provider, runner: asyncio.Runner) -> None:
    for headers in ({}, SSE, {"content-type": "text/plain"}):
        provider.judge = lambda asked, headers=headers: (200, headers, HELLO)
        same(Said(None, "Hello.", usage=SAID["mistral"]["text"].usage._replace(input=100, output=20)),
             *both(runner, Direct("m", provider.url), False))  # fmt: skip


@pytest.mark.parametrize("refuses", ["stream_options", "stream"])
def test_what_a_server_refuses_of_a_stream_is_left_out_from_then_on(
    provider: Provider, runner: asyncio.Runner, refuses: str
) -> None:
    def judge(asked: Asked) -> Any:
        if refuses in asked:
            error = {"message": f"Unrecognized request argument supplied: {refuses}", "param": refuses}
            return (400, CLOSED, {"error": error})
        if asked.get("stream"):
            return (200, {**SSE, **CLOSED}, "".join(streamed("openai", HELLO)))
        return (200, CLOSED, HELLO)

    provider.judge = judge
    for model in (LiteLLM("openai/gpt-4o-mini"), Direct("m", provider.url)):
        provider.asked.clear()
        for _ in range(2):
            found, emitted = attempt(runner, model, **settings_for(provider, "openai"))
            assert isinstance(found, Answer) and found.text == emitted == "Hello." and found.usage.total == 120
        assert [refuses in asked for asked in provider.asked][-1:] == [False]
        assert sum(refuses in asked for asked in provider.asked) == 1


def test_a_request_that_is_refused_for_another_reason_is_asked_once(provider: Provider, runner: asyncio.Runner) -> None:
    provider.fails(400, "Unrecognized request argument supplied: temperature", **CLOSED)
    provider.judge = None
    for model in (LiteLLM("openai/gpt-4o-mini"), Direct("m", provider.url)):
        provider.asked.clear()
        found, _ = attempt(runner, model, **settings_for(provider, "openai"))
        assert type(found) is RequestRefused and len(provider.asked) == 1


def test_who_wants_no_stream_has_none(provider: Provider, runner: asyncio.Runner) -> None:
    speaks(provider, streamed("openai", HELLO), HELLO)
    for model in (LiteLLM("openai/gpt-4o-mini"), Direct("m", provider.url)):
        provider.asked.clear()
        found, _, emitted = both(runner, model, False, stream=False, **settings_for(provider, "openai"))
        assert emitted == [Delta("Hello.")] and found.text == "Hello."
        assert not any(asked.get("stream") for asked in provider.asked)
        whole = both(runner, model, False, stream=True, **settings_for(provider, "openai"))[1]
        assert whole.text == "Hello.", "what comes at once is not streamed because the settings say so"


def test_a_connection_that_has_streamed_serves_again(provider: Provider, runner: asyncio.Runner) -> None:
    speaks(provider, streamed("openai", HELLO), HELLO, {})
    provider.peers.clear()
    model = Direct("m", provider.url)
    for _ in range(3):
        attempt(runner, model)
    assert len(provider.peers) == 3 and len(set(provider.peers)) == 1


# -- what goes back --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["anthropic", "deepseek", "openrouter", "gemini"])
def test_what_a_provider_wants_to_see_again_is_the_same_streamed(
    provider: Provider, runner: asyncio.Runner, case: str
) -> None:
    model, first, _, _ = CASES[case]
    speaks(provider, streamed(case, first), first)
    root = provider.url.removesuffix("/v1")
    base = root if case in OTHERS else provider.url
    found, whole, emitted = both(runner, LiteLLM(model), api_base=base, api_key="k")
    if case != "gemini":  # whose thinking is not signed, and goes back to nobody
        assert found.opaque == whole.opaque
    kept = [call._replace(id="") for call in found.tool_calls]  # litellm draws ids for Gemini
    assert kept == [call._replace(id="") for call in whole.tool_calls]
    assert SIGNATURE in repr(found) and (case != "anthropic" or (found.opaque or {})["thinking_blocks"] == THINKING)
    assert "".join(delta.reasoning for delta in emitted) == found.reasoning == whole.reasoning
    assert bool(found.reasoning) is (case != "openrouter")  # whose is encrypted


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning_content": "Let me see."},
        {"reasoning": "Let me see."},
        {"reasoning": "Let me see.", "reasoning_details": DETAILS},
        {"reasoning_details": [{"type": "reasoning.text", "text": "Let me.", "index": 0, "signature": SIGNATURE}]},
        {"tool_calls": [call("c1", extra_content={"google": {"thought_signature": SIGNATURE}})]},
    ],
)
def test_what_a_server_wants_to_see_again_is_the_same_streamed(
    provider: Provider, runner: asyncio.Runner, fields: Any
) -> None:
    body = chat("stop", counted(9, 9), content="Yes.", **fields)
    speaks(provider, streamed("vllm", body), body)
    found, whole, emitted = both(runner, Direct("m", provider.url))
    assert found == whole and (found.opaque or found.tool_calls[0].opaque)
    assert "".join(delta.reasoning for delta in emitted) == found.reasoning
