"""The workflow and the agent that every process of these tests serves.

An errand is a dictionary (``errands.py`` makes them and says what must come of them). Every call notes that it was
made, under a name of its own (the nonce) that it also returns, and by whom its cause was made: the nonces of the
results that it follows from. So the notes tell which call's result was recorded, and whether a call was ever made
that follows from a result that was not.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from overwinter import Agent, Context, Retry, current_call, tool, workflow
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said, Scripted, call
from overwinter.state.errors import Denied, InDoubt
from overwinter.tests.processes.notes import note

Errand = dict[str, Any]
Done = dict[str, Any]  # value, nonce
PROMPT = Retry(attempts=8, first="50ms", factor=2.0, most="500ms")
ASKED = "look here there"
DURABLE = Retry(attempts=8, first="50ms", factor=2.0, most="500ms", in_process="0s")


def called(name: str, after: Sequence[str]) -> str:
    """Note that a call is made. Returns its nonce."""
    here, nonce = current_call(), uuid.uuid4().hex[:16]
    note(
        "called",
        id=here.execution,
        op=here.operation,
        attempt=here.attempt,
        name=name,
        nonce=nonce,
        after=[cause for cause in after if cause],
        pid=os.getpid(),
    )
    return nonce


# -- steps -----------------------------------------------------------------------------------------------


async def work(name: str, value: int, after: Sequence[str], ms: int = 0, failures: int = 0, pad: int = 0) -> Done:
    """``failures`` attempts fail. ``pad``: bytes of ballast in the result."""
    nonce = called(name, after)
    await asyncio.sleep(ms / 1000)
    if current_call().attempt <= failures:
        raise ConnectionError(f"failure {current_call().attempt} of {name}")
    return {"value": value, "nonce": nonce, **({"pad": "x" * pad} if pad else {})}


async def pass_gate(gate: str, after: Sequence[str]) -> Done:
    """Goes on when the file is there."""
    nonce = called("gate", after)
    while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240  # it is another process that makes it
        await asyncio.sleep(0.02)
    return {"value": 9, "nonce": nonce}


def plain_work(name: str, value: int, after: Sequence[str], ms: int = 0) -> Done:
    """The same in a thread."""
    import time

    nonce = called(name, after)
    time.sleep(ms / 1000)
    return {"value": value, "nonce": nonce}


# -- the workflow ----------------------------------------------------------------------------------------


@workflow
async def errand(ctx: Context, given: Errand) -> Done:
    """Gives the last result's nonce and the sum of all values."""
    first = await ctx.step(work, "first", given["value"], given.get("after", []), given["ms"], name="first")
    middle = await KINDS[given["kind"]](ctx, given, first)
    if given["kind"] == "rounds" and given["left"]:
        total, left = given["value"] + middle["value"], given["left"] - 1
        await ctx.checkpoint({**given, "value": total, "left": left, "after": [middle["nonce"]]})
    last = await ctx.step(work, "last", 1, [first["nonce"], middle["nonce"]], given["ms"], name="last")
    return {"value": first["value"] + middle["value"] + last["value"], "nonce": last["nonce"]}


async def chain(ctx: Context, given: Errand, first: Done) -> Done:
    total, nonce = 0, first["nonce"]
    for number in range(given["count"]):
        fn: Callable[..., Any] = plain_work if number % 3 == 2 else work
        done = await ctx.step(fn, f"link {number}", number, [nonce], given["ms"], name=f"link {number}")
        total, nonce = total + done["value"], done["nonce"]
    return {"value": total, "nonce": nonce}


async def fan(ctx: Context, given: Errand, first: Done) -> Done:
    async def item(number: int) -> Done:
        return await work(f"item {number}", number, [first["nonce"]], given["ms"])

    async def branch(ctx: Context, number: int) -> Done:
        one = await ctx.step(work, f"branch {number}", 1, [first["nonce"]], given["ms"], name=f"branch {number}")
        await ctx.sleep("20ms")
        name = f"end of {number}"
        return await ctx.step(work, name, one["value"], [one["nonce"]], given["ms"], name=name)

    items = await ctx.map(item, range(given["count"]), concurrency=3)
    ends = await ctx.map(branch, range(2))
    after = [done["nonce"] for done in (*items, *ends)]
    joined = await ctx.step(work, "join", 0, after, name="join")
    return {"value": sum(done["value"] for done in (*items, *ends)), "nonce": joined["nonce"]}


async def timer(ctx: Context, given: Errand, first: Done) -> Done:
    for pause in given["pauses"]:
        await ctx.sleep(pause / 1000)
    return {"value": 0, "nonce": first["nonce"]}


