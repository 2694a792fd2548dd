"""Numbers as Java writes them, timestamps, seeded numbers, variables and their limits, what paths share."""

from __future__ import annotations

from typing import Any

import pytest

from overwinter.orchestrator.machine.language.chance import Chance, Seeded
from overwinter.orchestrator.machine.language.failure import DATA_LIMIT, RUNTIME, QueryError
from overwinter.orchestrator.machine.language.intrinsics.call import FUNCTIONS, compile_intrinsic
from overwinter.orchestrator.machine.language.numbers import number_text, rounded, settled
from overwinter.orchestrator.machine.language.paths import compile_path, write
from overwinter.orchestrator.machine.language.scope import Scope
from overwinter.orchestrator.machine.language.template import Computation, compile_payload
from overwinter.orchestrator.machine.language.timestamps import Timestamp, parse_timestamp
from overwinter.orchestrator.machine.language.variables import AWS, Quotas, assigned, name_problem, visible


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"), (-0, "0"), (10**30, "1" + "0" * 30), (1.0, "1.0"), (-0.0, "-0.0"), (0.1, "0.1"), (-2.5, "-2.5"),
        (100.0, "100.0"), (9999999.0, "9999999.0"), (1e7, "1.0E7"), (1e10, "1.0E10"), (12345678.9, "1.23456789E7"),
        (0.001, "0.001"), (0.00123, "0.00123"), (0.0001, "1.0E-4"), (1.5e-5, "1.5E-5"), (1e21, "1.0E21"),
        (123456789012345680.0, "1.2345678901234568E17"), (1.7976931348623157e308, "1.7976931348623157E308"),
        (9.223372036854776e18, "9.223372036854776E18"),
        (float("inf"), "Infinity"), (float("-inf"), "-Infinity"), (float("nan"), "NaN"),
    ],
)  # fmt: skip
def test_numbers_as_java_writes_them(number: int | float, text: str) -> None:
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("number", "whole"), [(0.5, 1), (1.5, 2), (-0.5, 0), (-1.5, -1), (2.4, 2), (2**53 + 0.0, 2**53), (7, 7)]
)
def test_halves_are_rounded_upwards(number: int | float, whole: int) -> None:
    assert rounded(number) == whole


def test_what_needs_no_change_is_shared() -> None:
    inner = {"a": [1, "x"]}
    value = {"same": inner, "changed": [1.0]}
    after = settled(value)
    assert after == value and after["same"] is inner and type(after["changed"][0]) is int
    assert settled(inner) is inner


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1970-01-01T00:00:00Z", Timestamp(0, 0)),
        ("1969-12-31T23:59:59.5Z", Timestamp(-1, 500_000_000)),
        ("1970-01-01T01:00:00+01:00", Timestamp(0, 0)),
        ("1970-01-01T00:00:00.123456789-01:30", Timestamp(5400, 123_456_789)),
        ("2024-02-29T12:00:00+18:00", Timestamp(1_709_143_200, 0)),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01 00:00:00Z", None),
        ("1970-01-01t00:00:00Z", None),
        ("1970-01-01T00:00:00z", None),
        ("1970-01-01T00:00Z", None),
        ("1970-01-01T00:00:00.Z", None),
        ("1970-01-01T00:00:00.1234567890Z", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-01-01T00:60:00Z", None),
        ("1970-01-01T00:00:60Z", None),
        ("1970-13-01T00:00:00Z", None),
        ("2023-02-29T00:00:00Z", None),
        ("0000-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00+18:01", None),
        ("1970-01-01T00:00:00+01:60", None),
        ("1970-01-01T00:00:00+0100", None),
        ("\uff11970-01-01T00:00:00Z", None),
        (" 1970-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z\n", None),
        ("", None),
        (0, None),
        (None, None),
    ],
)
def test_timestamps(text: Any, found: Timestamp | None) -> None:
    assert parse_timestamp(text) == found


def test_seeded_numbers_are_those_of_java() -> None:
    assert [Seeded(seed).fraction() for seed in (42, 0, 7)] == [
        0.7275636800328681, 0.730967787376657, 0.7306990420600421,
    ]  # fmt: skip
    source = Seeded(42)
    assert [source.below(10) for _ in range(5)] == [0, 3, 8, 4, 0]
    source = Seeded(42)
    assert [source.below(16) for _ in range(3)] == [11, 0, 10]
    assert all(0 <= Seeded(seed).below(2**31 - 1) < 2**31 - 1 for seed in range(-50, 50))


@pytest.mark.parametrize("call", ["States.UUID()", "States.MathRandom(1, 3)"])
def test_a_scope_without_a_seed_does_not_draw(call: str) -> None:
    """It would draw something else when the transition is decided again, and nobody would notice."""
    with pytest.raises(RuntimeError, match="has to be given a Chance"):
        compile_intrinsic(call).evaluate(Scope())
    assert compile_intrinsic("States.MathRandom(1, 999, 42)").evaluate(Scope()) == 255


def test_seeded_numbers_favour_none() -> None:
    """Of the numbers beyond the last whole multiple of the bound none is taken: the next one is drawn."""
    bound = (1 << 30) + 1
    redrawn = 0
    for seed in range(40):
        raw = Seeded(seed)
        drawn = [raw._next(31) for _ in range(40)]
        wanted = next(number for number in drawn if number < bound)
        redrawn += wanted is not drawn[0]
        assert Seeded(seed).below(bound) == wanted
    assert redrawn > 5


