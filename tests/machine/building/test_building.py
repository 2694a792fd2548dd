"""State machines in Python: what is built is what would be written, and what can't be said is refused by name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter import Agent, Context, InvalidInput, Scripted, StateMachine, asl, run, tool, workflow
from overwinter.orchestrator.machine.validation.checking import check
from overwinter.orchestrator.machine.validation.maps import (
    _BATCHER,
    _PROCESSOR_CONFIG,
    _READER,
    _READER_CONFIG,
    _WRITER,
    _WRITER_CONFIG,
)
from overwinter.orchestrator.machine.validation.states import SHAPES
from overwinter.testing import crash_everywhere


@tool
async def weigh(parcel: str) -> int:
    """Grams."""
    return 100 * len(parcel)


async def van(given: Any) -> str:
    return f"van for {given['parcel']}"


def states(*elements: Any, **top: Any) -> dict[str, Any]:
    found: dict[str, Any] = asl.machine(*elements, **top).definition["States"]
    return found


PARCELS = asl.machine(
    asl.Task("Weigh", weigh, parameters={"parcel": asl.path("$.parcel")}, result_path="$.grams"),
    asl.Choice("Heavy?", asl.when(asl.var("$.grams") > 500, asl.Task("Van", van, end=True))),
    asl.Pass("Post", result="post"),
    comment="A parcel is sent",
)


def test_it_runs_like_any_other_through_every_crash() -> None:
    machine = StateMachine("parcels", PARCELS)
    assert machine.description == "A parcel is sent"
    for parcel, sent in (("lamp", "post"), ("armchair", "van for armchair")):
        assert crash_everywhere(machine, {"parcel": parcel}).outcome.value == sent


def test_it_is_plain_text_for_everybody_else() -> None:
    assert json.loads(PARCELS.json()) == PARCELS.definition
    assert check(PARCELS.json()) == []
    assert StateMachine("p", PARCELS.json(), [weigh, van]).version == StateMachine("p", PARCELS).version


def test_functions_go_along_once() -> None:
    assert PARCELS.uses == (weigh, van)
    told = asl.Task(
        "Tell", "arn:aws:states:::lambda:invoke", parameters={"FunctionName": van, "Payload": {"parcel": "x"}}
    )
    built = asl.machine(told, asl.Task("Again", van))
    assert built.uses == (van,)
    assert built.definition["States"]["Tell"]["Parameters"]["FunctionName"] == "van"


def test_agents_workflows_and_machines_are_functions() -> None:
    @workflow(name="flow-of-work")
    async def flow(ctx: Context, given: str) -> str:
        return "f"

    agent, inner = Agent("clerk", Scripted(["a"])), StateMachine("inner", asl.machine(asl.Pass("P", result="m")))
    each = [asl.Task(str(number), one) for number, one in enumerate((flow, agent, inner))]
    built = asl.machine(asl.Pass("In", result="hi"), asl.Parallel("All", *each))
    resources = [one["States"][one["StartAt"]]["Resource"] for one in built.definition["States"]["All"]["Branches"]]
    assert resources == ["flow-of-work", "clerk", "inner"]
    assert run(StateMachine("m", built), store="memory://") == ["f", "a", "m"]


# -- every field of the language -------------------------------------------------------------------------

REF, EXPR = asl.path("$.x"), asl.jsonata("$states.input.x")
WRITER: dict[str, Any] = {"transformation": "NONE", "output_type": "JSON"}
READER: dict[str, Any] = {
    "input_type": "CSV",
    "csv_header_location": "GIVEN",
    "csv_headers": ["a"],
    "csv_delimiter": "TAB",
    "manifest_type": "S3_INVENTORY",
    "transformation": "NONE",
    "items_pointer": "/a",
}
FLOW: dict[str, Any] = {"comment": "c", "query_language": "JSONPath", "input_path": None, "output_path": "$.a"}
PATHS: dict[str, Any] = {**FLOW, "assign": {"v": REF}, "next": "Z"}
RESULT: dict[str, Any] = {
    **PATHS,
    "result_selector": {"a": REF},
    "result_path": "$.b",
    "retry": [asl.retry()],
    "catch": [asl.catch(then="Z")],
}
LED: dict[str, Any] = {"query_language": "JSONata", "comment": "c", "output": {"a": EXPR}, "assign": {"v": EXPR}}
DYNAMIC: tuple[Any, ...] = ("max_concurrency", "tolerated_failure_count", "tolerated_failure_percentage")
S3 = "arn:aws:states:::s3:"


def dynamic(value: Any) -> dict[str, Any]:
    return dict.fromkeys(DYNAMIC, value)


SAID: dict[str, list[Any]] = {
    "Pass": [
        asl.Pass("A", **PATHS, parameters={"a": REF}, result_path=None),
        asl.Pass("B", result=[1]),
        asl.Pass("C", **LED, end=True),
    ],
    "Task": [
        asl.Task("A", "f", **RESULT, parameters={}, timeout_seconds=9, heartbeat_seconds=3,
                 credentials={"RoleArn": "r"}),
        asl.Task("B", "f", timeout_seconds=REF, heartbeat_seconds=REF),
        asl.Task("C", "f", **LED, arguments={"a": EXPR}, timeout_seconds=EXPR, end=True),
    ],
    "Choice": [
        asl.Choice("A", asl.when(asl.var("$.x") == 1, "B"), otherwise="Z", **FLOW, assign={"v": REF}),
        asl.Choice("B", asl.when(EXPR, "Z", output=1, assign={"v": EXPR}, comment="c"), **LED),
    ],
    "Wait": [
        asl.Wait("A", **PATHS, seconds=1),
        asl.Wait("B", seconds=REF),
        asl.Wait("C", timestamp=datetime(2026, 1, 31, 9, tzinfo=UTC)),
        asl.Wait("D", timestamp=REF),
        asl.Wait("E", **LED, seconds=EXPR, end=True),
    ],
    "Succeed": [asl.Succeed("A", **FLOW), asl.Succeed("B", query_language="JSONata", output={"a": EXPR})],
    "Fail": [asl.Fail("A", **{key: FLOW[key] for key in ("comment", "query_language")}, error="E", cause="C"),
             asl.Fail("B", error=REF, cause=REF)],
    "Parallel": [
        asl.Parallel("A", asl.Succeed("S"), **RESULT, parameters={"a": REF}),
        asl.Parallel("B", asl.Succeed("T"), **LED, arguments=EXPR, end=True),
    ],
    "Map": [
        asl.Map("A", asl.Succeed("S"), **RESULT, items_path="$.l", item_selector={"a": REF}, label="l",
                **dynamic(1), mode="DISTRIBUTED", execution_type="EXPRESS",
                item_reader=asl.item_reader(S3 + "getObject", parameters={"Bucket": REF}, max_items=REF,
                                            **READER),
                item_batcher=asl.item_batcher(max_items_per_batch=2, max_input_bytes_per_batch=9,
                                              batch_input={"a": REF}),
                result_writer=asl.result_writer(S3 + "putObject", parameters={"Bucket": REF}, **WRITER)),
        asl.Map("B", asl.Succeed("T"), **dynamic(REF),
                item_batcher=asl.item_batcher(max_items_per_batch=REF, max_input_bytes_per_batch=REF)),
        asl.Map("C", asl.Succeed("U"), **LED, items=[1, EXPR], mode="DISTRIBUTED", end=True,
                item_reader=asl.item_reader(S3 + "getObject", arguments={"Bucket": EXPR}, max_items=EXPR),
                result_writer=asl.result_writer(S3 + "putObject", arguments={"Bucket": EXPR})),
    ],
}  # fmt: skip
SHAPE = {"fields", "type", "range", "language", "path", "reference-path", "template", "delimiters", "jsonata"}
OLDER = {"Iterator", "Parameters"}
"""What a Map's ItemProcessor and ItemSelector were called once."""


