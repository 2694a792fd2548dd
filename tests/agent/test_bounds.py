"""A tool that never returns is bounded, one that must not run twice is in doubt then, and a plain function is called
with the context of its call."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from overwinter import Agent, Runtime, Scripted, call, tool
from overwinter.functions.tools.tool import Tool
from overwinter.orchestrator.engine.performing import current_call

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")
SCRIPT = Scripted(lambda messages, tools: call(tools[0].name) if len(messages) == 1 else messages[-1].content)


def said(function: Any) -> str:
    """What an agent that calls the tool reads."""

    async def main() -> str:
        async with Runtime([agent := Agent("desk", SCRIPT, tools=[function])], "memory://") as runtime:
            return str(await (await runtime.start(agent, "go")).result())

    return asyncio.run(main())


def test_an_attempt_may_take_five_minutes_where_nothing_else_is_said() -> None:
    def look() -> str:
        return ""

    assert Tool(look).policy.timeout == "5m" and Tool(look).but(name="other").policy.timeout == "5m"
    assert (
        Tool(look, timeout=None).policy.timeout is None
        and Tool(look, timeout=None).but(name="o").policy.timeout is None
    )
    assert Tool(look, timeout="1h", effect="irreversible").policy.timeout == "1h"


@pytest.mark.parametrize(("effect", "told"), [("irreversible", "must not be repeated"), ("pure", "TimedOut: 'pay'")])
def test_one_that_never_returns_is_left_and_the_model_is_told(effect: Any, told: str) -> None:
    free = threading.Event()

    @tool(effect=effect, timeout="20ms", name="pay", retry=None, in_doubt="fail")
    def plain() -> str:
        free.wait(30)
        return "paid"

    @tool(effect=effect, timeout="20ms", name="pay", in_doubt="fail")
    async def asynchronous() -> str:
        await asyncio.Event().wait()
        return "paid"

    try:
        assert told in said(asynchronous) and told in said(plain)
    finally:
        free.set()


def test_a_plain_function_has_the_context_of_its_call() -> None:
    token = TENANT.set("acme")
    try:

        @tool
        def look() -> str:
            found = TENANT.get()
            TENANT.set("changed here alone")
            return f"{found} {current_call().operation} {threading.current_thread() is threading.main_thread()}"

        assert said(look) == "acme t1.m1.0 False" and TENANT.get() == "acme"
    finally:
        TENANT.reset(token)