def test_chance_is_a_sequence_of_its_seed() -> None:
    one, other = Chance(5), Chance(5)
    assert [one.uuid(), one.fraction(), one.bits(8)] == [other.uuid(), other.fraction(), other.bits(8)]
    assert Chance(5).uuid() != Chance(6).uuid() and one.uuid()[14] == "4"


def test_random_numbers_stay_within_their_bounds() -> None:
    drawn = [compile_intrinsic("States.MathRandom(-2, 3)").evaluate(Scope(chance=Chance(seed))) for seed in range(200)]
    assert set(drawn) == {-2, -1, 0, 1, 2}
    widest = compile_intrinsic("States.MathRandom(-2147483648, 2147483647, 1)").evaluate(Scope())
    assert -(2**31) <= widest < 2**31 - 1


def test_there_are_eighteen_functions_with_aws_limits() -> None:
    assert len(FUNCTIONS) == 18
    for name in ("Base64Encode", "Base64Decode", "Hash"):
        more = ", 'MD5'" if name == "Hash" else ""
        call = compile_intrinsic(f"States.{name}($.t{more})")
        assert call.evaluate(Scope(data={"t": "a" * 10_000}))
        with pytest.raises(QueryError, match=f"Invalid arguments in States.{name}"):
            call.evaluate(Scope(data={"t": "a" * 10_001}))
    assert len(compile_intrinsic("States.ArrayRange(1, 1000, 1)").evaluate(Scope())) == 1000


def test_ids_of_one_template_differ_and_come_back_with_the_seed() -> None:
    template = compile_payload({"a.$": "States.UUID()", "b.$": "States.UUID()"})
    first, again = template.render(Scope(chance=Chance(3))), template.render(Scope(chance=Chance(3)))
    assert first == again and first["a"] != first["b"]


def test_constants_of_a_template_and_found_values_are_shared() -> None:
    constant, found = {"x": [1]}, {"deep": [1]}
    result = compile_payload({"c": constant, "f.$": "$.found"}).render(Scope(data={"found": found}))
    assert result["c"] is constant and result["f"] is found


def test_a_written_value_shares_what_lies_beside_it() -> None:
    data: dict[str, Any] = {"a": {"b": 1}, "l": [{"x": 1}, {"x": 2}]}
    after = write(compile_path("$.l[1].x"), data, 9)
    assert after == {"a": {"b": 1}, "l": [{"x": 1}, {"x": 9}]} and data["l"][1] == {"x": 2}
    assert after["a"] is data["a"] and after["l"][0] is data["l"][0]


def test_one_computed_value() -> None:
    scope = Scope(data={"name": "x"})
    assert Computation("States.Format('no {}', $.name)", "CausePath").evaluate(scope) == "no x"
    assert Computation("$.name", "CausePath").evaluate(scope) == "x"
    with pytest.raises(QueryError, match="specified for the field 'CausePath' could not be found"):
        Computation("$.nope", "CausePath").evaluate(scope)


@pytest.mark.parametrize("name", ["a", "orderTotal", "straße", "x1_y", "a" * 80, "名前"])
def test_names_of_variables(name: str) -> None:
    assert name_problem(name) is None


@pytest.mark.parametrize("name", ["", "1a", "_a", "a b", "a.b", "a[0]", "a-b", "$a", "states", "a" * 81])
def test_names_that_variables_cannot_have(name: str) -> None:
    assert name_problem(name)
    with pytest.raises(QueryError, match="can't be the name of a variable") as caught:
        assigned({}, {}, {name: 1})
    assert caught.value.error == RUNTIME


def test_assign_is_computed_from_before() -> None:
    before = {"x": 3, "a": 6}
    values = compile_payload({"x.$": "$a", "nextX.$": "$x"}).render(Scope(variables=before))
    assert assigned(before, {}, values) == {"x": 6, "a": 6, "nextX": 3}
    assert before == {"x": 3, "a": 6}


def test_scopes() -> None:
    assert visible({"a": 1, "b": 1}, {"b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(QueryError, match="'a' is assigned in an outer scope"):
        assigned({}, {"a": 1}, {"a": 2})


def test_quotas_of_variables() -> None:
    text = "x" * (256 * 1024 - 2)  # and two quotes
    assert assigned({}, {}, {"a": text}, AWS) == {"a": text}
    for own, outer, values, words in (
        ({}, {}, {"a": text + "x"}, "The variable 'a' would have 262,145 bytes, at most 262,144"),
        ({}, {}, {"a": text, "b": 1}, "What one Assign stores would have 262,145 bytes"),
        ({"a": "ü" * 10}, {"b": "x" * 10}, {"c": 1}, "All variables together would have 35 bytes, at most 34"),
    ):
        quotas = AWS if "together" not in words else Quotas(total=34)
        with pytest.raises(QueryError, match=words) as caught:
            assigned(own, outer, values, quotas)
        assert caught.value.error == DATA_LIMIT
    assert assigned({}, {}, {"a": text * 50}) and assigned({}, {}, {"a": text * 50}, Quotas())
