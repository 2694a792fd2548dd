"""The audit finds nothing in what a runtime does, at no moment of it, and names everything that is broken."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, workflow
from overwinter.functions.runtime import Runtime
from overwinter.orchestrator.protocol.moved import KEY, SCOPE
from overwinter.orchestrator.upkeep import auditing
from overwinter.orchestrator.upkeep.auditing import REMARK, WRONG, Finding, audit
from overwinter.state.errors import StoreError
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Accepted, Appended, Change, Filter, NewExecution, NewMail, Page
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store
from overwinter.testing import Ledger
from overwinter.tests.sim.simulation import Simulation

NOW = 1_790_000_000_000
Entry = dict[str, Any]


async def findings(store: Store, where: Filter = Filter()) -> list[Finding]:
    return [finding async for checked in audit(store, where) for finding in checked.findings]


# -- what is sound -----------------------------------------------------------------------------------


@workflow
async def late(ctx: Context) -> str:
    return str(await ctx.wait_for("go", timeout="10ms"))


@workflow
async def uncalled(ctx: Context) -> str:
    return str(await ctx.callback("c", timeout="10ms"))


@workflow
async def unasked(ctx: Context) -> str:
    return str(await ctx.approve("pay", timeout="10ms"))


@workflow
async def denied(ctx: Context) -> str:
    return str(await ctx.approve("pay"))


@workflow
async def raises(ctx: Context) -> str:
    raise ValueError("no")


@workflow
async def begets(ctx: Context) -> str:
    return str(await ctx.child(raises))


@workflow
async def abandons(ctx: Context) -> str:
    return str(await ctx.child(late, id="the-child"))


@pytest.mark.parametrize("flow", [late, uncalled, unasked, denied, raises, begets, abandons])
def test_what_failed_and_was_retried_and_fails_again_is_sound(flow: Any) -> None:
    async def main() -> None:
        store = MemoryStore()
        flows = [late, uncalled, unasked, denied, raises, begets, abandons]
        async with Runtime(flows, store) as runtime:
            await runtime.start(flow, id="x")
            for times in range(1, 4):
                async with asyncio.timeout(20):
                    while not (await ends(runtime)) >= times:
                        if flow is denied and await runtime.approvals("x"):
                            await runtime.decide("x", None, False)
                        await asyncio.sleep(0.005)
                if times < 3:
                    await runtime.retry("x")
            assert await findings(store) == []

    async def ends(runtime: Runtime) -> int:
        return len([entry async for entry in runtime.entries("x") if entry["type"] == "failed"])

    asyncio.run(main())


class Watched(Ledger):
    """Looks at the execution that has just been changed, and at its relatives, after every change."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0

    def accept(self, id: str, *values: Any, **named: Any) -> Awaitable[Accepted]:
        answered = super().accept(id, *values, **named)
        self._look(id)
        return answered

    def append(self, change: Change) -> Awaitable[Appended]:
        answered = super().append(change)
        self._look(change.id)
        return answered

    def _look(self, id: str) -> None:
        head = self.head_now(id)
        parent = None if head is None or head.parent is None else self.head_now(head.parent)
        for seen in (head, parent):
            if seen is None:
                continue
            look = auditing._look(self, seen)  # pyright: ignore[reportPrivateUsage]  # one look, without a pause
            try:
                look.send(None)
            except StopIteration as done:
                self.looks += 1
                self.violations += [f"{seen.id}: the audit says: {what}" for what in done.value.sentences]
            else:
                raise AssertionError("a look at a store in memory never waits")


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_found_at_any_moment_of_a_stormy_life(seed: int) -> None:
    simulation = Simulation(seed, executions=8, ledger=Watched)
    result = simulation.run()
    assert not result.wrong
    ledger = simulation.ledger
    assert isinstance(ledger, Watched)
    assert ledger.looks > 50
    assert [f for f in asyncio.run(findings(ledger)) if f.level == WRONG] == []


# -- what is broken ----------------------------------------------------------------------------------


