"""Group commit, and what a full, locked or failing file does to those who wait for it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from overwinter.state.errors import Conflict, InvalidInput, StoreError, StoreFull, StoreUnavailable
from overwinter.state.records import STATUSES, Accepted, Answer, Change, Filter, NewExecution, NewMail
from overwinter.state.sqlite import SqliteStore, commands, listing
from overwinter.state.sqlite.statements import SQL, script

NOW = 1_790_000_000_000
DAY = 24 * 3600 * 1000


def on_store(tmp_path: Path, scenario: Callable[[SqliteStore], Awaitable[None]], *, patience: str = "5s") -> None:
    async def main() -> None:
        store = SqliteStore(f"sqlite:///{tmp_path / 'store.db'}", patience=patience)
        await store.open()
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(main())


def send(store: SqliteStore, id: str, body: str = "{}", key: str = "") -> asyncio.Future[Accepted]:
    return store.accept(id, NewMail(key, 1, NOW, body), now=NOW, create=NewExecution("f", "workflow"))


class Gate:
    """Holds the writer's or the reader's thread until it is opened."""

    def __init__(self) -> None:
        self._entered = threading.Event()
        self._open = threading.Event()

    def wait(self) -> None:
        self._entered.set()
        assert self._open.wait(30)

    async def entered(self) -> None:
        assert await asyncio.to_thread(self._entered.wait, 30)

    def open(self) -> None:
        self._open.set()


def held(store: SqliteStore, gate: Gate) -> asyncio.Future[None]:
    """The writer's thread at the gate: a change that comes alone must not be committed on the loop meanwhile."""
    assert store._writer is not None
    store._writer._slow = 1_000_000
    return store._change(gate.wait)


def traced(store: SqliteStore) -> list[str]:
    statements: list[str] = []
    store._commands.connection.set_trace_callback(statements.append)
    return statements


