"""Definitions that are right: every kind of state and every field, in both query languages."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

RETRY = [
    {
        "ErrorEquals": ["States.Timeout", "Busy"],
        "IntervalSeconds": 2,
        "MaxAttempts": 5,
        "BackoffRate": 1.5,
        "MaxDelaySeconds": 60,
        "JitterStrategy": "FULL",
        "Comment": "busy",
    },
    {"ErrorEquals": ["States.ALL"]},
]

ORDER: dict[str, Any] = {
    "Comment": "An order, in JSONPath",
    "Version": "1.0",
    "TimeoutSeconds": 3600,
    "StartAt": "Check",
    "States": {
        "Check": {
            "Type": "Task",
            "Comment": "is it there",
            "Resource": "arn:aws:lambda:eu-central-1:123456789012:function:check:live",
            "InputPath": "$.order",
            "Parameters": {"id.$": "$.id", "at.$": "$$.State.EnteredTime", "static": [1, "a"]},
            "ResultSelector": {"count.$": "States.ArrayLength($.items)"},
            "ResultPath": "$.checked",
            "OutputPath": "$",
            "TimeoutSecondsPath": "$.timeout",
            "HeartbeatSeconds": 5,
            "Credentials": {"RoleArn": "arn:aws:iam::1:role/r"},
            "Assign": {"id.$": "$.id", "tries": 0},
            "Retry": RETRY,
            "Catch": [
                {
                    "ErrorEquals": ["Gone"],
                    "ResultPath": "$.error",
                    "Next": "Lost",
                    "Assign": {"id": None},
                    "Comment": "c",
                }
            ],
            "Next": "Enough?",
        },
        "Enough?": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$.checked.count", "NumericGreaterThan": 0},
                        {"Not": {"Variable": "$.gift", "IsPresent": True, "Comment": "no gift"}},
                        {
                            "Or": [
                                {"Variable": "$id", "StringMatches": "o-*"},
                                {"Variable": "$.a", "StringEqualsPath": "$.b"},
                            ]
                        },
                    ],
                    "Next": "Wait",
                    "Assign": {"way": "and"},
                    "Comment": "most of them",
                },
                {"Variable": "$.due", "TimestampLessThan": "2026-01-01T00:00:00Z", "Next": "Each"},
                {"Variable": "$.sure", "BooleanEquals": True, "Next": "Both"},
            ],
            "Default": "Nothing",
        },
        "Wait": {"Type": "Wait", "SecondsPath": "$.pause", "Next": "Until"},
        "Until": {"Type": "Wait", "Timestamp": "2026-03-14T01:59:00.5+01:00", "Next": "Nothing", "InputPath": None},
        "Each": {
            "Type": "Map",
            "ItemSelector": {"item.$": "$$.Map.Item.Value"},
            "MaxConcurrency": 3,
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "Item",
                "States": {
                    "Item": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::sqs:sendMessage",
                        "Parameters": {"QueueUrl": "u", "MessageBody.$": "$"},
                        "End": True,
                    }
                },
            },
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "Parameters": {"Bucket": "b", "Key.$": "$.k"},
                "ReaderConfig": {
                    "InputType": "CSV",
                    "CSVHeaderLocation": "GIVEN",
                    "CSVHeaders": ["a", "b"],
                    "CSVDelimiter": "TAB",
                    "MaxItemsPath": "$.most",
                },
            },
            "ItemBatcher": {"MaxItemsPerBatch": 10, "BatchInput": {"of.$": "$.of"}},
            "ResultWriter": {
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": "b", "Prefix": "p"},
                "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"},
            },
            "ToleratedFailurePercentage": 12.5,
            "ToleratedFailureCountPath": "$.failures",
            "Label": "each",
            "Next": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "Left",
                    "States": {"Left": {"Type": "Pass", "Result": {"a": 1.0}, "ResultPath": None, "End": True}},
                },
                {"StartAt": "Right", "Comment": "r", "States": {"Right": {"Type": "Succeed"}}},
            ],
            "Parameters": {"all.$": "$"},
            "Retry": [{"ErrorEquals": ["States.BranchFailed"]}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Lost"}],
            "Next": "Nothing",
        },
        "Nothing": {"Type": "Succeed", "OutputPath": "$.checked"},
        "Lost": {"Type": "Fail", "ErrorPath": "$.error.Error", "CausePath": "States.Format('lost {}', $.id)"},
    },
}

QUERY: dict[str, Any] = {
    "QueryLanguage": "JSONata",
    "StartAt": "First",
    "States": {
        "First": {
            "Type": "Pass",
            "Assign": {"n": "{% $states.input.n + 1 %}", "list": [1, "{% $uuid() %}"]},
            "Next": "Call",
        },
        "Call": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Arguments": {
                "FunctionName": "f",
                "Payload": {"token": "{% $states.context.Task.Token %}", "n": "{% $n %}"},
            },
            "Output": "{% $states.result.Payload %}",
            "Assign": {"answer": "{% $states.result %}"},
            "TimeoutSeconds": "{% $n * 10 %}",
            "HeartbeatSeconds": 3,
            "Retry": RETRY,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Bad", "Output": "{% $states.errorOutput %}"}],
            "Next": "Which",
        },
        "Which": {
            "Type": "Choice",
            "Choices": [
                {
                    "Condition": "{% $answer.ok and $n > 3 %}",
                    "Next": "Pause",
                    "Output": {"ok": True},
                    "Assign": {"m": 1},
                },
                {"Condition": False, "Next": "Each"},
            ],
            "Default": "Done",
            "Output": "{% $states.input %}",
            "Assign": {"m": 2},
        },
        "Pause": {"Type": "Wait", "Timestamp": "{% $states.input.at %}", "Next": "Each"},
        "Each": {
            "Type": "Map",
            "Items": "{% $states.input.items %}",
            "ItemSelector": {"v": "{% $states.context.Map.Item.Value %}"},
            "MaxConcurrency": "{% $n %}",
            "Output": "{% $states.result[0] %}",
            "Next": "Both",
            "ItemProcessor": {
                "StartAt": "Item",
                "States": {"Item": {"Type": "Pass", "Output": "{% $n %}", "End": True}},
            },
        },
        "Both": {
            "Type": "Parallel",
            "Arguments": {"n": "{% $n %}"},
            "Next": "Done",
            "Branches": [{"StartAt": "Only", "States": {"Only": {"Type": "Wait", "Seconds": "{% $n %}", "End": True}}}],
        },
        "Done": {"Type": "Succeed", "Output": {"n": "{% $n %}"}},
        "Bad": {"Type": "Fail", "Error": "{% $states.input.Error %}", "Cause": "It is bad"},
    },
}

MIXED: dict[str, Any] = {
    "StartAt": "Old",
    "States": {
        "Old": {
            "Type": "Map",
            "Iterator": {"StartAt": "In", "States": {"In": {"Type": "Pass", "End": True}}},
            "ItemsPath": "$.list",
            "Parameters": {"a.$": "$"},
            "Next": "New",
        },
        "New": {
            "Type": "Task",
            "QueryLanguage": "JSONata",
            "Resource": "shop.refund",
            "Arguments": "{% $states.input %}",
            "End": True,
        },
    },
}

RIGHT: Mapping[str, dict[str, Any]] = {"order": ORDER, "query": QUERY, "mixed": MIXED}


def right(name: str) -> dict[str, Any]:
    """One of them, to be changed."""
    return copy.deepcopy(RIGHT[name])