START: Entry = {"type": "start", "at": NOW, "input": 1, "seed": "s"}
STEP: Entry = {"type": "step", "at": NOW, "op": "0", "name": "load", "ms": 1, "value": 2}
ASKED: Entry = {"type": "message", "at": NOW, "id": "m"}
CHILD: Entry = {"type": "ordered", "at": NOW, "op": "1", "kind": "child", "name": "w", "id": "kid", "detached": False}
DONE: Entry = {"type": "completed", "at": NOW, "value": 3}
FAILED: Entry = {"type": "failed", "at": NOW, "error": {"kind": "E", "message": "m", "op": "0"}}


async def put(
    store: Store,
    id: str,
    entries: list[Any],
    status: str = "waiting",
    awaits: str = "event x",
    *,
    wake: int | None = None,
    kind: str = "workflow",
    mail: tuple[Entry, ...] = (),
    parent: str | None = None,
    blobs: dict[str, bytes] | None = None,
    base: int = 1,
) -> None:
    """Store an execution as an engine with a defect might have left it."""
    texts = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    await store.beat("p", NOW, 1000)
    create = NewExecution("w", kind, parent)
    for fact in ({"type": "start", "at": NOW}, *mail):
        body = fact if isinstance(fact, str) else json.dumps(fact)
        accepted = await store.accept(id, NewMail("", 1, NOW, body), now=NOW, create=create)
    accepted = await store.accept(id, None, now=NOW, owner="p")
    assert accepted.head is not None
    arrivals = accepted.head.arrivals
    change = Change(id, "p", 0, NOW, texts, [1], arrivals, status, wake, True, base, awaits, "", "", blobs or {})
    await store.append(change)
    await store.retire("p")


BLOB: Entry = {"field": "value", "digest": "sha256:" + "0" * 64, "size": 5}
BROKEN: dict[str, tuple[Callable[[Store], Awaitable[None]], str]] = {
    "no json": (lambda s: put(s, "x", [START, "{"]), "entry 2 can't be read: a journal entry is not JSON"),
    "no type": (lambda s: put(s, "x", [START, "[]"]), "entry 2 can't be read: a journal entry is no object"),
    "no time": (lambda s: put(s, "x", [START, {"type": "step", "op": "0"}]), "entry 2 (step) has no time"),
    "no start": (lambda s: put(s, "x", [STEP]), "entry 1 (step) comes before there was a start"),
    "two starts": (lambda s: put(s, "x", [START, START]), "entry 2 is a second start"),
    "two results": (lambda s: put(s, "x", [START, STEP, STEP]), "entry 3 (step) is a second result of operation 0"),
    "after the end": (
        lambda s: put(s, "x", [START, DONE, STEP], "completed"),
        "entry 3 (step) follows the end (completed)",
    ),
    "no end": (lambda s: put(s, "x", [START], "completed"), "it is completed, but its journal has no end"),
    "another end": (
        lambda s: put(s, "x", [START, FAILED], "completed"),
        "it is completed, but its journal ends with failed",
    ),
    "ended and goes on": (lambda s: put(s, "x", [START, DONE]), "it is waiting, but its journal ends with completed"),
    "waits for nothing": (lambda s: put(s, "x", [START], awaits=""), "it waits for nothing, and nothing will wake it"),
    "pending": (
        lambda s: put(s, "x", [START], "pending"),
        "it is pending, nobody holds it, and nothing will wake it",
    ),
    "running": (
        lambda s: put(s, "x", [START], "running"),
        "it is running, nobody holds it, and nothing will wake it",
    ),
    "idle with mail": (
        lambda s: put(
            s, "x", [{"type": "message", "at": NOW, "id": "m"}], "idle", "", kind="agent", mail=({"type": "message"},)
        ),
        "1 mails (message …) wait to be read, and nothing will wake it",
    ),
    "waiting with an event": (
        lambda s: put(s, "x", [START], mail=({"type": "event"}, {"type": "event"})),
        "2 mails (event …) wait to be read, and nothing will wake it",
    ),
    "paused and resumed": (
        lambda s: put(s, "x", [START], "paused", "", mail=({"type": "resumed"},)),
        "a resumed waits to be read, and nothing will wake it",
    ),
    "ended with a start": (
        lambda s: put(s, "x", [START, DONE], "completed", mail=({"type": "start"},)),
        "it is completed, and a start was never read",
    ),
    "mail that is none": (
        lambda s: put(s, "x", [START], "paused", mail=("nonsense",)),  # type: ignore[arg-type]
        "mail 1 of 1 can't be read and will be dropped",
    ),
    "blob missing": (
        lambda s: put(s, "x", [START, {**STEP, "blob": BLOB}]),
        "the blob sha256:0000000000000000… (5 bytes) is missing",
    ),
    "blob cut": (
        lambda s: put(s, "x", [START, {**STEP, "blob": BLOB}], blobs={BLOB["digest"]: b"1234"}),
        "the blob sha256:0000000000000000… has 4 bytes instead of 5",
    ),
    "blob changed": (
        lambda s: put(s, "x", [START, {**STEP, "blob": BLOB}], blobs={BLOB["digest"]: b"12345"}),
        "the blob sha256:0000000000000000… has another content than its digest says",
    ),
    "blob reference": (
        lambda s: put(s, "x", [START, {**STEP, "blob": ["?"]}]),
        "a reference to a blob can't be read: ['?']",
    ),
    "base": (lambda s: put(s, "x", [START], base=7), "its head can't be: entry 7 is needed first, but there are 1"),
    "child gone": (
        lambda s: put(s, "x", [START, CHILD, {"type": "sent", "op": "1", "at": NOW}], awaits="child kid"),
        "it waits for its child kid, which is not in this store",
    ),
    "child silent": (
        lambda s: silent_child(s),
        "it waits for its child kid, which is completed and never told it",
    ),
}


