"""A process that dies at any operation on the store makes no difference to what an integration has come to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from overwinter import StateMachine, current_call
from overwinter.functions.integrations import reaching
from overwinter.testing import crash_everywhere

MADE: Counter[str] = Counter()
CALLS = [
    ("dynamodb:getItem", {"TableName": "t", "Key": {}}, True),
    ("dynamodb:putItem", {"TableName": "t", "Item": {}}, True),
    ("dynamodb:putItem", {"TableName": "t", "Item": {}, "ConditionExpression": "c"}, False),
    ("dynamodb:updateItem", {"TableName": "t", "Key": {}}, False),
    ("http:invoke", {"ApiEndpoint": "https://a.example", "Method": "GET"}, True),
    ("http:invoke", {"ApiEndpoint": "https://a.example", "Method": "POST"}, False),
]


@pytest.fixture(autouse=True)
def _answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def made(*_: Any, **named: Any) -> Any:
        MADE[current_call().operation] += 1
        return {"n": 1}

    monkeypatch.setattr(reaching, "call", made)
    monkeypatch.setattr(reaching, "invoke", made)
    MADE.clear()


def calling(name: str, given: dict[str, Any]) -> StateMachine:
    task: dict[str, Any] = {"Type": "Task", "Resource": f"arn:aws:states:::{name}", "Parameters": given}
    doubt = [{"ErrorEquals": ["InDoubt"], "Next": "B", "ResultPath": "$.doubt"}]
    states = {"A": {**task, "Next": "B", "Catch": doubt, "ResultPath": "$.r"}, "B": {"Type": "Succeed"}}
    return StateMachine("m", {"StartAt": "A", "States": states})


@pytest.mark.parametrize(("name", "given", "repeatable"), CALLS)
def test_a_call(name: str, given: dict[str, Any], repeatable: bool) -> None:
    """What may be repeated comes to one result. What may not is made once at the most, and then done or in doubt."""
    machine, highest = calling(name, given), 0

    def same(calm: Any, crashed: Any) -> bool:
        return bool(calm == crashed) or (not repeatable and "doubt" in crashed and "r" not in crashed)

    def counted() -> None:
        nonlocal highest
        highest = max([highest, *MADE.values()])
        MADE.clear()

    report = crash_everywhere(machine, {}, fresh=counted, same=same)
    counted()
    assert report.outcome.value == {"r": {"n": 1}} and report.kills
    assert highest == (2 if repeatable else 1)