def laid(elements: Any) -> dict[str, Any]:
    """The states one by one, whether or not a whole machine of them would make sense."""
    from overwinter.orchestrator.machine.building.layout import flow

    return {state.name: flow(asl.chain(state), lambda _: None)["States"][state.name] for state in elements}


@pytest.mark.parametrize("kind", SHAPES)
def test_every_field_of_a_state_can_be_said(kind: str) -> None:
    written = laid(SAID[kind])
    found = {field for state in written.values() for field in state}
    assert found | {"End", "Next"} >= set(SHAPES[kind]) - (OLDER if kind == "Map" else set())
    assert found <= set(SHAPES[kind])
    for name, state in written.items():
        whole = {"StartAt": name, "States": {name: state}}
        assert [one for one in check(whole) if one.rule in SHAPE] == []


def test_every_field_of_a_reader_batcher_and_writer_can_be_said() -> None:
    a, b, c = laid(SAID["Map"]).values()
    every = [(one.get(name, {}), shape) for one in (a, b, c) for name, shape in
             (("ItemReader", _READER), ("ItemBatcher", _BATCHER), ("ResultWriter", _WRITER))]  # fmt: skip
    for shape in (_READER, _BATCHER, _WRITER):
        assert {field for one, of in every if of is shape for field in one} == set(shape)
    plain = asl.item_reader("r", max_items=3)["ReaderConfig"]
    assert {*a["ItemReader"]["ReaderConfig"], *plain} == set(_READER_CONFIG)  # type: ignore[misc]
    assert set(a["ResultWriter"]["WriterConfig"]) == set(_WRITER_CONFIG)
    assert set(a["ItemProcessor"]["ProcessorConfig"]) == set(_PROCESSOR_CONFIG)
    assert a["ItemBatcher"]["BatchInput"] == {"a.$": "$.x"} and a["ItemReader"]["Parameters"] == {"Bucket.$": "$.x"}