async def silent_child(store: Store) -> None:
    await put(store, "kid", [START, DONE], "completed", parent="x")
    await put(store, "x", [START, CHILD], awaits="child kid")


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named(case: str) -> None:
    async def main() -> None:
        store = MemoryStore()
        make, sentence = BROKEN[case]
        await make(store)
        found = await findings(store)
        assert [f.id for f in found if f.level == WRONG] == ["x"], found
        assert found[0].what.startswith(sentence)
        if sentence.endswith("nothing will wake it"):
            assert found[0].advice == "overwinter resume x wakes it"

    asyncio.run(main())


def test_what_may_be_so_is_not_called_wrong() -> None:
    async def main() -> None:
        store = MemoryStore()
        retry = {"type": "retry", "at": NOW, "op": "0"}
        bad = {**STEP, "error": {"kind": "E", "message": "m"}}
        bad.pop("value")
        await put(store, "retried", [START, bad, FAILED, retry, STEP, DONE], "completed")
        again = {"type": "checkpoint", "at": NOW, "input": 1, "seed": "s", "events": [], "first": 1}
        await put(store, "renewed", [START, STEP, again, STEP], base=3)
        await put(store, "asleep", [START], awaits="", wake=NOW + 5)
        await put(store, "held", [{"type": "paused", "at": NOW}], "paused", "", mail=({"type": "event"},))
        await put(store, "never begun", [{"type": "terminated", "at": NOW}], "terminated", mail=({"type": "event"},))
        await put(store, "asked", [ASKED], "waiting", "approval x", kind="agent", mail=({"type": "message"},))
        await put(store, "parent", [START, CHILD], awaits="child kid")
        await put(store, "kid", [START], parent="parent")
        other = {**CHILD, "op": "2", "id": "given up"}
        await put(store, "given up", [START, DONE], "completed", parent="impatient")
        await put(store, "impatient", [START, CHILD, other], awaits="2 children")
        assert await findings(store) == []

    asyncio.run(main())


def test_remarks_are_no_errors() -> None:
    async def main() -> None:
        store = MemoryStore()
        await put(store, "x", [START, {"type": "migrated", "at": NOW}, {"type": "migrated", "at": NOW}], parent="gone")
        await store.put(SCOPE, KEY, '{"state": "moving", "to": "sqlite:///b.db", "at": 1}')
        found = await findings(store)
        assert {finding.level for finding in found} == {REMARK}
        said = [finding.what for finding in found]
        assert said[0] == "entry 2 is of a type that this release does not know: migrated"
        assert said[1] == "its parent gone is not in this store"
        assert "is being moved to sqlite:///b.db" in said[2]
        assert len(said) == 3

    asyncio.run(main())


