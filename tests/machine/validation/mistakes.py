"""Mistakes: a definition each, and every diagnostic that it must get: severity (E or W), code and pointer."""

from __future__ import annotations

from typing import Any, NamedTuple

JSON = Any
SCHEMA, MISSING = "SCHEMA_VALIDATION_FAILED", "MISSING_TRANSITION_TARGET"
JSONATA, UNSUPPORTED, RESOURCE = "INVALID_JSONATA_EXPRESSION", "UNSUPPORTED_JSONATA_EXPRESSION", "INVALID_RESOURCE"


class Mistake(NamedTuple):
    """``options`` are those of ``check``."""

    id: str
    definition: JSON
    found: tuple[tuple[str, str, str], ...]
    options: dict[str, Any]


MISTAKES: list[Mistake] = []


def mistake(id: str, definition: JSON, *found: str, **options: Any) -> None:
    """``found``: texts such as "E CODE /pointer"; CODE is SCHEMA_VALIDATION_FAILED where it is a dot."""
    parts = [one.split(" ", 2) for one in found]
    expected = tuple((part[0], SCHEMA if part[1] == "." else part[1], part[2] if part[2:] else "") for part in parts)
    MISTAKES.append(Mistake(id, definition, expected, options))


def machine(states: dict[str, Any], start: str = "A", **fields: Any) -> JSON:
    return {"StartAt": start, "States": states, **fields}


def alone(**state: Any) -> JSON:
    """A machine of one state, which ends it unless it says otherwise."""
    return machine({"A": {"End": True, **state} if state.get("Type") not in ("Succeed", "Fail", "Choice") else state})


def passing(**state: Any) -> JSON:
    return alone(Type="Pass", **state)


def task(**state: Any) -> JSON:
    return alone(**{"Type": "Task", "Resource": "work", **state})


def query(**state: Any) -> JSON:
    """A JSONata machine of one Task."""
    return {**task(**state), "QueryLanguage": "JSONata"}


def choice(*rules: Any, **fields: Any) -> JSON:
    return machine({"A": {"Type": "Choice", "Choices": list(rules), **fields}, "B": {"Type": "Succeed"}})


def rule(**fields: Any) -> Any:
    return {"Variable": "$.a", **fields, "Next": "B"}


def mapping(**fields: Any) -> JSON:
    inner = machine({"I": {"Type": "Pass", "End": True}}, "I")
    return alone(**{"Type": "Map", "ItemProcessor": inner, **fields})


def distributed(**fields: Any) -> JSON:
    config = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
    inner = {**machine({"I": {"Type": "Pass", "End": True}}, "I"), **config}
    return mapping(**{"ItemProcessor": inner, **fields})


END: dict[str, Any] = {"Type": "Pass", "End": True}

# The whole.
mistake("not-an-object", [], "E . ")
mistake("a-word", "null", "E . ", form="json")
mistake("nothing", "", "E MISSING_DESCRIPTION ")
mistake("blank", "  \n", "E . ")
mistake("no-json", '{"StartAt": }', "E INVALID_JSON_DESCRIPTION ")
mistake("trailing-comma", '{"StartAt": "A",}', "E INVALID_JSON_DESCRIPTION ")
mistake("byte-order-mark", '\ufeff{"StartAt": "A"}', "E INVALID_JSON_DESCRIPTION ")
mistake("nan", '{"StartAt": NaN}', "E INVALID_JSON_DESCRIPTION ")
mistake("huge-number", '{"StartAt": 1e999}', "E INVALID_JSON_DESCRIPTION ")
mistake("half-a-pair", '{"StartAt": "\\ud800"}', "E INVALID_JSON_DESCRIPTION ")
mistake("too-deep", "[" * 500, "E TOO_DEEPLY_NESTED ")
mistake("empty", {}, "E . ")
mistake("no-start", {"States": {"A": END}}, "E . ")
mistake("no-states", {"StartAt": "A"}, "E . ")
mistake("no-state", {"StartAt": "A", "States": {}}, f"E {MISSING} /StartAt", "E . /States")
mistake("states-a-list", {"StartAt": "A", "States": []}, "E . /States")
mistake("start-a-number", {"StartAt": 1, "States": {"A": END}}, "E . /StartAt")
mistake("start-elsewhere", machine({"A": END}, "B"), f"E {MISSING} /StartAt", f"E {MISSING} /States/A")
mistake("unknown-at-the-top", {**passing(), "Sates": {}}, "E . /Sates")
mistake("version", {**passing(), "Version": "2.0"}, "E . /Version")
mistake("timeout-of-nothing", {**passing(), "TimeoutSeconds": 0}, "E . /TimeoutSeconds")
mistake("query-language", {**passing(), "QueryLanguage": "jsonata"}, "E . /QueryLanguage")
mistake("comment-a-list", {**passing(), "Comment": []}, "E . /Comment")
mistake(
    "twice-a-field",
    '{"StartAt":"A","StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}',
    "E DUPLICATE_FIELD /StartAt",
)
mistake(
    "twice-a-state",
    '{"StartAt":"A","States":{"A":{"Type":"Fail"},"A":{"Type":"Pass","End":true}}}',
    "E DUPLICATE_STATE_NAME /States/A",
)

