"""The executions over choice operators that were recorded on AWS, run whole by the decider."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.function import StateMachine
from overwinter.orchestrator.protocol.decider import Verdict

CASES = Path(__file__).parents[4] / "shared" / "targets" / "asl" / "choice-operators.json"


def ended(definition: Any, input: Any) -> dict[str, Any]:
    """The final entry of a machine that calls nothing and waits for nothing."""
    decider = MachineDecider(StateMachine("m", definition), "x")
    assert decider.offer({"type": "start", "at": 1, "input": input, "seed": "s"}) is Verdict.TAKEN
    return decider.decide().entries[-1]


@pytest.mark.skipif(not CASES.is_file(), reason=f"there are no recorded executions at {CASES}")
def test_every_recorded_choice_comes_out_as_on_aws(capsys: pytest.CaptureFixture[str]) -> None:
    cases = json.loads(CASES.read_text("utf-8"))["cases"]
    wrong: list[str] = []
    for case in cases:
        ending = ended(case["definition"], case["input"])
        right = ending["type"] == "completed" and json.dumps(ending["value"]) == json.dumps(case["output"])
        wrong += [] if right and case["status"] == "SUCCEEDED" else [case["id"]]
    with capsys.disabled():
        print(f"\nchoice executions recorded on AWS: {len(cases) - len(wrong)} of {len(cases)}")
    assert not wrong, wrong[:10]
