"""Which files are opened, which refused, and how a file is made, migrated and left."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from overwinter.state.errors import (
    InvalidInput,
    OverwinterError,
    SchemaMismatch,
    StoreCorrupt,
    StoreError,
    StoreUnavailable,
)
from overwinter.state.records import NewExecution, NewMail
from overwinter.state.sqlite import SqliteStore, schema
from overwinter.state.sqlite.statements import script, sections

NOW = 1_790_000_000_000


async def opened(path: Path) -> SqliteStore:
    store = SqliteStore(f"sqlite:///{path}")
    await store.open()
    return store


def refused(path: Path) -> OverwinterError:
    with pytest.raises(OverwinterError) as caught:
        asyncio.run(opened(path))
    assert str(path) in str(caught.value)
    return caught.value


def made(path: Path) -> None:
    """A store's file with one execution in it."""

    async def make() -> None:
        store = await opened(path)
        await store.accept("x", NewMail("k", 1, NOW, "hello"), now=NOW, create=NewExecution("f", "agent"))
        await store.close()

    asyncio.run(make())


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_a_new_file_is_private(tmp_path: Path) -> None:
    async def scenario() -> list[Path]:
        store = await opened(tmp_path / "store.db")
        await store.beat("a", NOW, 1000)
        made = list(tmp_path.rglob("*"))  # noqa: ASYNC240 - a test's own folder
        modes.extend(stat.S_IMODE(path.stat().st_mode) for path in made)
        await store.close()
        return made

    modes: list[int] = []
    made = asyncio.run(scenario())
    assert {path.name for path in made} >= {"store.db", "store.db-wal", "store.db-lock"}
    assert len(made) == 5  # and the shared memory of the log, and the lock of one owner
    assert all(mode & 0o077 == 0 for mode in modes)


def test_a_closed_store_is_one_whole_file(tmp_path: Path) -> None:
    made(tmp_path / "store.db")
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]
    shutil.copy(tmp_path / "store.db", tmp_path / "copy.db")

    async def check() -> None:
        store = await opened(tmp_path / "copy.db")
        assert await store.mailbox("x") == (1, ["hello"])
        await store.close()

    asyncio.run(check())


def test_a_newer_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    made(path)
    change(path, f"PRAGMA user_version={schema.VERSION + 1}")
    before = path.read_bytes()
    error = refused(path)
    assert isinstance(error, SchemaMismatch)
    assert str(schema.VERSION + 1) in str(error)
    assert path.read_bytes() == before


def test_an_older_file_is_migrated(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    made(path)
    steps = {
        str(schema.VERSION + 1): "ALTER TABLE execution ADD COLUMN tenant TEXT NOT NULL DEFAULT 'none';",
        str(schema.VERSION + 2): "UPDATE execution SET tenant = 'one';\n-- why\nCREATE TABLE more (id INTEGER);",
    }
    connection = sqlite3.connect(path, isolation_level=None)
    schema.prepare(connection, path, 1.0, version=schema.VERSION + 2, migrations=steps)
    assert connection.execute("SELECT id, tenant FROM execution").fetchall() == [("x", "one")]
    assert connection.execute("PRAGMA user_version").fetchone() == (schema.VERSION + 2,)
    assert connection.execute("SELECT * FROM more").fetchall() == []
    connection.close()
    assert isinstance(refused(path), SchemaMismatch)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    made(path)
    steps = {str(schema.VERSION + 1): "DELETE FROM execution;\nINSERT INTO nowhere VALUES (1);"}
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        schema.prepare(connection, path, 1.0, version=schema.VERSION + 1, migrations=steps)
    connection.close()

    async def check() -> None:
        store = await opened(path)
        assert await store.mailbox("x") == (1, ["hello"])
        await store.close()

    asyncio.run(check())


def test_there_is_a_migration_to_every_version() -> None:
    assert set(sections(script("migrations.sql"))) == {str(step) for step in range(2, schema.VERSION + 1)}


def test_two_stores_may_make_the_same_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        stores = await asyncio.gather(*(opened(tmp_path / "store.db") for _ in range(4)))
        await stores[0].accept("x", None, now=NOW, create=NewExecution("f", "agent"))
        for store in stores:
            assert await store.head("x") is not None
            await store.close()

    asyncio.run(scenario())


def test_a_file_that_another_process_is_making_is_not_mistaken(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    first, second = (sqlite3.connect(path, isolation_level=None, timeout=0) for _ in range(2))
    met: list[str] = []

    def meanwhile(statement: str) -> None:
        if statement == "PRAGMA user_version" and not met:
            met.append(statement)
            with contextlib.suppress(sqlite3.OperationalError):  # it may have to wait
                schema.prepare(second, path, 0)

    first.set_trace_callback(meanwhile)
    schema.prepare(first, path, 1.0)
    schema.prepare(second, path, 1.0)
    assert met
    assert second.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    first.close()
    second.close()


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    made(tmp_path / "store.db")


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    change(path, "CREATE TABLE customer (id INTEGER)", "INSERT INTO customer VALUES (1)")
    before = path.read_bytes()
    error = refused(path)
    assert isinstance(error, StoreCorrupt)
    assert "another program" in str(error)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("remember the milk\n" * 1000)
    error = refused(path)
    assert isinstance(error, StoreCorrupt)
    assert "not an SQLite database" in str(error)
    assert path.read_text().startswith("remember")


def test_a_damaged_file_is_reported_as_such(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    made(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))

    async def scenario() -> None:
        store = await opened(path)
        with pytest.raises(StoreCorrupt, match="backup"):
            await store.accept("x", NewMail("", 1, NOW, "{}"), now=NOW)
        with pytest.raises(StoreCorrupt, match="backup"):
            await store.executions()
        await store.close()

    asyncio.run(scenario())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    error = refused(tmp_path / "no" / "folder" / "store.db")
    assert isinstance(error, StoreUnavailable)
    assert f"there is no folder {tmp_path / 'no' / 'folder'}" in str(error)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "is a folder" in str(refused(tmp_path))


@pytest.mark.parametrize(("file_mode", "folder_mode"), [(0o444, 0o777), (0o666, 0o555), (0o444, 0o555)])
def test_what_may_not_be_written_is_named(file_mode: int, folder_mode: int) -> None:
    folder = Path(tempfile.mkdtemp())  # not tmp_path: another user must be able to reach it
    try:
        made(folder / "store.db")
        (folder / "store.db").chmod(file_mode)
        folder.chmod(folder_mode)
        answer = subprocess.run(
            [sys.executable, str(Path(__file__).parent / "programs" / "unprivileged.py"), str(folder / "store.db")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        assert answer.startswith("StoreReadOnly")
        assert str(folder / "store.db") in answer
        assert "ermission" in answer
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(StoreError, match=r"3\.35"):
        asyncio.run(opened(tmp_path / "store.db"))


def test_a_store_must_be_open() -> None:
    async def scenario() -> None:
        store = SqliteStore("sqlite:///nowhere.db")
        with pytest.raises(StoreError, match="open"):
            await store.accept("x", None, now=NOW)
        with pytest.raises(StoreError, match="open"):
            await store.head("x")
        await store.close()

    asyncio.run(scenario())


def test_a_dsn_must_name_a_file() -> None:
    for dsn in ("sqlite:///", "sqlite://", "sqlite:store.db", "sqlite://store.db"):
        with pytest.raises(InvalidInput, match="sqlite:////absolute"):
            SqliteStore(dsn)
    assert SqliteStore("sqlite:////tmp/x.db").path == Path("/tmp/x.db")
    assert SqliteStore("sqlite:///x.db").path == Path("x.db").absolute()