def test_what_is_held_after_its_end_is_a_remark_when_it_stays_so() -> None:
    async def main() -> None:
        store = MemoryStore()
        await put(store, "x", [START, FAILED], "failed")
        assert await findings(store) == []
        retry = NewMail("", 0, NOW, json.dumps({"type": "retry"}))
        await store.accept("x", retry, now=NOW, owner="worker", reopen=True)
        await store.beat("worker", 4_000_000_000_000, 1000)
        found = await findings(store)
        assert [finding.what for finding in found] == [
            "it is failed, and worker holds it still; does that process hang?"
        ]
        assert found[0].level == REMARK

    asyncio.run(main())


def test_a_clock_that_lags_behind_the_store_is_a_remark() -> None:
    async def main() -> None:
        class Early(MemoryStore):
            async def time(self) -> int | None:
                return NOW - 60_000

        store = Early()
        await put(store, "x", [START])
        found = await findings(store)
        assert [finding.what for finding in found] == ["the newest change lies 1m00s ahead of the clock"]

    asyncio.run(main())


def test_what_moves_while_it_is_looked_at_is_looked_at_again() -> None:
    class Busy(MemoryStore):
        mended = False

        async def history(self, id: str, after: int = 0, limit: int = 1000) -> Any:
            texts = await super().history(id, after, limit)
            if not self.mended:  # between two reads of the first look
                self.mended = True
                await self.accept(id, None, now=NOW)
            return texts

    async def main() -> None:
        store = Busy()
        await put(store, "x", [START], awaits="")
        assert await findings(store) == []
        head = await store.head("x")
        assert head is not None
        assert head.wake == NOW

    asyncio.run(main())


# -- rows that can't be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("UPDATE execution SET status = 'dreaming'", "its head can't be: there is no status 'dreaming'"),
        ("UPDATE execution SET length = 'many'", "its head can't be: length is 'many'"),
        ("UPDATE execution SET length = length + 1", "its head counts 2 entries, 1 are there"),
        ("UPDATE execution SET base = NULL", "its head can't be"),
        ("UPDATE execution SET wake = 'soon'", "its head can't be: wake is"),
        ("UPDATE execution SET state = '{'", "its head can't be: its state is no JSON: '{'"),
        ("UPDATE execution SET awaits = x'00ff'", "its head can't be: awaits is b'"),
        ("UPDATE journal SET body = x'ff00'", "its head counts 1 entries, 0 are there"),
        ("UPDATE journal SET body = 'ä'", "entry 1 can't be read: a journal entry is not JSON"),
        ("DELETE FROM journal", "its head counts 1 entries, 0 are there"),
    ],
)
def test_corrupt_rows_are_reported_and_the_others_are_looked_at(tmp_path: Path, sql: str, sentence: str) -> None:
    path = tmp_path / "store.db"

    async def work(look: Callable[[Store], Awaitable[Any]]) -> Any:
        store = SqliteStore(f"sqlite:///{path}")
        await store.open()
        try:
            return await look(store)
        finally:
            await store.close()

    asyncio.run(work(lambda store: put(store, "x", [START])))
    connection = sqlite3.connect(path)
    relaxed = [line for (line,) in connection.execute("SELECT sql FROM sqlite_master WHERE name = 'execution'")]
    assert relaxed
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'execution'")
    connection.commit()
    connection.close()
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()
    asyncio.run(work(lambda store: put(store, "sound", [START])))
    found = asyncio.run(work(findings))
    assert {finding.id for finding in found if finding.id} == {"x"}
    assert any(finding.what.startswith(sentence) for finding in found), found


def test_a_listing_that_breaks_off_is_a_finding_and_no_crash() -> None:
    class Torn(MemoryStore):
        async def executions(self, where: Filter = Filter(), cursor: str | None = None, limit: int = 50) -> Page:
            raise StoreError("row 7 can't be decoded")

    found = asyncio.run(findings(Torn()))
    assert [finding.what for finding in found] == ["the executions can't be listed further: row 7 can't be decoded"]


def test_an_execution_with_very_many_faults_tells_the_first() -> None:
    async def main() -> None:
        store = MemoryStore()
        await put(store, "x", [START, *["{"] * 500])
        found = await findings(store)
        assert len(found) == auditing.MOST + 1
        assert found[-1].what == "and 480 more"

    asyncio.run(main())