# States and what follows them.
mistake(
    "state-a-text",
    machine({"A": END | {"End": False, "Next": "B"}, "B": "x", "C": END}),
    "E . /States/B",
    f"E {MISSING} /States/C",
)
mistake("no-type", machine({"A": {"End": True}}), "E . /States/A")
mistake("type-a-number", machine({"A": {"Type": 1, "End": True}}), "E . /States/A/Type")
mistake("type-unknown", machine({"A": {"Type": "task", "End": True}}), "E . /States/A/Type")
mistake(
    "type-unknown-and-end-a-text",
    machine({"A": {"Type": "Taks", "End": "yes"}, "B": {"Type": "Fail"}}),
    "E . /States/A/Type",
    "E . /States/A/End",
    f"E {MISSING} /States/B",
)
mistake("name-too-long", machine({"A" * 81: END}, "A" * 81), f"E INVALID_STATE_NAME /States/{'A' * 81}")
mistake("name-empty", machine({"": END}, ""), "E INVALID_STATE_NAME /States/")
mistake("neither-next-nor-end", machine({"A": {"Type": "Pass"}, "B": END}), "E . /States/A", f"E {MISSING} /States/B")
mistake(
    "end-false", machine({"A": {"Type": "Pass", "End": False}, "B": END}), "E . /States/A", f"E {MISSING} /States/B"
)
mistake("next-and-end", machine({"A": {**END, "Next": "B"}, "B": END}), "E . /States/A")
mistake("end-a-text", alone(Type="Pass", End="true"), "E MISSING_END_STATE ", "E . /States/A/End")
mistake(
    "next-a-number",
    machine({"A": {"Type": "Pass", "Next": 5}, "B": END}),
    "E . /States/A/Next",
    f"E {MISSING} /States/B",
)
mistake(
    "next-nowhere",
    machine({"A": {"Type": "Pass", "Next": "b"}, "B": END}),
    f"E {MISSING} /States/A/Next",
    f"E {MISSING} /States/B",
)
mistake("unreachable", machine({"A": END, "B": END}), f"E {MISSING} /States/B")
mistake(
    "two-that-reach-each-other-only",
    machine({"A": END, "B": {"Type": "Pass", "Next": "C"}, "C": {"Type": "Pass", "Next": "B"}}),
    f"E {MISSING} /States/B",
    f"E {MISSING} /States/C",
)
mistake(
    "no-end", machine({"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Pass", "Next": "A"}}), "E MISSING_END_STATE "
)
mistake(
    "endless",
    machine(
        {
            "A": {"Type": "Choice", "Choices": [rule(IsNull=True)], "Default": "C"},
            "B": {"Type": "Wait", "Seconds": 1, "Next": "B"},
            "C": END,
        }
    ),
    "W ENDLESS /States/B",
)
mistake("field-of-another", passing(TimeoutSeconds=1), "E . /States/A/TimeoutSeconds")
mistake("field-misspelt", task(Paramters={}), "E . /States/A/Paramters")
mistake("retry-of-a-pass", passing(Retry=[]), "E . /States/A/Retry")
mistake("end-of-a-succeed", alone(Type="Succeed", End=True), "E . /States/A/End")
mistake("next-of-a-choice", choice(rule(IsNull=True), Next="B"), "E . /States/A/Next")
mistake("input-of-a-fail", alone(Type="Fail", InputPath="$"), "E . /States/A/InputPath")
mistake("assign-of-a-succeed", alone(Type="Succeed", Assign={"a": 1}), "E . /States/A/Assign")
mistake("language-of-a-state", passing(QueryLanguage="Jsonata"), "E . /States/A/QueryLanguage")

