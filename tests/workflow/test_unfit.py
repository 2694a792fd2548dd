"""Types that changed under a running execution make it stuck, with the line; what comes from outside with another type
than is waited for is passed over, visibly, and kills nothing."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.protocol.decider import Verdict
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import InvalidInput

from .world import World, replay, replayed_from_every_prefix


class Old(BaseModel):
    a: int


class New(BaseModel):
    a: int
    b: str


def old_step() -> Old:
    return Old(a=1)


def new_step() -> New:
    return New(a=1, b="x")


def child_type(output: Any) -> Workflow:
    async def part(ctx: Context) -> None: ...

    return Workflow(part, output=output)


def flow(step: Callable[[], Any], output: Any, event: Any, callback: Any, input: Any, checkpoint: Any) -> Workflow:
    """A workflow that takes something recorded of every kind; compensation is what must never run."""

    async def compensate() -> str:
        return "compensated"

    async def ticket(ctx: Context, given: Any) -> Any:
        if given is not None and type(given).__name__ != "int":
            return await ctx.step(lambda: "later", name="later")
        try:
            call = ctx.step(step, name="lookup")
            await call  # the step
            await ctx.child(child_type(output))  # the child
            await ctx.map(lambda _: step(), [1], concurrency=1)
            asked = ctx.callback("bank", type=callback)
            await asked  # the callback
            await ctx.wait_for("n", type=event)  # the event
        except Exception:  # noqa: BLE001  # this is what is tried
            return await ctx.step(compensate)
        await ctx.sleep("1h")
        await ctx.checkpoint(checkpoint)

    ticket.__annotations__["given"] = input
    return Workflow(ticket)


def line(text: str) -> str:
    source, first = inspect.getsourcelines(flow)
    return f"test_unfit.py:{first + next(i for i, found in enumerate(source) if text in found)}"


OLD: dict[str, Any] = {"step": old_step, "output": Old, "event": int, "callback": int, "input": int, "checkpoint": 3}


def lived(upto: str) -> World:
    world = World(flow(**OLD), 1)
    world.perform()
    world.perform()
    world.mail({"type": "child", "id": "w-1/1", "status": "completed", "value": {"a": 1}})
    seed = world.journal[0]["seed"]

    def complete() -> None:
        world.perform()
        world.mail({"type": "callback", "op": "3", "secret": tokens.secret_of(seed, "3"), "value": 5})

    facts: dict[str, Callable[[], object]] = {
        "step": lambda: None,
        "child": lambda: None,
        "callback": complete,
        "event": lambda: world.event("n", 7),
        "checkpoint": world.run,
    }
    for name, do in facts.items():
        do()
        if name == upto:
            break
    return world


CHANGES: list[tuple[str, dict[str, Any], str, str]] = [
    ("step", {"step": new_step}, "the result of step 'lookup' (operation 0)", "# the step"),
    ("child", {"output": New}, "the output of child 'part' (operation 1)", "# the child"),
    ("callback", {"callback": New}, "the value of callback 'bank' (operation 3)", "# the callback"),
    ("event", {"event": str}, "event 'n' (operation 4)", "# the event"),
    ("event", {"event": New}, "event 'n' (operation 4)", "# the event"),
    ("step", {"input": New}, "an input that was accepted", "async def ticket"),
]


@pytest.mark.parametrize(("upto", "change", "what", "where"), CHANGES)
def test_a_changed_type_is_stuck_with_the_line(upto: str, change: dict[str, Any], what: str, where: str) -> None:
    world = lived(upto)
    changed = flow(**(OLD | change))
    decider = replay(changed, world.id, world.journal)
    decision = decider.decide()
    assert decision.status == "stuck" and not decision.perform and not decision.entries
    assert what in decision.error and line(where) in decision.error and "overwinter resume w-1" in decision.error
    assert decider.offer({"type": "event", "id": "x", "at": world.now, "name": "n", "data": 1}) is Verdict.LATER
    mended = replay(
        flow(**OLD), world.id, [*world.journal, {"type": "stuck", "at": world.now, "error": decision.error}]
    )
    assert mended.decide().status == world.status


def test_a_checkpoint_that_no_longer_fits_is_stuck() -> None:
    world = World(flow(**(OLD | {"event": int})), 1, journal=lived("event").journal).run()
    assert "checkpoint" in world.types() or world.status == "stuck"
    begun = [entry for entry in world.journal if entry["type"] == "checkpoint"]
    changed: dict[str, Any] = OLD | {"input": New}
    decision = replay(flow(**changed), world.id, begun).decide()
    assert (
        decision.status == "stuck" and "a checkpoint" in decision.error and line("async def ticket") in decision.error
    )


def test_a_checkpoint_with_an_input_that_does_not_fit_is_an_error_where_it_is_asked_for() -> None:
    async def loop(ctx: Context, n: int) -> str:
        try:
            await ctx.checkpoint("many")
        except InvalidInput as error:
            return str(error)

    assert "the input of loop is not valid" in World(loop, 1).value


def test_an_input_that_does_not_fit_is_stuck_and_not_lost() -> None:
    async def counting(ctx: Context, n: int) -> int:
        return n

    world = World(counting, "many")
    assert world.status == "stuck" and "test_unfit.py:" in world.last.error and '"many"' in world.last.error

    async def reading(ctx: Context, n: str) -> str:
        return n

    reading.__name__ = "counting"
    assert World(reading, journal=world.journal).value == "many"


def test_an_error_inside_the_workflow_is_not_how_a_misfit_shows() -> None:
    async def careful(ctx: Context) -> str:
        try:
            await ctx.step(new_step)
        except BaseException:  # noqa: BLE001  # this is what is tried
            return "caught"
        return "fine"

    world = World(careful)
    world.mail({"type": "step", "op": "0", "name": "new_step", "ms": 1, "value": {"a": 1}})
    assert world.status == "stuck" and world.types() == ["start", "step"], "what was done is kept"
    assert "b: Field required" in world.last.error and '{"a":1}' in world.last.error


def test_a_branch_says_where_it_waits() -> None:
    async def branch(ctx: Context, n: int) -> New:
        return await ctx.step(new_step)  # in the branch

    async def many(ctx: Context) -> list[New]:
        return await ctx.map(branch, [1, 2])

    world = World(many)
    world.mail({"type": "step", "op": "0.1.0", "name": "new_step", "ms": 1, "value": {"a": 1}})
    _, first = inspect.getsourcelines(branch)
    assert world.status == "stuck" and f"test_unfit.py:{first + 1} waits for" in world.last.error


# -- from outside ------------------------------------------------------------------------------------


async def counting(ctx: Context) -> list[int]:
    return [await ctx.wait_for("n", type=int), await ctx.wait_for("n", type=int)]


def test_an_event_of_another_type_is_passed_over() -> None:
    world = World(counting)
    assert world.event("n", "many") is Verdict.TAKEN and world.status == "waiting"
    (skipped,) = [entry for entry in world.journal if entry["type"] == "skipped"]
    assert (skipped["op"], skipped["name"], skipped["id"]) == ("0", "n", world.journal[1]["id"])
    assert "valid integer" in skipped["why"] and '"many"' in skipped["why"]
    world.event("n", 1)
    world.event("n", [])
    world.event("n", 2)
    assert world.value == [1, 2] and world.types().count("skipped") == 2, "each is noted once"
    replayed_from_every_prefix(world)


def test_it_is_kept_for_whoever_waits_with_its_type() -> None:
    async def both(ctx: Context) -> list[Any]:
        found = [await ctx.wait_for("n", type=int), await ctx.wait_for("n", type=str)]
        number, text = ctx.wait_for("m", type=int), ctx.wait_for("m", type=str)
        return [*found, await text, await number]

    world = World(both)
    for data in ("x", 1):
        world.event("n", data)
    for data in ("y", 2):
        world.event("m", data)
    assert world.value == [1, "x", "y", 2]
    assert world.types().count("skipped") == 1, "'y' found somebody at once"
    replayed_from_every_prefix(world)


def test_one_that_came_before_anybody_waited_is_passed_over_too() -> None:
    async def late(ctx: Context) -> int:
        await ctx.step(old_step)
        return await ctx.wait_for("n", type=int, match=lambda n: n > 1)

    world = World(late)
    world.event("n", "x")
    world.event("n", 1)
    world.perform()
    assert world.status == "waiting" and world.types() == ["start", "event", "event", "step", "skipped"]
    world.event("n", 2)
    assert world.value == 2
    replayed_from_every_prefix(world)


def test_what_failed_on_it_in_an_older_release_goes_on_after_retry() -> None:
    failed = {"kind": "overwinter.state.errors.InvalidInput", "message": "event 'n' gave a value …", "op": "0"}
    journal = [
        {"type": "start", "at": 1, "input": None, "seed": "5eed"},
        {"type": "event", "at": 2, "id": "e", "name": "n", "data": "x"},
        {"type": "failed", "at": 2, "error": failed},
        {"type": "retry", "at": 3, "op": "0"},
    ]
    world = World(counting, journal=journal)
    assert world.status == "waiting" and world.types()[-1] == "skipped"
    world.event("n", 1)
    world.event("n", 2)
    assert world.value == [1, 2]


def test_a_stuck_turn_keeps_what_it_passed_over() -> None:
    async def spinning(ctx: Context) -> None:
        await ctx.step(old_step)
        ctx.wait_for("n", type=int)
        while not mended:  # noqa: ASYNC110  # this is what is tried
            await asyncio.sleep(0)
        await ctx.wait_for("go")

    mended: list[bool] = []
    world = World(spinning)
    world.event("n", "x")
    world.perform()
    assert world.status == "stuck" and world.types() == ["start", "event", "step", "skipped"]
    mended.append(True)
    assert replay(world.workflow, world.id, world.journal).decide().status == "waiting"


def test_a_completion_of_another_type_is_dropped_and_the_callback_stays_open() -> None:
    async def bank(ctx: Context) -> int:
        return await ctx.callback("bank", type=int)

    world = World(bank)
    secret = tokens.secret_of("5eed", "0")
    assert world.mail({"type": "callback", "op": "0", "secret": secret, "value": "x"}) == [Verdict.IGNORED]
    assert world.status == "waiting" and world.types() == ["start", "ordered", "skipped"]
    world.mail({"type": "callback", "op": "0", "secret": secret, "value": 5})
    assert world.value == 5
    replay(world.workflow, world.id, world.journal).close()


def test_the_decider_at_rest_says_what_it_can_not_use() -> None:
    decider = World(counting).decider
    event = {"type": "event", "id": "e", "at": 1, "name": "n"}
    assert "valid integer" in decider.refusal({**event, "data": "x"})
    assert decider.refusal({**event, "data": 1}) == "" == decider.refusal({**event, "name": "other", "data": "x"})


# -- numbers that are none -----------------------------------------------------------------------------


class Bid(BaseModel):
    amount: float
    more: list[Any] = []


@dataclass
class Offer:
    amounts: dict[str, float | None]


NONE = ["NaN", "Infinity", "-inf", 10**400]
WAYS: list[tuple[Any, Callable[[Any], Any]]] = [
    (float, lambda number: number),
    (Bid, lambda number: {"amount": number}),
    (Offer, lambda number: {"amounts": {"a": 1, "b": number}}),
    (list[Bid | None], lambda number: [None, {"amount": number}]),
    (float | None, lambda number: number),
    (complex, lambda number: number if isinstance(number, int) else f"{number}+1j"),
]


@pytest.mark.parametrize(("type", "data"), WAYS, ids=[str(kind) for kind, _ in WAYS])
@pytest.mark.parametrize("number", NONE, ids=["NaN", "Infinity", "-inf", "huge"])
def test_a_number_for_which_no_comparison_holds_is_no_event(type: Any, data: Callable[[Any], Any], number: Any) -> None:
    async def bids(ctx: Context) -> Any:
        first = await ctx.wait_for("bid", type=type)
        await ctx.step(old_step)
        return [first, await ctx.wait_for("late", type=type)]

    world = World(bids)
    assert "does not have the type" in world.decider.refusal(
        {"type": "event", "at": 1, "id": "e", "name": "bid", "data": data(number)}
    )
    world.event("bid", data(number))
    world.event("late", data(number))
    world.event("bid", data(1))
    world.perform()
    assert world.status == "waiting" and world.types().count("skipped") == 2
    world.event("late", data(2))
    assert world.status == "completed"
    replayed_from_every_prefix(world)


@pytest.mark.parametrize(("type", "data"), WAYS, ids=[str(kind) for kind, _ in WAYS])
@pytest.mark.parametrize("number", NONE, ids=["NaN", "Infinity", "-inf", "huge"])
def test_and_completes_no_callback(type: Any, data: Callable[[Any], Any], number: Any) -> None:
    async def bank(ctx: Context) -> Any:
        return await ctx.callback("bank", type=type)

    world = World(bank)
    secret = tokens.secret_of("5eed", "0")
    completion = {"type": "callback", "op": "0", "secret": secret, "value": data(number)}
    assert "does not have the type" in world.decider.refusal(completion)
    assert world.mail(completion) == [Verdict.IGNORED]
    assert world.status == "waiting" and world.types() == ["start", "ordered", "skipped"]
    world.mail({**completion, "value": data(5)})
    assert world.status == "completed"
    replay(world.workflow, world.id, world.journal).close()


def test_what_an_older_release_took_with_such_a_number_is_replayed() -> None:
    async def both(ctx: Context) -> str:
        heard = await ctx.wait_for("bid", type=Bid)
        told = await ctx.callback("bank", type=float)
        await ctx.wait_for("go")
        return f"{heard.amount} {told}"

    journal = [
        {"type": "start", "at": 1, "input": None, "seed": "5eed"},
        {"type": "event", "at": 2, "id": "e", "name": "bid", "data": {"amount": "NaN"}},
        {"type": "ordered", "op": "1", "at": 2, "kind": "callback", "name": "bank"},
        {"type": "callback", "at": 3, "op": "1", "secret": tokens.secret_of("5eed", "1"), "value": "-Infinity"},
    ]
    world = World(both, journal=journal)
    assert world.status == "waiting"
    world.event("go")
    assert world.value == "nan -inf"


class Country(BaseModel):
    code: int

    @field_validator("code")
    @classmethod
    def known(cls, code: int) -> int:
        return {49: 49}[code]


def test_what_a_validator_raises_about_something_from_outside_is_a_misfit() -> None:
    async def asking(ctx: Context) -> int:
        return (await ctx.wait_for("from", type=Country)).code + (await ctx.callback("to", type=Country)).code

    world = World(asking)
    world.event("from", {"code": 1})
    assert world.status == "waiting" and world.types()[-1] == "skipped"
    assert "KeyError" in world.decider.refusal(
        {"type": "event", "at": 1, "id": "f", "name": "from", "data": {"code": 2}}
    )
    world.event("from", {"code": 49})
    completion = {"type": "callback", "op": "1", "secret": tokens.secret_of("5eed", "1"), "value": {"code": 3}}
    assert world.mail(completion) == [Verdict.IGNORED]
    world.mail({**completion, "value": {"code": 49}})
    assert world.value == 98
    replay(world.workflow, world.id, world.journal).close()


@given(st.lists(st.one_of(st.integers(), st.text(), st.none(), st.lists(st.integers())), max_size=8))
def test_whatever_comes_the_fitting_ones_arrive_in_order(data: list[Any]) -> None:
    async def taking(ctx: Context) -> list[Any]:
        found: list[Any] = []
        while True:
            found.append(await ctx.wait_for("n", type=int))
            if found[-1] == -1:
                return found

    taken = [value for value in data if type(value) is int and value != -1]
    numeric = [value for value in data if isinstance(value, str) and value.strip().lstrip("+-").isdigit()]
    if numeric or -1 in data:
        return  # pydantic reads digits in a text as a number
    world = World(taking)
    for value in data:
        world.event("n", value)
    world.event("n", -1)
    assert world.value == [*taken, -1]
    replayed_from_every_prefix(world)
