"""A store that is deleted, replaced or emptied while it is open says so, and takes nothing more in."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from overwinter.state.contract.case import NOW, change, known, lease, mail
from overwinter.state.dynamodb import DynamoStore
from overwinter.state.errors import StoreError, StoreLost
from overwinter.state.records import Head
from overwinter.state.redis import RedisStore
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisCluster, RedisServer


def hasten(store: SqliteStore) -> None:
    """As if the last look had been long ago."""
    store._commands.place._looked = 0.0


async def refuses_everything(store: Store) -> None:
    """Every change, and none of them is acknowledged."""
    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: store.accept("new", mail("k"), now=NOW, create=None, owner=None),
        lambda: store.beat("a", NOW, 1000),
        lambda: store.put("s", "k", "1"),
        lambda: store.remove("s", "k"),
        lambda: store.delete("x", now=NOW),
        lambda: store.probe(),
        lambda: store.look(),
    ]
    for make in changes:
        with pytest.raises(StoreLost):
            await make()


# -- SQLite --------------------------------------------------------------------------------------------


def with_file(tmp_path: Path, work: Callable[[SqliteStore, Path, Head], Awaitable[None]]) -> None:
    path = tmp_path / "store.db"

    async def main() -> None:
        store = SqliteStore(f"sqlite:///{path}")
        await store.open()
        try:
            await store.probe()
            held = known(await lease(store, "x", "a"))
            await work(store, path, held)
        finally:
            await store.close()

    asyncio.run(main())


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    with sqlite3.connect(path.with_name("other")) as other:
        other.execute("CREATE TABLE t (x)")
    path.with_name("other").rename(path)


def log_deleted(path: Path) -> None:
    path.with_name("store.db-wal").unlink()


def index_deleted(path: Path) -> None:
    path.with_name("store.db-shm").unlink()


def emptied(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("harm", [deleted, replaced, log_deleted, index_deleted, emptied])
def test_a_file_that_is_not_the_one_that_was_opened_takes_nothing_in(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    async def work(store: SqliteStore, path: Path, held: Head) -> None:

        harm(path)
        hasten(store)
        await refuses_everything(store)
        with pytest.raises(StoreLost, match=r"store\.db"):
            await store.append(change(held, ["e"]))

    with_file(tmp_path, work)


def test_looking_leaves_the_locks_alone(tmp_path: Path) -> None:
    """Who comes and goes meanwhile must see that this process has the file open, or it deletes the log."""

    async def work(store: SqliteStore, path: Path, held: Head) -> None:
        visit = f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT 1 FROM execution'); c.close()"
        for number in range(3):
            hasten(store)
            await store.look()
            await asyncio.to_thread(subprocess.run, [sys.executable, "-c", visit], check=True)
            assert path.with_name("store.db-wal").exists()
            hasten(store)
            await store.put("s", "k", str(number))

    with_file(tmp_path, work)


def test_a_busy_process_looks_once_a_second_and_an_idle_one_before_its_next_change(tmp_path: Path) -> None:
    async def work(store: SqliteStore, path: Path, held: Head) -> None:
        place = store._commands.place
        looks: list[int] = []
        place.look = lambda: looks.append(1)  # type: ignore[method-assign]
        for _ in range(20):
            await store.put("s", "k", "1")
        assert looks == []
        hasten(store)
        await store.put("s", "k", "1")
        assert looks == [1]

    with_file(tmp_path, work)


def test_a_file_that_was_moved_and_is_back_goes_on(tmp_path: Path) -> None:
    async def work(store: SqliteStore, path: Path, held: Head) -> None:
        names = [path, path.with_name("store.db-wal"), path.with_name("store.db-shm")]
        for name in names:
            name.rename(tmp_path / f"away-{name.name}")
        hasten(store)
        with pytest.raises(StoreLost, match="deleted or moved away"):
            await store.put("s", "k", "1")
        for name in names:
            (tmp_path / f"away-{name.name}").rename(name)
        await store.put("s", "k", "2")
        await store.look()
        value = await store.get("s", "k")
        assert value is not None and value.value == "2"

    with_file(tmp_path, work)


def test_a_copy_beside_it_and_a_checkpoint_are_no_harm(tmp_path: Path) -> None:
    async def work(store: SqliteStore, path: Path, held: Head) -> None:
        shutil.copy(path, tmp_path / "copy")
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        other.close()
        await store.look()
        await store.probe()

    with_file(tmp_path, work)


# -- Redis ---------------------------------------------------------------------------------------------


def with_redis(dsn: str, work: Callable[[RedisStore], Awaitable[None]]) -> None:
    async def main() -> None:
        store = RedisStore(dsn)
        await store.open()
        try:
            await store.probe()
            head = known(await lease(store, "x", "a"))
            await work(store)
            append = store.append(change(head, ["e"]))
            with pytest.raises(StoreLost):
                await append
        finally:
            await store.close()

    asyncio.run(main())


def test_a_redis_that_was_emptied_takes_nothing_in(redis_server: RedisServer) -> None:
    prefix = uuid4().hex[:8]

    async def work(store: RedisStore) -> None:
        redis_server.say("FLUSHALL")
        with pytest.raises(StoreLost, match="is empty, and was not"):
            await store.look()
        await refuses_everything(store)
        assert redis_server.say("KEYS", f"{{{prefix}:*") == []  # not even a lease was written
        other = RedisStore(store.dsn)
        await other.open()  # somebody starts on what is there now
        await other.close()
        with pytest.raises(StoreLost, match="is another store"):
            await store.look()

    with_redis(redis_server.dsn(prefix=prefix), work)


def test_one_partition_of_a_cluster_that_lost_its_data_is_enough(redis_cluster: RedisCluster) -> None:
    async def work(store: RedisStore) -> None:
        at = store._open.partitions.all[3]
        await store._open.exchange.ask(at, int, b"DEL", at.meta)
        with pytest.raises(StoreLost, match="in 1 of its partitions"):
            await store.look()
        await refuses_everything(store)

    with_redis(redis_cluster.dsn(prefix=uuid4().hex[:8]), work)


def test_partitions_of_an_older_release_are_given_an_identity(redis_server: RedisServer) -> None:
    dsn = redis_server.dsn(prefix=uuid4().hex[:8])

    async def main() -> None:
        for _ in range(2):
            store = RedisStore(dsn)
            await store.open()
            await store.look()
            for at in store._open.partitions.all:
                assert await store._open.exchange.ask(at, int, b"HDEL", at.meta, b"identity") == 1
            await store.close()

    asyncio.run(main())


# -- DynamoDB ------------------------------------------------------------------------------------------


def test_a_table_that_was_made_anew_takes_nothing_in(moto: Moto) -> None:
    async def main() -> None:
        store = DynamoStore(moto.dsn(f"t{uuid4().hex[:12]}"))
        await store.create()
        await store.open()
        await store.probe()
        head = known(await lease(store, "x", "a"))
        await store._wire.dynamodb("delete_table", TableName=store.place.table)
        with pytest.raises(StoreLost, match="does not exist"):
            await store.look()
        other = DynamoStore(store.dsn)
        await other.create()
        await other.open()
        await refuses_everything(store)
        with pytest.raises(StoreLost):
            await store.append(change(head, ["e"]))
        await other.look()
        await store.close()
        await other.close()

    asyncio.run(main())


def test_a_table_of_an_older_release_is_given_an_identity(moto: Moto) -> None:
    async def main() -> None:
        first = DynamoStore(moto.dsn(f"t{uuid4().hex[:12]}"))
        await first.create()
        await first.open()
        key = {"pk": {"S": "schema"}, "sk": {"S": "schema"}}
        expression = {"UpdateExpression": "REMOVE #i", "ExpressionAttributeNames": {"#i": "identity"}}
        await first._wire.dynamodb("update_item", TableName=first.place.table, Key=key, **expression)
        with pytest.raises(StoreError):
            await first.look()
        second = DynamoStore(first.dsn)
        await second.open()
        await second.look()
        await second.close()
        await first.close()

    asyncio.run(main())