def test_what_waits_together_is_committed_together(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        gate = Gate()
        holding = held(store, gate)
        await gate.entered()
        statements = traced(store)
        sending = [send(store, f"x{number}") for number in range(100)]
        gate.open()
        await asyncio.gather(holding, *sending)
        assert statements.count("BEGIN IMMEDIATE") == 1
        assert statements.count("COMMIT") == 2  # the gate's own transaction, and one for the hundred
        assert await store.counts() == {"pending": 100}

    on_store(tmp_path, scenario)


def test_commits_are_durable(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await send(store, "x")
        connection = store._commands.connection
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL: every commit is synced
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    on_store(tmp_path, scenario)


def test_only_the_culprit_fails(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        gate = Gate()
        holding = held(store, gate)
        await gate.entered()
        sending = [send(store, f"x{number}", "\ud800" if number == 3 else "{}") for number in range(6)]
        sending.append(send(store, "\udfff"))
        sending.append(store.accept("y", None, now=2**70, create=NewExecution("f", "workflow")))
        gate.open()
        await holding
        answers = await asyncio.gather(*sending, return_exceptions=True)
        failed = {number for number, answer in enumerate(answers) if isinstance(answer, BaseException)}
        assert failed == {3, 6, 7}
        assert all(isinstance(answers[number], InvalidInput) for number in failed)
        assert await store.counts() == {"pending": 5}
        assert await store.head("x3") is None

    on_store(tmp_path, scenario)


def test_a_commit_that_fails_acknowledges_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(store: SqliteStore) -> None:
        await send(store, "before")

        def fail() -> None:
            error = sqlite3.OperationalError("database or disk is full")
            error.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise error

        with monkeypatch.context() as failing:
            failing.setattr(store._commands, "commit", fail)
            answers = await asyncio.gather(*(send(store, f"x{n}") for n in range(5)), return_exceptions=True)
        assert all(isinstance(answer, StoreFull) for answer in answers)
        await send(store, "after")
        assert await store.counts() == {"pending": 2}

    on_store(tmp_path, scenario)


def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        pages = await store._change(lambda: store._commands.connection.execute("PRAGMA page_count").fetchone()[0])
        limit = f"PRAGMA max_page_count={pages + 20}"
        await store._change(lambda: store._commands.connection.execute(limit).fetchall())
        acknowledged: list[str] = []
        refused: list[BaseException] = []
        for turn in range(30):
            ids = [f"{turn}/{number}" for number in range(10)]
            answers = await asyncio.gather(*(send(store, id, "x" * 1000) for id in ids), return_exceptions=True)
            for id, answer in zip(ids, answers, strict=True):
                if isinstance(answer, BaseException):
                    refused.append(answer)
                else:
                    acknowledged.append(id)
        assert acknowledged
        assert refused
        assert all(isinstance(error, StoreFull) for error in refused)
        assert re.search(r"store\.db: the disk is full\. Free space", str(refused[0]))
        assert {head.id for head in (await store.executions(limit=1000)).heads} == set(acknowledged)
        await store._change(lambda: store._commands.connection.execute("PRAGMA max_page_count=100000").fetchall())
        assert (await send(store, "room again", "x" * 1000)).answer is Answer.QUEUED

    on_store(tmp_path, scenario)


def test_a_locked_file_is_waited_for_and_then_reported(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await send(store, "x")
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match=r"store\.db is locked by another process"):
            await send(store, "y")
        assert await store.head("x") is not None  # reading goes on
        assert await store.head("y") is None
        other.execute("COMMIT")
        other.close()
        await send(store, "y")

    on_store(tmp_path, scenario, patience="30ms")


def test_a_lock_that_ends_in_time_is_not_noticed(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        sending = send(store, "x")
        await asyncio.sleep(0.02)
        other.execute("COMMIT")
        other.close()
        assert (await sending).answer is Answer.QUEUED

    on_store(tmp_path, scenario)


def test_a_locked_file_is_not_opened(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            await SqliteStore(store.dsn, patience="30ms").open()
        other.close()

    on_store(tmp_path, scenario)


def test_a_long_query_holds_up_no_commit(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        gate = Gate()
        query = store._ask(gate.wait)
        await send(store, "x")
        assert not query.done()
        gate.open()
        await query

    on_store(tmp_path, scenario)


def test_closing_finishes_what_was_handed_in(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        sending = [send(store, f"x{number}") for number in range(50)]
        await store.close()
        assert all(future.done() and not future.exception() for future in sending)
        with pytest.raises(StoreError):
            await send(store, "late")
        await store.open()
        assert await store.counts() == {"pending": 50}

    on_store(tmp_path, scenario)


def test_an_answer_that_nobody_waits_for_disturbs_nobody(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        gate = Gate()
        holding = held(store, gate)
        await gate.entered()
        sending = [send(store, f"x{number}") for number in range(3)]
        sending[1].cancel()
        gate.open()
        await holding
        assert (await sending[2]).answer is Answer.QUEUED
        assert await store.counts() == {"pending": 3}

    on_store(tmp_path, scenario)


def test_an_ordinary_append_touches_no_index(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.beat("a", NOW, 1000)
        accepted = await store.accept("x", None, now=NOW, owner="a", create=NewExecution("f", "workflow"))
        assert accepted.answer is Answer.GRANTED
        statements = traced(store)
        change = Change("x", "a", 0, NOW, ["e"], (), 0, "running", None, False, 1, "", "", "")
        await store.append(change)
        updates = [text for text in statements if text.startswith("UPDATE")]
        assert len(updates) == 1
        changed = updates[0].partition("WHERE")[0]
        assert not re.search(r"\b(owner|wake|status|parent) =", changed)
        await store.append(change._replace(version=1, wake=NOW))
        with pytest.raises(Conflict):
            await store.append(change)

    on_store(tmp_path, scenario)


def test_forgotten_keys_leave_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_FORGET_EVERY", 50)
    monkeypatch.setattr(commands, "_FORGET_MOST", 200)

    async def scenario(store: SqliteStore) -> None:
        await send(store, "x", key="start")
        for day in range(60):
            now = NOW + day * DAY
            mails = [NewMail(f"{day}/{number}", 1, now, "{}") for number in range(10)]
            await asyncio.gather(*(store.accept("x", mail, now=now) for mail in mails))
        count = "SELECT count(*), min(bucket) FROM seen"
        rows, oldest = await store._change(lambda: store._commands.connection.execute(count).fetchone())
        assert rows <= 7 * 10 + 2 * 50
        assert oldest >= (NOW + 45 * DAY) // DAY - 7

    on_store(tmp_path, scenario)


def test_the_log_is_folded_into_the_file_while_working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overwinter.state.sqlite import threads

    monkeypatch.setattr(threads, "_CHECKPOINT_AFTER", (20, 20))

    async def scenario(store: SqliteStore) -> None:
        for number in range(150):
            await asyncio.gather(send(store, f"{number}", "x" * 1000), send(store, f"{number}?", "x" * 1000))
        assert (tmp_path / "store.db-wal").stat().st_size < 2_000_000
        assert store.path.stat().st_size > 250_000

    on_store(tmp_path, scenario)


def test_a_change_that_comes_alone_is_committed_on_the_loop_and_company_goes_to_the_thread(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        here = threading.get_ident()
        assert await store._change(threading.get_ident) == here
        both = await asyncio.gather(store._change(threading.get_ident), store._change(threading.get_ident))
        assert both[0] == both[1] != here

    on_store(tmp_path, scenario)


def test_a_slow_disk_is_not_waited_for_on_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from overwinter.state.sqlite import threads

    monkeypatch.setattr(threads, "_QUICK", 0.0)
    monkeypatch.setattr(threads, "_PROBE", 3)

    async def scenario(store: SqliteStore) -> None:
        here = threading.get_ident()
        where = [await store._change(threading.get_ident) == here for _ in range(9)]
        assert where == [True, False, False, False, True, False, False, False, True]

    on_store(tmp_path, scenario)


def test_another_process_that_writes_does_not_hold_up_the_loop(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = send(store, "x")
        await asyncio.sleep(0.05)  # the loop goes round while the change waits in the thread
        assert not waiting.done()
        other.execute("ROLLBACK")
        other.close()
        assert (await waiting).answer is Answer.QUEUED

    on_store(tmp_path, scenario)


def test_no_statement_reads_a_whole_table() -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(script("schema.sql"))
    growing = {"execution", "journal", "mail", "seen", "value", "blob"}
    scans: set[str] = set()
    for name, statement in SQL.items():
        numbered = [int(number) for number in re.findall(r"\?(\d+)", statement)]
        values = [1] * (max(numbered) if numbered else statement.count("?"))
        for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values):
            if detail.split()[0] == "SCAN" and detail.split()[1] in growing:
                scans.add(name)
    connection.close()
    assert scans == {"counted"}  # what a check of the store asks


def test_a_count_that_is_not_that_of_the_executions_is_found(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        for id in ("a", "b"):
            await send(store, id)
        assert await store.counts() == {"pending": 2} and await store.verify() == []
        other = sqlite3.connect(store.path, isolation_level=None)
        other.execute("UPDATE tally SET number = 3")
        other.close()
        (wrong,) = await store.verify()
        assert "2 executions are pending, and its count says 3" in wrong

    on_store(tmp_path, scenario)


PLANS: list[tuple[Filter, str]] = [
    *((Filter([status]), "execution_status") for status in STATUSES if status not in ("completed", "idle")),
    (Filter(["failed", "stuck"], function="f", prefix="x"), "execution_status"),
    (Filter(["idle", "failed"]), "execution_created"),
    (Filter(since=5, until=9), "execution_created"),
    (Filter(function="f"), "execution_function"),
    (Filter(["completed"], function="f", kind="agent", awaits="a", before=7), "execution_function"),
]


@pytest.mark.parametrize("oldest", [False, True])
@pytest.mark.parametrize("most", [None, 100])
@pytest.mark.parametrize("deep", [None, "5.5"])
@pytest.mark.parametrize(("where", "index"), PLANS)
def test_a_page_is_read_in_order_from_an_index(
    where: Filter, index: str, deep: str | None, most: int | None, oldest: bool
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(script("schema.sql"))
    plans: list[str] = []

    def rows(statement: str, values: Sequence[Any]) -> list[Any]:
        plans.extend(row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))
        return connection.execute(statement, values).fetchall()

    listing.look(rows, where._replace(oldest=oldest), deep, 10, most)
    connection.close()
    assert plans and all(f"INDEX {index}" in plan for plan in plans)  # none sorts, none reads the table from its start


def test_disk_per_session_and_per_conversation(tmp_path: Path) -> None:
    async def scenario(store: SqliteStore) -> None:
        await store.beat("a", NOW, 1000)

        async def talk(id: str, turns: int, size: int) -> None:
            for turn in range(turns):
                mail = NewMail(f"k{turn}", 1, NOW, "{}")
                create = NewExecution("f", "agent")
                await store.accept(id, mail, now=NOW, owner="a", create=create, known=turn)
                entries = ["q" * (size // 2), "a" * (size // 2)]
                change = Change(id, "a", turn, NOW, entries, [turn + 1], turn + 1, "idle", None, True, 1, "", "", "{}")
                await store.append(change)

        await asyncio.gather(*(talk(f"session/{number}", 10, 2000) for number in range(200)))
        await store.close()
        sessions = store.path.stat().st_size
        assert sessions / 200 <= 24 * 1024
        await store.open()
        await store.beat("a", NOW, 1000)
        await talk("conversation", 200, 1024)
        await store.close()
        assert store.path.stat().st_size - sessions <= 200 * 1600
        await store.open()

    on_store(tmp_path, scenario)
