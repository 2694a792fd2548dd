"""Types that can't keep their values are refused when something is ordered, never when it is replayed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel

from overwinter.orchestrator.workflow.context import Context
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.errors import InvalidInput

from .world import START, World

STARTED = {"type": "start", "at": START, "input": None, "seed": "5eed"}


class Utf8(BaseModel):
    raw: bytes


def either() -> str | datetime:
    return "unsaid"


def packed() -> Utf8:
    return Utf8(raw=b"text")


async def told(ctx: Context) -> str:
    return f"{await ctx.step(either)} {(await ctx.step(packed)).raw!r}"


async def inner(ctx: Context) -> Utf8:
    return packed()


async def parent(ctx: Context) -> str:
    return repr(await ctx.child(Workflow(inner)))


def test_what_an_earlier_release_recorded_is_read_as_it_was() -> None:
    journal = [
        STARTED,
        {"type": "step", "op": "0", "name": "either", "at": START + 1, "ms": 1, "value": "2026-01-01T00:00:00"},
        {"type": "step", "op": "1", "name": "packed", "at": START + 2, "ms": 1, "value": {"raw": "text"}},
    ]
    assert World(told, journal=journal).value == "2026-01-01T00:00:00 b'text'"


def test_what_it_had_begun_goes_on() -> None:
    begun = {"type": "retrying", "op": "0", "name": "either", "at": START + 1, "n": 1, "until": START + 2}
    world = World(told, journal=[STARTED, begun | {"error": {"kind": "builtins.OSError", "message": "again"}}])
    assert "0" in world.decider._run.ops  # pyright: ignore[reportPrivateUsage]  # it is waited for, not refused


def test_a_child_it_had_ordered_goes_on() -> None:
    ordered: dict[str, Any] = {"type": "ordered", "op": "0", "at": START, "kind": "child", "name": "inner"}
    ordered |= {"id": "w-1/0", "detached": False}
    ended = {"type": "child", "at": START + 1, "id": "w-1/0", "status": "completed", "value": {"raw": "text"}}
    assert World(parent, journal=[STARTED, ordered, ended]).value == "Utf8(raw=b'text')"


def test_what_is_new_is_refused() -> None:
    assert "a datetime could be read back as str" in str(World(told).error)
    assert "Utf8.raw" in str(World(parent).error)
    with pytest.raises(InvalidInput, match=r"what 'inner' returns can't be recorded.*Utf8\.raw"):
        Workflow(inner).check(None)


async def nothing(ctx: Context) -> str:
    return repr(await ctx.wait_for("nothing", type=type(None)))


def test_who_waits_for_none_is_given_none() -> None:
    world = World(nothing)
    world.event("nothing", {"not": "none"})
    assert [entry["type"] for entry in world.journal][-1] == "skipped"
    world.event("nothing", None)
    assert world.value == "None"