# Paths and templates.
mistake("path-without-root", passing(InputPath="a.b"), "E . /States/A/InputPath")
mistake("path-unfinished", passing(InputPath="$.a["), "E . /States/A/InputPath")
mistake("path-a-number", passing(OutputPath=1), "E . /States/A/OutputPath")
mistake("path-a-call", passing(OutputPath="States.UUID()"), "E . /States/A/OutputPath")
mistake("result-path-of-many", passing(ResultPath="$.a[*]"), "E . /States/A/ResultPath")
mistake("result-path-of-the-context", passing(ResultPath="$$.a"), "E . /States/A/ResultPath")
mistake("result-path-of-a-filter", passing(ResultPath="$.a[?(@.b)]"), "E . /States/A/ResultPath")
mistake("result-path-plain", passing(ResultPath="a"), "E . /States/A/ResultPath")
mistake("template-plain", passing(Parameters={"a.$": "b"}), "E . /States/A/Parameters/a.$")
mistake("template-a-number", passing(Parameters={"a.$": 1}), "E . /States/A/Parameters/a.$")
mistake("template-deep-inside", passing(Parameters={"l": [{"a.$": "$.a b"}]}), "E . /States/A/Parameters/l/0/a.$")
mistake("template-without-dollar", passing(Parameters={"a": "$.b"}), "W NO_DOLLAR /States/A/Parameters/a")
mistake(
    "template-a-call-without-dollar", passing(Parameters={"a": "States.UUID()"}), "W NO_DOLLAR /States/A/Parameters/a"
)
mistake("call-unknown", passing(Parameters={"a.$": "States.Now()"}), "E . /States/A/Parameters/a.$")
mistake("call-unfinished", passing(Parameters={"a.$": "States.Array(1, 2"}), "E . /States/A/Parameters/a.$")
mistake("call-of-a-bad-path", passing(Parameters={"a.$": "States.ArrayLength($.)"}), "E . /States/A/Parameters/a.$")
mistake("call-with-double-quotes", passing(Parameters={"a.$": 'States.Format("a")'}), "E . /States/A/Parameters/a.$")
mistake("call-with-too-few", passing(Parameters={"a.$": "States.MathAdd(1)"}), "E . /States/A/Parameters/a.$")
mistake("call-with-too-many", passing(Parameters={"a.$": "States.UUID(1)"}), "E . /States/A/Parameters/a.$")
mistake(
    "call-inside-with-too-few",
    passing(Parameters={"a.$": "States.Array(States.Hash('a'))"}),
    "E . /States/A/Parameters/a.$",
)
mistake("format-with-too-few", passing(Parameters={"a.$": "States.Format('{} {}', 1)"}), "E . /States/A/Parameters/a.$")
mistake("merge-deeply", passing(Parameters={"a.$": "States.JsonMerge($.a, $.b, true)"}), "E . /States/A/Parameters/a.$")
mistake("calls-too-deep", passing(Parameters={"a.$": "States.Array(" * 11 + ")" * 11}), "E . /States/A/Parameters/a.$")
mistake("result-with-a-path", passing(Result={"a.$": "$.b"}), "W PASS_RESULT_IS_STATIC /States/A/Result")
mistake("selector-plain", task(ResultSelector={"a.$": "result"}), "E . /States/A/ResultSelector/a.$")

# JSONata.
mistake("paths-in-jsonata", query(InputPath="$", ResultPath="$"), "E . /States/A/InputPath", "E . /States/A/ResultPath")
mistake("parameters-in-jsonata", query(Parameters={}), "E . /States/A/Parameters")
mistake("arguments-in-jsonpath", task(Arguments={}), "E . /States/A/Arguments")
mistake("output-in-jsonpath", passing(Output={}), "E . /States/A/Output")
mistake("jsonpath-state-of-a-jsonata-machine", query(QueryLanguage="JSONPath"), "E . /States/A/QueryLanguage")
mistake("not-closed", query(Output="{% $states.input"), f"E {JSONATA} /States/A/Output")
mistake("not-opened", query(Output="$states.input %}"), f"E {JSONATA} /States/A/Output")
mistake("space-around", query(Output=" {% $states.input %}"), f"E {JSONATA} /States/A/Output")
mistake("within-a-text", query(Output="Hello {% $states.input.name %}!"), "W . /States/A/Output")
mistake("empty-expression", query(Output="{%  %}"), f"E {JSONATA} /States/A/Output")
mistake("path-in-jsonata", query(Arguments={"a": "$.b"}), "W NO_DOLLAR /States/A/Arguments/a")
mistake("dollar-key-in-jsonata", query(Arguments={"a.$": 1}), "W . /States/A/Arguments/a.$")
mistake("eval", query(Output="{% $eval('1') %}"), f"E {UNSUPPORTED} /States/A/Output")
mistake("coalescing", query(Output="{% $states.input.a ?? 1 %}"), f"E {UNSUPPORTED} /States/A/Output")
mistake("root", query(Output="{% $$ %}"), f"E {UNSUPPORTED} /States/A/Output")
mistake("states-unknown", query(Output="{% $states.output %}"), f"E {UNSUPPORTED} /States/A/Output")
mistake("result-before-there-is-one", query(Arguments="{% $states.result %}"), f"E {UNSUPPORTED} /States/A/Arguments")
mistake("error-outside-a-catch", query(Output="{% $states.errorOutput %}"), f"E {UNSUPPORTED} /States/A/Output")
mistake("timeout-a-text", query(TimeoutSeconds="5"), "E . /States/A/TimeoutSeconds")
mistake("timeout-badly-closed", query(TimeoutSeconds="{% 5"), f"E {JSONATA} /States/A/TimeoutSeconds")
mistake("expression-in-jsonpath", task(TimeoutSeconds="{% 5 %}"), "E . /States/A/TimeoutSeconds")
mistake("jsonata-as-text", passing(Parameters={"a": "{% 1 %}"}), "W . /States/A/Parameters/a")
mistake("condition-missing", {**choice({"Next": "B"}), "QueryLanguage": "JSONata"}, "E . /States/A/Choices/0")
mistake(
    "condition-a-text",
    {**choice({"Condition": "true", "Next": "B"}), "QueryLanguage": "JSONata"},
    "E . /States/A/Choices/0/Condition",
)
mistake(
    "variable-in-jsonata",
    {**choice({"Condition": True, "Variable": "$.a", "Next": "B"}), "QueryLanguage": "JSONata"},
    "E . /States/A/Choices/0/Variable",
)

