"""What an operation is given is compared on replay: another process, another order of a set, another time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, cast
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

import overwinter
from overwinter.orchestrator.usercode import fingerprint
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow

from .test_mismatch import line
from .world import World, replay, replayed_from_every_prefix

LENIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
HOME = str(Path(overwinter.__file__).absolute().parent.parent)


def of(*args: Any, **kwargs: Any) -> str:
    return fingerprint.of(args, kwargs)


# -- fingerprints ------------------------------------------------------------------------------------


class Order(BaseModel):
    id: int
    lines: set[str] = set()
    note: str = ""


class OrderWithMore(BaseModel):
    id: int
    lines: set[str] = set()
    note: str = ""
    priority: int = 3
    tags: list[str] = []


@dataclass
class Parcel:
    to: str
    marks: frozenset[str] = frozenset()


@dataclass
class ParcelWithMore:
    to: str
    marks: frozenset[str] = frozenset()
    weight: float = 1.0
    stamps: list[str] = field(default_factory=list)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    S = 1
    L = 2


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=4), some, max_size=4),
    max_leaves=12,
)


def shuffled(value: Any, draw: random.Random) -> Any:
    """The same JSON value, its mappings in another order."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, draw)) for key, item in value.items()]
        draw.shuffle(items)
        return dict(items)
    return [shuffled(item, draw) for item in value] if isinstance(value, list) else value


@LENIENT
@given(PLAIN, st.randoms(use_true_random=False))
def test_the_same_is_given_whatever_the_order_of_mappings(value: Any, draw: random.Random) -> None:
    assert of(value) == of(shuffled(value, draw))
    assert of(value) == of(json.loads(json.dumps(value)))
    assert of(name=value) == of(name=shuffled(value, draw))


@LENIENT
@given(PLAIN, PLAIN)
def test_something_else_is_given(one: Any, other: Any) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (of(one) == of(other)) == same
    assert of(one) != of(one, other)
    assert of(one, other) != of([one, other])
    assert of(one) != of(name=one)


@LENIENT
@given(st.integers() | st.text(max_size=20))
def test_the_short_way_says_what_the_long_one_does(value: Any) -> None:
    assert of(value) == of(*json.loads(fingerprint.canonical((value,))))


@LENIENT
@given(st.lists(st.text(max_size=3) | st.integers() | st.tuples(st.integers(), st.text(max_size=2)), unique=True))
def test_a_set_has_no_order(items: list[Any]) -> None:
    assert of(set(items)) == of(frozenset(reversed(items)))
    assert of([set(items)]) == of([frozenset(items)])
    assert of({"of": set(items)}) == of({"of": frozenset(reversed(items))})
    if items:
        assert of(set(items)) != of(set(items[1:]))


