"""What hooks are to look at first is told to nobody before they have: no piece of it, no event, on no way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter import Agent, Runtime, Scripted, call, tool
from overwinter.functions.hooks import Change, Guide, Hook, ModelReply, ModelUse, RunUse
from overwinter.orchestrator.streaming.told import StreamEvent


@tool
async def lookup(code: str) -> str:
    """Look up."""
    return code


def script(messages: Any, tools: Any) -> Any:
    return call("lookup", code="secret") if messages[-1].role == "user" else "the code is secret"


def redact(use: ModelUse, reply: ModelReply) -> Any:
    if reply.calls:
        return Change(call("lookup", code="open"))
    return Change(reply.text.replace("secret", "***"))


def close(run: RunUse, output: Any) -> Any:
    return Change(output.replace("secret", "***"))


def again(run: RunUse, output: Any) -> Any:
    return Guide("Say it in capitals.") if not output.isupper() else None


def told(hooks: Hook, script: Any = script) -> tuple[list[StreamEvent], list[StreamEvent]]:
    """What a listener is told while it goes on, and what one who comes later and after each event again."""
    desk = Agent("desk", Scripted(script), tools=[lookup], hooks=hooks)

    async def listened() -> tuple[list[StreamEvent], list[StreamEvent]]:
        async with Runtime([desk], "memory://") as runtime:
            live = [event async for event in runtime.stream(desk, "k", "Which code?", id="m")]
            late: list[StreamEvent] = []
            while hooks.places & {"after_model", "after_run"} and (not late or late[-1].type != "reply"):
                after = late[-1].id if late else ""
                async for event in runtime.events("desk/k", message="m", after=after):
                    late.append(event)
                    break
            return live, late

    return asyncio.run(listened())


@pytest.mark.parametrize("hooks", [Hook(after_model=redact), Hook(after_run=close, after_model=redact)])
def test_an_answer_is_told_as_hooks_have_made_it(hooks: Hook) -> None:
    for events in told(hooks):
        assert "secret" not in str(events)
        assert [event.data["arguments"] for event in events if event.type == "tool_call"] == [{"code": "open"}]
        assert "".join(event.data["text"] for event in events if event.type == "text") == "the code is ***"
        assert events[-1].data["result"] == "the code is ***"
        assert len([event for event in events if event.type == "answer" and event.data["usage"]]) == 2


def test_an_output_is_told_when_its_hooks_have_looked_at_it() -> None:
    for events in told(Hook(after_run=close)):
        assert "".join(event.data["text"] for event in events if event.type == "text") == "the code is ***"
        assert events[-1].data["result"] == "the code is ***"


def test_what_is_sent_back_is_never_told() -> None:
    def twice(messages: Any, tools: Any) -> Any:
        return "IT IS OPEN" if "capitals" in messages[-1].content else "it is secret"

    for events in told(Hook(after_run=again), twice):
        assert "secret" not in str(events)
        assert "".join(event.data["text"] for event in events if event.type == "text") == "IT IS OPEN"
        assert not [event for event in events if event.type == "reset"]


def test_what_no_hook_looks_at_is_told_piece_by_piece() -> None:
    live, _ = told(Hook(before_model=lambda use: None))
    assert len([event for event in live if event.type == "text"]) > 1
