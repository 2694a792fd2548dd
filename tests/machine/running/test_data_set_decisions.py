"""What a distributed Map orders, and what it takes back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from overwinter import ExecutionFailed, Runtime, StateMachine
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.running.states import map as mapping
from overwinter.orchestrator.protocol.decider import Decision, Invoke, Verdict

READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "JSON"},
    "Parameters": {"Bucket": "data", "Key": "a"},
}
DISTRIBUTED = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
TASK = {"Type": "Task", "Resource": "same", "End": True}


async def same(given: Any) -> Any:
    return given


def each(**fields: Any) -> dict[str, Any]:
    processor = {**DISTRIBUTED, "StartAt": "I", "States": {"I": TASK}}
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **fields}


def began(definition: Any, given: Any, folder: Path) -> tuple[MachineDecider, Decision]:
    served = StateMachine("m", definition, [same], buckets={"data": folder})
    decider = MachineDecider(served, "x")
    assert decider.offer({"type": "start", "at": 1, "input": given, "seed": "s"}) is Verdict.TAKEN
    return decider, decider.decide()


def ordered(decision: Decision) -> list[str]:
    return [effect.name for effect in decision.perform if isinstance(effect, Invoke)]


def test_so_many_go_on_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mapping, "ABREAST", 10)
    definition: dict[str, Any] = {"StartAt": "M", "States": {"M": each()}}
    decider, decision = began(definition, list(range(15)), tmp_path)
    assert len(decision.perform) == 10
    fact = {"type": "step", "op": decision.perform[7].op, "name": "same", "at": 2, "ms": 0, "value": 7}
    assert decider.offer(fact) is Verdict.TAKEN
    assert len(decider.decide().perform) == 1
    definition["States"]["M"]["MaxConcurrency"] = 12
    assert len(began(definition, list(range(15)), tmp_path)[1].perform) == 12


def test_what_nobody_wants_is_not_read(tmp_path: Path) -> None:
    reads = {"StartAt": "M", "States": {"M": each(ItemReader=READER)}}
    waits = {"StartAt": "T", "States": {"T": TASK}}
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
    definition = {
        "StartAt": "P",
        "States": {
            "P": {"Type": "Parallel", "Branches": [reads, waits], "Catch": catch, "End": True},
            "C": {"Type": "Succeed"},
        },
    }
    decider, decision = began(definition, {}, tmp_path)
    assert sorted(ordered(decision)) == ["s3:getObject", "same"]
    calls = {effect.name: effect.op for effect in decision.perform if isinstance(effect, Invoke)}
    failed = {"type": "step", "op": calls["same"], "name": "same", "at": 2, "ms": 0}
    assert decider.offer({**failed, "error": {"kind": "E", "message": "no"}}) is Verdict.TAKEN
    assert list(decider.decide().abandon) == [calls["s3:getObject"]]
    page: dict[str, Any] = {"parts": [], "next": None}
    late = {"type": "step", "op": calls["s3:getObject"], "name": "s3:getObject", "at": 3, "ms": 0, "value": page}
    assert decider.offer(late) is Verdict.IGNORED


def test_a_map_that_failed_reads_anew_when_it_is_tried_again(tmp_path: Path) -> None:
    definition = {"StartAt": "M", "States": {"M": each(ItemReader=READER)}}
    served = StateMachine("m", definition, [same], buckets={"data": tmp_path})

    async def main() -> None:
        async with Runtime([served], "memory://") as runtime:
            handle = await runtime.start(served, id="x")
            with pytest.raises(ExecutionFailed, match="The specified key does not exist"):
                await handle.result()
            (tmp_path / "a").write_text("[1, 2]")
            await runtime.retry("x")
            assert await handle.result() == [1, 2]

    asyncio.run(main())
