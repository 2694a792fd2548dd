"""``store prune`` deletes what is over for long enough, and nothing that anybody may still need."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result

from overwinter.orchestrator.upkeep.retention import prune
from overwinter.state.errors import InvalidInput
from overwinter.state.opening import open_store
from overwinter.state.records import FINAL, NewMail
from overwinter.state.store import Store

DAY = 86_400_000
NOW = int(time.time() * 1000)
OLD = NOW - 40 * DAY
Command = Callable[..., Result]


def ended(shelf: Any, id: str, status: str = "completed", at: int = OLD, **more: Any) -> None:
    entries = [{"type": "start", "at": at, "input": 1}, {"type": status, "at": at}]
    shelf.put(id, entries if status in FINAL else entries[:1], status=status, **more)


def left(overwinter: Command) -> set[str]:
    return {head["id"] for head in json.loads(overwinter("ps", "--all", "--json").stdout)["executions"]}


@pytest.fixture
def full(shelf: Any) -> Any:
    ended(shelf, "old")
    ended(shelf, "old-failed", "failed")
    ended(shelf, "young", at=NOW - 5 * DAY)
    ended(shelf, "session", "idle", kind="agent")
    ended(shelf, "waiting", "waiting", awaits="event x")
    ended(shelf, "child-of-waiting", parent="waiting")
    ended(shelf, "child-of-young", parent="young")
    ended(shelf, "child-of-old", parent="old")
    ended(shelf, "child-of-session", parent="session")
    ended(shelf, "orphan", parent="gone")
    ended(shelf, "telling", "failed", wake=OLD)
    return shelf


GONE = {"old", "old-failed", "child-of-old", "child-of-session", "orphan"}
EVERYTHING = GONE | {"young", "session", "waiting", "child-of-waiting", "child-of-young", "telling"}


def test_what_is_over_goes_and_the_rest_stays(full: Any, overwinter: Command) -> None:
    dry = overwinter("store", "prune", "--dry-run", "--json")
    assert json.loads(dry.stdout) == {
        "dry_run": True,
        "pruned": 5,
        "statuses": {"completed": 4, "failed": 1},
        "kept": {"its parent is there": 2, "under way": 1},
    }
    assert left(overwinter) == EVERYTHING
    done = overwinter("store", "prune", "--yes")
    assert done.exit_code == 0
    assert "5 executions deleted (4 completed · 1 failed); not changed for 30d" in done.stderr
    assert "3 as old stay: 2 its parent is there, 1 under way" in done.stderr
    assert left(overwinter) == EVERYTHING - GONE
    assert json.loads(overwinter("store", "prune", "--yes", "--json").stdout)["pruned"] == 0


def test_it_asks_first(full: Any, overwinter: Command) -> None:
    refused = overwinter("store", "prune")
    assert refused.exit_code == 2
    assert "delete 5 executions? There is nobody to ask" in refused.stderr
    assert left(overwinter) == EVERYTHING


@pytest.mark.parametrize(
    ("choice", "gone"),
    [
        (("--status", "failed"), {"old-failed"}),
        (("--status", "idle"), {"session"}),
        (("--status", "idle,failed"), {"session", "old-failed"}),
        (("--where", "prefix=child"), {"child-of-old", "child-of-session"}),
        (("--where", "status=failed"), {"old-failed"}),
        (("--older-than", "41d"), set()),
        (("--older-than", "1d"), GONE | {"young", "child-of-young"}),
    ],
)
def test_what_goes_can_be_chosen(full: Any, overwinter: Command, choice: tuple[str, ...], gone: set[str]) -> None:
    assert overwinter("store", "prune", "--yes", *choice).exit_code == 0
    assert left(overwinter) == EVERYTHING - gone


@pytest.mark.parametrize("choice", [("--status", "waiting"), ("--status", "nonsense"), ("--older-than", "0s")])
def test_what_can_not_be_pruned_by_is_said(full: Any, overwinter: Command, choice: tuple[str, ...]) -> None:
    result = overwinter("store", "prune", "--yes", *choice)
    assert result.exit_code == 2
    assert left(overwinter) == EVERYTHING


def opened(shelf: Any, work: Callable[[Store], Any]) -> Any:
    async def main() -> Any:
        store = open_store(shelf.dsn)
        await store.open()
        try:
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(main())


def test_a_session_with_mail_stays(full: Any, overwinter: Command) -> None:
    async def write(store: Store) -> None:
        await store.accept("session", NewMail("", 1, OLD, json.dumps({"type": "message", "at": OLD})), now=OLD)

    opened(full, write)
    overwinter("store", "prune", "--yes", "--status", "idle")
    assert "session" in left(overwinter)


def test_what_is_leased_stays(full: Any) -> None:
    async def work(store: Store) -> None:
        await store.beat("worker", NOW, 60_000)
        retry = NewMail("", 0, OLD, json.dumps({"type": "retry", "at": OLD}))
        await store.accept("old-failed", retry, now=OLD, owner="worker", reopen=True)
        assert await prune(store, 30 * DAY, ["failed"], NOW) == 0
        await store.retire("worker")  # it died, and somebody else will take it
        assert await prune(store, 30 * DAY, ["failed"], NOW) == 0
        assert await store.head("old-failed") is not None

    opened(full, work)


def test_the_background_takes_a_portion(full: Any) -> None:
    async def work(store: Store) -> None:
        assert await prune(store, 30 * DAY, sorted(FINAL), NOW, 2) == 2
        assert await prune(store, 30 * DAY, sorted(FINAL), NOW, 2) == 2
        assert await prune(store, 30 * DAY, sorted(FINAL), NOW, 2) == 1
        assert await prune(store, 30 * DAY, sorted(FINAL), NOW, 2) == 0
        with pytest.raises(InvalidInput, match="can't be pruned"):
            await prune(store, 30 * DAY, ["running"], NOW)
        with pytest.raises(InvalidInput, match="must be positive"):
            await prune(store, 0, ["failed"], NOW)
        assert {head.id for head in (await store.executions()).heads} == EVERYTHING - GONE

    opened(full, work)
