"""What a provider wants to see again: signed thinking, reasoning, signatures of calls. The provider here answers as the
real ones do and refuses a tool's result when what it gave before the call is missing or altered."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from overwinter import Agent, tool
from overwinter.functions.models.litellm import LiteLLM
from overwinter.functions.models.port import Answer, Delta, Message, Request
from overwinter.functions.models.reasoning import recorded
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator.agent.conversation import Window, size_of
from overwinter.state.codec import dumps

from .driver import Driver, run
from .provider import Asked, Provider, serving

pytestmark = [pytest.mark.filterwarnings("ignore")]  # litellm and what it imports warn about themselves

SIGNATURE = "EqMDCkYICBgCKkDd" * 40
THINKING = [
    {"type": "thinking", "thinking": "Let me see.", "signature": SIGNATURE},
    {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3p" * 20},
]
USE = {"type": "tool_use", "id": "toolu_01", "name": "lookup", "input": {"order_id": "A-1"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": '{"order_id": "A-1"}'}}
TEXT = "It is on its way."


@tool
def lookup(order_id: str) -> str:
    """Look an order up."""
    return f"order {order_id} is on its way"


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with serving() as provider:
        yield provider


def anthropic(content: Sequence[object], stop: str) -> Any:
    told = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": content}
    return {**told, "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 5}}


def bedrock(content: Sequence[object], stop: str) -> Any:
    usage = {"inputTokens": 9, "outputTokens": 5, "totalTokens": 14}
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}}


def openai(message: dict[str, Any], stop: str) -> Any:
    choice = {"index": 0, "finish_reason": stop, "message": {"role": "assistant", "content": None, **message}}
    usage = {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 14}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def gemini(parts: list[dict[str, Any]]) -> Any:
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 14}
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "g"}


REASONED = [
    {"reasoningContent": {"reasoningText": {"text": "Let me see.", "signature": SIGNATURE}}},
    {"toolUse": {"toolUseId": "t1", "name": "lookup", "input": {"order_id": "A-1"}}},
]
SIGNED = {"functionCall": {"name": "lookup", "args": {"order_id": "A-1"}}, "thoughtSignature": SIGNATURE}
DETAILS = [{"type": "reasoning.encrypted", "data": SIGNATURE, "id": "r1", "index": 0}]


def said(asked: Asked) -> list[dict[str, Any]]:
    """The messages of the model in a request."""
    told = asked.get("messages") or asked.get("contents") or []
    return [message for message in told if message["role"] in ("assistant", "model")]


CASES: dict[str, tuple[str, Any, Any, Any]] = {
    # the model, its first answer, what must stand in the message that goes back, its last answer
    "anthropic": (
        "anthropic/claude-sonnet-4-5",
        anthropic([*THINKING, {"type": "text", "text": "I look."}, USE], "tool_use"),
        lambda message: message["content"][:2] == THINKING and message["content"][-1] == USE,
        anthropic([{"type": "text", "text": TEXT}], "end_turn"),
    ),
    "bedrock": (
        "bedrock/converse/anthropic.claude-3-7-sonnet-20250219-v1:0",
        bedrock(REASONED, "tool_use"),
        lambda message: message["content"] == REASONED,
        bedrock([{"text": TEXT}], "end_turn"),
    ),
    "deepseek": (
        "deepseek/deepseek-reasoner",
        openai({"reasoning_content": SIGNATURE, "tool_calls": [CALL]}, "tool_calls"),
        lambda message: message["reasoning_content"] == SIGNATURE,
        openai({"content": TEXT}, "stop"),
    ),
    "moonshot": (
        "moonshot/kimi-k2-thinking",
        openai({"reasoning_content": SIGNATURE, "tool_calls": [CALL]}, "tool_calls"),
        lambda message: message["reasoning_content"] == SIGNATURE,
        openai({"content": TEXT}, "stop"),
    ),
    "openrouter": (
        "openrouter/openai/o3",
        openai({"reasoning": None, "reasoning_details": DETAILS, "tool_calls": [CALL]}, "tool_calls"),
        lambda message: message["reasoning_details"] == DETAILS,
        openai({"content": TEXT}, "stop"),
    ),
    "gemini": (
        "gemini/gemini-3-pro-preview",
        gemini([{"text": "Let me see.", "thought": True}, SIGNED]),
        lambda message: [part.get("thoughtSignature") for part in message["parts"]] == [SIGNATURE],
        gemini([{"text": TEXT}]),
    ),
}


def desk(provider: Provider, model: str, own: Sequence[Any] = (lookup,), **settings: Any) -> Agent:
    root = provider.url.removesuffix("/v1")
    base = (
        provider.url
        if model.partition("/")[0] in ("deepseek", "moonshot", "openrouter", "openai", "openai-compatible:m")
        else root
    )
    return Agent("desk", model, "Help.", own, settings={"api_base": base, "api_key": "k", **settings})


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch, provider: Provider) -> None:
    provider.asked.clear()
    for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("REGION_NAME", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.mark.parametrize("case", CASES)
def test_reasoning_goes_back_with_the_result_of_the_call_it_led_to(provider: Provider, case: str) -> None:
    model, first, kept, last = CASES[case]

    def judge(asked: Asked) -> Any:
        if not said(asked):
            return (200, {}, first)
        intact = all(kept(message) for message in said(asked)[:1])
        return (200, {}, last) if intact else (400, {}, {"error": {"message": "reasoning must be passed back"}})

    provider.judge = judge
    thinks: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}} if case == "anthropic" else {}
    driver = Driver(desk(provider, model, **thinks))
    driver.say("m1", "Where is A-1?")
    driver.ask()
    driver.restart()  # and as a process knows it that has only the journal
    driver.tool("t1.m1.0", run(driver.effect("t1.m1.0")))
    driver.ask()
    assert driver.entries("reply")[0].get("value", driver.entries("reply")[0].get("error")) == TEXT
    driver.say("m2", "Thanks.")  # and with the turns that are over
    driver.ask()
    assert "error" not in driver.entries("reply")[1]
    journal = "".join(driver.journal)
    assert journal.count(SIGNATURE) == 1 and journal.count("Let me see.") <= 1, "it is stored once"


def test_missing_or_altered_reasoning_is_found_out_by_this_provider(provider: Provider) -> None:
    """Or the test above would prove nothing."""
    _, _, kept, _ = CASES["anthropic"]
    assert kept({"content": [*THINKING, USE]})
    altered = copy.deepcopy(THINKING)
    altered[0]["signature"] = SIGNATURE[:-1]
    assert not kept({"content": [*altered, USE]}) and not kept({"content": [USE]})


def test_another_model_does_not_see_it(provider: Provider) -> None:
    provider.judge = lambda asked: (200, {}, CASES["deepseek"][3] if said(asked) else CASES["deepseek"][1])
    driver = Driver(desk(provider, "deepseek/deepseek-reasoner"))
    driver.say("m1", "Where is A-1?")
    driver.ask()
    driver.tool("t1.m1.0", "found")
    driver.spec = desk(provider, "openai/gpt-4o-mini")  # a deployment in the middle of the turn
    driver.restart()
    driver.ask()
    assert dumps(provider.asked[-1]).count(SIGNATURE) == 0
    (message,) = said(provider.asked[-1])
    assert set(message) <= {"role", "content", "tool_calls"} and set(message["tool_calls"][0]) == set(CALL)
    assert driver.entries("reply")[0]["value"] == TEXT


def test_a_model_that_thinks_can_take_over_in_the_middle_of_a_turn(provider: Provider) -> None:
    """Anthropic refuses to think between a call and its result when there is no thinking of its own before the call."""

    def judge(asked: Asked) -> Any:
        if "messages" in asked and asked.get("max_tokens"):
            bare = said(asked) and said(asked)[-1]["content"][0]["type"] != "thinking"
            loop = asked["messages"][-1]["content"][0]["type"] == "tool_result"
            if bare and loop and "thinking" in asked:
                return (400, {}, {"error": {"message": "Expected `thinking`, but found `tool_use`"}})
            return (200, {}, anthropic([*THINKING, {"type": "text", "text": TEXT}], "end_turn"))
        return (200, {}, CASES["deepseek"][1])

    provider.judge = judge
    driver = Driver(desk(provider, "deepseek/deepseek-reasoner"))
    driver.say("m1", "Where is A-1?")
    driver.ask()
    driver.tool("t1.m1.0", "found")
    thinks: dict[str, Any] = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    driver.spec = desk(provider, "anthropic/claude-sonnet-4-5", **thinks)
    driver.restart()
    driver.ask()
    assert driver.entries("reply")[0].get("value") == TEXT and "thinking" not in provider.asked[-1]
    driver.say("m2", "Thanks.")
    driver.ask()
    assert "error" not in driver.entries("reply")[1] and "thinking" in provider.asked[-1]


def test_a_model_that_routes_gives_it_to_the_one_that_gave_it(provider: Provider) -> None:
    class Router:
        """Answers with the next of its models each time."""

        name = "router"

        def __init__(self, *names: str) -> None:
            self.names = iter(names)

        async def complete(self, request: Request) -> Answer:
            return await LiteLLM(next(self.names)).complete(request)

    provider.judge = lambda asked: (200, {}, CASES["deepseek"][1])
    settings = {"api_base": provider.url, "api_key": "k"}
    names = ("deepseek/deepseek-reasoner", "openai/gpt-4o-mini", "deepseek/deepseek-reasoner")
    driver = Driver(Agent("desk", Router(*names), "Help.", [lookup], settings=settings))
    driver.say("m1", "Where is A-1?")
    for number in (1, 2, 3):
        driver.ask()
        driver.tool(f"t1.m{number}.0", "found")
    assert [entry["value"].get("model") for entry in driver.entries("model")] == list(names)
    told = [[message.get("reasoning_content") for message in said(asked)] for asked in provider.asked]
    assert told == [[], [None], [SIGNATURE, None]]


def test_what_is_opaque_counts_for_the_window_and_leaves_with_its_turn() -> None:
    message = Message("assistant", "hi", opaque={"thinking_blocks": THINKING}, model="m")
    assert size_of(message) > len(SIGNATURE) + size_of(Message("assistant", "hi"))
    agent = Agent("desk", "scripted:echo", history="1KB")
    assert agent.window == Window(200, 1024)
    driver = Driver(agent)
    for number in range(4):
        driver.say(f"m{number}", "hello")
        driver.model({"text": "hi", "opaque": {"thinking_blocks": THINKING}, "usage": {}, "cost": "0"})
    driver.say("m4", "hello")
    assert [message.opaque is not None for message in driver.prompt()] == [False, True, False]


def test_a_turn_that_the_provider_pauses_is_continued(provider: Provider) -> None:
    """Anthropic's own tools run in its house; when they take long it ends the answer, and goes on when it sees that."""
    searching = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "A-1"}}
    paused = [THINKING[0], {"type": "text", "text": "I search."}, searching]

    def judge(asked: Asked) -> Any:
        if not said(asked):
            return (200, {}, anthropic(paused, "pause_turn"))
        last = asked["messages"][-1]
        whole = last["role"] == "assistant" and searching in last["content"]
        return (200, {}, anthropic([{"type": "text", "text": TEXT if whole else "?"}], "end_turn"))

    provider.judge = judge
    driver = Driver(desk(provider, "anthropic/claude-sonnet-4-5"))
    driver.say("m1", "Where is A-1?")
    driver.ask()
    assert driver.entries("model")[0]["value"]["finish"] == "pause"
    driver.restart()
    driver.ask()
    assert driver.entries("observed") == [] and driver.entries("reply")[0]["value"] == TEXT


