"""``GET /processes`` and ``GET /models``: who works on the store, and how models have answered, as it was stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest

from overwinter import Agent, Context, workflow
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator import processes as port
from overwinter.orchestrator.answered import MODELS, OTHERS, TIMES, Answered
from overwinter.orchestrator.engine.extensions import Active, Extensions
from overwinter.state.errors import StoreUnavailable
from overwinter.state.records import Appended, Change, NewExecution

from .conftest import Main, Shop, asked_over

Run = Callable[..., None]


@workflow
async def rest(ctx: Context) -> None:
    """Sleeps."""
    await ctx.sleep("1d")


def asked(main: Main) -> None:
    asked_over(main, [rest, Agent("echo", "scripted:echo")])


async def read(shop: Shop, path: str) -> dict[str, Any]:
    answer = await shop.client.get(path)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_processes_are_told_with_what_they_hold_and_what_waits() -> None:
    async def main(shop: Shop) -> None:
        store, mine = shop.runtime.store, shop.runtime.engine.owner
        told = await read(shop, "/processes")
        assert told["processes"] == [{"owner": mine, "leases": 0, "here": True}]
        assert told["due"] == {"count": 0, "more": False, "lag": 0, "next": None}
        assert told["store"] == {"kind": "memory", "address": "memory://", "numbers": {}}
        assert told["engine"]["max_active"] == shop.runtime.engine.settings.max_active
        now = shop.runtime.clock()
        await store.beat("another", now, 60_000)
        await store.accept("x", None, now=now, owner="another", create=NewExecution("elsewhere", "workflow"))
        await store.accept("y", None, now=now - 5000, create=NewExecution("elsewhere", "workflow"))
        told = await read(shop, "/processes")
        assert {"owner": "another", "leases": 1, "here": False} in told["processes"]
        assert told["due"]["count"] == 1 and told["due"]["lag"] >= 5000 and told["due"]["next"] == now - 5000

    asked(main)


def test_of_very_much_that_is_due_it_is_said_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "MOST", 2)

    async def main(shop: Shop) -> None:
        for number in range(3):
            create = NewExecution("elsewhere", "workflow")
            await shop.runtime.store.accept(f"y{number}", None, now=shop.runtime.clock(), create=create)
        due = (await read(shop, "/processes"))["due"]
        assert (due["count"], due["more"]) == (2, True)

    asked(main)


def test_models_are_told_as_executions_have_asked_them() -> None:
    async def main(shop: Shop) -> None:
        assert await read(shop, "/models") == {"models": []}
        for session in ("a", "b"):
            await shop.client.post(f"/sessions/echo/{session}", json={"content": "some words"})
        (told,) = (await read(shop, "/models"))["models"]
        assert (told["model"], told["calls"], told["failures"]) == ("scripted/echo", 2, 0)
        assert told["tokens"] > 0 and told["p50"] <= told["p95"]

    asked(main)


def test_a_model_that_fails_is_told_so() -> None:
    def never(*_: object) -> str:
        raise ValueError("no")

    async def main(shop: Shop) -> None:
        await shop.client.post("/sessions/echo/a", json={"content": "some words"})
        (told,) = (await read(shop, "/models"))["models"]
        assert (told["calls"], told["failures"], told["p50"]) == (1, 1, None)

    asked_over(main, [Agent("echo", Scripted(never))])


def entry(**fields: Any) -> dict[str, Any]:
    value = {"text": "x", "usage": {"input": 10, "output": 2}, "cost": "0.5"}
    return {"type": "model", "op": "t1.m1", "name": "m", "ms": 5, "value": value} | fields


def test_the_sums_are_those_of_the_entries() -> None:
    answered = Answered()
    for number in range(1, 101):
        answered.take(entry(ms=number, n=1 + (number == 7)))
    billed = {"first": 1, "usage": {"input": 1, "output": 0}, "cost": "0.25"}
    answered.take(entry(value=None, error={"message": "no", "data": {"billed": billed}}))
    answered.take(entry(name="free", value={"usage": {"input": 1, "output": 1}, "cost": None}))
    answered.take(entry(name="hook/x"))
    answered.take(entry(type="summary", value="by a function"))
    answered.take(entry(type="step"))
    first, second = answered.record()
    assert first == {
        "model": "m",
        "calls": 101,
        "failures": 1,
        "retries": 1,
        "p50": 50,
        "p95": 95,
        "tokens": 1201,
        "cost": "50.25",
        "unpriced": 0,
    }
    assert (second["model"], second["calls"], second["unpriced"], second["cost"]) == ("free", 1, 1, "0")


def test_what_is_kept_has_an_end() -> None:
    answered = Answered()
    for number in range(MODELS + 50):
        answered.take(entry(name=f"m{number}"))
    for _ in range(TIMES + 50):
        answered.take(entry(name="m1"))
    told = {one["model"]: one for one in answered.record()}
    assert len(told) == MODELS + 1 and told[OTHERS]["calls"] == 50
    assert len(answered._models["m1"].times) == TIMES


def test_only_what_is_stored_counts() -> None:
    answered, commits = Answered(), Extensions((), {})
    commits.hear(answered.committed)
    texts = [json.dumps(entry(), separators=(",", ":")), '{"type":"model",']
    change = Change("x", "a", 1, 1, texts, [], 1, "running", None, False, 1, "", "", "")
    nobody = cast("Active", None)
    commits.heard(nobody, change, StoreUnavailable("away"), 0.0)
    assert answered.record() == []
    commits.heard(nobody, change, Appended(1, None, False), 0.0)
    assert [one["calls"] for one in answered.record()] == [1]


def test_they_need_the_token(run: Run) -> None:
    async def main(shop: Any) -> None:
        for path in ("/processes", "/models", "/changes"):
            assert (await shop.client.get(path)).status_code == 401

    run(main, token="a-secret-of-some-length")
