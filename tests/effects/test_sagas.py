"""Sagas in processes that die, are cancelled, wait for people and are retried."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import (
    Context,
    ExecutionFailed,
    InDoubt,
    InvalidInput,
    Retry,
    Runtime,
    current_call,
    tool,
    workflow,
)
from overwinter.cli.main import cli
from overwinter.functions.effects import Done, NotDone, Resolve, Undo
from overwinter.state.errors import CompensationFailed, ExecutionCancelled, Final
from overwinter.testing import World, crash_everywhere

from .bank import bank, dying, look, played


class Desk:
    """What was booked and cancelled under which key. Under one key it happens once."""

    def __init__(self) -> None:
        self.booked: dict[str, str] = {}
        self.cancelled: dict[str, str] = {}
        self.order: list[str] = []
        self.calls: Counter[str] = Counter()
        self.closed = False

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]  # as new

    def book(self, what: str) -> str:
        key = current_call().idempotency_key
        self.calls[key] += 1
        if key not in self.booked:
            self.booked[key] = what
            self.order.append(f"+{what}")
        return f"booking {key}"

    def cancel(self, what: str, booking: str) -> None:
        assert booking.removeprefix("booking ") in self.booked
        key = current_call().idempotency_key
        self.calls[key] += 1
        if self.closed:
            raise Final("the desk is closed")
        if key not in self.cancelled:
            self.cancelled[key] = what
            self.order.append(f"-{what}")


desk = Desk()


@tool
async def give_back(what: str, result: str) -> None:
    """Cancel a booking."""
    desk.cancel(what, result)


@tool(undo=give_back)
async def book(what: str) -> str:
    """Book something."""
    return desk.book(what)


async def refuses() -> None:
    raise Final("no rooms")


@workflow
async def trip(ctx: Context, city: str) -> str:
    async with ctx.saga("trip"):
        await ctx.step(book, f"train to {city}")
        await ctx.map(book, ["bed 1", "bed 2"])
        await ctx.step(refuses)
    return "never"


@workflow
async def travels(ctx: Context, city: str) -> str:
    async with ctx.saga() as saga:
        await ctx.step(book, "insurance")
        said: str = await ctx.call(stays, city)
        saga.undo(give_back_all, said)
        await ctx.sleep("1d")
        await ctx.call(trip, city)
    return said


@workflow
async def stays(ctx: Context, city: str) -> str:
    async with ctx.saga():
        return str(await ctx.step(book, f"house in {city}"))


def give_back_all(booking: str) -> None:
    desk.cancel("house", booking)


BACK = ["-bed 2", "-bed 1", "-train to Rome"]


def test_wherever_a_process_dies_all_is_undone_once_and_in_order() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(trip, "Rome", id="t")
        with pytest.raises(ExecutionFailed, match="no rooms"):
            await run.result()
        assert desk.order[-3:] == BACK and len(desk.order) == 6
        recorded = Counter(entry["op"] for entry in world.journal("t") if entry["type"] == "step")
        assert set(recorded.values()) == {1}
        return desk.order

    report = crash_everywhere(scenario, functions=[trip], fresh=desk.clear)
    assert report.points > 20


def test_children_have_sagas_of_their_own_and_are_undone_by_what_the_parent_names() -> None:
    async def scenario(world: World) -> Any:
        run = await world.start(travels, "Rome", id="t")
        with pytest.raises(ExecutionFailed, match="no rooms"):
            await run.result()
        return desk.order[-5:]

    report = crash_everywhere(scenario, functions=[travels, trip, stays], fresh=desk.clear)
    assert report.outcome.value == [*BACK, "-house", "-insurance"]


def test_it_is_cancelled_when_all_is_undone_wherever_a_process_dies() -> None:
    @workflow
    async def waits(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(book, "train")
            await ctx.parallel(ctx.step(book, "bed"), ctx.sleep("30d"))

    async def scenario(world: World) -> Any:
        run = await world.start(waits, id="t")
        await world.sleep("1d")
        await world.cancel("t")
        with pytest.raises(ExecutionCancelled):
            await run.result()
        ends = [entry["type"] for entry in world.journal("t")]
        assert ends[-1] == "cancelled" and ends.count("saga") == 1
        return desk.order

    report = crash_everywhere(scenario, functions=[waits], fresh=desk.clear)
    assert report.outcome.value == ["+train", "+bed", "-bed", "-train"]


@tool(effect="irreversible", undo=Undo(give_back), in_doubt=Resolve(after="2d"))
async def pay(what: str) -> str:
    """Pay, and the answer may be lost."""
    key = current_call().idempotency_key
    await bank.wired(key, what)
    return desk.book(what)


@workflow
async def pays(ctx: Context, what: str) -> None:
    async with ctx.saga():
        await ctx.step(book, "train")
        await ctx.step(pay, what)
        await ctx.sleep("1d")
        raise Final("never mind")


@pytest.mark.parametrize("cancel", [False, True])
@pytest.mark.parametrize("outcome", ["done", "not-done", "nobody"])
def test_a_call_in_doubt_is_waited_for_and_never_left_out(cancel: bool, outcome: str) -> None:
    async def scenario(world: World) -> None:
        desk.clear()
        await dying(world, pays, "room", "x")
        await world.reached("x", "in-doubt")
        if cancel:
            await world.cancel("x")
            await world.sleep("1h")
            await world.reached("x", "in-doubt")  # the saga waits as well
        if outcome != "nobody":
            desk.booked["x/2"] = "room"
            await world.resolve("x", Done("booking x/2") if outcome == "done" else NotDone(), by="ann")
        with pytest.raises((ExecutionFailed, ExecutionCancelled)) as failed:
            await world.result("x")
        back = [what for what in desk.order if what.startswith("-")]
        if outcome == "nobody":
            left = failed.value.cause
            assert isinstance(left, CompensationFailed) and back == ["-train"]
            assert [(one.name, one.key, one.arguments) for one in left.calls] == [("pay", "x/2", {"what": "room"})]
            assert bank.paid == {"room": 1}
            kind = asyncio.CancelledError if cancel else InDoubt
            assert kind.__name__ in (type(left.__cause__).__name__, getattr(left.__cause__, "kind", "").split(".")[-1])
        else:
            again = outcome == "not-done" and not cancel  # it is made again only when it is wanted
            assert back == (["-train"] if outcome == "not-done" and cancel else ["-room", "-train"])
            assert bank.paid == {"room": 2 if again else 1}
            assert isinstance(failed.value, ExecutionCancelled if cancel else ExecutionFailed)

    played(scenario, pays)


def test_a_call_in_doubt_in_a_saga_wherever_a_process_dies() -> None:
    """The rule after a time decides; the same comes of it everywhere, and what may have happened is told."""

    async def scenario(world: World) -> Any:
        await world.start(pays, "room", id="x")
        with pytest.raises(ExecutionFailed) as failed:
            await world.result("x")
        assert sum(bank.paid.values()) <= 1 and desk.order[-1] == "-train"
        left = failed.value.cause
        made = "-room" in desk.order
        told = [one.name for one in left.calls] if isinstance(left, CompensationFailed) else []
        assert made != (told == ["pay"])  # undone, or said that it could not be
        return True

    def fresh() -> None:
        desk.clear()
        bank.clear()

    assert crash_everywhere(scenario, functions=[pays], fresh=fresh).points > 10


def test_a_reconcilable_call_is_asked_about_before_it_is_undone() -> None:
    @tool(effect="reconcilable", reconcile=look, undo=Undo(lambda order, result: gone.append((order, result))))
    async def transfer(order: str) -> str:
        """Transfer money."""
        return await bank.wired(current_call().idempotency_key, order)

    gone: list[tuple[str, str]] = []

    @workflow
    async def sends(ctx: Context, order: str) -> None:
        async with ctx.saga():
            await ctx.step(transfer, order)
            raise Final("no")

    async def scenario(world: World) -> None:
        await dying(world, sends, "o", "x")
        with pytest.raises(ExecutionFailed, match="no"):
            await world.result("x")
        assert gone == [("o", "receipt of o")] and bank.paid == {"o": 1}

    played(scenario, sends)


def test_the_undoing_is_retried_by_the_policy_of_its_tool() -> None:
    tries: list[int] = []

    @tool(retry=Retry(attempts=4, first="1m", jitter=False))
    async def unbook(what: str) -> None:
        """Cancel; the desk is busy at first."""
        tries.append(current_call().attempt)
        if len(tries) < 3:
            raise ConnectionError("busy")

    @workflow
    async def one(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(book, "bed", undo=unbook)
            raise Final("no")

    async def scenario(world: World) -> None:
        desk.clear()
        with pytest.raises(ExecutionFailed, match="no"):
            await (await world.start(one, id="x")).result()
        assert tries == [1, 2, 3]

    played(scenario, one)


def test_retry_undoes_what_could_not_be_undone_and_refuses_what_was() -> None:
    async def scenario(world: World) -> None:
        desk.clear()
        desk.closed = True
        run = await world.start(trip, "Rome", id="t")
        with pytest.raises(ExecutionFailed, match="3 of 3 calls could not be undone"):
            await run.result()
        desk.closed = False
        await world.retry("t")
        with pytest.raises(ExecutionFailed, match="no rooms"):
            await run.result()
        assert desk.order[-3:] == BACK
        with pytest.raises(InvalidInput, match="has undone what it did"):
            await world.call(lambda runtime: runtime.retry("t"))
        with pytest.raises(InvalidInput, match="has undone what it did"):
            await world.call(lambda runtime: runtime.act("retry", "t", repeat=True))

    played(scenario, trip)


def test_a_parent_does_not_begin_a_child_anew_that_could_not_undo_all() -> None:
    async def scenario(world: World) -> None:
        desk.clear()
        desk.closed = True
        run = await world.start(holds, "Rome", id="p")
        with pytest.raises(ExecutionFailed, match="could not be undone"):
            await run.result()
        with pytest.raises(InvalidInput, match="could not be undone"):
            await world.call(lambda runtime: runtime.retry("p"))
        desk.closed = False
        booked = len(desk.order)
        await world.call(lambda runtime: runtime.act("retry", "p", repeat=True))
        with pytest.raises(ExecutionFailed, match="no rooms"):
            await run.result()
        assert desk.order[booked:][-3:] == BACK and len(desk.order) == booked + 6

    played(scenario, holds)


@workflow
async def holds(ctx: Context, city: str) -> str:
    said: str = await ctx.call(trip, city)
    return said


def test_who_follows_is_told() -> None:
    async def scenario(world: World) -> None:
        desk.clear()
        desk.closed = True
        run = await world.start(trip, "Rome", id="t")
        with pytest.raises(ExecutionFailed):
            await run.result()

        async def told(runtime: Any) -> list[Any]:
            return [event.data async for event in runtime.events("t") if event.type == "saga"]

        begun, left = await world.call(told)
        assert begun == {"op": "0", "name": "trip", "why": "Final: no rooms"}
        assert [one["key"] for one in left["left"]] == ["t/2.1", "t/2.0", "t/1"]

    played(scenario, trip)


def test_what_was_not_undone_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv("OVERWINTER_STATE", "sqlite:///store.db")
    desk.clear()
    desk.closed = True

    async def main() -> None:
        async with Runtime([trip], "sqlite:///store.db") as runtime:
            with pytest.raises(ExecutionFailed):
                await (await runtime.start(trip, "Rome", id="t")).result("20s")

    asyncio.run(main())
    told = CliRunner().invoke(cli, ["show", "t"], catch_exceptions=False).output
    assert "Final: no rooms" in told
    assert 'not undone: book({"what": "train to Rome"}), key t/1, by give_back: Final: the desk is closed' in told
    assert "overwinter retry t" in told
    desk.closed = False

    async def again() -> None:
        async with Runtime([trip], "sqlite:///store.db") as runtime:
            await runtime.retry("t")
            with pytest.raises(ExecutionFailed, match="no rooms"):
                await runtime.result("t", "20s")

    asyncio.run(again())
    told = CliRunner().invoke(cli, ["show", "t"], catch_exceptions=False).output
    assert "not undone: book({" not in told.split("\nfailed in operation")[-1]
    assert "overwinter retry t" not in told
