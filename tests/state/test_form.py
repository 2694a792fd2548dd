"""Typed values come back from JSON as what they were, or are refused by name: by their type alone where that tells it,
else by the value. Annotations of all kinds are put together at random.
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PrivateAttr,
    RootModel,
    SecretBytes,
    SecretStr,
    SerializeAsAny,
    computed_field,
    field_serializer,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from overwinter.state.codec import decoder, form, loads, losses, mended, mender, plain, stored, taker, writer
from overwinter.state.errors import InvalidInput, PayloadTooLarge
from overwinter.state.sameness import difference, folded, nonfinite


class Base(BaseModel):
    x: int


class Sub(Base):
    y: int


class Twin(BaseModel):
    x: int


class Camel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)

    order_id: int
    placed_at: date | None = None


class Renamed(BaseModel):
    a: int = Field(1, alias="A", serialization_alias="Z")
    b: int = Field(2, serialization_alias="B")
    c: int = Field(3, validation_alias=AliasChoices("C", "c2"))
    d: int = Field(4, validation_alias=AliasPath("D", 0))


class Swapped(BaseModel):
    a: int = Field(alias="b")
    b: int = Field(alias="a")


class Computed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    x: int

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own order of the two
    @property
    def double(self) -> int:
        return 2 * self.x


class Collecting(Computed):
    model_config = ConfigDict(extra="allow")


class Secret(BaseModel):
    password: SecretStr


class Revealed(BaseModel):
    password: SecretStr

    @field_serializer("password", when_used="json")
    def reveal(self, value: SecretStr) -> str:
        return value.get_secret_value()


class Excluding(BaseModel):
    a: int = 1
    b: int = Field(2, exclude=True)


class Utf8(BaseModel):
    raw: bytes


class Base64(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    raw: bytes


class Floating(BaseModel):
    f: float


class Private(BaseModel):
    x: int
    _cache: int = PrivateAttr(default=0)


class Node(BaseModel):
    n: int
    kids: list[Node] = []


class Hidden(BaseModel):
    nodes: list[Node]
    secrets: dict[str, list[Secret]]


class Numbers(RootModel[list[int]]):
    pass


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    inside: T


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Word(enum.StrEnum):
    YES = "yes"


class Answer(enum.StrEnum):
    YES = "yes"
    NO = "no"


class Worded(BaseModel):
    word: Word | str = ""


class Meeting(BaseModel):
    at: datetime
    rooms: list[Any] = []


@dataclass
class Raw:
    raw: bytes
    at: datetime
    inner: Base | None = None


@dataclass
class Outer:
    raws: list[Raw]
    more: Raw | None = None


@dataclass
class Given:
    a: int
    seed: InitVar[int] = 0


@dataclass
class Derived:
    a: int
    twice: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.twice = 2 * self.a


class Point(NamedTuple):
    x: int
    at: datetime


class Options(TypedDict, total=False):
    raw: bytes
    when: datetime


class Opaque:
    pass


class Holder(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    thing: Opaque


def camel(order: int, placed: date | None = None) -> Camel:
    return Camel.model_validate({"orderId": order, "placedAt": placed})


def renamed(a: int, b: int, c: int, d: int) -> Renamed:
    return Renamed.model_validate({"A": a, "b": b, "C": c, "D": [d]})


private = Private(x=1)
private._cache = 9
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
TWICE = datetime(2026, 10, 25, 2, 30, fold=1)
"""The second half past two of that night in Berlin, without saying where."""

KEPT: list[tuple[Any, Any]] = [
    (Camel, camel(3, date(2026, 1, 1))),
    (list[Camel], [camel(3)]),
    (Renamed, renamed(5, 6, 7, 8)),
    (Swapped, Swapped(a=1, b=2)),
    (Computed, Computed(x=2)),
    (Collecting, Collecting(x=2, more="y")),  # type: ignore[call-arg]  # extra fields are allowed
    (Revealed, Revealed(password=SecretStr("s"))),
    (Base64, Base64(raw=b"\xff")),
    (Node, Node(n=1, kids=[Node(n=2)])),
    (Numbers, Numbers([1, 2])),
    (Box[datetime], Box[datetime](inside=MIDNIGHT)),
    (Box[Box[Camel]], Box[Box[Camel]](inside=Box[Camel](inside=camel(1)))),
    (Raw, Raw(b"\xff\x00", MIDNIGHT, Base(x=1))),
    (list[Raw], [Raw(b"\xff\x00", MIDNIGHT)]),
    (Outer, Outer([Raw(b"\xff", MIDNIGHT)], Raw(b"text", MIDNIGHT))),
    (Derived, Derived(3)),
    (Point, Point(1, MIDNIGHT)),
    (Options, {"raw": b"\xfe", "when": MIDNIGHT}),
    (dict[int, str], {1: "a"}),
    (dict[bool, int], {True: 1, False: 0}),
    (dict[date, int], {date(2026, 1, 1): 1}),
    (dict[UUID, int], {UUID(int=7): 1}),
    (dict[bytes, int], {b"\xff": 1}),
    (dict[Colour, int], {Colour.RED: 1}),
    (dict[Decimal, int], {Decimal("1.50"): 1}),
    (int | str, "5"),
    (int | float, 1.0),
    (int | Decimal, Decimal("5")),
    (datetime | date, date(2026, 1, 1)),
    (datetime | date, MIDNIGHT),
    (Sub | Base, Base(x=1)),
    (Base | Sub, Sub(x=1, y=2)),
    (Literal["a"] | int, "a"),
    (Annotated[Base | Camel, "told apart by fields"], camel(1)),
    (Json[list[int]], [1, 2]),
    (Annotated[int, Field(gt=0)], 3),
    (SerializeAsAny[Base], Base(x=1)),
    (complex, 1 + 2j),
    (timedelta, timedelta(days=1, microseconds=3)),
    (time, time(1, 2, 3)),
    (Level, Level.HIGH),
    (frozenset[Colour], frozenset(Colour)),
]


@pytest.mark.parametrize(("annotation", "value"), KEPT, ids=[f"{kept[0]}" for kept in KEPT])
def test_what_is_kept_comes_back_equal(annotation: Any, value: Any) -> None:
    assert losses(annotation) == ""
    decode = decoder(annotation)
    assert decode is not None
    again = decode(writer(annotation)(value))
    assert again == value and type(again) is type(value)
    assert decode(taker(annotation)(value)) == value
    assert decode(mender(annotation)(value)) == value
    assert decode(taker(annotation)(writer(annotation)(value))) == value, "what is stored is itself accepted"


@pytest.mark.parametrize("annotation", [float, list[float], dict[str, float], Raw | float, tuple[float, ...]])
def test_a_float_that_is_declared_may_be_none(annotation: Any) -> None:
    for number in (math.nan, math.inf, -math.inf):
        value: Any = {list[float]: [number], dict[str, float]: {"a": number}, tuple[float, ...]: (number,)}.get(
            annotation, number
        )
        decode = decoder(annotation)
        assert decode is not None
        assert nonfinite(decode(writer(annotation)(value)))
        with pytest.raises(InvalidInput, match="finite number"):
            taker(annotation)(value)
        with pytest.raises(InvalidInput, match="finite number"):
            taker(annotation)(plain(value))  # as text, too


LOST: list[tuple[Any, str]] = [
    (SecretStr, "asterisks"),
    (SecretBytes, "asterisks"),
    (Secret, "Secret.password: a secret"),
    (Hidden, "Secret.password: a secret"),
    (list[Secret | None], "Secret.password"),
    (Excluding, "Excluding.b: it is declared with exclude=True"),
    (Utf8, "Utf8.raw: bytes that are no UTF-8"),
    (Given, "Given.seed: an InitVar"),
    (dict[tuple[int, str], int], "a tuple can't be a key"),
    (dict[Point, int], "a named tuple can't be a key"),
    (dict[str | None, int], "None can't be a key"),
    (dict[frozenset[int], int], "a frozenset can't be a key"),
    (dict[Literal[1], int], "a number can't be a key"),
    (dict[int | str, int], "its keys could be read back as text"),
    (str | datetime, "a datetime could be read back as str"),
    (date | str, "a date could be read back as str"),
    (UUID | str, "a uuid could be read back as str"),
    (Decimal | str | None, "a decimal could be read back as str"),
    (bytes | UUID, "could be read back as bytes"),
    (Colour | str, "an enum could be read back as str"),
    (Annotated[int | str, Field(union_mode="left_to_right")], "an int could be read back as str"),
    (list[int] | tuple[int, ...], "a tuple could be read back as a list"),
    (set[int] | list[int], "a list could be read back as a set"),
    (dict[str, Any] | Base, "a model could be read back as a dict"),
    (Base | Twin, "a Twin could be read back as a Base"),
    (Holder, "Opaque has no JSON form"),
    (str | Word, "a Word could be read back as str"),
    (Word | str | None, "a Word could be read back as str"),
    (int | Level, "a Level could be read back as int"),
    (float | Level, "a Level could be read back as float"),
    (bool | Level, "a Level could be read back as bool"),
    (Word | Answer, "a Answer could be read back as a Word"),
    (Literal["yes"] | Word, "a Word could be read back as text or a number"),
    (Worded, "Worded.word: a Word could be read back as str"),
    (Iterable[int], "an iterable is read once"),
    (dict[str, list[Iterable[int]]], "an iterable is read once"),
]


@pytest.mark.parametrize(("annotation", "what"), LOST, ids=[what for _, what in LOST])
def test_what_a_type_can_not_keep_is_told_from_the_type(annotation: Any, what: str) -> None:
    assert what in losses(annotation)


REFUSED: list[tuple[Any, Any, str]] = [
    (Secret, Secret(password=SecretStr("s")), "Secret.password: a secret"),
    (Excluding, Excluding(b=5), "Excluding.b: it is declared with exclude=True"),
    (Utf8, Utf8(raw=b"\xff"), "Utf8 can't be stored"),
    (Floating, Floating(f=math.nan), "f is no number in JSON"),
    (list[Base], [Base(x=1), Sub(x=1, y=2)], "1: Sub(x=1, y=2) would come back as Base(x=1)"),
    (Base, Sub(x=1, y=2), "Sub(x=1, y=2) would come back as Base(x=1)"),
    (str | datetime, MIDNIGHT, "a datetime could be read back as str"),
    (Base | Twin, Twin(x=1), "a Twin could be read back as a Base"),
    (str, 5, "valid string"),
    (int, "many", "valid integer"),
    (Base, None, "object"),
    (Base, {"x": "no"}, "x: Input should be a valid integer"),
    (list[Base], [Base(x=1), {"y": 2}], "1.x: Field required"),
    (Decimal, Decimal("NaN"), "finite"),
    (dict[str, Any], {"a": math.nan}, "a: it can't be stored as JSON: nan is no number"),
    (dict[str, Any], {"a": {1: 2}}, "the key '1' is a int, and keys in JSON are text"),
    (Any, {"a": [math.inf]}, "a.0 can't be stored as JSON: inf is no number"),
    (Any, {(1, 2): 3}, "the key '(1, 2)' is a tuple"),
    (Any, {None: 3}, "the key 'None' is a NoneType"),
    (Any, {1: "a", "1": "b"}, "the key '1' is a int"),
    (Any, [Secret(password=SecretStr("s"))], "a secret is written as asterisks"),
    (Any, [SecretStr("s")], "0 can't be stored as JSON: a secret"),
    (Any, [Excluding(b=5)], "Excluding.b"),
    (Any, Opaque(), "Opaque can't be stored as JSON"),
    (Any, "\ud800", "can't be stored as JSON"),
    (str, "\ud800", "can't be stored as JSON"),
    (Any, [10**5000], "4,300 digits"),
    (int, 10**5000, "4,300 digits"),
    (float, 2**53 + 1, "would come back as"),
    (float, 10**400, "an integer that no float can hold"),
    (float | None, -(10**400), "an integer that no float can hold"),
    (dict[str, list[float]], {"a": [1, 10**400]}, "a.1: an integer that no float can hold"),
    (Floating, {"f": 10**400}, "f: an integer that no float can hold"),
    (datetime, TWICE, "it: fold=1 would be lost"),
    (time, TWICE.time(), "it: fold=1 would be lost"),
    (list[datetime | None], [None, TWICE], "1: fold=1 would be lost"),
    (dict[datetime, int], {TWICE: 1}, "a key: fold=1 would be lost"),
    (Meeting, Meeting(at=TWICE), "at: fold=1 would be lost"),
    (Meeting, {"at": TWICE}, "at: fold=1 would be lost"),
]


@pytest.mark.parametrize(("annotation", "value", "what"), REFUSED, ids=[what for *_, what in REFUSED])
def test_what_would_not_come_back_is_refused_by_name(annotation: Any, value: Any, what: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        writer(annotation)(value)
    assert what in str(refused.value)
    with pytest.raises(InvalidInput):
        taker(annotation)(value)


AS_JSON: list[tuple[Any, Any, Any]] = [
    (Any, (1, 2), [1, 2]),
    (Any, {"at": MIDNIGHT, "sum": Decimal("1.50")}, {"at": "2026-01-01T00:00:00Z", "sum": "1.50"}),
    (Any, [camel(1)], [{"orderId": 1, "placedAt": None}]),
    (Any, Computed(x=1), {"x": 1}),
    (Any, Raw(b"\xff", MIDNIGHT), {"raw": "_w==", "at": "2026-01-01T00:00:00Z", "inner": None}),
    (Any, (n for n in (1, 2)), [1, 2]),
    (object, {3}, [3]),
    (dict[str, Any], {"p": Point(1, MIDNIGHT)}, {"p": [1, "2026-01-01T00:00:00Z"]}),
    (Base, {"x": 1}, {"x": 1}),
    (Camel, {"order_id": 1}, {"order_id": 1}),
    (list[int], (1, 2), [1, 2]),
    (Sequence[int], (1, 2), [1, 2]),
    (Mapping[str, int], {"a": 1}, {"a": 1}),
    (float, 3, 3.0),
    (Private, private, {"x": 1}),
]


@pytest.mark.parametrize(("annotation", "value", "kept"), AS_JSON, ids=[str(kept) for *_, kept in AS_JSON])
def test_what_has_no_type_of_its_own_is_kept_as_json(annotation: Any, value: Any, kept: Any) -> None:
    assert writer(annotation)(value) == kept


def test_names_and_aliases_are_both_read() -> None:
    read = decoder(Camel)
    assert read is not None
    assert read({"orderId": 1}) == read({"order_id": 1}) == camel(1)


def test_what_earlier_releases_wrote_of_a_dataclass_is_read() -> None:
    read = decoder(Raw)
    assert read is not None
    assert read(plain(Raw(b"\xff", MIDNIGHT))) == Raw(b"\xff", MIDNIGHT)


def test_texts_are_made_storable_where_nobody_could_correct_them() -> None:
    class Found(BaseModel):
        text: str
        more: list[str]

    broken = Found(text="a\ud83d", more=["\udc00"])
    assert mender(Found)(broken) == {"text": "a\ufffd", "more": ["\ufffd"]}
    assert mender(str)("a\ud83d") == "a\ufffd"
    assert mender(Any)({"\ud83d": ["\ud83d"]}) == mended({"\ud83d": ["\ud83d"]}) == {"\ufffd": ["\ufffd"]}
    with pytest.raises(InvalidInput, match="secret"):
        mender(Secret)(Secret(password=SecretStr("s")))
    with pytest.raises(InvalidInput, match="can't be stored as JSON"):
        mender(int)("\ud83d")


def test_the_limit_holds_for_every_form() -> None:
    for write, value in [
        (stored, "x" * 99),
        (writer(str), "x" * 99),
        (writer(list[int]), [1] * 99),
        (mended, [1] * 99),
    ]:
        assert write(value, 1000) == value
        with pytest.raises(PayloadTooLarge, match="the limit is 50"):
            write(value, 50)


def test_a_result_that_fits_only_after_reading_is_as_it_was_given() -> None:
    """A dict for a model: what is recorded is what the function gave, and the annotation makes the model of it."""
    assert form(Camel).write({"orderId": 1, "unknown": 2}) == {"orderId": 1, "unknown": 2}


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ([1, {"a": Base(x=1)}], [1, {"a": Base(x=2)}], "1.a.x: 1 would come back as 2"),
        ({"a": 1}, {"b": 1}, "it: {'a': 1}"),
        (Raw(b"a", MIDNIGHT), Raw(b"b", MIDNIGHT), "raw: b'a'"),
        ([1], [1, 2], "it: [1]"),
        ("x" * 200, "y", "…"),
    ],
)
def test_a_difference_is_named_by_its_place(before: Any, after: Any, place: str) -> None:
    assert place in (difference(before, after, stored) or "")
    assert difference(before, before, None) is None


# -- at random ---------------------------------------------------------------------------------------

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
moments = st.datetimes(timezones=st.none() | st.just(UTC))
simple: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers()),
    (float, st.floats(allow_nan=False)),
    (str, text),
    (bool, st.booleans()),
    (bytes, st.binary(max_size=6)),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (datetime, moments),
    (date, st.dates()),
    (timedelta, st.timedeltas(timedelta(days=-9999), timedelta(days=9999))),
    (UUID, st.uuids()),
    (Colour, st.sampled_from(Colour)),
    (Level, st.sampled_from(Level)),
    (Word, st.sampled_from(Word)),
    (Literal["a", 1], st.sampled_from(["a", 1])),
    (Camel, st.builds(camel, st.integers(), st.none() | st.dates())),
    (Renamed, st.builds(renamed, st.integers(), st.integers(), st.integers(), st.integers())),
    (Computed, st.builds(Computed, x=st.integers())),
    (Base, st.builds(Base, x=st.integers()) | st.builds(Sub, x=st.integers(), y=st.integers())),
    (Sub, st.builds(Sub, x=st.integers(), y=st.integers())),
    (Raw, st.builds(Raw, st.binary(max_size=4), moments, st.none() | st.builds(Base, x=st.integers()))),
    (Excluding, st.builds(Excluding, a=st.integers(), b=st.integers())),
    (Utf8, st.builds(Utf8, raw=st.binary(max_size=3))),
    (Floating, st.builds(Floating, f=st.floats())),
    (Secret, st.builds(Secret, password=st.builds(SecretStr, text))),
    (Point, st.builds(Point, st.integers(), moments)),
    (Options, st.fixed_dictionaries({}, optional={"raw": st.binary(max_size=3), "when": moments})),
]
Typed = tuple[Any, st.SearchStrategy[Any]]


LIST: Any = list
TUPLE: Any = tuple
DICT: Any = dict
BOX: Any = Box


def wider(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(lambda one: (LIST[one[0]], st.lists(one[1], max_size=3))),
        inner.map(lambda one: (TUPLE[one[0], ...], st.lists(one[1], max_size=3).map(tuple))),
        inner.map(lambda one: (DICT[str, one[0]], st.dictionaries(text, one[1], max_size=3))),
        inner.map(lambda one: (one[0] | None, st.none() | one[1])),
        inner.map(lambda one: (BOX[one[0]], one[1].map(lambda value: BOX[one[0]].model_construct(inside=value)))),
        st.tuples(inner, inner).map(lambda two: (TUPLE[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))),
        st.tuples(inner, inner).map(lambda two: (two[0][0] | two[1][0], two[0][1] | two[1][1])),
        st.tuples(st.sampled_from(simple[:12]), inner).map(
            lambda two: (DICT[two[0][0], two[1][0]], st.dictionaries(two[0][1], two[1][1], max_size=2))
        ),
    )


typed = st.recursive(st.sampled_from(simple), wider, max_leaves=4)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_value_of_any_type_comes_back_equal_or_is_refused(data: st.DataObject) -> None:
    annotation, values = data.draw(typed, label="type")
    value = data.draw(values, label="value")
    if losses(annotation):
        return  # refused before anything runs
    write, decode = writer(annotation), decoder(annotation)
    assert decode is not None
    try:
        kept = write(value)
    except InvalidInput:
        return
    assert kept == loads(plain_text(kept)), "it is plain JSON"
    back = decode(kept)
    assert difference(value, back, None) is None
    assert not folded(value), "it would be an hour earlier"
    assert not isinstance(value, enum.Enum) or type(back) is type(value)


def plain_text(value: Any) -> str:
    import json

    return json.dumps(value)


def _chooses(told: str) -> bool:
    """Whether it is a union; in the name of a model it is written in the older way."""
    return " | " in told.replace(" | None", "") or "Union[" in re.sub(
        r"Union\[([^,\[\]]+(\[[^\]]*\])?), NoneType\]", r"\1", told
    )


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_type_that_loses_nothing_refuses_no_finite_value_of_its_own(data: st.DataObject) -> None:
    """Only what a value alone can tell is refused then: a subclass, a number that is none, the choice of a union."""
    annotation, values = data.draw(typed, label="type")
    value = data.draw(values, label="value")
    if losses(annotation) or "Sub" in repr(value) or nonfinite(value) or folded(value) or _chooses(f"{annotation}"):
        return
    writer(annotation)(value)


class Keyed(BaseModel):
    password: SecretStr


def test_a_type_that_is_named_twice_is_looked_at_too() -> None:
    """Then it stands behind a reference."""
    assert losses(list[tuple[Keyed, Keyed] | None])
    pairs: list[tuple[Any, Any]] = [
        (list[tuple[Renamed, Renamed] | None], [(renamed(0, 0, 0, 0), renamed(5, 6, 7, 8))]),
        (list[tuple[Computed, Computed] | None], [(Computed(x=0), Computed(x=1))]),
    ]
    for annotation, value in pairs:
        read = decoder(annotation)
        assert read is not None and read(writer(annotation)(value)) == value
