"""Types that a final answer may have, each with values of it: what a model is asked for, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, Optional, Union
from uuid import UUID

from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, Discriminator, Field, RootModel, Tag
from typing_extensions import TypeAliasType, TypedDict


class Resolution(BaseModel):
    """The customer's problem is solved."""

    summary: str
    refund: Decimal | None = None


class Refusal(BaseModel):
    """Nothing can be done."""

    reason: str
    final: bool = True


class Loose(BaseModel):
    """Every object fits it."""

    note: str = ""


class Result(BaseModel):
    """It has the field that others are wrapped in."""

    result: int
    value: Any = None


class Box(BaseModel):
    """Bare, it looks like a number that is wrapped."""

    result: int


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    lives: int


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Color(Enum):
    RED = "red"
    DEEP_BLUE = "deep blue"


class Level(Enum):
    LOW = 1
    HIGH = 2


@dataclass
class Point:
    x: int
    y: int = 0


class Shipment(TypedDict):
    order: str
    weight: NotRequired[float]


class Place(NamedTuple):
    name: str
    floor: int = 0


class Names(RootModel[list[str]]):
    """A list by another name."""


class Aliased(BaseModel):
    order_id: str = Field(alias="orderId")
    by: str = Field("", validation_alias=AliasChoices("by", "author"), serialization_alias="by")


Pet = TypeAliasType("Pet", Annotated[Cat | Dog, Field(discriminator="kind")])


def kind_of(value: Any) -> str:
    return str(value["kind"] if isinstance(value, dict) else value.kind)


Tagged = Annotated[Annotated[Cat, Tag("cat")] | Annotated[Dog, Tag("dog")], Discriminator(kind_of)]

texts = st.text(max_size=8)
numbers = st.integers(-(2**40), 2**40)
resolutions = st.builds(
    Resolution, summary=texts, refund=st.none() | st.decimals(0, 1000, places=2, allow_nan=False, allow_infinity=False)
)
refusals = st.builds(Refusal, reason=texts, final=st.booleans())
pets = st.builds(Cat, lives=numbers) | st.builds(Dog, lives=numbers)
nodes: st.SearchStrategy[Node] = st.recursive(
    st.builds(Node, name=texts),
    lambda inner: st.builds(Node, name=texts, children=st.lists(inner, max_size=3)),
    max_leaves=5,
)
shipments = st.fixed_dictionaries({"order": texts}, optional={"weight": st.floats(0, 100)})
results = st.builds(Result, result=numbers, value=st.none() | numbers | st.dictionaries(texts, numbers, max_size=2))

FAMILIES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "model": (Resolution, resolutions),
    "union": (Resolution | Refusal, resolutions | refusals),
    "old union": (Union[Resolution, Refusal, int], resolutions | refusals | numbers),  # noqa: UP007  # as it is written
    "optional": (Optional[Resolution], st.none() | resolutions),  # noqa: UP045  # as it is written
    "optional number": (int | None, st.none() | numbers),
    "discriminated": (Annotated[Cat | Dog, Field(discriminator="kind")], pets),
    "alias of a union": (Pet, pets),
    "union of unions": (Pet | Resolution | None, pets | resolutions | st.none()),
    "tagged": (Tagged, pets),
    "literals tell": (Cat | Dog, pets),
    "recursive": (Node, nodes),
    "recursive or text": (Node | list[Node], nodes | st.lists(nodes, max_size=2)),
    "result": (Result, results),
    "result or refusal": (Result | Refusal, results | refusals),
    "box or number": (Box | int, st.builds(Box, result=numbers) | numbers),
    "loose": (Loose | list[int], st.builds(Loose, note=texts) | st.lists(numbers, max_size=3)),
    "dataclass": (Point, st.builds(Point, numbers, numbers)),
    "dataclass or error": (Point | Refusal, st.builds(Point, numbers, numbers) | refusals),
    "typed dict": (Shipment, shipments),
    "typed dict or number": (Shipment | int, shipments | numbers),
    "named tuple": (Place, st.builds(Place, texts, numbers)),
    "list": (list[Resolution], st.lists(resolutions, max_size=3)),
    "root model": (Names, st.builds(Names, st.lists(texts, max_size=3))),
    "dict": (dict[str, int], st.dictionaries(texts, numbers, max_size=3)),
    "dict or list": (dict[str, int] | list[int], st.dictionaries(texts, numbers, max_size=2) | st.lists(numbers)),
    "enum": (Color, st.sampled_from(Color)),
    "enum of numbers": (Level, st.sampled_from(Level)),
    "enum or model": (Color | Point, st.sampled_from(Color) | st.builds(Point, numbers, numbers)),
    "literal": (Literal["yes", "no", 3], st.sampled_from(["yes", "no", 3])),
    "bool": (bool, st.booleans()),
    "int": (int, numbers),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "constrained": (Annotated[int, Field(gt=3, le=9)], st.integers(4, 9)),
    "decimal": (Decimal, st.decimals(-1000, 1000, places=3, allow_nan=False, allow_infinity=False)),
    "date": (date, st.dates()),
    "duration": (timedelta, st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds))),
    "uuid": (UUID, st.uuids()),
    "tuple": (tuple[int, str], st.tuples(numbers, texts)),
    "text or model": (str | Resolution, resolutions),
    "aliases": (
        Aliased,
        st.builds(lambda order, by: Aliased.model_validate({"orderId": order, "by": by}), texts, texts),
    ),
    "aliases or none": (
        Aliased | None,
        st.none() | st.builds(lambda order: Aliased.model_validate({"orderId": order}), texts),
    ),
}
