"""Undoing that wants an approval, and calls that were edited by whoever approved them: each is undone once, whatever
is retried, with what it was made with, by somebody's word for exactly that."""

from __future__ import annotations

import datetime
import gc
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import pytest

from overwinter import Approval, tool
from overwinter.orchestrator.governance.approvals.proposal import Proposal
from overwinter.orchestrator.protocol.decider import Fact, Verdict
from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import CompensationFailed, Final, InDoubt

from .world import FINAL, World, replayed_from, replayed_from_every_prefix

done: list[str] = []
broken: set[str] = set()
WATCHED = Approval("desk", requester=True, remind="1h", escalate=("1d", "head"))


@pytest.fixture(autouse=True)
def _anew() -> None:
    done.clear()
    broken.clear()


def _does(what: str) -> str:
    if what in broken:
        raise Final(f"{what} is broken")
    done.append(what)
    return what


@tool
def take(room: str) -> str:
    """Take a room."""
    return _does(f"take {room}")


def frees(room: str) -> None:
    _does(f"free {room}")


def given_by(rule: str | Approval, **more: Any) -> Callable[..., str]:
    """What undoes ``take``, when somebody agrees."""

    @tool(name="give", approval=rule, **more)
    def give(room: str) -> str:
        """Give a room back."""
        return _does(f"free {room}")

    return give


def rooms(give: Callable[..., str], names: str = "abc") -> Workflow:
    async def code(ctx: Context) -> None:
        async with ctx.saga():
            for room in names:
                await ctx.step(take, room, undo=give)
            raise Final("no")

    return Workflow(code, name="rooms")


def decided(world: World, edits: dict[str, Any] | None = None, *, late: int = 0) -> World:
    """Do all there is to do, and approve what is asked; ``edits``: with which arguments in the place of which rooms;
    ``late``: after so many times that something has happened by itself meanwhile."""
    while world.status not in FINAL:
        assert world.status != "stuck", world.last.error
        if world.open:
            world.perform()
            continue
        asked = [entry for entry in world.journal if entry["type"] == "ordered"][-1]
        for _ in range(late):
            assert world.pass_time()
        edit = (edits or {}).get(asked["data"]["room"])
        fact: Fact = {"type": "decided", "op": asked["op"], "approved": True, "by": "ann"}
        if edit is not None:
            fact["data"] = edit
        proposal = Proposal(asked)
        for entry in world.journal:
            proposal.take(entry)
        fact["digest"] = proposal.digest
        assert world.mail(fact) == [Verdict.TAKEN]
    return world


def retried(world: World, workflow: Workflow | None = None, *, after: int = 10) -> World:
    """As a retry goes on with it, in a process that may have another release."""
    world.close()
    entry: Fact = {"type": "retry", "at": world.now + after, "by": "ann", "op": world.journal[-1]["error"]["op"]}
    return World(workflow or world.workflow, journal=[*world.journal, entry])


def asked(world: World, since: int = 0) -> list[str]:
    return [entry["op"] for entry in world.journal[since:] if entry["type"] == "ordered"]


@pytest.mark.parametrize(("rule", "late"), [("desk", 0), (WATCHED, 0), (WATCHED, 1), (WATCHED, 26)])
@pytest.mark.parametrize("failing", ["a", "b", "c", "ab", "bc", "ac", "abc"])
def test_a_retry_asks_nobody_again_and_undoes_what_is_left(failing: str, late: int, rule: str | Approval) -> None:
    broken.update(f"free {room}" for room in failing)
    world = decided(World(rooms(given_by(rule))), late=late)
    assert isinstance(world.error, CompensationFailed) and asked(world) == ["0.2.0", "0.1.0", "0.0.0"]
    replayed_from_every_prefix(world)
    broken.clear()
    done.clear()
    length = len(world.journal)
    again = retried(world)
    while again.open:
        again.perform()
    assert again.status == "failed" and isinstance(again.error, Final)
    assert done == [f"free {room}" for room in reversed(failing)] and asked(again, length) == []
    for cut in range(length + 1, len(again.journal) + 1):
        replayed_from(again, cut)


