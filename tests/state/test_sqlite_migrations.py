"""A file that an older release has written is brought up to date, and nothing in it is lost."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from overwinter.state.records import Change, NewMail
from overwinter.state.sqlite import SqliteStore, schema

NOW = 1_790_000_000_000
SCHEMAS = Path(__file__).parent / "schemas"
BLOB = '{"type":"tool","blob":{"field":"value","digest":"sha256:aa","size":3}}'


def write_first_version(path: Path) -> None:
    """Two executions, one of which has a blob in its journal and one in its mailbox, as version 1 kept them."""
    connection = sqlite3.connect(path)
    connection.executescript((SCHEMAS / "1.sql").read_text("utf-8"))
    connection.execute(f"PRAGMA application_id={schema.APPLICATION}")
    connection.execute("PRAGMA user_version=1")
    rows = [(1, "x", "waiting", 2, 2, 1, 0), (2, "y", "idle", 1, 1, 2, 1)]
    for no, id, status, version, length, arrivals, waiting in rows:
        connection.execute(
            "INSERT INTO execution"
            " VALUES (?, ?, 'f', 'workflow', NULL, ?, ?, ?, 1, ?, ?, NULL, NULL, ?, ?, '', '', '')",
            (no, id, NOW, version, length, arrivals, waiting, status, NOW),
        )
    connection.execute("INSERT INTO journal VALUES (?, ?)", (1 << 28 | 1, '{"type":"start"}'))
    connection.execute("INSERT INTO journal VALUES (?, ?)", (1 << 28 | 2, BLOB))
    connection.execute("INSERT INTO journal VALUES (?, ?)", (2 << 28 | 1, '{"type":"start"}'))
    connection.execute("INSERT INTO mail VALUES (?, 1, ?, ?)", (2 << 28 | 2, NOW, BLOB.replace("aa", "bb")))
    connection.executemany("INSERT INTO blob VALUES (?, ?)", [("sha256:aa", b"abc"), ("sha256:bb", b"def")])
    connection.commit()
    connection.close()


def write_second_version(path: Path) -> None:
    """One execution that waits, as version 2 kept it."""
    connection = sqlite3.connect(path)
    connection.executescript((SCHEMAS / "2.sql").read_text("utf-8"))
    connection.execute(f"PRAGMA application_id={schema.APPLICATION}")
    connection.execute("PRAGMA user_version=2")
    connection.execute(
        "INSERT INTO execution VALUES (1, 'x', 'f', 'workflow', NULL, ?, 1, 1, 1, 1, 0, 'dead', NULL, 'running', ?,"
        " '', '', '', 'token')",
        (NOW, NOW),
    )
    connection.execute("INSERT INTO owner VALUES ('dead', 'elsewhere', 'lock', ?)", (NOW - 1,))
    connection.execute("INSERT INTO journal VALUES (?, ?)", (1 << 28 | 1, '{"type":"start"}'))
    connection.commit()
    connection.close()


def test_a_file_of_the_second_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    write_second_version(path)

    async def check() -> None:
        store = SqliteStore(f"sqlite:///{path}")
        await store.open()
        head = await store.head("x")
        assert head is not None
        assert (head.status, head.deaths) == ("running", 0)
        await store.beat("a", NOW, 1000)
        head = (await store.accept("x", None, now=NOW, owner="a")).head
        assert head is not None
        assert head.deaths == 1
        assert list(await store.history("x")) == ['{"type":"start"}']
        await store.close()

    asyncio.run(check())


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    write_first_version(path)

    async def check() -> None:
        store = SqliteStore(f"sqlite:///{path}")
        await store.open()
        assert await store.blob("x", "sha256:aa") == b"abc"
        assert await store.blob("x", "sha256:bb") is None
        assert await store.blob("y", "sha256:bb") == b"def"
        assert list(await store.history("x")) == ['{"type":"start"}', BLOB]
        assert [head.id for head in (await store.executions()).heads] == ["y", "x"]
        assert sum((await store.counts()).values()) == 2 and await store.verify() == []
        await store.beat("a", NOW, 1000)
        accepted = await store.accept("x", NewMail("k", 1, NOW, "{}"), now=NOW, owner="a")
        head = accepted.head
        assert head is not None
        change = Change("x", "a", 2, NOW, ["{}"], [2], 2, "idle", None, True, 1, "", "", "", token="t")
        assert await store.append(change) == await store.append(change) == (2, None, True)
        assert await store.verify() == []
        await store.close()

    asyncio.run(check())


def test_a_migrated_file_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    def described(path: Path) -> set[tuple[str, str, str]]:
        async def touch() -> None:
            store = SqliteStore(f"sqlite:///{path}")
            await store.open()
            await store.close()

        asyncio.run(touch())
        connection = sqlite3.connect(path)
        found: set[tuple[str, str, str]] = set()
        for kind, name, table in connection.execute("SELECT type, name, tbl_name FROM sqlite_master").fetchall():
            columns = connection.execute(f"PRAGMA {kind}_info({name!r})").fetchall()
            found.add((kind, table, str(sorted(str(column[1:]) for column in columns))))
        connection.close()
        return found

    write_first_version(tmp_path / "old.db")
    write_second_version(tmp_path / "less old.db")
    new = described(tmp_path / "new.db")
    assert described(tmp_path / "old.db") == new
    assert described(tmp_path / "less old.db") == new
