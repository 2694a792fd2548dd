"""Values come back from JSON as what they were, by their annotations."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from overwinter.state.codec import decoder, dumps, loads, plain
from overwinter.state.errors import InvalidInput


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Line:
    sku: str
    amount: Decimal
    tags: tuple[str, ...] = ()


class Order(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    id: UUID
    placed: datetime
    lines: list[Line]
    colour: Colour | None = None
    raw: bytes = b""


class Point(NamedTuple):
    x: int
    y: float


class Options(TypedDict):
    deep: bool
    name: str


text = st.text(st.characters(exclude_categories=["Cs"]))
moments = st.datetimes(timezones=st.just(UTC))
amounts = st.decimals(allow_nan=False, allow_infinity=False)
lines = st.builds(Line, text, amounts, st.lists(text).map(tuple))
TYPED: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, st.floats(allow_nan=False)),
    (str, text),
    (bool, st.booleans()),
    (bytes, st.binary()),
    (Decimal, amounts),
    (datetime, moments),
    (date, st.dates()),
    (timedelta, st.timedeltas(timedelta(days=-9999), timedelta(days=9999))),
    (UUID, st.uuids()),
    (Colour, st.sampled_from(Colour)),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (list[int], st.lists(st.integers())),
    (dict[str, float], st.dictionaries(text, st.floats(allow_nan=False))),
    (dict[int, str], st.dictionaries(st.integers(), text)),
    (tuple[int, str], st.tuples(st.integers(), text)),
    (set[int], st.sets(st.integers())),
    (frozenset[str], st.frozensets(text)),
    (int | None, st.none() | st.integers()),
    (Line, lines),
    (list[Line], st.lists(lines, max_size=3)),
    (Point, st.builds(Point, st.integers(), st.floats(allow_nan=False))),
    (Options, st.fixed_dictionaries({"deep": st.booleans(), "name": text})),
    (
        Order,
        st.builds(
            Order,
            id=st.uuids(),
            placed=moments,
            lines=st.lists(lines, max_size=3),
            colour=st.none() | st.sampled_from(Colour),
            raw=st.binary(max_size=9),
        ),
    ),
]


@given(st.data())
@pytest.mark.parametrize(("annotation", "values"), TYPED, ids=[str(annotation) for annotation, _ in TYPED])
def test_typed_values_come_back(annotation: Any, values: st.SearchStrategy[Any], data: st.DataObject) -> None:
    value = data.draw(values)
    decode = decoder(annotation)
    assert decode is not None
    again = decode(loads(dumps(value)))
    assert again == value
    assert type(again) is type(value)
    assert decode(plain(value)) == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_plain_json_comes_back_the_same(value: Any) -> None:
    assert loads(dumps(value)) == value
    assert plain(value) == value
    assert plain(plain(value)) == plain(value)


@given(json_values)
def test_what_is_written_is_json_for_everybody(value: Any) -> None:
    def no_constant(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    assert json.loads(dumps(value), parse_constant=no_constant) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_json_lacks_come_back_as_floats(value: float) -> None:
    decode = decoder(float)
    assert decode is not None
    again = decode(loads(dumps(value)))
    assert again == value or (math.isnan(again) and math.isnan(value))
    assert "NaN" not in json.dumps(loads(dumps({"a": 1}))), dumps(value)
    json.loads(dumps(value), parse_constant=lambda token: pytest.fail(f"{token} is not JSON"))


@pytest.mark.parametrize("annotation", [Any, object, None, type(None)])
def test_nothing_is_done_without_a_type(annotation: Any) -> None:
    assert decoder(annotation) is None


@pytest.mark.parametrize("value", [object(), {"a": object()}, [lambda: 1], {(1, 2): {3: open}}, "\ud800"])
def test_what_has_no_json_form_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidInput, match="can't be stored as JSON"):
        dumps(value)


def test_bytes_that_a_model_can_not_write_are_refused_and_not_mangled() -> None:
    class Plain(BaseModel):
        raw: bytes

    decode = decoder(Plain)
    assert decode is not None
    assert decode(loads(dumps(Plain(raw=b"text")))) == Plain(raw=b"text")
    with pytest.raises(InvalidInput, match="Plain"):
        dumps(Plain(raw=b"\x80"))


def test_endless_values_are_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(InvalidInput):
        dumps(endless)


@pytest.mark.parametrize("text", ["", "{", "NaN", "[1,]", '{"a": Infinity}', "'a'"])
def test_what_is_not_json_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_a_value_of_another_type_is_refused() -> None:
    decode = decoder(Order)
    assert decode is not None
    with pytest.raises(ValueError, match="placed"):
        decode({"id": "not a uuid", "lines": []})


def test_unhashable_annotations_have_adapters() -> None:
    from typing import Annotated

    from pydantic import Field

    annotation = Annotated[int, Field(json_schema_extra={"a": []})]
    decode = decoder(annotation)
    assert decode is not None
    assert decode(3) == 3