def test_the_fields_of_retriers_catchers_and_machines() -> None:
    again = asl.retry(
        ConnectionError, "E", interval_seconds=2, max_attempts=0, backoff_rate=1.5, max_delay_seconds=9,
        jitter_strategy="FULL", comment="c",
    )  # fmt: skip
    caught = asl.catch("E", then="Z", result_path=None, assign={"v": REF}, comment="c")
    task = asl.Task("A", "f", retry=[again, asl.retry()], catch=[caught, asl.catch()])
    last = asl.Succeed("Z")
    top: dict[str, Any] = {"comment": "c", "version": "1.0", "query_language": "JSONPath", "timeout_seconds": 9}
    built = asl.machine(task, last, **top).definition
    assert built == {
        "Comment": "c", "Version": "1.0", "QueryLanguage": "JSONPath", "TimeoutSeconds": 9, "StartAt": "A",
        "States": {
            "A": {
                "Type": "Task", "Resource": "f", "Next": "Z",
                "Retry": [
                    {"ErrorEquals": ["ConnectionError", "E"], "IntervalSeconds": 2, "MaxAttempts": 0,
                     "BackoffRate": 1.5, "MaxDelaySeconds": 9, "JitterStrategy": "FULL", "Comment": "c"},
                    {"ErrorEquals": ["States.ALL"]},
                ],
                "Catch": [
                    {"ErrorEquals": ["E"], "ResultPath": None, "Assign": {"v.$": "$.x"}, "Comment": "c", "Next": "Z"},
                    {"ErrorEquals": ["States.ALL"], "Next": "Z"},
                ],
            },
            "Z": {"Type": "Succeed"},
        },
    }  # fmt: skip
    jsonata = asl.Task("A", "f", catch=[asl.catch(output={"e": EXPR})])
    assert states(jsonata, last, query_language="JSONata")["A"]["Catch"][0]["Output"] == {"e": str(EXPR)}


def test_what_ran_out_of_time_has_the_name_of_the_language() -> None:
    from overwinter import TimedOut

    assert asl.retry(TimedOut).fields["ErrorEquals"] == ["States.Timeout"]


def test_a_field_that_there_is_not_is_an_error_for_type_checkers_and_at_once() -> None:
    with pytest.raises(TypeError, match="a Task state has no field 'timeout_second'"):
        asl.Task("A", "f", timeout_second=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="a Wait state has no field 'result_path'"):
        asl.Wait("A", seconds=1, result_path="$.a")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'csv_header'"):
        asl.item_reader("r", csv_header=[])  # type: ignore[call-arg]
    asl.Task("A", "f", timeout_seconds="1")  # type: ignore[arg-type]