# Choice.
mistake("no-choices", machine({"A": {"Type": "Choice", "Default": "B"}, "B": END}), "E . /States/A")
mistake("choices-empty", choice(Default="B"), "E . /States/A/Choices")
mistake(
    "choices-an-object",
    machine({"A": {"Type": "Choice", "Choices": {}, "Default": "B"}, "B": END}),
    "E . /States/A/Choices",
)
mistake("rule-a-text", choice("B", Default="B"), "E . /States/A/Choices/0")
mistake("rule-without-next", choice({"Variable": "$.a", "IsNull": True}, Default="B"), "E . /States/A/Choices/0")
mistake(
    "rule-leads-nowhere",
    choice({"Variable": "$.a", "IsNull": True, "Next": "C"}, Default="B"),
    f"E {MISSING} /States/A/Choices/0/Next",
)
mistake("default-nowhere", choice(rule(IsNull=True), Default="C"), f"E {MISSING} /States/A/Default")
mistake("rule-compares-nothing", choice(rule()), "E . /States/A/Choices/0")
mistake(
    "operator-misspelt", choice(rule(StringEqual="a")), "E . /States/A/Choices/0", "E . /States/A/Choices/0/StringEqual"
)
mistake("two-comparisons", choice(rule(NumericGreaterThan=1, NumericLessThan=5)), "E . /States/A/Choices/0")
mistake(
    "and-beside-a-comparison",
    choice({"And": [{"Variable": "$.a", "IsNull": True}], "IsNull": True, "Next": "B"}),
    "E . /States/A/Choices/0",
)
mistake(
    "and-with-a-variable", choice(rule(And=[{"Variable": "$.a", "IsNull": True}])), "E . /States/A/Choices/0/Variable"
)
mistake("and-empty", choice({"And": [], "Next": "B"}), "E . /States/A/Choices/0/And")
mistake("not-a-list", choice({"Not": [], "Next": "B"}), "E . /States/A/Choices/0/Not")
mistake("no-variable", choice({"IsNull": True, "Next": "B"}), "E . /States/A/Choices/0")
mistake(
    "next-inside",
    choice({"Not": {"Variable": "$.a", "IsNull": True, "Next": "B"}, "Next": "B"}),
    "E . /States/A/Choices/0/Not/Next",
)
mistake("number-a-text", choice(rule(NumericEquals="1")), "E . /States/A/Choices/0/NumericEquals")
mistake("boolean-a-text", choice(rule(BooleanEquals="true")), "E . /States/A/Choices/0/BooleanEquals")
mistake("text-a-number", choice(rule(StringEquals=1)), "E . /States/A/Choices/0/StringEquals")
mistake("timestamp-none", choice(rule(TimestampEquals="2026-01-01")), "E . /States/A/Choices/0/TimestampEquals")
mistake("operand-path-plain", choice(rule(StringEqualsPath="b")), "E . /States/A/Choices/0/StringEqualsPath")
mistake("operand-looks-like-a-path", choice(rule(StringEquals="$.b")), "W NO_PATH /States/A/Choices/0/StringEquals")
mistake("variable-plain", choice({"Variable": "a", "IsNull": True, "Next": "B"}), "E . /States/A/Choices/0/Variable")

