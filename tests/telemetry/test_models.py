"""What servers of models learn of a trace, and what traces learn of what is said to models: nothing, unless asked."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, Runtime, tool
from overwinter.functions.models.direct import Direct
from overwinter.tests.agent.provider import Provider, serving
from overwinter.tests.apart.place import on_a_loop

from .receiver import Receiver

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "tracestate": "shop=1", "baggage": "tenant=north"}
SECRET = "way-too-secret"
USED = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"order":"A-1"}'}}


@tool
async def look_up(order: str) -> str:
    """Look it up."""
    return f"{order} under {SECRET}"


def judged(provider: Provider, asked: dict[str, Any]) -> Any:
    """It calls the tool, then answers."""
    if asked["messages"][-1]["role"] == "tool":
        provider.says(content=f"It is there, {SECRET}.")
    else:
        provider.says("tool_calls", tool_calls=[USED])
    return provider.answer


async def asked(provider: Provider) -> None:
    provider.judge = lambda said: judged(provider, said)
    clerk = Agent("clerk", Direct("gpt", provider.url), tools=[look_up], settings={"api_key": "none"})
    async with Runtime([clerk], "memory://") as runtime:
        sent = await runtime.send(clerk, "c", f"Where is it? {SECRET}", trace=CALLER)
        assert "It is there" in str(await sent.reply("20s"))


def told(headers: dict[str, str]) -> dict[str, str]:
    return {name: headers[name] for name in CALLER if name in headers}


@pytest.mark.parametrize("said", ["", "off", "no", "0"])
@on_a_loop
async def test_servers_of_models_are_told_nothing(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("OVERWINTER_TRACE_MODELS", said)
    with serving() as provider, Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        await asked(provider)
    assert len(provider.headers) == 2 and [told(headers) for headers in provider.headers] == [{}, {}]


@pytest.mark.parametrize("said", ["on", "1", "TRUE"])
@on_a_loop
async def test_where_it_is_asked_for_each_is_told_the_span_of_its_call(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    monkeypatch.setenv("OVERWINTER_TRACE_MODELS", said)
    with serving() as provider, Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        await asked(provider)
    chats = sorted((span for span in receiver.spans if span.name == "chat gpt"), key=lambda span: span.start)
    ids = {chat.attributes["overwinter.operation"]: chat.id for chat in chats}
    assert len(ids) == 2
    assert [told(headers) for headers in provider.headers] == [
        CALLER | {"traceparent": f"00-{TRACE}-{ids[op]}-01"} for op in sorted(ids)
    ]


@pytest.mark.parametrize("content", ["", "false", "true"])
@on_a_loop
async def test_what_is_said_is_in_spans_only_when_it_is_asked_for_and_without_secrets(
    monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setenv("CARRIER_TOKEN", SECRET)
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", content)
    with serving() as provider, Receiver() as receiver:
        monkeypatch.setenv("OVERWINTER_TRACES", receiver.url)
        await asked(provider)
    assert SECRET not in str(receiver.spans)
    turn, used = receiver.named("invoke_agent clerk"), receiver.named("execute_tool look_up")
    chats = [span for span in receiver.spans if span.name == "chat gpt"]
    if content != "true":
        assert "Where is it" not in str(receiver.spans) and "A-1" not in str(receiver.spans)
        return
    assert "Where is it? ***" in turn.attributes["gen_ai.input.messages"]
    assert used.attributes["gen_ai.tool.call.result"] == "A-1 under ***"
    outputs = sorted(chat.attributes["gen_ai.output.messages"] for chat in chats)
    assert "It is there, ***." in outputs[0] and "A-1" in outputs[1]