# -- conditions ------------------------------------------------------------------------------------------

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
X = asl.var("$.x")
ODD: Any = [None, asl.path("$.y"), 5]


@pytest.mark.parametrize(
    ("condition", "rule"),
    [
        (X == "a", {"StringEquals": "a"}),
        (X < 1, {"NumericLessThan": 1}),
        (X > 1.5, {"NumericGreaterThan": 1.5}),
        (X <= NOON, {"TimestampLessThanEquals": "2026-01-31T12:00:00Z"}),
        (X >= "b", {"StringGreaterThanEquals": "b"}),
        (X == True, {"BooleanEquals": True}),  # noqa: E712  # it makes a condition
        (X == 1, {"NumericEquals": 1}),
        (X.matches("a*"), {"StringMatches": "a*"}),
        (X.is_null(), {"IsNull": True}),
        (X.is_present(False), {"IsPresent": False}),
        (X.is_numeric(), {"IsNumeric": True}),
        (X.is_string(), {"IsString": True}),
        (X.is_boolean(), {"IsBoolean": True}),
        (X.is_timestamp(), {"IsTimestamp": True}),
        (X.compare("NumericLessThan", asl.path("$.y")), {"NumericLessThanPath": "$.y"}),
        (X.compare("TimestampEquals", NOON), {"TimestampEquals": "2026-01-31T12:00:00Z"}),
    ],
)
def test_an_operand_chooses_the_comparison(condition: asl.Condition, rule: dict[str, Any]) -> None:
    first = {"Variable": "$.x", **rule}
    assert condition.fields == first
    built = states(asl.Choice("A", asl.when(condition, "B"), otherwise="B"), asl.Succeed("B"))
    assert built["A"]["Choices"] == [{**first, "Next": "B"}]


def test_conditions_are_joined() -> None:
    a, b, c = (asl.var("$.x") == number for number in (1, 2, 3))
    assert (a & b & c).fields == {"And": [a.fields, b.fields, c.fields]}
    assert (a | b & c).fields == {"Or": [a.fields, {"And": [b.fields, c.fields]}]}
    assert (~(a | b)).fields == {"Not": {"Or": [a.fields, b.fields]}}
    assert (asl.var("$.x") != 1).fields == {"Not": a.fields}
    for wrong in (lambda: a and b, lambda: 1 < asl.var("$.x") < 5, lambda: bool(a)):
        with pytest.raises(TypeError, match="join them by &"):
            wrong()


