"""A tool that must not be called twice: what began and ended in nothing that is known is in doubt, so a model that asks
for it again is refused, where nobody is waited for. What the tool itself raises is its word that it failed."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from overwinter import Agent, Runtime, Scripted, call, tool
from overwinter.functions.tools.tool import Effect
from overwinter.state.errors import InvalidInput, ToolFailed
from overwinter.testing import World, simulate

LARGE = "x" * 17_000_000


def script(messages: Any, tools: Any) -> Any:
    """Calls, is told, calls again, and says what it was told."""
    told = [message.content for message in messages if message.role == "tool"]
    return call("pay", amount=5) if len(told) < 2 else "\n".join(told)


def entries_of(pay: Any) -> list[dict[str, Any]]:
    async def main() -> list[dict[str, Any]]:
        async with Runtime([agent := Agent("desk", Scripted(script), tools=[pay])], "memory://") as runtime:
            await (await runtime.start(agent, "?", id="r-1")).result()
            return [entry for entry in await runtime.history("r-1") if entry["type"] in ("tool", "observed")]

    return asyncio.run(main())


def assert_in_doubt(entries: list[dict[str, Any]], why: str) -> None:
    (paid,) = [entry for entry in entries if entry["type"] == "tool"]
    assert paid["error"]["kind"].endswith(".InDoubt") and why in paid["error"]["message"]
    assert "This same call was made before" in entries[-1]["text"]


@pytest.mark.parametrize(
    "given", [float("nan"), {"a": float("inf")}, object(), LARGE], ids=["nan", "inf", "odd", "large"]
)
@pytest.mark.parametrize("threaded", [False, True])
def test_a_result_that_can_not_be_recorded_leaves_no_doubt_that_it_was_called(given: Any, threaded: bool) -> None:
    paid: list[int] = []

    def pay(amount: int) -> Any:
        """Pay."""
        paid.append(amount)
        return given

    async def waited(amount: int) -> Any:
        return pay(amount)

    made = tool(name="pay", description="Pay.", effect="irreversible", in_doubt="fail")(pay if threaded else waited)
    assert_in_doubt(entries_of(made), "can't be recorded")
    assert paid == [5]


@pytest.mark.parametrize(("effect", "kind"), [("irreversible", ".InDoubt"), ("idempotent", ".TimedOut")])
def test_a_call_that_is_too_slow_may_have_taken_effect(effect: Effect, kind: str) -> None:
    paid: list[int] = []

    @tool(effect=effect, timeout="1h", in_doubt="fail")
    async def pay(amount: int) -> None:
        """Pay."""
        paid.append(amount)
        await asyncio.Event().wait()

    async def main(world: World) -> list[str]:
        await (await world.start(agent, "?", id="r-1")).result()
        return [entry["error"]["kind"] for entry in world.journal("r-1") if entry["type"] == "tool"]

    agent = Agent("desk", Scripted(script), tools=[pay])
    kinds = simulate(main, functions=[agent])
    assert all(one.endswith(kind) for one in kinds) and kinds
    assert len(paid) == 1 if effect == "irreversible" else len(paid) > 1


def test_a_call_in_a_thread_that_is_too_slow_may_have_taken_effect() -> None:
    paid: list[int] = []
    over = threading.Event()

    @tool(effect="irreversible", timeout="50ms", in_doubt="fail")
    def pay(amount: int) -> None:
        """Pay."""
        paid.append(amount)
        over.wait()

    async def main() -> None:
        async with Runtime([agent := Agent("desk", Scripted(script), tools=[pay])], "memory://") as runtime:
            try:
                await (await runtime.start(agent, "?", id="r-1")).result()
            finally:
                over.set()
            entries = [one for one in await runtime.history("r-1") if one["type"] in ("tool", "observed")]
            assert_in_doubt(entries, "took longer than 50ms")

    asyncio.run(main())
    assert paid == [5]


@pytest.mark.parametrize(
    "error", [ToolFailed("no funds"), InvalidInput("no such account"), TimeoutError("the bank is slow")]
)
def test_what_the_tool_itself_raises_is_told_as_it_is(error: Exception) -> None:
    @tool(effect="irreversible")
    async def pay(amount: int) -> None:
        """Pay."""
        raise error

    entries = entries_of(pay)
    assert [entry["error"]["message"] for entry in entries if entry["type"] == "tool"] == [str(error)] * 2