# Wait, Fail, Task.
mistake("wait-for-nothing", alone(Type="Wait"), "E . /States/A")
mistake("wait-for-two", alone(Type="Wait", Seconds=1, Timestamp="2026-01-01T00:00:00Z"), "E . /States/A")
mistake("wait-backwards", alone(Type="Wait", Seconds=-1), "E . /States/A/Seconds")
mistake("wait-a-part", alone(Type="Wait", Seconds=1.5), "E . /States/A/Seconds")
mistake("wait-a-text", alone(Type="Wait", Seconds="10"), "E . /States/A/Seconds")
mistake("wait-until-no-day", alone(Type="Wait", Timestamp="2026-02-30T00:00:00Z"), "E . /States/A/Timestamp")
mistake("wait-lowercase", alone(Type="Wait", Timestamp="2026-02-03t00:00:00z"), "E . /States/A/Timestamp")
mistake("wait-until-a-path", alone(Type="Wait", Timestamp="$.at"), "E . /States/A/Timestamp")
mistake("fail-with-two-errors", alone(Type="Fail", Error="E", ErrorPath="$.e"), "E . /States/A")
mistake("fail-with-two-causes", alone(Type="Fail", Cause="E", CausePath="$.e"), "E . /States/A")
mistake("fail-with-a-path", alone(Type="Fail", Error="$.e"), "W NO_PATH /States/A/Error")
mistake("fail-with-a-bad-call", alone(Type="Fail", CausePath="States.Formt('a')"), "E . /States/A/CausePath")
mistake("no-resource", machine({"A": {"Type": "Task", "End": True}}), "E . /States/A")
mistake("resource-a-number", task(Resource=1), "E . /States/A/Resource")
mistake("resource-empty", task(Resource=""), "E . /States/A/Resource")
mistake("resource-with-a-space", task(Resource="my function"), "E . /States/A/Resource")
mistake("resource-another-arn", task(Resource="arn:aws:s3:::bucket"), "E . /States/A/Resource")
mistake("integration-unknown", task(Resource="arn:aws:states:::ecs:runTask.sync"), f"E {RESOURCE} /States/A/Resource")
mistake(
    "pattern-unknown",
    task(Resource="arn:aws:states:::dynamodb:getItem.sync", Parameters={"TableName": "t", "Key": {}}),
    "E . /States/A/Resource",
)
mistake("sdk-half", task(Resource="arn:aws:states:::aws-sdk:s3"), "E . /States/A/Resource")
mistake("parameter-missing", task(Resource="arn:aws:states:::lambda:invoke"), "W MISSING_PARAMETER /States/A")
mistake(
    "no-token",
    task(
        Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken", Parameters={"QueueUrl": "u", "MessageBody": "b"}
    ),
    "W NO_TASK_TOKEN /States/A/Parameters",
)
mistake(
    "express-waits",
    task(Resource="arn:aws:states:::states:startExecution.sync", Parameters={"StateMachineArn": "a"}),
    "E . /States/A/Resource",
    type="EXPRESS",
)
mistake(
    "express-with-an-activity",
    task(Resource="arn:aws:states:eu-central-1:1:activity:a"),
    "E . /States/A/Resource",
    type="EXPRESS",
)
mistake(
    "token-in-an-express-map",
    distributed(
        ItemProcessor={
            **machine(
                {
                    "I": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::sns:publish.waitForTaskToken",
                        "End": True,
                        "Parameters": {"Message.$": "$$.Task.Token"},
                    }
                },
                "I",
            ),
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        }
    ),
    "E . /States/A/ItemProcessor/States/I/Resource",
)
mistake("heartbeat-as-slow", task(TimeoutSeconds=5, HeartbeatSeconds=5), "E . /States/A/HeartbeatSeconds")
mistake("two-timeouts", task(TimeoutSeconds=5, TimeoutSecondsPath="$.t"), "E . /States/A")
mistake("credentials-a-text", task(Credentials="role"), "E . /States/A/Credentials")

