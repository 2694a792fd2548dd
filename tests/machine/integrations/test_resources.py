"""What names and ARNs mean: what the machine was given, then the table of configuration; and ``lambda:invoke``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from overwinter import InvalidInput, Runtime, StateMachine, tool, workflow
from overwinter.functions.integrations.configuration import fits, matched, read
from overwinter.testing import crash_everywhere

PAY = "arn:aws:lambda:eu-west-1:123456789012:function:pay"
DONE: list[str] = []


@tool
async def pay(order: str) -> str:
    """Charge."""
    DONE.append(order)
    if order == "bad":
        raise ValueError("no such order")
    return f"paid {order}"


@workflow
async def settle(ctx: Any, given: dict[str, Any]) -> str:
    return f"settled {given['order']}"


def one(resource: str, uses: list[Any], **task: Any) -> StateMachine:
    state = {"Type": "Task", "Resource": resource, "Parameters": {"order.$": "$.order"}, "End": True, **task}
    return StateMachine("m", {"StartAt": "A", "States": {"A": state}}, uses)


async def _result(machine: StateMachine, beside: list[Any], input: Any) -> Any:
    async with Runtime([machine, *beside], "memory://") as runtime:
        return await (await runtime.start(machine, input)).result(timeout=20)


def result(machine: StateMachine, *beside: Any, order: str = "a") -> Any:
    return asyncio.run(_result(machine, list(beside), {"order": order}))


def invoking(name: str, **more: Any) -> StateMachine:
    given = {"FunctionName": name, "Payload": {"order.$": "$.order"}, **more}
    return one("arn:aws:states:::lambda:invoke", [pay], Parameters=given)


@pytest.mark.parametrize("name", ["pay", "pay:live", PAY, f"{PAY}:42", f"123456789012:function:{'pay'}"])
def test_a_function_of_lambda_is_found_by_any_of_its_names(name: str) -> None:
    assert result(invoking(name)) == {"ExecutedVersion": "$LATEST", "Payload": "paid a", "StatusCode": 200}


def test_who_waits_for_no_outcome_has_none() -> None:
    accepted = {"Payload": "", "StatusCode": 202}
    for order in ("a", "bad"):
        DONE.clear()
        assert result(invoking("pay", InvocationType="Event"), order=order) == accepted
        assert DONE.pop() == order and not DONE
    report = crash_everywhere(invoking("pay", InvocationType="Event"), {"order": "bad"})
    assert report.outcome.value == accepted
    with pytest.raises(Exception, match="InvocationType"):
        result(invoking("pay", InvocationType="DryRun"))


def test_who_waits_for_no_outcome_begins_an_execution_of_its_own() -> None:
    async def main() -> None:
        given = {"FunctionName": "settle", "Payload": {"order.$": "$.order"}, "InvocationType": "Event"}
        machine = one("arn:aws:states:::lambda:invoke", [settle], Parameters=given)
        async with Runtime([machine], "memory://") as runtime:
            handle = await runtime.start(machine, {"order": "a"}, id="x")
            assert (await handle.result(timeout=20))["StatusCode"] == 202
            heads = (await runtime.store.executions()).heads
            (child,) = [head.id for head in heads if head.function == "settle"]
            assert await runtime.result(child, timeout=20) == "settled a"

    asyncio.run(main())


def test_the_table_of_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "overwinter.toml"
    file.write_text('[machine.resources]\n"arn:aws:lambda:*:*:function:charge-*" = "pay"\n', "utf-8")
    monkeypatch.setenv("OVERWINTER_CONFIG", str(file))
    charge = PAY.replace("function:pay", "function:charge-eu")
    assert result(one(charge, [pay])) == "paid a"
    assert result(invoking(charge))["Payload"] == "paid a"
    table = {"resources": {charge: "settle", "arn:aws:states:::glue:*": "settle"}}
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps(table))
    assert result(one(charge, []), settle) == "settled a"  # the variable goes before the file, a name before a pattern
    machine = StateMachine("m", one(charge, []).source, [pay], resources={charge: pay})
    assert result(machine) == "paid a"  # and what the machine was given, before both


def test_an_integration_may_be_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({"resources": {"arn:aws:states:::sqs:sendMessage": "pay"}}))
    assert result(one("arn:aws:states:::sqs:sendMessage", [pay])) == "paid a"
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({"resources": {"arn:aws:states:::aws-sdk:s3:*": "pay"}}))
    assert result(one("arn:aws:states:::aws-sdk:s3:getObject", [pay])) == "paid a"


def test_patterns() -> None:
    assert fits("a*c", "abc") and fits("*", "") and fits("a.c", "a.c")
    assert not fits("a.c", "abc") and not fits("a*", "ba") and not fits("a*c", "abcd")
    table = {"a": 1, "a*": 2, "a*c": 3}
    assert [matched(table, text) for text in ("a", "ab", "abc", "b")] == [1, 2, 3, None]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ("{", "no valid JSON"),
        ("[]", "no table"),
        ('{"resource": {}}', "no 'resource'; there are resources"),
        ('{"resources": {"a": 5}}', "'a' in resources"),
        ('{"http": {"allow": ["http://a.example/path"]}}', "no origin"),
        ('{"http": {"allow": "https://a.example"}}', "list of texts"),
        ('{"aws": {"allow": ["s3"]}}', "SERVICE:ACTION"),
        ('{"aws": {"region": "Frankfurt"}}', "no region"),
        ('{"aws": {"allowed": []}}', "no 'allowed'"),
        ('{"effects": {"http:invoke": "pure"}}', "idempotent, irreversible"),
        ('{"connections": {"c": {"bearer": "s3cret"}}}', "and no secret"),
        ('{"connections": {"c": {"user": "env:U"}}}', "give one of these whole"),
        ('{"connections": {"c": {"bearer": "env:B", "header": "X", "secret": "env:S"}}}', "give one of these whole"),
        ('{"connections": {"c": {"token": "env:B"}}}', "no 'token'"),
        ('{"connections": {"c": {"headers": []}}}', "no table of names"),
        ('{"connections": {"c": {"header": 5, "secret": "env:S"}}}', "name of a header"),
    ],
)
def test_what_is_wrong_with_the_table_is_told(told: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_MACHINE", told)
    with pytest.raises(InvalidInput, match=said) as wrong:
        read()
    assert "s3cret" not in str(wrong.value)
    with pytest.raises(InvalidInput):
        one("pay", [pay])


def test_a_file_that_is_named_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OVERWINTER_CONFIG", str(tmp_path / "never.toml"))
    with pytest.raises(InvalidInput, match="there is no file"):
        read()
    (tmp_path / "broken.toml").write_text("[machine", "utf-8")
    monkeypatch.setenv("OVERWINTER_CONFIG", str(tmp_path / "broken.toml"))
    with pytest.raises(InvalidInput, match="can't be read"):
        read()