# -- reasoning for people ------------------------------------------------------------------------------

PLAIN: dict[str, tuple[Any, str]] = {
    "reasoning_content": ({"reasoning_content": "Let me see."}, "Let me see."),
    "reasoning": ({"reasoning": "Let me see.", "reasoning_details": DETAILS}, "Let me see."),
    "summaries": ({"reasoning_details": [{"type": "reasoning.summary", "summary": "Let me see."}]}, "Let me see."),
    "parts": ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]},
                           {"type": "text", "text": TEXT}]}, "Let me see."),
    "encrypted": ({"reasoning_details": DETAILS}, ""),
    "none": ({}, ""),
}  # fmt: skip


@pytest.mark.parametrize("case", PLAIN)
def test_reasoning_stands_apart_from_the_text(provider: Provider, case: str) -> None:
    fields, reasoning = PLAIN[case]
    provider.judge = lambda asked: (200, {}, openai({"content": TEXT, **fields}, "stop"))
    driver = Driver(Agent("desk", f"openai-compatible:m@{provider.url}"))
    driver.say("m1", "Where is A-1?")
    driver.ask()
    value = driver.entries("model")[0]["value"]
    assert value["text"] == driver.entries("reply")[0]["value"] == TEXT
    assert recorded(value) == reasoning
    assert dumps(value).count("Let me see.") == bool(reasoning), "it is recorded once"
    driver.say("m2", "Thanks.")
    driver.ask()
    assert [message["content"] for message in said(provider.asked[-1])] == [TEXT], "it is never told as text"


