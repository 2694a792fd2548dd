"""``/readyz`` says what would keep the store from taking an event in: full, locked, read-only, damaged, gone."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from overwinter import Context, Runtime, Settings, workflow
from overwinter.functions.http.app import create_app
from overwinter.state.errors import StoreFull, StoreLost
from overwinter.state.sqlite import SqliteStore


@workflow
async def nap(ctx: Context) -> str:
    await ctx.sleep("20ms")
    return "rested"


def served(path: Path, main: Callable[[httpx.AsyncClient, Runtime], Awaitable[None]]) -> None:
    """``main`` with a client of a server on that file."""

    async def whole() -> None:
        store = SqliteStore(f"sqlite:///{path}", patience="100ms")
        async with Runtime([nap], store, Settings(grace="500ms")) as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                assert (await client.get("/readyz")).status_code == 200
                await main(client, runtime)

    asyncio.run(whole())


async def reason(client: httpx.AsyncClient, runtime: Runtime) -> str:
    """Why the store takes nothing in; "" when it does."""
    runtime.engine.health._checks["store"].__self__._asking = None  # type: ignore[attr-defined] # asked anew
    answer = await client.get("/readyz")
    assert answer.status_code in (200, 503)
    return str(answer.json().get("reasons", {}).get("store", ""))


def test_a_file_that_is_gone_makes_the_process_unready_and_refuse_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.db"

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        started = await client.post("/workflows/nap")
        assert started.status_code < 300
        path.unlink()
        runtime.store._commands.place._looked = 0.0  # type: ignore[attr-defined] # as if it had been idle
        runtime.engine.leases._seen = 0
        refused = await client.post("/workflows/nap")
        assert refused.status_code == 503
        assert refused.json()["type"] == "urn:overwinter:problem:store-lost"
        assert "deleted or moved away" in await reason(client, runtime)
        for _ in range(3):
            with pytest.raises(StoreLost):
                await runtime.start(nap)

    with caplog.at_level(logging.WARNING, "overwinter"):
        served(path, main)
    told = [record for record in caplog.records if "deleted or moved away" in record.getMessage()]
    assert [record.levelname for record in told if "leases of this process" not in record.getMessage()] == ["ERROR"]


def test_an_idle_process_notices_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        path.unlink()
        async with asyncio.timeout(60):
            while not runtime.engine.leases.lost:  # noqa: ASYNC110  # nothing tells of it
                await asyncio.sleep(0.02)

    served(path, main)


def test_a_file_that_is_back_is_ready_again(tmp_path: Path) -> None:
    names = [tmp_path / f"store.db{end}" for end in ("", "-wal", "-shm")]

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        for name in names:
            name.rename(f"{name}.away")
        assert "deleted or moved away" in await reason(client, runtime)
        for name in names:
            (tmp_path / f"{name.name}.away").rename(name)
        assert await reason(client, runtime) == ""
        assert await (await runtime.start(nap)).result() == "rested"

    served(names[0], main)


def test_a_locked_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert "locked by another process" in await reason(client, runtime)
        other.execute("ROLLBACK")
        other.close()
        assert await reason(client, runtime) == ""

    served(path, main)


def test_a_lock_that_outlasts_the_patience_of_the_store_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("overwinter.state.sqlite.store._PROBE", 0.05)
    path = tmp_path / "store.db"

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert "SIGCONT" in await reason(client, runtime)
        other.execute("ROLLBACK")
        other.close()

    served(path, main)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        connection = runtime.store._commands.connection  # type: ignore[attr-defined]
        begin = runtime.store._commands.begin  # type: ignore[attr-defined]

        def full(*_: Any) -> None:
            begin()
            raise StoreFull("store.db: the disk is full. Free space and try again")

        runtime.store._commands.begin = full  # type: ignore[attr-defined]
        runtime.store._commands.begin_at_once = lambda: False  # type: ignore[attr-defined]
        assert "StoreFull" in await reason(client, runtime)
        del runtime.store._commands.begin  # type: ignore[attr-defined]
        assert connection is not None
        assert await reason(client, runtime) == ""

    served(tmp_path / "store.db", main)


def test_a_file_that_may_grow_no_more_is_told(tmp_path: Path) -> None:
    """As SQLite itself reports it."""

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        connection = runtime.store._commands.connection  # type: ignore[attr-defined]
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(StoreFull):
            while True:
                await runtime.store.put("scope", "key", "x" * 20_000)
        connection.execute("PRAGMA max_page_count=1073741823")
        assert await reason(client, runtime) == ""

    served(tmp_path / "store.db", main)


def test_a_file_that_may_only_be_read_is_told(tmp_path: Path) -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        connection = runtime.store._commands.connection  # type: ignore[attr-defined]
        connection.execute("PRAGMA query_only=ON")
        assert "StoreReadOnly" in await reason(client, runtime)
        connection.execute("PRAGMA query_only=OFF")
        assert await reason(client, runtime) == ""

    served(tmp_path / "store.db", main)


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"

    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        with sqlite3.connect(path) as other:
            root = other.execute("SELECT rootpage FROM sqlite_master WHERE name = 'value'").fetchone()[0]
            size = other.execute("PRAGMA page_size").fetchone()[0]
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        other.close()
        with path.open("r+b") as file:
            file.seek((root - 1) * size)
            file.write(b"\xff" * size)
        runtime.store._commands.connection.execute("PRAGMA shrink_memory")  # type: ignore[attr-defined]
        assert "damaged" in await reason(client, runtime)

    served(path, main)


def test_who_asks_often_makes_it_no_more_work(tmp_path: Path) -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        probed: list[int] = []

        async def probe() -> None:
            probed.append(1)

        runtime.store.probe = probe  # type: ignore[method-assign]
        assert await reason(client, runtime) == ""
        await asyncio.gather(*(client.get("/readyz") for _ in range(20)))
        assert len(probed) == 1

    served(tmp_path / "store.db", main)
