"""What each operation promises, live: results, errors, what is ordered, what is ignored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.protocol.decider import Access, Invoke, Spawn, Verdict
from overwinter.orchestrator.protocol.shared import place_of
from overwinter.orchestrator.usercode.resilience import Breaker, Retry
from overwinter.orchestrator.workflow.completion import Completion, Results
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import (
    CallbackFailed,
    CompletionFailed,
    Denied,
    ExecutionCancelled,
    ExecutionFailed,
    InvalidInput,
    TimedOut,
)

from .world import World


class Order(BaseModel):
    id: int
    price: Decimal
    lines: list[str] = []


@dataclass
class Receipt:
    order: int
    at: datetime


class Refused(Exception):
    def __init__(self, message: str, *, code: int) -> None:
        super().__init__(message)
        self.code = code


async def take(order: Order) -> Receipt:
    return Receipt(order.id, datetime(2026, 1, 1, tzinfo=UTC))


def price() -> Decimal:
    return Decimal("0.10")


async def refuse() -> None:
    raise Refused("no money", code=402)


class Shop:
    async def sell(self, n: int) -> int:
        return n

    def __call__(self, n: int) -> list[int]:
        return [n]


# -- step --------------------------------------------------------------------------------------------


def test_values_come_back_as_annotated() -> None:
    async def flow(ctx: Context, order: Order) -> list[Any]:
        receipt = await ctx.step(take, order)
        cost = await ctx.step(price)
        return [type(order).__name__, type(receipt).__name__, str(receipt.at), type(cost).__name__, str(cost)]

    world = World(flow, {"id": 1, "price": "2.50"}).run()
    assert world.value == ["Order", "Receipt", "2026-01-01 00:00:00+00:00", "Decimal", "0.10"]


def test_errors_come_back_as_their_class_with_data() -> None:
    async def flow(ctx: Context) -> list[Any]:
        try:
            await ctx.step(refuse)
        except Refused as error:
            return [str(error), error.code]
        return []

    assert World(flow).run().value == ["no money", 402]


def test_a_plain_function_is_threaded_and_an_async_one_is_not() -> None:
    async def flow(ctx: Context) -> None:
        shop = Shop()
        ctx.step(price)
        ctx.step(take, Order(id=1, price=Decimal(1)))
        ctx.step(shop.sell, 1)
        ctx.step(partial(shop.sell, 2))
        ctx.step(shop, 3)
        ctx.step(lambda: price())
        await ctx.step(lambda: 1)

    calls = [effect for effect in World(flow).open.values() if isinstance(effect, Invoke)]
    assert [(call.name, call.threaded) for call in calls] == [
        ("price", True),
        ("take", False),
        ("sell", False),
        ("sell", False),
        ("Shop", True),
        ("lambda:price", True),
        ("lambda", True),
    ]


def test_options_make_the_policy() -> None:
    breaker, retry = Breaker(failures=2), Retry(attempts=7)

    async def flow(ctx: Context) -> None:
        ctx.step(price, name="p", timeout="3s", breaker=breaker)
        ctx.step(price, retry=retry, at_most_once=True)
        await ctx.step(price)

    own = Retry(attempts=2)
    calls = [effect for effect in World(Workflow(flow, retry=own)).open.values() if isinstance(effect, Invoke)]
    assert [(call.name, call.policy.retry, call.policy.timeout) for call in calls] == [
        ("p", own, "3s"),
        ("price", retry, None),
        ("price", own, None),
    ]
    assert calls[0].policy.breaker is breaker and calls[1].policy.at_most_once


@pytest.mark.parametrize("wrong", [3, "name", None])
def test_a_step_needs_a_function(wrong: Any) -> None:
    async def flow(ctx: Context) -> None:
        await ctx.step(wrong)

    assert isinstance(World(flow).error, TypeError)


def test_the_journal_keeps_what_the_code_then_changes() -> None:
    async def flow(ctx: Context) -> list[int]:
        found: dict[str, list[int]] = await ctx.step(lambda: {"n": [1]})
        found["n"].append(2)
        return found["n"]

    world = World(flow)
    fact = {"type": "step", "op": "0", "name": "lambda", "at": world.now + 1, "ms": 0, "value": {"n": [1]}}
    world.decider.offer(fact)
    assert fact["value"] == {"n": [1]}
    world.decide()
    assert world.value == [1, 2]


def test_durable_retries_and_begun_attempts() -> None:
    async def flow(ctx: Context) -> str:
        return str(await ctx.step(price, at_most_once=True))

    world = World(flow)
    assert world.mail({"type": "begun", "op": "0", "name": "price", "n": 1}) == [Verdict.TAKEN]
    until = world.now + 60_000
    error = {"kind": "builtins.OSError", "message": "down"}
    world.mail({"type": "retrying", "op": "0", "name": "price", "n": 1, "until": until, "error": error})
    assert world.last.wake == until and world.last.awaits.startswith("retry until 2023-")
    world.open.clear()
    world.close()
    again = World(flow, journal=world.journal)
    assert again.open == {} and again.last.wake == until
    again.pass_time()
    assert again.open["0"].attempt == 1  # type: ignore[union-attr]  # an Invoke
    assert again.mail({"type": "begun", "op": "0", "name": "price", "n": 2}) == [Verdict.TAKEN]
    doubtful = World(flow, journal=again.journal)
    doubtful.pass_time()
    assert doubtful.open["0"].begun  # type: ignore[union-attr]  # an Invoke
    assert again.run().value == "0.10"


# -- events, approvals, callbacks --------------------------------------------------------------------


def test_events_are_kept_in_order_for_whoever_matches() -> None:
    async def flow(ctx: Context) -> list[Any]:
        await ctx.wait_for("begin")
        big = await ctx.wait_for("n", match=lambda n: n > 5)
        rest = [await ctx.wait_for("n") for _ in range(3)]
        order = await ctx.wait_for("order", type=Order)
        return [big, *rest, type(order).__name__]

    world = World(flow)
    for n in (1, 7, 2, 9):
        assert world.event("n", n) is Verdict.TAKEN
    world.event("begin")
    assert world.last.awaits == "event order"
    world.event("order", {"id": 1, "price": "1"})
    assert world.value == [7, 1, 2, 9, "Order"]


def test_an_error_of_match_is_the_waiting_codes_error() -> None:
    async def flow(ctx: Context) -> str:
        waits = [ctx.wait_for("n", match=lambda n: n["x"] > 1), ctx.wait_for("n")]
        results = await asyncio.gather(*waits, return_exceptions=True)
        return repr(results)

    world = World(flow)
    world.event("n", 3)
    assert world.value.startswith("[TypeError(") and world.value.endswith(", 3]")


def test_a_decision_is_bound_to_what_was_asked_and_good_once() -> None:
    async def flow(ctx: Context) -> list[str]:
        first = await ctx.approve("refund", data={"amount": 5}, role="desk", timeout="1h")
        return [first.by, first.reason, str(await ctx.wait_for("go"))]

    world = World(flow)
    ordered = world.journal[-1]
    assert {key: ordered[key] for key in ("type", "op", "kind", "name", "what", "role", "data")} == {
        "type": "ordered",
        "op": "0",
        "kind": "approval",
        "name": "refund",
        "what": "refund",
        "role": "desk",
        "data": {"amount": 5},
    }
    assert ordered["until"] == world.now + 3_600_000 == world.last.wake
    assert world.last.awaits == "approval refund"
    decided = {"type": "decided", "op": "0", "approved": True, "by": "ann", "reason": "ok"}
    assert world.mail({**decided, "digest": "sha256:0"}) == [Verdict.IGNORED]
    assert world.mail({**decided, "digest": ordered["digest"]}, decided) == [Verdict.TAKEN, Verdict.IGNORED]
    assert world.last.wake is None
    world.event("go")
    assert world.value == ["ann", "ok", "None"]


def test_a_denial_carries_by_and_reason() -> None:
    async def flow(ctx: Context) -> list[str]:
        try:
            await ctx.approve("refund")
        except Denied as denied:
            return [denied.by, denied.reason, str(denied)]
        return []

    world = World(flow)
    world.mail({"type": "decided", "op": "0", "approved": False, "by": "bob", "reason": "too much"})
    assert world.value == ["bob", "too much", "refund was denied by bob: too much"]


def test_a_callback_takes_only_its_own_secret() -> None:
    async def flow(ctx: Context) -> int:
        call = ctx.callback("job", timeout="1h", heartbeat="1m", type=int)
        ctx.status(call.token)
        return await call

    world = World(flow)
    token = tokens.parse(world.last.note)
    assert token.execution == "w-1" and token.op == "0"
    done = {"type": "callback", "op": "0", "value": 5}
    assert world.mail({**done, "secret": "x"}, {"type": "beat", "op": "0", "secret": ""}, done) == [Verdict.IGNORED] * 3
    before = world.last.wake
    assert world.mail({"type": "beat", "op": "0", "secret": token.secret}) == [Verdict.TAKEN]
    assert before is not None and world.last.wake is not None and world.last.wake > before
    assert world.mail({**done, "secret": token.secret}) == [Verdict.TAKEN]
    assert world.value == 5


def test_a_callback_may_fail_or_fall_silent() -> None:
    async def flow(ctx: Context) -> list[str]:
        said: list[str] = []
        for heartbeat in (None, "1m"):
            try:
                call = ctx.callback("job", timeout="1h", heartbeat=heartbeat)
                ctx.status(call.token)
                await call
            except (CallbackFailed, TimedOut) as error:
                said.append(f"{type(error).__name__}: {error}")
        return said

    world = World(flow)
    secret = tokens.parse(world.last.note).secret
    error = {"kind": "remote.Broken", "message": "out of paper"}
    world.mail({"type": "callback", "op": "0", "secret": secret, "error": error})
    world.run()
    assert world.value == ["CallbackFailed: out of paper", "HeartbeatLost: callback 'job' sent no heartbeat within 1m"]


def test_tokens_are_checked() -> None:
    token = tokens.make("support/a b", "4.1", tokens.secret_of("seed", "4.1"))
    assert tokens.parse(token) == ("support/a b", "4.1", tokens.secret_of("seed", "4.1"))
    for wrong in ("", "owcb_", "owcb_ä", token[5:], "owcb_abcd"):
        with pytest.raises(InvalidInput):
            tokens.parse(wrong)


# -- children ----------------------------------------------------------------------------------------


async def helper(ctx: Context, order: Order) -> Receipt:
    return await ctx.step(take, order)


class Decorated:
    """What ``@workflow`` leaves behind."""

    __overwinter__ = Workflow(helper, name="the-helper")


def test_a_child_is_recorded_before_it_is_started_and_typed_by_its_target() -> None:
    async def flow(ctx: Context) -> list[str]:
        child = ctx.child(Decorated, Order(id=3, price=Decimal(1)))
        receipt = await child
        return [child.id, type(receipt).__name__]

    world = World(flow)
    assert world.journal[-1]["type"] == "ordered" and world.journal[-1]["name"] == "the-helper"
    assert not world.last.immediate
    spawn = world.open["0"]
    assert isinstance(spawn, Spawn) and spawn.id == "w-1/0" and spawn.input == {"id": 3, "price": "1", "lines": []}
    world.perform()
    assert world.last.awaits == "child w-1/0"
    done = {"type": "child", "id": "w-1/0", "status": "completed", "value": {"order": 3, "at": "2026-01-01T00:00:00Z"}}
    assert world.mail(done, done) == [Verdict.TAKEN, Verdict.IGNORED]
    assert world.value == ["w-1/0", "Receipt"]


def test_two_open_children_can_not_share_an_id() -> None:
    async def flow(ctx: Context) -> None:
        ctx.child("other", id="kid")
        await ctx.child("other", id="kid")

    assert "'kid' is the id of a child that is open already" in str(World(flow).run().error)


def test_a_childs_input_is_checked_where_it_is_called() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.child(Decorated, {"id": "x"})

    world = World(flow)
    assert isinstance(world.error, InvalidInput) and "id:" in str(world.error) and "price:" in str(world.error)


@pytest.mark.parametrize(
    ("ending", "kind", "cause"),
    [
        (
            {"status": "failed", "error": {"kind": "builtins.KeyError", "message": "'k'", "args": ["k"]}},
            ExecutionFailed,
            KeyError,
        ),
        ({"status": "cancelled", "reason": "enough"}, ExecutionCancelled, type(None)),
    ],
)
def test_a_childs_end_is_an_error_with_its_cause(ending: Any, kind: type, cause: type) -> None:
    found: list[BaseException] = []

    async def flow(ctx: Context) -> None:
        try:
            await ctx.child("other")
        except Exception as error:
            found.append(error)
            raise

    world = World(flow)
    world.perform()
    world.mail({"type": "child", "id": "w-1/0", **ending})
    assert type(found[0]) is kind and isinstance(found[0].cause, cause)  # type: ignore[attr-defined]  # ExecutionError
    assert found[0].execution == "w-1/0"  # type: ignore[attr-defined]  # ExecutionError
    assert world.journal[-1]["error"]["op"] == "0"


def test_a_child_that_can_not_be_started_is_an_error() -> None:
    async def flow(ctx: Context) -> None:
        await ctx.child("unknown", detached=True)

    world = World(flow)
    error = {"kind": "overwinter.state.errors.UnknownFunction", "message": "no such function"}
    world.mail({"type": "child", "op": "0", "id": "w-1/0", "status": "failed", "error": error})
    assert isinstance(world.error, ExecutionFailed)


def test_a_cancelled_child_is_told_once_its_start_is_confirmed() -> None:
    async def flow(ctx: Context) -> str:
        child = ctx.child("other")
        await ctx.wait_for("go")
        child.cancel()
        await ctx.sleep("1s")
        return "on"

    world = World(flow)
    world.event("go")
    assert list(world.open) == ["0"]
    world.perform()
    assert list(world.open) == ["0.cancel"] and world.open["0.cancel"].key == "cancel:w-1"  # type: ignore[union-attr]
    assert world.mail({"type": "child", "id": "w-1/0", "status": "cancelled", "reason": ""}) == [Verdict.IGNORED]
    world.run()
    assert world.value == "on" and [post.fact["type"] for post in world.posts] == ["cancel"]


def test_the_end_waits_until_a_detached_child_is_started() -> None:
    async def flow(ctx: Context) -> str:
        ctx.child("other", detached=True)
        return "done"

    world = World(flow)
    assert world.status == "waiting" and world.types() == ["start", "ordered"]
    world.perform()
    assert world.value == "done" and not world.open


def test_a_child_of_the_same_turn_that_is_not_wanted_is_never_started() -> None:
    async def flow(ctx: Context) -> str:
        ctx.child("other").cancel()
        return "done"

    world = World(flow)
    assert world.types() == ["start", "completed"] and not world.open


# -- map and parallel --------------------------------------------------------------------------------


def even(n: int) -> int:
    if n % 2:
        raise ValueError(f"{n} is odd")
    return n


def test_results_tell_of_each_branch() -> None:
    found: list[Results[int]] = []

    async def flow(ctx: Context) -> None:
        found.append(await ctx.map(even, range(5), completion=Completion.tolerate(count=2)))
        found.append(await ctx.map(even, [2, 4, 6], concurrency=1, completion=Completion.first()))

    World(flow).run()
    all_, first = found
    assert [outcome.status for outcome in all_] == ["succeeded", "failed", "succeeded", "failed", "succeeded"]
    assert all_.values == [0, 2, 4] and [str(error) for error in all_.errors] == ["1 is odd", "3 is odd"]
    assert all_[1].index == 1 and isinstance(all_[1].error, ValueError) and len(all_[1:3]) == 2
    with pytest.raises(ValueError, match="1 is odd"):
        _ = all_[1].value
    assert [outcome.status for outcome in first] == ["succeeded", "not_started", "not_started"]
    with pytest.raises(LookupError, match="branch 1 was not started"):
        _ = first[1].value
    assert (all_.reason, first.reason, first.value) == ("all_ended", "enough_succeeded", 2)
    with pytest.raises(LookupError, match="none of 0 branches"):
        _ = Results[int]([]).value


@pytest.mark.parametrize(
    ("rule", "succeeded", "failed", "met"),
    [
        (Completion.all(), 3, 0, None),
        (Completion.all(), 4, 0, True),
        (Completion.all(), 0, 1, False),
        (Completion.first(), 0, 3, None),
        (Completion.first(), 0, 4, False),
        (Completion.at_least(2), 2, 0, True),
        (Completion.at_least(2), 1, 3, False),
        (Completion.tolerate(share=0.5), 1, 2, None),
        (Completion.tolerate(share=0.5), 2, 2, True),
        (Completion.tolerate(share=0.5), 0, 3, False),
        (Completion.tolerate(count=0), 0, 1, False),
    ],
)
def test_completion_rules(rule: Completion, succeeded: int, failed: int, met: bool | None) -> None:
    assert rule.met(4, succeeded, failed) is met


def test_a_missed_rule_carries_what_was_reached() -> None:
    async def flow(ctx: Context) -> list[Any]:
        try:
            await ctx.map(even, [2, 1, 3, 4], concurrency=1, completion=Completion.at_least(3))
        except CompletionFailed as missed:
            told = missed.results
            return [told.values, [outcome.status for outcome in told], str(missed), told.reason]
        return []

    values, statuses, text, reason = World(flow).run().value
    assert values == [2] and statuses == ["succeeded", "failed", "failed", "not_started"]
    assert reason == "too_many_failed"
    assert text == "Completion.at_least(3) can't be met: 1 of 4 succeeded, 2 failed"


def test_what_is_no_longer_needed_has_cleaned_up_before_it_goes_on() -> None:
    async def slow(ctx: Context) -> None:
        try:
            await ctx.sleep("1h")
        finally:
            await ctx.step(price, name="clean up")

    async def quick(ctx: Context) -> None:
        await ctx.step(price)

    async def flow(ctx: Context) -> None:
        await ctx.parallel(slow, quick, slow, completion=Completion.first())
        await ctx.step(price, name="after")

    world = World(flow)
    world.perform()
    assert [effect.name for effect in world.open.values() if isinstance(effect, Invoke)] == ["clean up"] * 2
    world.run()
    assert [entry["name"] for entry in world.journal[1:-1]] == ["price", "clean up", "clean up", "after"]


def test_nothing_to_map_is_complete() -> None:
    async def flow(ctx: Context) -> list[Any]:
        return [await ctx.map(even, []), await ctx.parallel()]

    assert World(flow).value == [[], []]


def test_coroutines_that_never_start_are_closed() -> None:
    async def fails(ctx: Context) -> None:
        await ctx.step(even, 1)

    async def flow(ctx: Context) -> None:
        await ctx.parallel(*(fails(ctx) for _ in range(4)), concurrency=1)

    assert isinstance(World(flow).run().error, ValueError)


def test_ten_thousand_items_are_light() -> None:
    async def flow(ctx: Context, n: int) -> int:
        return sum(await ctx.map(even, [2] * n, concurrency=50))

    world = World(flow, 10_000)
    assert len(world.open) == 50
    most, decision = 0, world.last
    facts = [{"type": "step", "op": f"0.{i}", "name": "even", "ms": 0, "value": 2} for i in range(10_000)]
    for fact in facts:
        fact["at"] = world.now
        assert world.decider.offer(fact) is Verdict.TAKEN
        decision = world.decider.decide()
        run = world.decider._run  # pyright: ignore[reportPrivateUsage]  # what is held is what is tested
        most = max(most, len(decision.perform), len(run.ops) - 49, len(run.loop._tasks))  # pyright: ignore[reportPrivateUsage]
    assert decision.status == "completed" and decision.entries[-1]["value"] == 20_000
    assert most == 1
    again = World(flow, journal=[*world.journal, *facts])
    assert again.value == 20_000


# -- the rest ----------------------------------------------------------------------------------------


def test_key_value_access_is_recorded_like_a_step() -> None:
    async def flow(ctx: Context) -> list[Any]:
        await ctx.kv("shop").put("order", Order(id=1, price=Decimal(1)), etag="")
        order = await ctx.kv("shop").get("order", type=Order)
        return [type(order).__name__, await ctx.state.get("order")]

    world = World(flow)
    effect = world.open["0"]
    assert isinstance(effect, Access) and (effect.name, effect.scope, effect.etag) == (
        "shop.put order",
        place_of("shop"),
        "",
    )
    assert world.run().value == ["Order", None]
    assert [entry["name"] for entry in world.journal[1:-1]] == ["shop.put order", "shop.get order", "state.get order"]


def test_call_goes_to_whoever_does_it() -> None:
    async def several(a: int, b: int = 1) -> int:
        return a + b

    async def one(data: dict[str, int]) -> int:
        return data["a"]

    async def flow(ctx: Context) -> list[Any]:
        return [
            await ctx.call(several, {"a": 1, "b": 2}),
            await ctx.call(one, {"a": 7}),
            await ctx.call(even, 4),
            await ctx.call(price),
            await ctx.call("other", 1),
        ]

    world = World(flow, children={"other": lambda n: n + 1}).run()
    assert world.value == [3, 7, 4, "0.10", 2]
    assert [entry.get("name") for entry in world.journal[1:5]] == ["several", "one", "even", "price"]


def test_chance_follows_the_seed() -> None:
    async def flow(ctx: Context) -> list[str]:
        return [str(ctx.uuid()), str(ctx.uuid()), str(ctx.random().random()), str(ctx.random().random())]

    first, second = World(flow).value, World(flow).value
    assert first == second and len(set(first)) == 4
    other = Workflow(flow).decider("w-1")
    other.offer({"type": "start", "at": 1, "input": None, "seed": "another"})
    assert not set(first) & set(other.decide().entries[-1]["value"])