@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_a_tool_that_has_changed_is_asked_about_anew_and_only_for_what_is_left(failing: str) -> None:
    broken.add(f"free {failing}")
    world = decided(World(rooms(given_by("desk"))))
    broken.clear()
    done.clear()
    length = len(world.journal)
    month = 30 * 86_400_000  # what was asked at first would be over by now
    again = retried(world, rooms(given_by("desk", effect="irreversible")), after=month)
    place = f"0.{'abc'.index(failing)}.0.0"
    assert not done and again.last.awaits == "approval give" and asked(again, length) == [place]
    (entry,) = (entry for entry in again.journal[length:] if entry["type"] == "ordered")
    assert entry["until"] > again.now
    decided(again)
    assert done == [f"free {failing}"] and isinstance(again.error, Final)
    for cut in range(length + 1, len(again.journal) + 1):
        replayed_from(again, cut)


@pytest.mark.parametrize("failing", ["a", "b", "c"])
def test_an_edit_of_the_undoing_stays_on_a_retry(failing: str) -> None:
    edits = {room: {"room": room.upper()} for room in "abc"}
    broken.add(f"free {failing.upper()}")
    world = decided(World(rooms(given_by("desk"))), edits)
    assert isinstance(world.error, CompensationFailed)
    broken.clear()
    done.clear()
    length = len(world.journal)
    again = retried(world)
    while again.open:
        again.perform()
    assert done == [f"free {failing.upper()}"] and isinstance(again.error, Final) and asked(again, length) == []


undone: list[Any] = []


def leave(room: str, day: datetime.date, nights: int, result: str, call_key: str) -> None:
    undone.append((room, day, nights, result, call_key))


@tool(approval="desk", undo=leave)
def book(room: str, day: datetime.date, nights: int = 1) -> str:
    """Book a room."""
    return f"{room} from {day:%d.%m.} for {nights}"


DAY = datetime.date(2026, 11, 29)


@pytest.mark.parametrize("more", [{}, {"nights": 3}])
@pytest.mark.parametrize("how", ["step", "named", "bound", "call"])
def test_a_call_that_was_edited_is_undone_with_what_it_was_made_with(how: str, more: dict[str, Any]) -> None:
    undone.clear()

    async def code(ctx: Context) -> None:
        async with ctx.saga():
            if how == "step":
                await ctx.step(book, "a", DAY)
            elif how == "named":
                await ctx.step(book, room="a", day=DAY, nights=2)
            elif how == "bound":
                await ctx.step(partial(book, "a"), DAY)
            else:
                await ctx.call(book, {"room": "a", "day": DAY})
            raise Final("no")

    world = decided(World(code), {"a": {"room": "z", "day": "2026-12-24", **more}})
    nights = more.get("nights", 1)
    assert undone == [("z", datetime.date(2026, 12, 24), nights, f"z from 24.12. for {nights}", "w-1/1.1")]
    assert isinstance(world.error, Final)
    replayed_from_every_prefix(world)


def test_an_undoing_call_in_doubt_is_resolved_and_not_asked_about_anew_when_its_tool_has_changed() -> None:
    def maybe(effect: Literal["idempotent", "irreversible"]) -> Callable[..., str]:
        @tool(name="give", approval="desk", effect=effect)
        def give(room: str) -> str:
            """Give a room back."""
            done.append(f"maybe {room}")
            raise InDoubt("nobody knows")

        return give

    world = decided(World(rooms(maybe("idempotent"), "a")))
    assert isinstance(world.error, CompensationFailed)
    length = len(world.journal)
    again = retried(world, rooms(maybe("irreversible"), "a"))
    assert again.status == "in-doubt" and asked(again, length) == []
    assert done == ["take a", "maybe a"]


def test_code_that_is_collected_as_garbage_while_it_undoes_leaves_the_saga_of_other_code_alone() -> None:
    left = [World(rooms(given_by("desk"), "a"))]
    while left[0].open:
        left[0].perform()
    assert left[0].last.awaits == "approval give"
    done.clear()

    async def code(ctx: Context) -> None:
        async with ctx.saga():
            left.clear()
            gc.collect()
            await ctx.step(take, "b", undo=frees)
            raise Final("no")

    world = World(code).run()
    assert done == ["take b", "free b"] and isinstance(world.error, Final)
