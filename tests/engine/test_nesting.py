"""Children of children: as deep as is documented and no deeper, with ids that stay short."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter import Agent, Context, workflow
from overwinter.functions.models.scripted import Scripted, call
from overwinter.orchestrator.engine.delivery import NESTED
from overwinter.state.errors import ExecutionError
from overwinter.state.ids import LONGEST, check_id, child_id
from overwinter.tests.engine.bench import Bench, at_bench


@workflow
async def deeper(ctx: Context, left: int) -> int:
    if left == 0:
        return 0
    below: int = await ctx.child("deeper", left - 1)
    return 1 + below


def test_children_may_be_nested_as_deep_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(deeper)
        await bench.start(process, "deeper", "e" * LONGEST, NESTED)
        assert (await bench.ended("e" * LONGEST))["value"] == NESTED
        ids = [head.id for head in bench.ledger.heads_now()]
        assert len(set(ids)) == NESTED + 1
        assert all(check_id(id) for id in ids)

    at_bench(work)


@pytest.mark.parametrize("detached", [False, True])
def test_endless_recursion_ends(detached: bool) -> None:
    @workflow
    async def endless(ctx: Context, number: int) -> str:
        if number % 2:  # what is above is not forgotten with the history
            await ctx.checkpoint(number + 1)
        try:
            if detached:
                await ctx.child("endless", number + 1, detached=True)
            else:
                await ctx.child("endless", number + 1)
        except ExecutionError as error:
            return str(error)
        return "began it"

    async def work(bench: Bench) -> None:
        process = await bench.process(endless)
        await bench.start(process, "endless", "e", 0)
        await bench.ended("e")
        if detached:
            while any(head.status not in ("completed", "failed") for head in bench.ledger.heads_now()):
                await bench.ledger.changed()
        heads = bench.ledger.heads_now()
        assert len(heads) == NESTED + 1
        ends = [str(bench.ledger.journal_now(head.id)[-1]["value"]) for head in heads]
        assert sum(f"nested more than {NESTED} executions deep" in end for end in ends) == 1

    at_bench(work)


def test_an_agent_that_is_its_own_tool_ends_too() -> None:
    def say(messages: Any, tools: Any) -> Any:
        return f"told {messages[-1].content[:20]}" if messages[-1].role == "tool" else [call("ask", input="again")]

    @workflow(name="ask")
    async def ask(ctx: Context, input: str) -> str:
        """Ask again."""
        return str(await ctx.child("desk", input))

    agent = Agent("desk", Scripted(say), tools=[ask])

    async def work(bench: Bench) -> None:
        process = await bench.process(agent, ask)
        await bench.start(process, "desk", "e", "go")
        assert (await bench.ended("e"))["type"] == "completed"
        assert len(bench.ledger.heads_now()) == NESTED + 1

    at_bench(work)


def test_a_child_that_an_older_release_ordered_is_known_by_the_id_it_has() -> None:
    from overwinter.orchestrator.workflow.decider import WorkflowDecider

    long = "p" * 190
    entries = [
        {"type": "start", "at": 1, "input": 1, "seed": "s"},
        {
            "type": "ordered",
            "op": "0",
            "at": 1,
            "kind": "child",
            "name": "deeper",
            "id": f"{long}/0/0/0/0/0/0/0/0",
            "detached": False,
        },
        {"type": "sent", "op": "0", "at": 2},
    ]
    decider = deeper.__overwinter__.decider(long)  # type: ignore[attr-defined]  # as the runtime finds it
    assert isinstance(decider, WorkflowDecider)
    decider.replay("", 1, entries, 3)
    assert decider.decide().status == "waiting"
    decider.offer({"type": "child", "at": 3, "id": f"{long}/0/0/0/0/0/0/0/0", "status": "completed", "value": 4})
    assert decider.decide().entries[0]["value"] == 5


def test_ids_of_children_stay_apart() -> None:
    assert child_id("a", "0") == "a/0"
    ids = {child_id("p" * length, op) for length in range(150, 260) for op in ("0", "1", "0.1", "12.3.4")}
    assert len(ids) == 110 * 4
    assert max(map(len, ids)) <= LONGEST