@pytest.mark.parametrize(
    ("compare", "said"),
    [
        (lambda: asl.var("$.x") < True, "true and false have no order"),
        (lambda: asl.var("$.x") == ODD[0], r"is_null\(\) asks"),
        (lambda: asl.var("$.x") < ODD[1], "compare"),
        (lambda: asl.var("$.x") < datetime(2026, 1, 1), "no zone"),
    ],
)
def test_what_can_not_be_compared(compare: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        compare()


# -- where states lead -----------------------------------------------------------------------------------


def led(built: dict[str, Any]) -> dict[str, Any]:
    """For each state, where it leads."""
    found: dict[str, Any] = {}
    for name, state in built.items():
        rules = [one["Next"] for one in state.get("Choices", [])]
        caught = [one["Next"] for one in state.get("Catch", [])]
        found[name] = [*rules, *caught, *(state[key] for key in ("Default", "Next") if key in state)]
    return found


def test_what_a_rule_or_a_catcher_leads_to_goes_on_with_what_follows() -> None:
    ask = asl.chain(asl.Pass("Ask"), asl.Pass("Note"))
    choice = asl.Choice("Large?", asl.when(asl.var("$.n") > 1, ask), asl.when(asl.var("$.n") < 0))
    mend = asl.Task("Pay", "pay", catch=[asl.catch("Broken", then=asl.Pass("Mend")), asl.catch()])
    built = states(choice, mend, asl.Succeed("Done"))
    assert led(built) == {
        "Large?": ["Ask", "Pay", "Pay"], "Ask": ["Note"], "Note": ["Pay"], "Pay": ["Mend", "Done", "Done"],
        "Mend": ["Done"], "Done": [],
    }  # fmt: skip
    assert list(built) == ["Large?", "Ask", "Note", "Pay", "Mend", "Done"]


def test_a_choice_without_anything_after_it_has_no_default() -> None:
    built = states(asl.Choice("A", asl.when(asl.var("$.n") > 1, asl.Pass("B"))))
    assert "Default" not in built["A"] and built["B"] == {"Type": "Pass", "End": True}
    built = states(asl.Choice("A", asl.when(asl.var("$.n") > 1), exhaustive=True), asl.Pass("B"))
    assert "Default" not in built["A"]


def test_a_state_leads_elsewhere_by_name_or_by_itself() -> None:
    again = asl.Choice("Enough?", asl.when(asl.var("$.n") > 9, asl.Succeed("Done")), otherwise="Count")
    assert led(states(asl.Pass("Count"), again)) == {"Count": ["Enough?"], "Enough?": ["Done", "Count"], "Done": []}
    count = asl.Pass("Count")
    by_itself = asl.Choice("Enough?", asl.when(asl.var("$.n") > 9, asl.Succeed("Done")), otherwise=count)
    assert states(count, by_itself) == states(asl.Pass("Count"), again)
    last = asl.Pass("Last")
    skips = asl.Choice("Skip?", asl.when(asl.var("$.n") > 9, last))
    assert led(states(skips, asl.Pass("Work"), last)) == {"Skip?": ["Last", "Work"], "Work": ["Last"], "Last": []}


def test_a_state_may_stand_in_two_places_that_agree() -> None:
    sorry = asl.Fail("Sorry", error="E")
    a, b = (asl.Task(name, name, catch=[asl.catch(then=sorry)]) for name in ("a", "b"))
    assert led(states(a, b)) == {"a": ["Sorry", "b"], "Sorry": [], "b": ["Sorry"]}
    mend = asl.Pass("Mend")
    a, b = (asl.Task(name, name, catch=[asl.catch(then=mend)]) for name in ("a", "b"))
    with pytest.raises(InvalidInput, match="'Mend' stands in two places, and would be followed by 'b' and by nothing"):
        asl.machine(a, b)
    mend = asl.Pass("Mend", next="b")
    a = asl.Task("a", "a", catch=[asl.catch(then=mend)])
    b = asl.Task("b", "b", catch=[asl.catch("E", then=mend)])
    assert led(states(a, b)) == {"a": ["Mend", "b"], "Mend": ["b"], "b": ["Mend"]}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: asl.machine(), "at least one state"),
        (lambda: asl.machine(asl.Pass("A"), asl.Pass("A")), "two states are named 'A'"),
        (lambda: asl.machine(asl.Parallel("A", asl.Pass("B"), asl.Pass("B"))), "another state 'B'"),
        (lambda: asl.machine(asl.Pass("A", next="B")), "there is no state 'B'"),
        (lambda: asl.machine(asl.Choice("A", asl.when(asl.var("$.n") > 1))), "'A' leads nowhere"),
        (lambda: asl.machine(asl.Task("A", "f", catch=[asl.catch()])), "'A' leads nowhere"),
        (lambda: asl.Pass("A", next="B", end=True), "next= as well as end="),
        (lambda: asl.Choice("A", otherwise="B", exhaustive=True), "exhaustive and has otherwise="),
        (lambda: asl.machine(ODD[2]), "5 is no state"),
        (lambda: asl.machine(asl.Task("A", 5)), "'A': 5 has no place in a definition"),
        (lambda: asl.machine(asl.Task("A", "f", parameters=asl.path("$.x"))), "a path stands as a member"),
        (lambda: asl.machine(asl.Task("A", "f", parameters={"l": [asl.path("$.x")]})), "States.Array"),
        (lambda: asl.machine(asl.Pass("A", result={"x": asl.path("$.x")})), "nothing is evaluated here"),
        (lambda: asl.machine(asl.Pass("A", parameters={5: 1})), "5 is no key"),
        (lambda: asl.machine(asl.Pass("A", output=1)), "Output"),
        (lambda: asl.machine(asl.Wait("A", seconds=asl.jsonata("1"))), "Seconds"),
    ],
)
def test_what_can_not_be_said_is_refused(make: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said.replace("(", r"\(")):
        make()