DIFFERENT: list[tuple[Any, Any]] = [
    (1, True),
    (1, 1.0),
    (1, "1"),
    (0, None),
    (b"a", "a"),
    (b"a", b"b"),
    (Decimal("1.0"), Decimal("1.1")),
    (date(2026, 1, 1), date(2026, 1, 2)),
    (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 1, tzinfo=UTC)),
    (timedelta(1), timedelta(2)),
    (UUID(int=1), UUID(int=2)),
    (PurePosixPath("a"), PurePosixPath("b")),
    (Colour.RED, Colour.BLUE),
    (Size.S, Size.L),
    (Order(id=1), Order(id=2)),
    (Order(id=1, lines={"a"}), Order(id=1, lines={"b"})),
    (Parcel("a"), Parcel("b")),
    (Parcel("a", frozenset("x")), Parcel("a", frozenset("y"))),
    ((1, 2), (2, 1)),
    ({1: "a"}, {1: "b"}),
    ({(1, 2): "a"}, {(1, 3): "a"}),
    ({1: 0, "a": 0}, {1: 0, "b": 0}),
    ({Colour.RED: 1}, {Colour.BLUE: 1}),
    (MappingProxyType({"a": 1}), MappingProxyType({"a": 2})),
    (deque([1, 2]), deque([2, 1])),
    ("\ud800", "\ud801"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_values_that_differ(one: Any, other: Any) -> None:
    assert of(one) != of(other)
    assert of([one]) != of([other])
    assert of({"x": one}) != of({"x": other})
    assert of(one) == of(one)


def test_a_field_with_a_default_may_be_added() -> None:
    assert of(Order(id=1, note="x")) == of(OrderWithMore(id=1, note="x"))
    assert of(OrderWithMore(id=1, priority=4)) != of(Order(id=1))
    assert of(Parcel("a")) == of(ParcelWithMore("a"))
    assert of(ParcelWithMore("a", weight=2.0)) != of(Parcel("a"))


def test_what_has_no_json_form_is_left_out() -> None:
    class Connection:
        pass

    endless: list[Any] = []
    endless.append(endless)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for left_out in (Connection, print, len, lambda: 1, SecretStr, object, iter, partial, type):
        assert of("a", left_out) == of("a", None)
    assert of(Connection()) == of(Connection()) == of(None)
    assert of({"connection": Connection(), "who": "ann"}) == of({"connection": Connection(), "who": "ann"})
    assert of({"connection": Connection(), "who": "ann"}) != of({"connection": Connection(), "who": "bob"})
    assert of(SecretStr("a")) == of(SecretStr("b"))
    for formless in (endless, deep, 10**5000):
        assert of("a", formless) == of("a", formless) != of("b", formless)
        assert of(formless, who="a") == of(formless, who="a") != of(formless, who="b")
    numbers = iter([1, 2, 3])
    assert of(numbers) == of(None)
    assert list(numbers) == [1, 2, 3]  # it was not used up


def test_it_is_the_same_in_every_process() -> None:
    code = (
        "from overwinter.orchestrator.usercode.fingerprint import of;"
        "print(of(({'ann','bob','cy'}, {'a': {'x', 'y'}, 'b': object()}), {'who': frozenset('abc')}))"
    )
    said = {printed(code, seed) for seed in ("1", "2", "3")}
    assert len(said) == 1


def printed(code: str, seed: str, *arguments: str) -> str:
    """What a Python program prints whose hashes are seeded so."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": HOME}
    ran = subprocess.run([sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


# -- on replay ---------------------------------------------------------------------------------------


def pay(who: str, amount: int = 1) -> str:
    return f"paid {who}"


async def look(ctx: Context, who: str) -> str:
    return str(await ctx.step(pay, who))


def payroll(order: list[str], ask: Callable[[Context, str], Any]) -> Workflow:
    """What iterates over a set: ``order`` is what it happens to be in this process."""

    async def payroll(ctx: Context) -> list[Any]:
        return [await ask(ctx, who) for who in order]

    return Workflow(payroll)


ASKED: dict[str, Callable[[Context, str], Any]] = {
    "step": lambda ctx, who: ctx.step(pay, who),
    "step by name": lambda ctx, who: ctx.step(pay, who=who),
    "step among others": lambda ctx, who: ctx.step(pay, who, 3, name="p"),
    "partial": lambda ctx, who: ctx.step(partial(pay, who)),
    "lambda": lambda ctx, who: ctx.step(cast("Any", lambda who=who: pay(who))),
    "call": lambda ctx, who: ctx.call(pay, who),
    "call of several": lambda ctx, who: ctx.call(pay, {"who": who, "amount": 2}),
    "map": lambda ctx, who: ctx.map(pay, [who]),
    "branch": lambda ctx, who: ctx.map(look, [who]),
    "parallel": lambda ctx, who: ctx.parallel(partial(pay, who)),
    "until": lambda ctx, who: ctx.until(pay, who),
    "child": lambda ctx, who: ctx.child("clerk", who),
    "child by its id": lambda ctx, who: ctx.child("clerk", id=f"c-{who}"),
    "child by call": lambda ctx, who: ctx.call("clerk", who),
    "put": lambda ctx, who: ctx.state.put("last", who),
    "put by key": lambda ctx, who: ctx.state.put(who, 1),
    "get": lambda ctx, who: ctx.state.get(who),
    "delete": lambda ctx, who: ctx.state.delete(who),
    "approval": lambda ctx, who: ctx.approve("pay", data=who),
}


@LENIENT
@given(st.sampled_from(sorted(ASKED)), st.permutations(["ann", "bob", "cy"]), st.permutations(["ann", "bob", "cy"]))
def test_another_order_is_stuck_as_soon_as_it_matters(name: str, was: list[str], now: list[str]) -> None:
    """From every prefix: what is recorded fits the new order, or it is stuck; never is one paid twice or not at all."""
    ask = ASKED[name]
    world = World(payroll(was, ask), children={"clerk": lambda who: who})
    while world.status not in ("completed", "stuck", "failed"):
        world.run()
        if world.last.awaits.startswith("approval"):
            op = world.journal[-1]["op"]
            world.mail({"type": "decided", "op": op, "approved": True, "by": "x", "reason": ""})
    assert world.status == "completed", world.last.error
    replayed_from_every_prefix(world)
    for cut in range(len(world.journal)):
        journal = world.journal[:cut]
        begun = {entry["op"].split(".")[0] for entry in journal if entry["type"] in ("step", "ordered")}
        decider = replay(payroll(now, ask), world.id, journal)
        decision = decider.decide()
        agrees = was[: len(begun)] == now[: len(begun)]
        assert (decision.status == "stuck") == (not agrees), (name, was, now, cut, decision.error)
        if not agrees:
            assert "test_arguments.py:" in decision.error, decision.error
        decider.close()
    world.close()


async def pays_ann(ctx: Context) -> None:
    await ctx.step(pay, "ann")
    await ctx.wait_for("never")


async def pays_bob(ctx: Context) -> None:
    await ctx.step(pay, "bob")
    await ctx.wait_for("never")


async def pays_nobody(ctx: Context) -> None:
    await ctx.step(lambda: "paid nobody", name="pay")
    await ctx.wait_for("never")


async def pays_anybody(ctx: Context) -> None:
    await ctx.step(pay, "bob", fingerprint=False)
    await ctx.wait_for("never")


def test_the_error_names_the_line_and_both_fingerprints() -> None:
    world = World(pays_ann).run()
    for other, said in ((pays_bob, of("bob")), (pays_nobody, "that of none")):
        decision = replay(Workflow(other), world.id, world.journal).decide()
        text = 'ctx.step(pay, "bob")' if other is pays_bob else "ctx.step(lambda"
        expected = line(other, text).replace("test_mismatch.py", "test_arguments.py")
        assert decision.status == "stuck"
        assert decision.error.startswith(f"{expected} asked for step 'pay' as operation 0 with other arguments")
        assert f"their fingerprint is {said}, recorded is {of('ann')}" in decision.error
        assert "sort sets" in decision.error
        assert decision.error.endswith(f"`overwinter resume {world.id}`")
    world.close()


def test_what_may_differ_is_left_out() -> None:
    world = World(pays_ann).run()
    assert replay(Workflow(pays_anybody), world.id, world.journal).decide().awaits == "event never"
    world.close()
    world = World(pays_anybody).run()
    assert not any("args" in entry for entry in world.journal)
    assert replay(Workflow(pays_ann), world.id, world.journal).decide().awaits == "event never"
    world.close()

    async def begets(ctx: Context) -> None:
        await ctx.child("clerk", "ann", fingerprint=False)
        await ctx.wait_for("never")

    async def begets_another(ctx: Context) -> None:
        await ctx.child("clerk", "bob", fingerprint=False)
        await ctx.wait_for("never")

    world = World(begets, children={"clerk": lambda who: who}).run()
    assert not any("args" in entry for entry in world.journal)
    assert replay(Workflow(begets_another), world.id, world.journal).decide().awaits == "event never"
    world.close()


def test_a_journal_without_fingerprints_is_not_compared() -> None:
    world = World(pays_ann).run()
    older = [{name: value for name, value in entry.items() if name != "args"} for entry in world.journal]
    assert older != world.journal
    assert replay(Workflow(pays_bob), world.id, older).decide().awaits == "event never"
    world.close()


def test_an_attempt_that_began_is_compared_too() -> None:
    """Nobody knows whether ann was paid; bob is not told that it may have been him."""
    for recorded in (
        {"type": "begun", "op": "0", "name": "pay", "n": 1, "args": of("ann")},
        {"type": "retrying", "op": "0", "name": "pay", "n": 1, "until": 0, "args": of("ann"), "error": {}},
    ):
        start = {"type": "start", "at": 1, "input": None, "seed": ""}
        journal = [start, {"at": 2, **recorded}]
        assert replay(Workflow(pays_bob), "w", journal).decide().status == "stuck"
        assert replay(Workflow(pays_ann), "w", journal).decide().status == "waiting"


PROGRAM = """
import asyncio, os, sys
from overwinter import Context, Runtime, workflow
from overwinter.state.errors import ExecutionStuck

def pay(who: str) -> None:
    with open(sys.argv[2], "a") as book:
        book.write(who + "\\n")

@workflow
async def payroll(ctx: Context) -> None:
    for number, who in enumerate({"ann", "bob", "cy"}):
        await ctx.step(pay, who)
        if number == 0 and sys.argv[3] == "die":
            await ctx.step(os._exit, 0)  # between two payments

async def main():
    async with Runtime([payroll], sys.argv[1]) as runtime:
        try:
            await (await runtime.start(payroll, id="june")).result()
        except ExecutionStuck as error:
            print(error)

asyncio.run(main())
"""


def test_a_set_that_another_process_goes_through_in_another_order_is_stuck(tmp_path: Path) -> None:
    orders: dict[str, str] = {}
    for seed in map(str, range(1, 50)):
        orders.setdefault(printed('print(next(iter({"ann", "bob", "cy"})))', seed), seed)
        if len(orders) == 2:
            break
    (first, seed), (_, other) = orders.items()
    store, book, program = f"sqlite:///{tmp_path}/store.db", tmp_path / "book", tmp_path / "payroll.py"
    program.write_text(PROGRAM)

    def run(seed: str, how: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": HOME}
        command = [sys.executable, str(program), store, str(book), how]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60).stdout

    assert run(seed, "die") == ""
    assert book.read_text().split() == [first]
    said = run(other, "live")
    assert "june is stuck: payroll.py:13 asked for step 'pay' as operation 0 with other arguments" in said
    assert book.read_text().split() == [first]  # nobody was paid twice
