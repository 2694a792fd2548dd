"""What a saga undoes, in which order, and what it says of what it could not undo. Replayed from every prefix."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overwinter import tool
from overwinter.functions.effects import Undo
from overwinter.orchestrator.protocol.decider import Fact, Invoke, Verdict
from overwinter.orchestrator.workflow.context import Context
from overwinter.state.errors import CompensationFailed, Final, InDoubt, InvalidInput

from .world import World, replayed_from, replayed_from_every_prefix

done: list[str] = []
broken: set[str] = set()


@pytest.fixture(autouse=True)
def _anew() -> None:
    done.clear()
    broken.clear()


def _does(what: str, error: Callable[[str], Exception] = Final) -> str:
    if what in broken:
        raise error(f"{what} is broken")
    done.append(what)
    return what


def free(room: str, result: str, call_key: str) -> None:
    """Undo ``take``."""
    assert result == f"take {room}" and call_key.startswith("w-1/")
    _does(f"free {room}")


@tool(undo=free)
def take(room: str) -> str:
    """Take a room."""
    return _does(f"take {room}")


def fails(error: Exception) -> None:
    raise error


def played(fn: Any, *, cancel: int | None = None) -> World:
    """Run to its end; ``cancel``: after so many effects."""
    world = World(fn)
    if cancel is not None:
        for _ in range(cancel):
            world.perform()
        world.mail({"type": "cancel", "reason": "not wanted"})
    world.run()
    replayed_from_every_prefix(world)
    return world


def retried(world: World) -> World:
    world.close()
    entry: Fact = {"type": "retry", "at": world.now + 10, "by": "ann", "op": world.journal[-1]["error"]["op"]}
    again = World(world.workflow, journal=[*world.journal, entry])
    again.performed += world.performed
    again.run()
    for cut in range(len(world.journal) + 1, len(again.journal) + 1):
        replayed_from(again, cut)
    return again


async def three(ctx: Context) -> list[str]:
    async with ctx.saga():
        made = [await ctx.step(take, room) for room in "ab"]
        made.append(await ctx.call(take, "c"))
        await ctx.step(fails, Final("no more"))
    return made


def test_the_last_is_undone_first() -> None:
    world = played(three)
    assert done == ["take a", "take b", "take c", "free c", "free b", "free a"]
    assert isinstance(world.error, Final) and str(world.error) == "no more"
    assert [entry["name"] for entry in world.journal if entry["type"] == "step"][-3:] == ["undo take"] * 3
    (told,) = [entry for entry in world.journal if entry["type"] == "saga"]
    assert told["why"] == "Final: no more"
    assert len(set(world.performed)) == len(world.performed) == 7


def test_nothing_is_undone_of_what_went_well() -> None:
    async def well(ctx: Context) -> str:
        async with ctx.saga():
            said: str = await ctx.step(take, "a")
        await ctx.step(take, "b")
        return said

    assert played(well).value == "take a"
    assert done == ["take a", "take b"]


def test_a_failure_after_its_block_undoes_nothing() -> None:
    async def after(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
        await ctx.step(fails, Final("later"))

    played(after)
    assert done == ["take a"]


def test_what_was_not_done_is_not_undone() -> None:
    async def half(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
            await ctx.step(take, "b")

    broken.add("take b")
    world = played(half)
    assert done == ["take a", "free a"] and isinstance(world.error, Final)


def test_what_fails_of_the_undoing_stops_nothing_else_and_is_told() -> None:
    broken.add("free b")
    world = played(three)
    assert done[3:] == ["free c", "free a"]
    error = world.error
    assert isinstance(error, CompensationFailed) and isinstance(error.__cause__, Final)
    (left,) = error.calls
    assert left[:5] == ("take", "2", "w-1/2", {"room": "b"}, "free") and "free b is broken" in left.why
    assert "undone" not in world.journal[-1]["error"]  # a retry goes on with the undoing
    told = [entry for entry in world.journal if entry["type"] == "saga"]
    assert told[-1]["data"] == [left._asdict()]
    assert "take (w-1/2)" in str(error) and "no more" in str(error)


def test_a_retry_undoes_what_is_left_and_nothing_twice() -> None:
    broken.add("free b")
    world = played(three)
    broken.clear()
    done.clear()
    again = retried(world)
    assert done == ["free b"]
    assert isinstance(again.error, Final) and again.journal[-1]["error"]["undone"]


def test_a_retry_that_fails_again_leaves_the_same() -> None:
    broken.update({"free b", "free c"})
    world = played(three)
    done.clear()
    broken.remove("free c")
    again = retried(world)
    assert done == ["free c"] and [left.arguments for left in getattr(again.error, "calls", [])] == [{"room": "b"}]
    broken.clear()
    assert isinstance(retried(again).error, Final) and done == ["free c", "free b"]


@tool(approval="desk")
def give(room: str) -> None:
    """Give a room back, when somebody agrees."""
    _does(f"free {room}")


@settings(max_examples=60, deadline=None)
@example([True, False], [{1}], False)  # what was undone after what failed was asked about at another time
@given(st.lists(st.booleans(), min_size=1, max_size=4), st.lists(st.sets(st.integers(0, 3)), max_size=3), st.booleans())
def test_however_often_it_fails_and_is_retried_each_is_undone_once(
    approved: list[bool], failing: list[set[int]], nested: bool
) -> None:
    """``failing``: which of the undoing calls fail in each of the lives; in the last none does."""
    done.clear()

    async def rooms(ctx: Context) -> None:
        async with ctx.saga():
            for room, asks in enumerate(approved):
                if nested:
                    async with ctx.saga():
                        await ctx.step(take, str(room), undo=give if asks else free)
                else:
                    await ctx.step(take, str(room), undo=give if asks else free)
            raise Final("no")

    world, journal = World(rooms), 0
    for life in [*failing, set[int]()]:
        broken.clear()
        broken.update(f"free {room}" for room in life)
        while world.status != "failed":
            assert world.status != "stuck", world.last.error
            while world.open:
                world.perform()
            if world.last.awaits.startswith("approval"):
                asked = [entry["op"] for entry in world.journal if entry["type"] == "ordered"]
                told: Fact = {"type": "decided", "op": asked[-1], "approved": True, "by": "ann"}
                assert world.mail(told) == [Verdict.TAKEN]
        for cut in range(journal, len(world.journal) + 1):
            replayed_from(world, cut)
        if isinstance(world.error, Final):
            break
        journal = len(world.journal) + 1
        entry: Fact = {"type": "retry", "at": world.now + 10, "op": world.journal[-1]["error"]["op"]}
        world.close()
        world = World(world.workflow, journal=[*world.journal, entry])
    assert isinstance(world.error, Final) and world.journal[-1]["error"]["undone"]
    assert sorted(done[len(approved) :]) == [f"free {room}" for room in range(len(approved))]
    broken.clear()


@pytest.mark.parametrize("failing", ["free b", "free a", "free c"])
def test_what_was_approved_of_the_undoing_stays_approved_when_it_is_made_again(failing: str) -> None:
    @tool(approval="desk")
    def refund(room: str) -> str:
        """Give money back."""
        return _does(f"free {room}")

    async def asks(ctx: Context) -> None:
        async with ctx.saga():
            for room in "abc":
                await ctx.step(take, room, undo=refund)
            raise Final("no")

    broken.add(failing)
    world = World(asks)
    while world.status != "failed":
        while world.open:
            world.perform()
        if world.last.awaits.startswith("approval"):
            asked = [entry["op"] for entry in world.journal if entry["type"] == "ordered"]
            world.mail({"type": "decided", "op": asked[-1], "approved": True, "by": "ann"})
    replayed_from_every_prefix(world)
    broken.clear()
    del done[:]
    again = retried(world)
    assert done == [failing] and isinstance(again.error, Final)


def test_an_undoing_call_in_doubt_is_in_doubt_again_after_a_retry_and_nothing_is_undone_twice() -> None:
    def maybe(what: str) -> None:
        done.append(f"maybe {what}")
        raise InDoubt("nobody knows")

    async def doubtful(ctx: Context) -> None:
        async with ctx.saga() as saga:
            await ctx.step(take, "a")
            saga.undo(maybe, "b")
            await ctx.step(take, "c")
            raise Final("no")

    world = played(doubtful)
    assert done[2:] == ["free c", "maybe b", "free a"]
    assert isinstance(world.error, CompensationFailed)
    again = retried(world)
    assert again.status == "in-doubt" and done[5:] == []
    since = next(entry["at"] for entry in world.journal if entry.get("op") == "0.1" and "error" in entry)
    again.mail({"type": "resolved", "op": "0.1", "since": since, "verdict": "done", "value": None, "by": "ann"})
    (effect,) = again.open.values()
    assert isinstance(effect, Invoke) and effect.doubt is not None and effect.doubt.resolved is not None
    again.open.clear()
    again.mail({"type": "step", "op": "0.1", "name": "undo maybe", "ms": 0, "args": effect.args, "value": None})
    assert isinstance(again.error, Final) and done[5:] == []
    replayed_from(again, len(again.journal))


def test_a_failure_that_was_undone_says_so_and_a_later_one_does_not() -> None:
    async def goes_on(ctx: Context) -> str:
        try:
            async with ctx.saga():
                await ctx.step(take, "a")
                await ctx.step(fails, Final("no"))
        except Final:
            pass
        said: str = await ctx.step(take, "b")
        return said

    assert played(three).journal[-1]["error"]["undone"]
    broken.add("take b")
    done.clear()
    world = played(goes_on)
    assert "undone" not in world.journal[-1]["error"]
    broken.clear()
    assert retried(world).value == "take b" and done == ["take a", "free a", "take b"]


def test_an_error_of_plain_code_that_was_undone_says_so() -> None:
    async def plain(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
            raise KeyError("code")

    world = played(plain)
    assert done == ["take a", "free a"] and world.journal[-1]["error"]["undone"]


def test_nothing_undone_can_be_retried() -> None:
    async def first(ctx: Context) -> str:
        async with ctx.saga():
            said: str = await ctx.step(take, "a")
        return said

    broken.add("take a")
    world = played(first)
    assert "undone" not in world.journal[-1]["error"] and "saga" not in world.types()
    broken.clear()
    assert retried(world).value == "take a"


@pytest.mark.parametrize("effects", [0, 1, 2, 3, 4, 5])
def test_a_cancel_undoes_first(effects: int) -> None:
    async def waits(ctx: Context) -> None:
        async with ctx.saga():
            for room in "abc":
                await ctx.step(take, room)
            await ctx.step(take, "d")
            await ctx.step(take, "e")
            await ctx.wait_for("never")

    world = played(waits, cancel=effects)
    assert world.journal[-1]["type"] == "cancelled" and world.journal[-1]["reason"] == "not wanted"
    taken = [what for what in done if what.startswith("take")]
    assert len(taken) == min(effects + 1, 5)  # what had begun is waited for
    assert done == [*taken, *(what.replace("take", "free") for what in reversed(taken))]


def test_a_cancel_that_can_not_be_undone_fails() -> None:
    broken.add("free a")

    async def waits(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
            await ctx.wait_for("never")

    error = played(waits, cancel=1).error
    assert isinstance(error, CompensationFailed) and "cancelled" in str(error)


def test_a_cancel_while_it_is_undone_waits() -> None:
    async def nested(ctx: Context) -> None:
        await three(ctx)

    world = played(nested, cancel=5)  # the first of the undoing is under way
    assert done[3:] == ["free c", "free b", "free a"]
    assert world.journal[-1]["type"] == "cancelled"


def test_a_timeout_undoes() -> None:
    async def late(ctx: Context) -> str:
        try:
            async with asyncio.timeout(60), ctx.saga():
                await ctx.step(take, "a")
                await ctx.sleep("1h")
        except TimeoutError:
            return "late"
        return "never"

    assert played(late).value == "late" and done == ["take a", "free a"]


@pytest.mark.parametrize("unsure", [False, True])
@pytest.mark.parametrize("error", [InDoubt("perhaps"), TimeoutError("perhaps"), ConnectionError("perhaps")])
def test_what_may_have_happened_is_never_left_out_silently(unsure: bool, error: Exception) -> None:
    undone: list[tuple[str, Any, str]] = []

    def undo(room: str, result: Any, call_key: str) -> None:
        undone.append((room, result, call_key))

    def perhaps(room: str) -> str:
        raise error

    async def unclear(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
            await ctx.step(perhaps, "b", undo=Undo(undo, unsure=unsure))

    world = played(unclear)
    assert done == ["take a", "free a"]
    if unsure:
        assert undone == [("b", None, "w-1/2")] and type(world.error) is type(error)
    else:
        assert not undone
        failed = world.error
        assert isinstance(failed, CompensationFailed) and isinstance(failed.__cause__, type(error))
        (left,) = failed.calls
        assert (left.name, left.key, left.arguments) == ("perhaps", "w-1/2", {"room": "b"})
        assert "may have taken effect" in left.why


def test_branches_are_waited_for_and_undone_in_the_order_of_asking() -> None:
    async def beside(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.parallel(ctx.step(take, "a"), ctx.step(fails, Final("no")), ctx.step(take, "b"))

    played(beside)
    assert done == ["take a", "take b", "free b", "free a"]


def test_maps_and_branches_of_their_own_belong_to_the_saga_around_them() -> None:
    async def one(ctx: Context, room: str) -> None:
        await ctx.step(take, room)

    async def beside(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.map(take, ["a", "b"], concurrency=1)
            await ctx.map(one, ["c", "d"])
            raise Final("no")

    played(beside)
    assert done[4:] == ["free d", "free c", "free b", "free a"]


def test_a_saga_that_went_well_is_undone_by_the_one_around_it() -> None:
    async def inside(ctx: Context) -> None:
        async with ctx.saga("outer"):
            await ctx.step(take, "a")
            async with ctx.saga("inner"):
                await ctx.step(take, "b")
            await ctx.step(take, "c")
            raise Final("no")

    world = played(inside)
    assert done[3:] == ["free c", "free b", "free a"]
    assert [entry["name"] for entry in world.journal if entry["type"] == "saga"] == ["outer"]


def test_a_saga_in_another_that_fails_is_undone_once() -> None:
    async def inside(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
            try:
                async with ctx.saga():
                    await ctx.step(take, "b")
                    raise Final("no")
            except Final:
                await ctx.step(take, "c")
            raise Final("no")

    played(inside)
    assert done == ["take a", "take b", "free b", "take c", "free c", "free a"]


def test_what_undoes_is_not_undone() -> None:
    @tool(undo=lambda room: _does(f"again {room}"))
    def leave(room: str) -> None:
        """Leave a room."""
        _does(f"leave {room}")

    async def inside(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
            async with ctx.saga():
                await ctx.step(take, "b", undo=leave)
                raise Final("no")

    assert str(played(inside).error) == "no"
    assert done == ["take a", "take b", "leave b", "free a"]


def test_what_was_done_otherwise_is_registered() -> None:
    async def by_hand(ctx: Context) -> None:
        async with ctx.saga() as saga:
            await ctx.step(take, "a")
            saga.undo(_does, "the rest")
            await ctx.step(fails, Final("no"))

    played(by_hand)
    assert done == ["take a", "the rest", "free a"]


def test_undoing_may_want_an_approval() -> None:
    @tool(approval="desk")
    def refund(room: str) -> str:
        """Give money back."""
        return _does(f"refund {room}")

    async def asks(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a", undo=refund)
            await ctx.step(fails, Final("no"))

    world = World(asks)
    while world.open:
        world.perform()
    assert world.last.awaits == "approval refund"
    world.mail({"type": "decided", "op": "0.0.0", "approved": False, "by": "ann"})
    world.run()
    replayed_from_every_prefix(world)
    error = world.error
    assert isinstance(error, CompensationFailed) and "denied" in error.calls[0].why
    assert done == ["take a"]


def test_the_code_may_change_what_it_was_given() -> None:
    gone: list[list[str]] = []

    def drop(names: list[str], result: list[str]) -> None:
        gone.extend([names, result])

    async def changes(ctx: Context) -> None:
        names = ["a"]
        async with ctx.saga():
            made = await ctx.step(_copied, names, undo=drop)
            names.append("b")
            made.append("c")
            raise Final("no")

    played(changes)
    assert gone == [["a"], ["a"]]


def _copied(names: list[str]) -> list[str]:
    return [*names]


def test_nothing_is_begun_in_a_saga_that_is_being_undone() -> None:
    said: list[str] = []

    async def beside(ctx: Context) -> None:
        async def other() -> None:
            await ctx.wait_for("go")
            try:
                await ctx.step(take, "late")
            except InvalidInput as error:
                said.append(str(error))

        async with ctx.saga():
            await ctx.step(take, "a")
            task = asyncio.create_task(other())
            await ctx.step(fails, Final("no"))
        await task

    world = World(beside)
    world.perform()
    world.perform()
    world.event("go")
    world.run()
    assert done == ["take a", "free a"]
    assert "being undone" in said[0]


def test_what_was_not_done_after_all_is_not_made_again() -> None:
    world = World(waits_for_the_bank)
    world.mail({"type": "begun", "op": "1", "name": "wire", "n": 1})
    doubt: Fact = {"type": "doubt", "op": "1", "name": "wire", "n": 1, "since": 5}
    world.open.pop("1")
    world.mail(doubt)
    world.mail({"type": "cancel", "reason": "not wanted"})
    assert world.status == "in-doubt"  # the saga waits
    world.mail({"type": "resolved", "op": "1", "since": 5, "verdict": "not-done", "by": "ann"})
    assert world.status == "cancelled" and not done
    replayed_from_every_prefix(world)


@tool(effect="irreversible", undo=Undo(_does))
def wire(what: str) -> str:
    """Wire money."""
    return _does(what)


async def waits_for_the_bank(ctx: Context) -> None:
    async with ctx.saga():
        await ctx.step(wire, "money")


@pytest.mark.parametrize(
    ("undo", "says"),
    [
        (lambda euros: None, "no parameter 'euros'"),
        (lambda room, result, unknown: None, "no parameter 'unknown'"),
        (Undo(lambda room: None, result="room"), "which one gets the result"),
        (3, "a function or a tool"),
    ],
)
def test_what_could_not_undo_is_refused_before_anything_is_done(undo: Any, says: str) -> None:
    async def one(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a", undo=undo)

    error = played(one).error
    assert isinstance(error, InvalidInput) and says in str(error) and not done
    with pytest.raises(InvalidInput, match=says):
        tool(name="take", undo=undo)(_room)


def _room(room: str) -> None: ...


def test_what_is_meant_for_a_saga_is_refused_elsewhere() -> None:
    async def none(ctx: Context) -> None:
        await ctx.step(take, "a", undo=free)

    async def checkpoints(ctx: Context) -> None:
        async with ctx.saga():
            await ctx.step(take, "a")
            await ctx.checkpoint()

    async def later(ctx: Context) -> None:
        async with ctx.saga() as saga:
            pass
        saga.undo(_does, "x")

    async def twice(ctx: Context) -> None:
        saga = ctx.saga()
        async with saga:
            pass
        async with saga:
            pass

    for code, says in (
        (none, "has a meaning in a saga"), (checkpoints, "checkpoint would forget"), (later, "within the block"),
        (twice, "entered once"),
    ):  # fmt: skip
        error = played(code).error
        assert isinstance(error, InvalidInput) and says in str(error)
    with pytest.raises(InvalidInput, match="pure"):
        tool(effect="pure", undo=free)(_room)


def test_a_process_whose_code_was_changed_is_stuck_and_undoes_nothing() -> None:
    async def other(ctx: Context) -> None:
        await ctx.step(take, "z", name="another")

    world = played(three)
    again = World(other, journal=world.journal[:2])
    assert again.status == "stuck"
