"""The model: what stood in fields is found in attributes, told apart once, and nothing of it can be changed."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from overwinter.orchestrator.machine.definition.fields import Malformed
from overwinter.orchestrator.machine.definition.machine import build, digest
from overwinter.orchestrator.machine.definition.reading import read
from overwinter.orchestrator.machine.definition.resource import Resource, parse
from overwinter.orchestrator.machine.definition.states.choice import Choice, Comparison, Every, Opposite, Some
from overwinter.orchestrator.machine.definition.states.fail import Fail
from overwinter.orchestrator.machine.definition.states.map import INPUT, Map
from overwinter.orchestrator.machine.definition.states.parallel import Parallel
from overwinter.orchestrator.machine.definition.states.passing import Pass
from overwinter.orchestrator.machine.definition.states.succeed import Succeed
from overwinter.orchestrator.machine.definition.states.task import Task
from overwinter.orchestrator.machine.definition.states.wait import Wait
from overwinter.orchestrator.machine.definition.values import Expression, Path, Template
from overwinter.orchestrator.machine.definition.ways import Way, ways
from overwinter.tests.machine.definitions import MIXED, ORDER, QUERY, RIGHT


def test_a_machine_in_jsonpath() -> None:
    made = build(ORDER)
    assert (made.start_at, made.version, made.timeout_seconds, made.language) == ("Check", "1.0", 3600, "JSONPath")
    check = made.flow.states["Check"]
    assert isinstance(check, Task)
    assert check.resource == Resource(ORDER["States"]["Check"]["Resource"], "lambda", "check", qualifier="live")
    assert (check.timeout, check.heartbeat) == (Path("$.timeout"), 5)
    assert check.input_path == Path("$.order") and check.result_path == Path("$.checked")
    assert check.arguments is not None and check.arguments.dynamic
    assert check.retry[0].jitter and check.retry[0].max_delay_seconds == 60 and check.retry[0].backoff_rate == 1.5
    rest = check.retry[1]
    assert check.retry[0].error_equals == ("States.Timeout", "Busy")
    assert (rest.interval_seconds, rest.max_attempts, rest.backoff_rate, rest.jitter) == (1, 3, 2.0, False)
    assert check.catch[0].next == "Lost" and check.catch[0].result_path == Path("$.error")


def test_the_rules_of_a_choice_are_a_tree() -> None:
    state = build(ORDER).flow.states["Enough?"]
    assert isinstance(state, Choice) and state.next == "Nothing"
    every = state.rules[0].test
    assert isinstance(every, Every) and every.tests[0] == Comparison(Path("$.checked.count"), "NumericGreaterThan", 0)
    assert every.tests[1] == Opposite(Comparison(Path("$.gift"), "IsPresent", True))
    some = every.tests[2]
    assert isinstance(some, Some) and some.tests[1] == Comparison(Path("$.a"), "StringEqualsPath", Path("$.b"))
    assert state.rules[0].assign == Template({"way": "and"}, "JSONPath", dynamic=False)
    assert [way.target for way in ways(state)] == ["Wait", "Each", "Both", "Nothing"]


def test_waits_maps_branches_and_ends() -> None:
    states = build(ORDER).flow.states
    pause, until, each, both = (states[name] for name in ("Wait", "Until", "Each", "Both"))
    assert isinstance(pause, Wait) and pause.seconds == Path("$.pause") and pause.timestamp is None
    assert isinstance(until, Wait) and until.timestamp == "2026-03-14T01:59:00.5+01:00" and until.input_path is None
    assert isinstance(each, Map) and each.distributed and each.execution_type == "EXPRESS" and each.items == Path("$")
    assert each.tolerated_count == Path("$.failures") and each.tolerated_percentage == 12.5 and each.label == "each"
    assert each.reader is not None and each.reader.config.csv_headers == ("a", "b") and each.batcher is not None
    assert each.writer is not None and each.writer.resource is not None and each.writer.output_type == "JSONL"
    assert isinstance(both, Parallel) and [branch.start_at for branch in both.branches] == ["Left", "Right"]
    left, lost = both.branches[0].states["Left"], states["Lost"]
    assert (
        isinstance(left, Pass)
        and left.result_path is None
        and left.result == Template({"a": 1.0}, "JSONPath", dynamic=False)
    )
    assert isinstance(states["Nothing"], Succeed)
    assert isinstance(lost, Fail) and lost.cause == Path("States.Format('lost {}', $.id)")
    assert list(ways(both)) == [Way("Nothing", "next"), Way("Lost", "catch")]


def test_a_machine_in_jsonata() -> None:
    states = build(QUERY).flow.states
    call, which, pause, each = (states[name] for name in ("Call", "Which", "Pause", "Each"))
    assert (
        isinstance(call, Task) and call.timeout == Expression("$n * 10") and call.resource.pattern == "waitForTaskToken"
    )
    assert call.output == Template("{% $states.result.Payload %}", "JSONata", dynamic=True)
    assert isinstance(which, Choice) and which.rules[0].test == Expression("$answer.ok and $n > 3")
    assert which.rules[1].test is False and which.rules[0].output == Template({"ok": True}, "JSONata", dynamic=False)
    assert isinstance(pause, Wait) and pause.timestamp == Expression("$states.input.at")
    assert (
        isinstance(each, Map)
        and each.max_concurrency == Expression("$n")
        and each.processor.states["Item"].language == "JSONata"
    )


def test_languages_of_states_are_their_own() -> None:
    states = build(MIXED).flow.states
    old, new = states["Old"], states["New"]
    assert (old.language, new.language) == ("JSONPath", "JSONata")
    assert (
        isinstance(old, Map)
        and old.selector is not None
        and old.items == Path("$.list")
        and old.processor.states["In"].language == "JSONPath"
    )
    jsonata: dict[str, Any] = {
        "StartAt": "M",
        "States": {"M": {**MIXED["States"]["Old"], "QueryLanguage": "JSONata", "End": True}},
    }
    for name in ("ItemsPath", "Parameters", "Next"):
        del jsonata["States"]["M"][name]
    made = build(jsonata).flow.states["M"]
    assert isinstance(made, Map) and made.items is INPUT
    assert made.processor.states["In"].language == "JSONPath", "states inside take the machine's language"


@pytest.mark.parametrize("name", RIGHT)
def test_nothing_can_be_changed(name: str) -> None:
    made = build(RIGHT[name])
    state = made.flow.states[made.start_at]
    for thing, attribute in ((made, "flow"), (made.flow, "start_at"), (state, "name")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, attribute, "other")
    states: Any = made.flow.states
    with pytest.raises(TypeError):
        states["New"] = state


@pytest.mark.parametrize("name", RIGHT)
def test_layout_does_not_count_and_content_does(name: str) -> None:
    value = RIGHT[name]
    again = build(read(json.dumps(value, indent=7)).value)
    assert again == build(value) and again.digest == digest(value)
    assert digest({**value, "Comment": "another"}) != digest(value)
    assert digest({"a": 1}) != digest({"a": 1.0}) and digest({"a": 1, "b": 2}) != digest({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("text", "kind", "name", "pattern"),
    [
        ("lookup_order", "function", "lookup_order", ""),
        ("shop.refund", "function", "shop.refund", ""),
        ("foo:bar", "function", "foo:bar", ""),
        ("https://example.com/f", "function", "https://example.com/f", ""),
        ("arn:aws:lambda:us-east-1:1:function:f", "lambda", "f", ""),
        ("arn:aws-cn:lambda:cn-north-1:1:function:f:$LATEST", "lambda", "f", ""),
        ("arn:aws:states:us-west-2:42:activity:a-task", "activity", "a-task", ""),
        ("arn:aws:states:::sqs:sendMessage", "integration", "sqs:sendMessage", ""),
        ("arn:aws:states:::states:startExecution.sync:2", "integration", "states:startExecution", "sync:2"),
        (
            "arn:aws:states:::aws-sdk:dynamodb:putItem.waitForTaskToken",
            "integration",
            "aws-sdk:dynamodb:putItem",
            "waitForTaskToken",
        ),
    ],
)
def test_resources_are_taken_apart(text: str, kind: str, name: str, pattern: str) -> None:
    found = parse(text)
    assert (found.kind, found.name, found.pattern, found.text) == (kind, name, pattern, text)


@pytest.mark.parametrize(
    "text", ["", "a b", "a\nb", "arn:", "arn:aws:s3:::b", "arn:aws:lambda:r:1:layer:f", "arn:aws:states:::sqs"]
)
def test_what_is_no_resource_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(
    "value",
    [
        None, [], {}, {"StartAt": "A"}, {"StartAt": "A", "States": {}}, {"StartAt": "A", "States": {"A": 1}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, "Nxt": "B"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}}},
        {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": 1}}},
        {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": True, "End": True}}},
        {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "f", "Retry": {}, "End": True}}},
        {"StartAt": "A", "States": {"A": {"Type": "Fail"}}, "Extra": 1},
    ],
)  # fmt: skip
def test_a_model_takes_everything_or_nothing(value: Any) -> None:
    with pytest.raises(Malformed):
        build(value)
