"""What waits for the world tells of what it takes: an example that the type accepts, in the head, for whoever looks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import GenericAlias
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field

from overwinter import Context
from overwinter.orchestrator.workflow import takes
from overwinter.state.codec import acceptor

from .world import World


class Refund(BaseModel):
    amount: int
    reason: str
    note: str = ""


@dataclass
class Point:
    x: float
    tags: list[str]


class Odd(BaseModel):
    n: Annotated[int, AfterValidator(lambda n: n)]


@pytest.mark.parametrize(
    ("annotation", "example"),
    [
        (int, "1"),
        (bool, "true"),
        (str, '"Hello"'),
        (Refund, '{"amount": 1, "reason": "Hello"}'),
        (Point, '{"x": 1, "tags": ["Hello"]}'),
        (Literal["yes", "no"], '"yes"'),
        (int | None, "1"),
        (Annotated[int, Field(gt=41)], "42"),
        (Any, ""),
        (None, ""),
        (Odd, ""),  # its rules are code
        (Annotated[str, Field(pattern="^o-")], ""),
        (Annotated[str, Field(min_length=300)], ""),  # too long to be shown
        (Annotated[int, Field(), []], "1"),  # can't be hashed
        (object(), ""),  # no type at all
    ],
)
def test_an_example_of_a_type(annotation: Any, example: str) -> None:
    assert takes.example(annotation) == example


_types = st.recursive(
    st.sampled_from([int, str, bool, float, Refund, Point, Literal["a"], Odd]),
    lambda inner: st.one_of(
        inner.map(lambda one: GenericAlias(list, (one,))),
        inner.map(lambda one: GenericAlias(dict, (str, one))),
        st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
        st.tuples(inner, inner).map(lambda two: GenericAlias(tuple, two)),
    ),
    max_leaves=4,
)


@given(_types)
def test_every_example_is_accepted(annotation: Any) -> None:
    text = takes.example(annotation)
    accept = acceptor(annotation)
    assert len(text) <= 200
    if text and accept is not None:
        accept(json.loads(text))


async def desk(ctx: Context) -> object:
    first = ctx.wait_for("refund", type=Refund)
    second = ctx.callback("shipped", type=int)
    await ctx.approve("it")
    return [await first, await second]


def test_the_head_tells_and_stops_telling() -> None:
    world = World(desk)
    told = takes.taken(world.last.state, "event refund")
    assert world.last.awaits == "approval it", "a person looks for those"
    things = ["approval it", "event refund", "callback shipped"]
    assert takes.waits(world.last.state, world.last.awaits) == things and told == '{"amount": 1, "reason": "Hello"}'
    assert takes.taken(world.last.state, "callback shipped") == "1"
    assert takes.taken(world.last.state, "approval it") == takes.taken(world.last.state, "event other") == ""
    world.mail({"type": "decided", "op": "2", "approved": True})
    world.event("refund", json.loads(told))
    assert world.last.awaits == "callback shipped" and takes.taken(world.last.state, "event refund") == ""


def test_another_process_goes_on_with_what_the_head_says() -> None:
    world = World(desk)
    again = World(desk, journal=world.journal)
    assert again.last.state == world.last.state != ""


async def quick(ctx: Context) -> int:
    await ctx.wait_for("refund", type=Refund)
    await ctx.step(int)
    await ctx.sleep("1h")
    return 1


def test_nothing_awaited_is_nothing_told() -> None:
    world = World(quick)
    world.event("refund", {"amount": 1, "reason": "x"})
    world.perform()
    assert world.last.awaits.startswith("timer") and world.last.state == takes.NOTHING
    assert {takes.taken(text, "event refund") for text in ("", "[]", "{", '{"takes"}', '{"takes": 1}')} == {""}


def test_what_does_not_fit_is_refused_with_what_would() -> None:
    world = World(quick)
    why = world.decider.refusal({"type": "event", "name": "refund", "data": 3, "at": world.now})
    assert why.endswith('; such as this would: {"amount": 1, "reason": "Hello"}')
    such = json.loads(why.partition("would: ")[2])
    assert not world.decider.refusal({"type": "event", "name": "refund", "data": such})


def test_a_hint_is_made_once_for_a_type(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def counted(annotation: Any) -> str:
        made.append(annotation)
        return "1"

    class Own(BaseModel):
        n: int

    async def many(ctx: Context) -> None:
        for _ in range(5):
            await ctx.wait_for("n", type=Own)

    monkeypatch.setattr(takes, "example_of", counted)
    world = World(many)
    for n in range(4):
        world.event("n", {"n": n})
    assert made == [Own] and takes.taken(world.last.state, "event n") == "1"
