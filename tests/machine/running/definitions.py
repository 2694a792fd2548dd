"""Definitions that hypothesis makes up: of every kind of state, nested, with errors that are tried again and caught."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

ACTIVITY = "arn:aws:states:eu-west-1:123456789012:activity:a"
MESSAGES = [f"arn:aws:states:::sqs:sendMessage{pattern}" for pattern in ("", ".waitForTaskToken")]
ERRORS = ["CustomError", "Other", "States.Timeout"]
_names = st.lists(
    st.sampled_from(["CustomError", "Other", "States.Timeout", "States.TaskFailed"]), min_size=1, max_size=2
)
_matched = st.one_of(_names, st.just(["States.ALL"]))
_paths = st.sampled_from(["$", "$.a", "$.b.c", "$.missing", "$$.State.Name", "$v", "$[0]"])
_places = st.sampled_from(["$", "$.r", "$.b.c", None])
_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abr"), inner, max_size=3),
    max_leaves=5,
)
values = _json


@st.composite
def _state(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    kinds = ["Pass", "Task", "Wait", "Succeed", "Fail", "Choice"] + (["Parallel", "Map"] if depth else [])
    kind = draw(st.sampled_from(kinds))
    state: dict[str, Any] = {"Type": kind}
    if kind == "Fail":
        return state | {"Error": draw(st.sampled_from(ERRORS)), "Cause": "made up"}
    if kind not in ("Choice",) and draw(st.booleans()):
        state["InputPath"] = draw(_paths)
    if kind == "Pass":
        state |= {"Result": draw(_json)} if draw(st.booleans()) else {"Parameters": {"x.$": draw(_paths), "y": 1}}
        state["ResultPath"] = draw(_places)
    if kind == "Wait":
        state["Seconds"] = draw(st.integers(0, 5))
    if kind == "Task":
        state |= {"Resource": draw(st.sampled_from(["any", "any", ACTIVITY, *MESSAGES])), "ResultPath": draw(_places)}
        if state["Resource"] in MESSAGES:
            state["Parameters"] = {"QueueUrl": "q", "MessageBody.$": draw(_paths)}
        if draw(st.booleans()):
            state["TimeoutSeconds"] = draw(st.integers(1, 3))
    if kind == "Parallel":
        state["Branches"] = draw(st.lists(_flow(depth - 1), min_size=1, max_size=3))
    if kind == "Map":
        state |= {"ItemsPath": "$.list", "ItemProcessor": draw(_flow(depth - 1))}
        state |= {"MaxConcurrency": draw(st.integers(0, 2))}
        if draw(st.booleans()):
            state["ToleratedFailureCount"] = draw(st.integers(0, 2))
        if draw(st.booleans()):
            state |= _distributed(draw, state["ItemProcessor"])
    if kind in ("Task", "Parallel", "Map") and draw(st.booleans()):
        state["Retry"] = [{"ErrorEquals": draw(_matched), "MaxAttempts": draw(st.integers(0, 2)), "IntervalSeconds": 1}]
    if kind in ("Pass", "Task", "Parallel", "Map", "Wait") and draw(st.booleans()):
        state["Assign"] = {"v.$": "$", "w": 1}
    return state


def _distributed(draw: st.DrawFn, processor: dict[str, Any]) -> dict[str, Any]:
    processor["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    config = {"Transformation": draw(st.sampled_from(["NONE", "COMPACT", "FLATTEN"])), "OutputType": "JSON"}
    fields: dict[str, Any] = {
        "ItemBatcher": {"MaxItemsPerBatch": draw(st.integers(1, 2)), "BatchInput": {"x.$": draw(_paths)}},
        "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": draw(_paths)},
        "ResultWriter": {"WriterConfig": config},
    }
    return {field: fields[field] for field in draw(st.sets(st.sampled_from(sorted(fields))))}


@st.composite
def _flow(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    states = draw(st.lists(_state(depth), min_size=1, max_size=4))
    names = [f"S{number}" for number in range(len(states))]
    made: dict[str, Any] = {}
    for number, (name, state) in enumerate(zip(names, states, strict=True)):
        after = names[number + 1] if number + 1 < len(names) else None
        kind = state["Type"]
        if kind == "Choice":
            state["Choices"] = [{"Variable": "$.a", "IsPresent": True, "Next": after or name}]
            state["Default"] = draw(st.sampled_from(names[number + 1 :] or [name]))
            if after is None:
                state = dict[str, Any](Type="Succeed")
        elif kind not in ("Succeed", "Fail"):
            state |= {"Next": after} if after else {"End": True}
        if kind in ("Task", "Parallel", "Map") and after and draw(st.booleans()):
            state["Catch"] = [{"ErrorEquals": draw(_matched), "ResultPath": draw(_places), "Next": after}]
        made[name] = state
    return {"StartAt": names[0], "States": made}


def definitions() -> st.SearchStrategy[dict[str, Any]]:
    return _flow(2)