# -- whatever is built -----------------------------------------------------------------------------------

Spec = list[Any]
LEAVES = st.sampled_from(["Pass", "Task", "Wait"])


def specs() -> st.SearchStrategy[Spec]:
    return st.recursive(
        st.lists(LEAVES, min_size=1, max_size=3),
        lambda inner: st.lists(
            LEAVES
            | st.tuples(st.just("Caught"), inner)
            | st.tuples(st.just("Choice"), inner, st.none() | inner)
            | st.tuples(st.just("Parallel"), inner, inner)
            | st.tuples(st.just("Map"), inner),
            min_size=1,
            max_size=3,
        ),
        max_leaves=12,
    )


def built(spec: Spec, names: Any) -> asl.Chain:
    made: list[Any] = []
    for one in spec:
        kind, *parts = (one,) if isinstance(one, str) else one
        name = f"s{next(names)}"
        if kind == "Task":
            made.append(asl.Task(name, van, result_path=None))
        elif kind == "Wait":
            made.append(asl.Wait(name, seconds=asl.path("$.n")))
        elif kind == "Pass":
            made.append(asl.Pass(name))
        elif kind == "Caught":
            made.append(asl.Task(name, "f", catch=[asl.catch(then=built(parts[0], names))]))
        elif kind == "Choice":
            rule = asl.when(asl.var("$.n") > 1, built(parts[0], names))
            made.append(asl.Choice(name, rule, otherwise=None if parts[1] is None else built(parts[1], names)))
        elif kind == "Map":
            made.append(asl.Map(name, built(parts[0], names)))
        else:
            made.append(asl.Parallel(name, *(built(part, names) for part in parts)))
    return asl.chain(*made)


def expected(spec: Spec, names: Any) -> tuple[str, Any]:
    """Where a flow begins, and what makes its states when one says what follows it."""
    parts: list[tuple[str, Any]] = []
    for one in spec:
        kind, *inner = (one,) if isinstance(one, str) else one
        name = f"s{next(names)}"
        below = [None if part is None else expected(part, names) for part in inner]
        parts.append((name, (kind, below)))

    def states(follow: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for index, (name, (kind, below)) in enumerate(parts):
            after = parts[index + 1][0] if index + 1 < len(parts) else follow
            leads = {"End": True} if after is None else {"Next": after}
            alone = [{"StartAt": one[0], "States": one[1](None)} for one in below if one is not None]
            if kind == "Task":
                found[name] = {"Type": "Task", "Resource": "van", "ResultPath": None, **leads}
            elif kind == "Wait":
                found[name] = {"Type": "Wait", "SecondsPath": "$.n", **leads}
            elif kind == "Pass":
                found[name] = {"Type": "Pass", **leads}
            elif kind == "Caught":
                catch = [{"ErrorEquals": ["States.ALL"], "Next": below[0][0]}]
                found[name] = {"Type": "Task", "Resource": "f", "Catch": catch, **leads}
                found |= below[0][1](after)
            elif kind == "Choice":
                rule = {"Variable": "$.n", "NumericGreaterThan": 1, "Next": below[0][0]}
                default = after if below[1] is None else below[1][0]
                found[name] = {"Type": "Choice", "Choices": [rule], **({"Default": default} if default else {})}
                found |= below[0][1](after)
                found |= {} if below[1] is None else below[1][1](after)
            elif kind == "Map":
                found[name] = {"Type": "Map", "ItemProcessor": alone[0], **leads}
            else:
                found[name] = {"Type": "Parallel", "Branches": alone, **leads}
        return found

    return parts[0][0], states


@settings(max_examples=200, deadline=None)
@given(specs())
def test_what_is_built_is_what_would_be_written(spec: Spec) -> None:
    start, states = expected(spec, count())
    definition = asl.machine(built(spec, count())).definition
    assert definition == {"StartAt": start, "States": states(None)}
    assert next(iter(definition["States"])) == start
    assert [one for one in check(definition) if one.severity == "ERROR"] == []
