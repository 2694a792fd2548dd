"""Whatever is checked gets diagnostics and never an exception; what has no errors has a model; and a definition that is
right and is then changed in one place is never taken in silence where the change breaks it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overwinter.orchestrator.machine.definition.machine import build
from overwinter.orchestrator.machine.validation.checking import check
from overwinter.orchestrator.machine.validation.compiling import compiled
from overwinter.orchestrator.machine.validation.rules import RULES
from overwinter.orchestrator.machine.validation.states import SHAPES
from overwinter.tests.machine.definitions import RIGHT, right

PAYLOADS = {"Parameters", "Arguments", "Output", "Assign", "ResultSelector", "Result", "ItemSelector", "BatchInput",
            "Credentials", "Items"}  # fmt: skip
FIELDS = sorted({name for shape in SHAPES.values() for name in shape})
WORDS = st.sampled_from(
    ["A", "B", "", "$", "$.a", "$$", "$x.y", "States.UUID()", "{% $x %}", "{% 1 + %}", "{% '\ud800' %}",
     "{%", "JSONata", "JSONPath",
     "DISTRIBUTED", "States.ALL", "arn:aws:states:::sqs:sendMessage", "work", "\ud800", *SHAPES]
)  # fmt: skip
NAMES = st.sampled_from(
    [*FIELDS, "StartAt", "States", "Next", "Variable", "Condition", "And", "Or", "Not", "IsNull", "NumericEquals",
     "ErrorEquals", "MaxAttempts", "BackoffRate", "ProcessorConfig", "Mode", "A", "B", "a.$", "QueryLanguage"]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=5)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=6), max_leaves=30
)
STATE = st.fixed_dictionaries(
    {"Type": st.sampled_from([*SHAPES])}, optional=dict.fromkeys(sorted({*FIELDS} - {"Type"}), ANYTHING)
)
NEARLY = st.fixed_dictionaries(
    {"StartAt": WORDS, "States": st.dictionaries(st.sampled_from(["A", "B", "C"]), STATE | ANYTHING, max_size=3)},
    optional={"QueryLanguage": WORDS, "TimeoutSeconds": LEAVES, "Comment": ANYTHING},
)


def judge(value: Any) -> bool:
    """Whether it is right; all that is said has a shape."""
    found = check(value)
    for one in check(value, aws=True, type="EXPRESS"):
        assert one.rule in RULES and one.message and one.severity in ("ERROR", "WARNING")
    if any(one.blocks for one in found):
        return False
    assert build(value).digest.startswith("sha256:")
    return True


@given(ANYTHING)
def test_any_value_is_judged(value: Any) -> None:
    judge(value)


@given(NEARLY)
@settings(max_examples=300)
def test_whatever_is_nearly_a_definition_is_judged(value: Any) -> None:
    judge(value)


@given(st.text() | st.sampled_from(["{", "[", '{"StartAt":']))
def test_any_text_is_judged(text: str) -> None:
    assert check(text, form="json")
    check(text)


@pytest.mark.parametrize("value", [object(), {1: 2}, {"a": b"b"}, {"a": (1,)}, {"a": {"b": {3}}}, float("nan")])
def test_what_is_no_json_is_said_to_be_none(value: Any) -> None:
    assert [one.rule for one in check(value)] == ["json"]


def test_a_value_within_itself_ends() -> None:
    value: dict[str, Any] = {}
    value["StartAt"] = value
    assert [one.code for one in check(value)] == ["TOO_DEEPLY_NESTED"]


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_gets_nothing_but_warnings(name: str) -> None:
    assert not [one for one in check(json.dumps(RIGHT[name], indent=2)) if one.severity == "ERROR"]
    assert compiled(json.dumps(RIGHT[name])) == build(RIGHT[name])


def test_checking_changes_nothing() -> None:
    for name in RIGHT:
        value = right(name)
        check(value, aws=True)
        assert value == RIGHT[name]


def test_a_line_s_end_behind_an_expression_in_yaml_is_explained() -> None:
    head = "StartAt: A\nQueryLanguage: JSONata\nStates:\n  A:\n    Type: Pass\n    End: true\n"
    text = head + "    Output: {}\n      {{%\n      1\n      %}}\n"
    assert not check(text.format("|-"))
    (found,) = check(text.format("|"))
    assert found.line == 7 and "|- or >-" in found.advice


# One change of a definition that is right.


def objects(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Places of the objects whose fields the language knows: not of payloads, nor of States."""
    if isinstance(value, dict):
        if place[-1:] != ("States",):
            yield place
        for key, item in value.items():
            if key not in PAYLOADS or place[-1:] == ("States",):
                yield from objects(item, (*place, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects(item, (*place, index))


def at(value: Any, place: tuple[Any, ...]) -> Any:
    for part in place:
        value = value[part]
    return value


def drawn(data: st.DataObject) -> tuple[Any, dict[str, Any], tuple[Any, ...]]:
    """A definition that is right, an object in it, and its place."""
    value = right(data.draw(st.sampled_from([*RIGHT])))
    places = [place for place in objects(value) if place[-1:] not in (("Parameters",), ("Arguments",))]
    place = data.draw(st.sampled_from(places))
    return value, at(value, place), place


@given(st.data())
@settings(max_examples=300)
def test_any_change_is_refused_or_has_a_model(data: st.DataObject) -> None:
    value, inner, _ = drawn(data)
    if inner:
        name = data.draw(st.sampled_from([*inner]))
        how = data.draw(st.sampled_from(["remove", "replace", "add"]))
        if how == "remove":
            del inner[name]
        else:
            inner[name if how == "replace" else data.draw(NAMES)] = data.draw(ANYTHING)
    judge(value)


@given(st.data())
def test_a_field_that_nobody_knows_is_never_taken(data: st.DataObject) -> None:
    value, inner, place = drawn(data)
    name = data.draw(st.sampled_from(["Nxt", "comment", "X-Extra", "Branch", "retry"]))
    inner[name] = data.draw(ANYTHING)
    found = [one for one in check(value) if one.rule == "fields"]
    expected = "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in (*place, name))
    assert [one.pointer for one in found] == [expected]


@given(st.data())
def test_a_value_of_another_type_is_never_taken(data: st.DataObject) -> None:
    value, inner, _ = drawn(data)
    names = [name for name in inner if name not in PAYLOADS]
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    before = inner[name]
    kinds: list[Any] = ["{% 1", 7.25, [], {"Q": 1}, True]
    inner[name] = data.draw(st.sampled_from([kind for kind in kinds if type(kind) is not type(before)]))
    free = {"Error", "Cause", "Comment"} if isinstance(inner[name], str) else set[str]()
    takes = (
        isinstance(before, (int, float)) and isinstance(inner[name], (int, float)) and not isinstance(inner[name], bool)
    )
    takes |= name in ("Retry", "Catch", "Condition", "NumericEquals", "IsPresent") or name in free
    if not takes:
        assert [one for one in check(value) if one.blocks], (name, inner[name])


@given(st.data())
def test_a_target_that_is_not_there_is_never_taken(data: st.DataObject) -> None:
    value = right(data.draw(st.sampled_from([*RIGHT])))
    places = [place for place in objects(value) if {"Next", "Default", "StartAt"} & set(at(value, place))]
    inner = at(value, data.draw(st.sampled_from(places)))
    name = data.draw(st.sampled_from(sorted({"Next", "Default", "StartAt"} & set(inner))))
    inner[name] += data.draw(st.sampled_from(["x", " ", "\u200b"]))
    assert "targets" in [one.rule for one in check(value) if one.blocks]


@given(st.data())
def test_a_field_that_must_be_there_is_missed(data: st.DataObject) -> None:
    value = right(data.draw(st.sampled_from([*RIGHT])))
    needed = {
        "Type",
        "Resource",
        "Choices",
        "Branches",
        "StartAt",
        "States",
        "ErrorEquals",
        "Condition",
        "ItemProcessor",
    }
    places = [place for place in objects(value) if needed & set(at(value, place))]
    inner = at(value, data.draw(st.sampled_from(places)))
    name = data.draw(st.sampled_from(sorted(needed & set(inner))))
    if name == "Resource" and "Parameters" in inner and "WriterConfig" in inner:
        del inner["WriterConfig"]
    removed = copy.deepcopy(inner.pop(name))
    assert [one for one in check(value) if one.blocks], (name, removed)
