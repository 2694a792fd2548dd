"""What an older release has asked goes on; who asked is known to whatever that has started."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from overwinter import Agent, Approval, Context, Runtime, Scripted, StateMachine, call, tool, workflow
from overwinter.functions.models.port import Message
from overwinter.functions.models.scripted import Said
from overwinter.orchestrator.protocol.decider import Invoke, Verdict
from overwinter.orchestrator.usercode.served import served
from overwinter.testing import simulate
from overwinter.testing.world import World


@tool(approval=Approval("desk"))
async def refund(order: str) -> str:
    """Refund an order."""
    return f"refunded {order}"


def answer(messages: Sequence[Message], tools: object) -> Said:
    last = messages[-1]
    return last.content if last.role == "tool" else call("refund", order="o-1")


clerk = Agent("clerk", Scripted(answer), tools=[refund])


def boss_says(messages: Sequence[Message], tools: object) -> Said:
    last = messages[-1]
    return last.content if last.role == "tool" else call("clerk", input="refund it")


boss = Agent("boss", Scripted(boss_says), tools=[clerk])
TASK = {"Type": "Task", "Resource": "refund", "Parameters": {"order": "o-1"}, "End": True}
machine = StateMachine("machine", {"StartAt": "R", "States": {"R": TASK}}, [refund])


@workflow
async def flow(ctx: Context, input: str) -> str:
    return await ctx.step(refund, "o-1")


@workflow
async def parent(ctx: Context, input: str) -> Any:
    return await ctx.child(input, "go")


def older(entry: dict[str, Any], bound: list[Any]) -> dict[str, Any]:
    """The entry as a release without versions and requesters wrote it."""
    text = json.dumps(bound, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    return {key: value for key, value in entry.items() if key not in ("version", "requester")} | {"digest": digest}


@pytest.mark.parametrize("function", [clerk, flow, machine], ids=["agent", "workflow", "machine"])
def test_what_an_older_release_has_asked_is_decided_as_it_was_asked(function: Any) -> None:
    async def scenario(world: World) -> Any:
        await world.call(lambda runtime: runtime.start(function, "go", id="x", by="ana"))
        await world.until(lambda: world.open_approvals("x") or None)
        return world.journal("x")

    journal: list[dict[str, Any]] = simulate(scenario, functions=[function])
    seed = journal[0]["seed"]
    entries = [
        older(entry, ["refund", {"order": "o-1"}, seed]) if entry.get("kind") == "approval" else entry
        for entry in journal
    ]
    (asked,) = [entry for entry in entries if entry.get("kind") == "approval"]
    decider = served(function).decider("x")
    decider.replay("", 1, entries, journal[-1]["at"])
    assert decider.decide().status == "waiting"
    said = {"type": "decided", "at": journal[-1]["at"], "op": asked["op"], "approved": True, "by": "ana", "reason": ""}
    assert decider.offer({**said, "digest": "sha256:0"}) is Verdict.IGNORED
    assert decider.offer({**said, "digest": asked["digest"], "data": {"order": "o-2"}}) is Verdict.IGNORED
    assert decider.offer({**said, "digest": asked["digest"]}) is Verdict.TAKEN
    (made,) = [effect for effect in decider.decide().perform if isinstance(effect, Invoke)]
    assert made.name == "refund"


@pytest.mark.parametrize("name", ["clerk", "flow", "machine", "boss"])
def test_who_asked_is_who_asked_for_what_that_has_started_too(name: str) -> None:
    async def scenario(world: World) -> Any:
        await world.call(lambda runtime: runtime.start(parent, name, id="p", by="ana"))

        def asked() -> Any:
            heads = [head.id for head in world.ledger.heads_now()]
            return next((one for id in heads for one in world.open_approvals(id)), None)

        return (await world.until(asked))["requester"]

    assert simulate(scenario, functions=[parent, clerk, boss, flow, machine]) == "ana"


async def send(by: str, runtime: Runtime) -> Any:
    return await runtime.send(clerk, "s", "go", id=by, by=by)


def test_in_a_session_it_is_who_sent_the_message() -> None:
    async def scenario(world: World) -> Any:
        found: list[str] = []
        for by in ("ana", "ben"):
            sent = await world.call(partial(send, by))
            (asked,) = await world.until(lambda: world.open_approvals("clerk/s") or None)
            found.append(asked["requester"])
            await world.approve("clerk/s", by="cleo")
            await world.reply(sent.execution, sent.id)
        return found

    assert simulate(scenario, functions=[clerk]) == ["ana", "ben"]