async def event(ctx: Context, given: Errand, first: Done) -> Done:
    total = 0
    for name in given["events"]:
        total += await ctx.wait_for(name)
    return {"value": total, "nonce": first["nonce"]}


async def approval(ctx: Context, given: Errand, first: Done) -> Done:
    try:
        await ctx.approve("the order")
    except Denied:
        return {"value": -5, "nonce": first["nonce"]}
    return {"value": 5, "nonce": first["nonce"]}


async def family(ctx: Context, given: Errand, first: Done) -> Done:
    children = [{**child, "after": [first["nonce"]]} for child in given["children"]]
    done = await ctx.map(errand, children)
    await ctx.child(errand, {**given["children"][0], "after": [first["nonce"]]}, detached=True)
    after = [child["nonce"] for child in done]
    joined = await ctx.step(work, "join", 0, after, name="join")
    return {"value": sum(child["value"] for child in done), "nonce": joined["nonce"]}


async def once(ctx: Context, given: Errand, first: Done) -> Done:
    """7, or 0 when nobody knows whether it was done."""
    try:
        return await ctx.step(
            work, "once", 7, [first["nonce"]], given["ms"], name="once", retry=Retry(attempts=1), at_most_once=True
        )
    except InDoubt:
        return {"value": 0, "nonce": first["nonce"]}


async def values(ctx: Context, given: Errand, first: Done) -> Done:
    await ctx.state.put("nonce", first["nonce"])
    await ctx.kv("all errands").put(ctx.execution, given["value"])
    nonce = await ctx.state.get("nonce")
    return {"value": await ctx.kv("all errands").get(ctx.execution), "nonce": nonce}


async def flaky(ctx: Context, given: Errand, first: Done) -> Done:
    one = await ctx.step(work, "flaky", 2, [first["nonce"]], 0, given["failures"], name="flaky", retry=PROMPT)
    return await ctx.step(work, "durable", 3, [one["nonce"]], 0, given["failures"], name="durable", retry=DURABLE)


async def big(ctx: Context, given: Errand, first: Done) -> Done:
    done = await ctx.step(work, "big", 4, [first["nonce"]], 0, 0, given["pad"], name="big")
    return {"value": done["value"] + len(done["pad"]), "nonce": done["nonce"]}


async def gate(ctx: Context, given: Errand, first: Done) -> Done:
    return await ctx.step(pass_gate, given["gate"], [first["nonce"]], name="gate")


async def ask(ctx: Context, given: Errand, first: Done) -> Done:
    answer = await ctx.call(desk, ASKED)
    return {"value": len(answer), "nonce": first["nonce"]}


KINDS: dict[str, Callable[[Context, Errand, Done], Awaitable[Done]]] = {
    "chain": chain,
    "fan": fan,
    "timer": timer,
    "event": event,
    "approval": approval,
    "family": family,
    "once": once,
    "values": values,
    "flaky": flaky,
    "big": big,
    "gate": gate,
    "ask": ask,
    "rounds": chain,
}


# -- the agent -------------------------------------------------------------------------------------------


@tool
async def look(what: str) -> str:
    """Look something up."""
    nonce = called(f"look {what}", [])
    await asyncio.sleep(0.02)
    return f"nonce {nonce}"


@tool(effect="irreversible", in_doubt="fail")
async def charge(what: str, after: str) -> str:
    """Take money."""
    nonce = called(f"charge {what}", [after])
    await asyncio.sleep(0.01)
    return f"nonce {nonce}"


def say(messages: Sequence[Message], tools: object) -> Said:
    """``look x y`` looks twice, ``charge x`` looks and then charges; the answer names the message and the results."""
    last = max(index for index, message in enumerate(messages) if message.role == "user")
    verb, *words = messages[last].content.split()
    results = [message.content for message in messages[last + 1 :] if message.role == "tool"]
    if verb == "look" and not results:
        return [call("look", what=word) for word in words]
    if verb == "charge" and len(results) < 2:
        word = words[0]
        return call("charge", what=word, after=nonce_in(results[0])) if results else call("look", what=word)
    return f"{messages[last].content}: {len(results)} results"


def nonce_in(text: str) -> str:
    """The nonce of a tool's result as the model reads it; empty when there is none."""
    text = json.loads(text) if text.startswith('"') else text
    return text.removeprefix("nonce ") if text.startswith("nonce ") else ""


desk = Agent("desk", Scripted(say, delay="10ms"), tools=[look, charge])
FUNCTIONS = [errand, desk]
