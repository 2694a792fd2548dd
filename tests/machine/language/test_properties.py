"""For any JSON and any text: nothing but QueryError is raised, nothing that is given is changed, and what comes back
is JSON."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from overwinter.orchestrator.machine.language.chance import Chance
from overwinter.orchestrator.machine.language.choice import COMPARISONS, KINDS, compile_pattern, compile_rule
from overwinter.orchestrator.machine.language.failure import QueryError
from overwinter.orchestrator.machine.language.intrinsics.call import FUNCTIONS, compile_intrinsic
from overwinter.orchestrator.machine.language.jsonata import Limits, compile_expression
from overwinter.orchestrator.machine.language.kinds import is_number
from overwinter.orchestrator.machine.language.numbers import format_text, json_text, number_text, settled
from overwinter.orchestrator.machine.language.paths import MISSING, compile_path, read, read_reference, write
from overwinter.orchestrator.machine.language.scope import Scope
from overwinter.orchestrator.machine.language.template import compile_payload, compile_query
from overwinter.orchestrator.machine.language.timestamps import parse_timestamp

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
names = st.sampled_from(["a", "b", "c d", "it's", "ü", "0", ""])
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), texts
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12
)
steps = st.lists(names | st.integers(-3, 3), max_size=4)
pieces = st.sampled_from(
    [".a", ".b", "['c d']", "[0]", "[-1]", "[*]", "..a", ".*", "[0:2]", "[?(@.a)]", "[?(@.a > 1)]", "['a','b']",
     ".length()", ".max()", "[", "$", "()", "[?(@.a == $.b)]", "[0,1]", "[?(!@.b)]", " ", "\\", "'"]
)  # fmt: skip
paths = st.builds(
    lambda root, parts: root + "".join(parts),
    st.sampled_from(["$", "$$", "$v", "", "$nope"]),
    st.lists(pieces, max_size=4),
)


def spelled(chain: list[str | int]) -> str:
    quoted = (
        f"['{step.replace(chr(39), chr(92) + chr(39))}']" if isinstance(step, str) else f"[{step}]" for step in chain
    )
    return "$" + "".join(quoted)


def harmless(evaluate: Callable[[Scope], Any], value: Any) -> Any:
    """What comes of an evaluation, MISSING for a QueryError."""
    before = copy.deepcopy(value)
    scope = Scope(value, value, {"v": value}, Chance(7), 0, {"input": value, "context": {}})
    try:
        result = evaluate(scope)
        assert result is MISSING or json.loads(json.dumps(result, allow_nan=False)) == result
        again = evaluate(scope._replace(chance=Chance(7)))
        first = evaluate(scope._replace(chance=Chance(7)))
        assert json.dumps(first) == json.dumps(again) if result is not MISSING else again is MISSING
    except QueryError as error:
        assert error.error.startswith("States.") and error.cause
        result = MISSING
    assert value == before
    return result


@given(paths, values)
def test_any_path_of_any_value(path: str, value: Any) -> None:
    harmless(lambda scope: read(compile_path(path), scope), value)
    harmless(lambda scope: read_reference(compile_path(path), scope), value)
    harmless(lambda scope: write(compile_path(path), scope.data, 1), value)
    harmless(lambda scope: compile_payload({"x": [{"a.$": path}], "y": 1}).render(scope), value)


@given(steps, values)
def test_a_reference_path_follows_names_and_indexes(chain: list[str | int], value: Any) -> None:
    expected: Any = value
    for step in chain:
        fits = isinstance(expected, dict) if isinstance(step, str) else isinstance(expected, list)
        try:
            expected = expected[step] if fits else MISSING
        except LookupError:
            expected = MISSING
    found = harmless(lambda scope: read(compile_path(spelled(chain)), scope), value)
    assert found is MISSING if expected is MISSING else found is expected or found == expected


@given(steps, values, values)
def test_what_is_written_is_read_and_nothing_else_changes(chain: list[str | int], value: Any, result: Any) -> None:
    path = compile_path(spelled(chain))
    before = copy.deepcopy(value)
    try:
        after = write(path, value, result)
    except QueryError as error:
        assert error.error == "States.ReferencePathConflict"
        return
    finally:
        assert value == before
    assert read(path, Scope(after)) == result
    if chain and isinstance(value, dict):
        assert {name: part for name, part in after.items() if name != chain[0]} == {
            name: part for name, part in value.items() if name != chain[0]
        }
        assert all(after[name] is value[name] for name in value if name != chain[0])


arguments = st.one_of(
    paths, st.sampled_from(["1", "0", "-2", "1.5", "true", "null", "'x'", "'{}'", "'MD5'", "1e300", "''", "'a\\'b'"])
)
calls = st.recursive(
    arguments,
    lambda inner: st.builds(
        lambda name, parts: f"{name}({','.join(parts)})",
        st.sampled_from(sorted(FUNCTIONS)),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


@given(calls | texts, values)
def test_any_intrinsic_function_of_any_value(call: str, value: Any) -> None:
    harmless(lambda scope: compile_intrinsic(call).evaluate(scope), value)
    harmless(lambda scope: compile_payload({"x.$": call}).render(scope), value)


operators = st.sampled_from(
    [*COMPARISONS, *(f"{name}Path" for name in COMPARISONS), *KINDS, "IsPresent", "StringMatches"]
)
rules = st.recursive(
    st.builds(lambda path, name, value: {"Variable": path, name: value}, paths, operators, scalars | paths),
    lambda inner: st.one_of(
        st.builds(lambda name, parts: {name: parts}, st.sampled_from(["And", "Or"]), st.lists(inner, max_size=3)),
        st.builds(lambda part: {"Not": part}, inner),
    ),
    max_leaves=4,
)


@given(rules | values, values)
def test_any_rule_of_any_value(rule: Any, value: Any) -> None:
    held = harmless(lambda scope: compile_rule(rule).holds(scope), value)
    assert held in (True, False, MISSING)


@given(st.lists(st.sampled_from(["a", "b", "*"]), max_size=6), st.text("ab", max_size=8))
def test_patterns_match_like_a_search_by_hand(pattern: list[str], text: str) -> None:
    def matches(at: int, place: int) -> bool:
        if at == len(pattern):
            return place == len(text)
        if pattern[at] == "*":
            return any(matches(at + 1, further) for further in range(place, len(text) + 1))
        return text[place : place + 1] == pattern[at] and matches(at + 1, place + 1)

    assert compile_pattern("".join(pattern))(text) is matches(0, 0)


fragments = st.sampled_from(
    ["$states.input", "$v", ".a", "[0]", "[a > 1]", " & ", " + ", "1", "'x'", "(", ")", "{", "}", "[", "]", "$sum(",
     "$parse('{}')", "$uuid()", "$random()", " ? ", " : ", "function($x){$x}", "~>", "$map(", ",", "/a/", "?:", "??",
     "$range(1,3,1)", "$string(", "null", "*", "**", "%", "^(", ":=", "$hash('a','MD5')", "$$", "$shuffle([1,2,3])"]
)  # fmt: skip


@settings(max_examples=300)
@given(st.lists(fragments, max_size=7).map("".join), values)
@example("0/0", None)
@example("[1/0]", None)
@example("$x", {"a": 10**400})
def test_any_expression_of_any_value(expression: str, value: Any) -> None:
    limits = Limits(steps=20_000)
    harmless(lambda scope: compile_expression(expression).evaluate(scope, "Output", limits), value)
    harmless(lambda scope: compile_query({"x": [f"{{% {expression} %}}"]}, "Output").render(scope, limits), value)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_numbers_read_back_as_what_they_were(number: int | float) -> None:
    text = number_text(number)
    assert json.loads(text) == number and type(json.loads(text)) is type(number)
    assert text == text.strip() and "e" not in text


@given(values)
def test_texts_of_values(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    assert isinstance(format_text(value), str)
    assert settled(value) == value or not is_number(value) or math.isclose(settled(value), value)


@given(texts | st.from_regex(r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)\Z"))
def test_any_text_as_a_timestamp(text: str) -> None:
    found = parse_timestamp(text)
    assert found is None or 0 <= found.nanos < 10**9


def test_data_of_any_depth_is_an_error_at_most() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = {"a": deep}
    rule: Any = {"Variable": "$", "IsNull": True}
    for _ in range(100_000):
        rule = {"Not": rule}
    for evaluate in (
        lambda: write(compile_path("$.b.c"), {"b": deep}, 1) and json_text(deep),
        lambda: settled(deep),
        lambda: compile_payload(deep),
        lambda: compile_rule(rule),
        lambda: compile_expression("$v & 'x'").evaluate(Scope(variables={"v": deep})),
        lambda: compile_expression("(" * 100_000),
        lambda: compile_path("$[?(" + "(" * 100_000),
    ):
        try:
            evaluate()
        except QueryError as error:
            assert error.cause
        else:
            raise AssertionError("it went through")
    while is_dict(deep):  # taken apart by hand: taking it down at once would exhaust the stack
        deep = deep["a"]


def is_dict(value: Any) -> bool:
    return isinstance(value, dict)