# Retry and Catch.
RETRY: dict[str, Any] = {"ErrorEquals": ["E"]}
mistake("retry-an-object", task(Retry=RETRY), "E . /States/A/Retry")
mistake("retry-of-nothing", task(Retry=[{}]), "E . /States/A/Retry/0")
mistake("errors-empty", task(Retry=[{"ErrorEquals": []}]), "E . /States/A/Retry/0/ErrorEquals")
mistake("errors-a-text", task(Retry=[{"ErrorEquals": "E"}]), "E . /States/A/Retry/0/ErrorEquals")
mistake("errors-a-number", task(Retry=[{"ErrorEquals": [1]}]), "E . /States/A/Retry/0/ErrorEquals/0")
mistake(
    "error-of-the-language-misspelt",
    task(Retry=[{"ErrorEquals": ["States.TimeOut"]}]),
    "W UNKNOWN_ERROR_NAME /States/A/Retry/0/ErrorEquals/0",
)
mistake("all-beside-others", task(Retry=[{"ErrorEquals": ["E", "States.ALL"]}]), "E . /States/A/Retry/0/ErrorEquals/1")
mistake("all-first", task(Retry=[{"ErrorEquals": ["States.ALL"]}, RETRY]), "E . /States/A/Retry/0/ErrorEquals/0")
mistake("interval-zero", task(Retry=[{**RETRY, "IntervalSeconds": 0}]), "E . /States/A/Retry/0/IntervalSeconds")
mistake("attempts-negative", task(Retry=[{**RETRY, "MaxAttempts": -1}]), "E . /States/A/Retry/0/MaxAttempts")
mistake("attempts-a-boolean", task(Retry=[{**RETRY, "MaxAttempts": True}]), "E . /States/A/Retry/0/MaxAttempts")
mistake("backoff-below-one", task(Retry=[{**RETRY, "BackoffRate": 0.5}]), "E . /States/A/Retry/0/BackoffRate")
mistake("delay-zero", task(Retry=[{**RETRY, "MaxDelaySeconds": 0}]), "E . /States/A/Retry/0/MaxDelaySeconds")
mistake(
    "delay-below-interval",
    task(Retry=[{**RETRY, "IntervalSeconds": 9, "MaxDelaySeconds": 5}]),
    "W . /States/A/Retry/0/MaxDelaySeconds",
)
mistake("jitter", task(Retry=[{**RETRY, "JitterStrategy": "HALF"}]), "E . /States/A/Retry/0/JitterStrategy")
mistake("retrier-with-next", task(Retry=[{**RETRY, "Next": "A"}]), "E . /States/A/Retry/0/Next")
mistake("catch-without-next", task(Catch=[RETRY]), "E . /States/A/Catch/0")
mistake("catch-nowhere", task(Catch=[{**RETRY, "Next": "C"}]), f"E {MISSING} /States/A/Catch/0/Next")
mistake(
    "catch-all-first",
    task(Catch=[{"ErrorEquals": ["States.ALL"], "Next": "A"}, {**RETRY, "Next": "A"}]),
    "E . /States/A/Catch/0/ErrorEquals/0",
)
mistake(
    "catch-with-attempts", task(Catch=[{**RETRY, "Next": "A", "MaxAttempts": 1}]), "E . /States/A/Catch/0/MaxAttempts"
)
mistake("catch-output-in-jsonpath", task(Catch=[{**RETRY, "Next": "A", "Output": 1}]), "E . /States/A/Catch/0/Output")
mistake(
    "catch-result-path", task(Catch=[{**RETRY, "Next": "A", "ResultPath": "$..e"}]), "E . /States/A/Catch/0/ResultPath"
)

