"""Golden journals in tests/histories, written by an earlier release: this one still replays them as they were.

A file holds the id, the workflow's name, whether it was complete, and its entries. ``wrong.json`` is the journal
of ``order`` with a step that ``order`` never asked for, ``wrong_args.json`` with one that was given something else.
Those without "args" are older than the fingerprints of arguments.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.protocol.decider import Decision
from overwinter.orchestrator.workflow.completion import Completion
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import ExecutionFailed, TimedOut

from .world import World, replay, replayed_from_every_prefix

HISTORIES = Path(__file__).parent.parent / "histories"


async def reserve(item: str) -> dict[str, Any]:
    return {"item": item, "shelf": 4}


def charge(amount: int) -> str:
    return f"receipt-{amount}"


async def order(ctx: Context, items: list[str]) -> dict[str, Any]:
    """All operations in one."""
    reserved = await ctx.map(reserve, items, concurrency=2)
    approval = await ctx.approve("charge", data={"items": items}, role="desk", timeout="2d")
    async with asyncio.TaskGroup() as group:
        receipt = group.create_task(ctx.step(charge, 30))
        letter = group.create_task(ctx.child("letter", {"to": approval.by}))
    try:
        async with asyncio.timeout(60):
            await ctx.wait_for("picked up")
    except TimeoutError:
        ctx.status("sending it")
    courier = ctx.callback("courier", heartbeat="1h", timeout="3d", type=int)
    await ctx.state.put("courier", courier.token)
    stars = await ctx.wait_for("stars", type=int, timeout="1w")
    return {
        "shelves": [r["shelf"] for r in reserved],
        "receipt": receipt.result(),
        "letter": letter.result(),
        "hops": await courier,
        "stars": stars,
        "number": str(ctx.uuid()),
        "at": ctx.now().isoformat(),
    }


async def refund(ctx: Context, amount: int) -> str:
    """Fails, compensates, is retried."""
    await ctx.step(charge, -amount, name="book")
    try:
        await ctx.child("bank", amount)
    except ExecutionFailed:
        await ctx.step(charge, amount, name="book back")
        raise
    results = await ctx.parallel(mail, paper, completion=Completion.first())
    return results.values[0]


async def mail(ctx: Context) -> str:
    await ctx.sleep("1s")
    return "mailed"


async def paper(ctx: Context) -> str:
    await ctx.sleep("3d")
    return "posted"


async def patrol(ctx: Context, night: int) -> str:
    """Checkpoints, and cancellation."""
    await ctx.step(reserve, f"lamp {night}", name="light")
    try:
        await ctx.wait_for("thief", timeout="10h")
    except TimedOut:
        await ctx.checkpoint(night + 1)
    finally:
        if night == 2:
            await ctx.step(reserve, "bed")
    return "caught"


WORKFLOWS: dict[str, Callable[..., Any]] = {"order": order, "refund": refund, "patrol": patrol}


def history(name: str) -> Any:
    return json.loads((HISTORIES / f"{name}.json").read_text())


def covers(entry: Any, recorded: Any, *, more: bool = False) -> bool:
    """Whether an entry says what an older release recorded; of an error it may say more."""
    if not (isinstance(entry, dict) and isinstance(recorded, dict)):
        return bool(entry == recorded)
    if not more and set(entry) != set(recorded):
        return False
    return all(
        name in entry and covers(entry[name], value, more=more or name == "error") for name, value in recorded.items()
    )


def as_then(entry: Any, entries: list[Any]) -> Any:
    """An entry of this release as the one that wrote the history would have written it: the digest of an approval stood
    for less then, and earlier yet nothing was compared. A digest that this release would not make stays as it is."""
    told = {name: value for name, value in entry.items() if name != "args"} | compared(entry, entries)
    if (entry.get("digest"), entry.get("op")) in digests(history("order_bound")["entries"]):
        told["digest"] = next(digest for digest, op in digests(entries) if op == entry["op"])
    return told


def compared(entry: Any, entries: list[Any]) -> dict[str, Any]:
    known = "args" in entry and any("args" in written for written in entries)
    return {"args": entry["args"]} if known else {}


def digests(entries: list[Any]) -> list[tuple[str, str]]:
    """Of what was asked, with the operations."""
    return [(one["digest"], one["op"]) for one in entries if one.get("kind") == "approval"]


@pytest.mark.parametrize("name", ["order", "refund", "patrol", "order_in_flight", "order_compared", "order_bound"])
def test_a_history_replays(name: str) -> None:
    recorded = history(name)
    workflow, entries = Workflow(WORKFLOWS[recorded["workflow"]]), recorded["entries"]
    decision = Decision()
    for cut in range(len(entries) + 1):
        decider = replay(workflow, recorded["id"], entries[:cut])
        decision = decider.decide()
        assert decision.status != "stuck", (cut, decision.error)
        for entry in json.loads(json.dumps(decision.entries)):
            assert any(covers(as_then(entry, entries), old) for old in entries[cut:]), (cut, entry)
        decider.close()
    assert [decision.status, decision.awaits, [effect.op for effect in decision.perform]] == recorded["then"]


def test_a_wrong_history_is_stuck() -> None:
    recorded = history("wrong")
    decision = replay(Workflow(order), recorded["id"], recorded["entries"]).decide()
    assert decision.status == "stuck"
    assert (
        "asked for approval 'charge' as operation 1, but the journal recorded step 'gift wrap' there" in decision.error
    )


def test_a_history_with_other_arguments_is_stuck() -> None:
    recorded = history("wrong_args")
    decision = replay(Workflow(order), recorded["id"], recorded["entries"]).decide()
    assert decision.status == "stuck"
    said = "asked for step 'reserve' as operation 0.1 with other arguments than the journal recorded there"
    assert decision.error.startswith("test_histories.py:"), decision.error
    assert said in decision.error
    assert "their fingerprint is 11ba16d220d7, recorded is 000000000000" in decision.error


def test_what_this_release_writes_is_what_is_recorded() -> None:
    """Live, the same facts lead to the same entries as then."""
    recorded = history("order_bound")
    world = World(order, ["tea", "milk", "honey"], id=recorded["id"])
    play_order(world)
    assert world.journal == recorded["entries"]
    replayed_from_every_prefix(world)


def play_order(world: World) -> None:
    world.children["letter"] = lambda letter: f"dear {letter['to']}"
    world.run(3)
    world.mail({"type": "decided", "op": "1", "approved": True, "by": "ann", "reason": "fine"})
    world.run(4)
    _, op, secret = tokens.parse(world.values["order-7", "courier"][0])
    world.mail({"type": "beat", "op": op, "secret": secret})
    world.event("stars", 5)
    world.mail({"type": "callback", "op": op, "secret": secret, "value": 3})
    world.run()
