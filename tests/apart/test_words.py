"""A word that a call is done elsewhere is as durable as the journal: whoever replays it asks at once, or knows the
answer. The same for workflows and agents, live and after a crash."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from overwinter import Agent, Context, Runtime, Scripted, call, tool, workflow
from overwinter.orchestrator.protocol.decider import Decider, Fact, Invoke, Verdict
from overwinter.orchestrator.usercode.served import served
from overwinter.tests.sim.lines import End, Lines

from .place import on_a_loop


@tool
async def far(order: str) -> str:
    """Lives elsewhere."""
    return order


@workflow
async def waits(ctx: Context) -> str:
    return await ctx.step(far, "o")


desk = Agent("desk", Scripted([call("far", order="o"), "done"]), tools=[far])


async def journal(function: Any, monkeypatch: pytest.MonkeyPatch) -> list[Fact]:
    """Until it has been sent."""
    monkeypatch.setenv("OVERWINTER_ROUTES", "far=broker")
    end = End(Lines(random.Random(1), lambda: 0.0))
    async with asyncio.timeout(20), Runtime([function], "memory://", broker=end) as runtime:
        await runtime.start(function, "hi" if function is desk else None, id="x")
        while True:
            found = [entry async for entry in runtime.entries("x")]
            if found and found[-1]["type"] == "sent":
                return found
            await asyncio.sleep(0.01)


def performed(decider: Decider) -> list[Invoke]:
    return [one for one in decider.decide().perform if isinstance(one, Invoke)]


@pytest.mark.parametrize("function", [waits, desk], ids=["workflow", "agent"])
@pytest.mark.parametrize("mark", [False, True], ids=["word", "answer"])
@pytest.mark.parametrize("when", ["before it was told 202", "after", "while it asks once more"])
def test_it_is_there_after_a_crash(function: Any, mark: bool, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_loop(_after_a_crash)(function, mark, when, monkeypatch)


async def _after_a_crash(function: Any, mark: bool, when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    *before, sent = await journal(function, monkeypatch)
    now = sent["at"]
    outcome = {"status": "completed", "result": "o"}
    word: Fact = {"type": "answered", "op": sent["op"], "at": now}
    word |= {"mark": sent["mark"], "outcome": outcome} if mark else {}
    again = {**sent, "sends": 2, "until": now + 3_600_000}
    rest = {"before it was told 202": [word, again], "after": [again, word]}.get(when, [sent, word, word, again])
    if mark and len(rest) == 4:
        rest.pop(2)  # it is taken once
    live = served(function).decider("x")
    live.replay("", 1, before, now)
    performed(live)
    for number, fact in enumerate(rest):
        if number:
            performed(live)  # a word has it asked about
        assert live.offer(fact) is Verdict.TAKEN
    for decider in (live, served(function).decider("x")):
        if decider is not live:
            decider.replay("", 1, [*before, *rest], now)
        decider.expire(now)
        (asked,) = performed(decider)
        assert asked.op == sent["op"] and asked.away is not None and asked.away.mark == sent["mark"]
        assert asked.away.answer == (outcome if mark else None)
    if not mark:  # one word has it asked about twice at the most, for nobody knows what was first
        for sends in (3, 4):
            live.offer({**again, "sends": sends})
            live.expire(now)
            found = performed(live)
        assert not found


@pytest.mark.parametrize("function", [waits, desk], ids=["workflow", "agent"])
def test_who_is_at_work_is_remembered(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        *before, sent = await journal(function, monkeypatch)
        until = sent["at"] + 1000
        rest = [{**sent, "sends": 7, "until": until}]
        rest += [{"type": "answered", "op": sent["op"], "at": sent["at"], "mark": sent["mark"]}]
        decider = served(function).decider("x")
        decider.replay("", 1, [*before, *rest], sent["at"])
        assert not performed(decider)
        decider.expire(until)
        (asked,) = performed(decider)
        assert asked.away is not None and (asked.away.sends, asked.away.heard) == (7, 7)

    on_a_loop(main)()