# Parallel and Map.
mistake("no-branches", machine({"A": {"Type": "Parallel", "End": True}}), "E . /States/A")
mistake("branches-empty", alone(Type="Parallel", Branches=[]), "E . /States/A/Branches")
mistake("branch-a-text", alone(Type="Parallel", Branches=["B"]), "E . /States/A/Branches/0")
mistake("branch-without-start", alone(Type="Parallel", Branches=[{"States": {"B": END}}]), "E . /States/A/Branches/0")
mistake(
    "branch-with-a-timeout",
    alone(Type="Parallel", Branches=[{**machine({"B": END}, "B"), "TimeoutSeconds": 1}]),
    "E . /States/A/Branches/0/TimeoutSeconds",
)
mistake(
    "branch-leads-outside",
    machine(
        {
            "A": {
                "Type": "Parallel",
                "Branches": [machine({"B": {"Type": "Pass", "Next": "C"}, "D": END}, "B")],
                "Next": "C",
            },
            "C": END,
        }
    ),
    f"E {MISSING} /States/A/Branches/0/States/B/Next",
    f"E {MISSING} /States/A/Branches/0/States/D",
)
mistake(
    "name-inside-as-outside",
    alone(Type="Parallel", Branches=[machine({"A": END})]),
    "E DUPLICATE_STATE_NAME /States/A/Branches/0/States/A",
)
mistake(
    "branch-without-end",
    alone(Type="Parallel", Branches=[machine({"B": {"Type": "Wait", "Seconds": 1, "Next": "B"}}, "B")]),
    "W MISSING_END_STATE /States/A/Branches/0",
)
mistake("map-of-nothing", machine({"A": {"Type": "Map", "End": True}}), "E . /States/A")
mistake("map-with-both", mapping(Iterator=machine({"J": END}, "J")), "E . /States/A")
mistake("map-with-a-timeout", mapping(TimeoutSeconds=1), "E . /States/A/TimeoutSeconds")
mistake("map-without-items", mapping(ItemsPath=None), "E . /States/A/ItemsPath")
mistake("map-with-two-selectors", mapping(Parameters={}, ItemSelector={}), "E . /States/A")
mistake("map-with-negative-concurrency", mapping(MaxConcurrency=-1), "E . /States/A/MaxConcurrency")
mistake("map-with-two-concurrencies", mapping(MaxConcurrency=1, MaxConcurrencyPath="$.n"), "E . /States/A")
mistake(
    "map-mode",
    mapping(ItemProcessor={**machine({"I": END}, "I"), "ProcessorConfig": {"Mode": "inline"}}),
    "E . /States/A/ItemProcessor/ProcessorConfig/Mode",
)
mistake(
    "processor-with-a-language",
    mapping(ItemProcessor={**machine({"I": END}, "I"), "QueryLanguage": "JSONata"}),
    "E . /States/A/ItemProcessor/QueryLanguage",
)
mistake("reader-inline", mapping(ItemReader={"Resource": "arn:aws:states:::s3:getObject"}), "W . /States/A/ItemReader")
mistake(
    "reader-inline-on-aws",
    mapping(ItemReader={"Resource": "arn:aws:states:::s3:getObject"}),
    "E . /States/A/ItemReader",
    aws=True,
)
mistake(
    "reader-and-items",
    distributed(ItemsPath="$.items", ItemReader={"Resource": "arn:aws:states:::s3:getObject"}),
    "W . /States/A/ItemsPath",
)
mistake("reader-without-resource", distributed(ItemReader={}), "E . /States/A/ItemReader")
mistake(
    "reader-of-something-else",
    distributed(ItemReader={"Resource": "arn:aws:states:::sqs:sendMessage"}),
    "E . /States/A/ItemReader/Resource",
)
mistake(
    "reader-of-xml",
    distributed(ItemReader={"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "XML"}}),
    "E . /States/A/ItemReader/ReaderConfig/InputType",
)
mistake(
    "reader-without-headers",
    distributed(
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN"},
        }
    ),
    "E . /States/A/ItemReader/ReaderConfig",
)
mistake("batches-of-nothing", distributed(ItemBatcher={}), "E . /States/A/ItemBatcher")
mistake(
    "batches-of-zero", distributed(ItemBatcher={"MaxItemsPerBatch": 0}), "E . /States/A/ItemBatcher/MaxItemsPerBatch"
)
mistake(
    "writer-to-nowhere",
    distributed(ResultWriter={"Resource": "arn:aws:states:::s3:putObject"}),
    "E . /States/A/ResultWriter",
)
mistake("writer-of-nothing", distributed(ResultWriter={}), "E . /States/A/ResultWriter")
mistake("tolerance-above-all", distributed(ToleratedFailurePercentage=101), "E . /States/A/ToleratedFailurePercentage")
mistake("label-too-long", distributed(Label="a" * 41), "E INVALID_LABEL_NAME /States/A/Label")
mistake("label-with-a-space", distributed(Label="a b"), "E INVALID_LABEL_NAME /States/A/Label")
mistake(
    "label-twice",
    machine(
        {
            "A": {**distributed(Label="l")["States"]["A"], "End": False, "Next": "B"},
            "B": {
                **distributed(
                    Label="l",
                    ItemProcessor={
                        **machine({"J": END}, "J"),
                        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    },
                )["States"]["A"]
            },
        }
    ),
    "E DUPLICATE_LABEL_NAME /States/B/Label",
)
mistake(
    "mode-without-a-type-on-aws",
    distributed(ItemProcessor={**machine({"I": END}, "I"), "ProcessorConfig": {"Mode": "DISTRIBUTED"}}),
    "E . /States/A/ItemProcessor/ProcessorConfig",
    aws=True,
)

# Variables.
UNASSIGNED = "UNASSIGNED_VARIABLE"
mistake("never-assigned", passing(Parameters={"a.$": "$x.b"}), f"E {UNASSIGNED} /States/A/Parameters/a.$")
mistake("assigned-in-the-same-state", passing(Assign={"x": 1, "y.$": "$x"}), f"E {UNASSIGNED} /States/A/Assign/y.$")
mistake(
    "never-assigned-in-a-call",
    passing(Parameters={"a.$": "States.Array($x, 1)"}),
    f"E {UNASSIGNED} /States/A/Parameters/a.$",
)
mistake("never-assigned-in-jsonata", query(Output="{% $x + 1 %}"), f"E {UNASSIGNED} /States/A/Output")
mistake(
    "assigned-on-one-way",
    machine(
        {
            "A": {"Type": "Choice", "Choices": [{**rule(IsNull=True), "Assign": {"x": 1}}], "Default": "B"},
            "B": {**END, "InputPath": "$x"},
        }
    ),
    f"W {UNASSIGNED} /States/B/InputPath",
)
mistake(
    "not-assigned-when-caught",
    machine(
        {
            "A": {"Type": "Task", "Resource": "f", "Assign": {"x": 1}, "Catch": [{**RETRY, "Next": "B"}], "Next": "B"},
            "B": {**END, "InputPath": "$x"},
        }
    ),
    f"W {UNASSIGNED} /States/B/InputPath",
)
mistake(
    "assigned-inside-only",
    machine(
        {
            "A": {"Type": "Parallel", "Branches": [machine({"B": {**END, "Assign": {"x": 1}}}, "B")], "Next": "C"},
            "C": {**END, "InputPath": "$x"},
        }
    ),
    f"E {UNASSIGNED} /States/C/InputPath",
)
mistake(
    "not-seen-in-a-distributed-map",
    machine(
        {
            "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "M"},
            "M": {
                **distributed()["States"]["A"],
                "ItemProcessor": {
                    **machine({"I": {**END, "InputPath": "$x"}}, "I"),
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                },
            },
        }
    ),
    f"E {UNASSIGNED} /States/M/ItemProcessor/States/I/InputPath",
)
mistake(
    "assigned-inside-and-outside",
    machine(
        {
            "A": {"Type": "Pass", "Assign": {"x": 1}, "Next": "P"},
            "P": {"Type": "Parallel", "End": True, "Branches": [machine({"B": {**END, "Assign": {"x": 1}}}, "B")]},
        }
    ),
    "W SHADOWED_VARIABLE /States/P/Branches/0/States/B/Assign/x",
)
mistake("assign-a-list", passing(Assign=[]), "E . /States/A/Assign")
mistake("variable-named-states", passing(Assign={"states": 1}), "E . /States/A/Assign/states")
mistake("variable-with-a-dash", passing(Assign={"a-b": 1}), "E . /States/A/Assign/a-b")
mistake("variable-too-long", passing(Assign={"a" * 81: 1}), f"E . /States/A/Assign/{'a' * 81}")


# What is left.
def nots(depth: int) -> Any:
    return {"Not": nots(depth - 1)} if depth else {"Variable": "$.a", "IsNull": True}


mistake(
    "rules-too-deep",
    choice({**nots(61), "Next": "B"}),
    f"E TOO_DEEPLY_NESTED /States/A/Choices/0{'/Not' * 61}",
)
mistake("error-name-empty", task(Retry=[{"ErrorEquals": [""]}]), "E . /States/A/Retry/0/ErrorEquals/0")
mistake(
    "error-name-in-lower-case",
    task(Retry=[{"ErrorEquals": ["states.all"]}]),
    "W UNKNOWN_ERROR_NAME /States/A/Retry/0/ErrorEquals/0",
)
mistake(
    "name-that-nothing-leads-to", query(Output="{% phone & $states.input.a %}"), f"E {UNSUPPORTED} /States/A/Output"
)
mistake("language-a-number", passing(QueryLanguage=1), "E . /States/A/QueryLanguage")
mistake("result-path-a-number", passing(ResultPath=1), "E . /States/A/ResultPath")
mistake(
    "condition-a-number",
    {**choice({"Condition": 1, "Next": "B"}), "QueryLanguage": "JSONata"},
    "E . /States/A/Choices/0/Condition",
)
mistake("items-a-number", {**mapping(Items=1), "QueryLanguage": "JSONata"}, "E . /States/A/Items")
mistake(
    "type-of-an-inline-map",
    mapping(
        ItemProcessor={**machine({"I": END}, "I"), "ProcessorConfig": {"Mode": "INLINE", "ExecutionType": "EXPRESS"}}
    ),
    "W . /States/A/ItemProcessor/ProcessorConfig/ExecutionType",
)
mistake("reader-resource-a-number", distributed(ItemReader={"Resource": 1}), "E . /States/A/ItemReader/Resource")
mistake("timestamp-a-number", alone(Type="Wait", Timestamp=1), "E . /States/A/Timestamp")
mistake("error-a-number", alone(Type="Fail", Error=1), "E . /States/A/Error")

# What AWS alone refuses.
mistake("plain-name-on-aws", task(Resource="work"), "E . /States/A/Resource", aws=True)
mistake("large-on-aws", passing(Comment="x" * 1_100_000), "E . ", aws=True)
mistake("large-result-on-aws", passing(Result="x" * 300_000), "W AWS_LIMIT /States/A/Result", aws=True)
mistake("wait-for-years-on-aws", alone(Type="Wait", Seconds=50_000_000), "W AWS_LIMIT /States/A/Seconds", aws=True)
mistake(
    "express-for-long-on-aws",
    {**passing(), "TimeoutSeconds": 600},
    "W AWS_LIMIT /TimeoutSeconds",
    aws=True,
    type="EXPRESS",
)