def test_reasoning_of_a_model_of_ones_own_is_recorded_and_streamed() -> None:
    model = Scripted([Answer("Yes.", reasoning="Let me see.")])
    driver = Driver(Agent("desk", model))
    driver.say("m1", "Is it?")
    driver.ask()
    value = driver.entries("model")[0]["value"]
    assert value["reasoning"] == "Let me see." and driver.entries("reply")[0]["value"] == "Yes."
    assert "Let me see." not in repr(driver.prompt())
    pieces: list[Delta] = []
    asyncio.run(model.stream(Request("m", (Message("user", "?"),)), pieces.append))
    assert pieces == [Delta(reasoning="Let "), Delta(reasoning="me "), Delta(reasoning="see."), Delta("Yes.")]


# -- tools that the provider runs ----------------------------------------------------------------------

SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}


@pytest.mark.parametrize("settings", [{"tools": [SEARCH]}, {"extra_body": {"tools": [SEARCH], "top_k": 3}}])
@pytest.mark.parametrize("model", ["openai-compatible:m", "openai/gpt-4o-mini", "anthropic/claude-sonnet-4-5"])
def test_tools_of_the_provider_stand_beside_ours(provider: Provider, model: str, settings: Any) -> None:
    claude = model.startswith("anthropic")
    told = anthropic([{"type": "text", "text": TEXT}], "end_turn") if claude else openai({"content": TEXT}, "stop")
    provider.judge = lambda asked: (200, {}, told)
    for own in ([lookup], []):
        driver = Driver(desk(provider, model, own, **settings))
        driver.say("m1", "Where is A-1?")
        driver.ask()
        assert driver.entries("reply")[0].get("value") == TEXT, driver.entries("reply")
        asked = provider.asked[-1]["tools"]
        assert asked[-1] == SEARCH and len(asked) == len(own) + 1
        names = [tool.get("name") or tool["function"]["name"] for tool in asked]
        assert names == [*(["lookup"] if own else []), "web_search"]
        assert claude or "extra_body" not in settings or provider.asked[-1].get("top_k") == 3
