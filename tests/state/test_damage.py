"""An entry that is missing in the store, or is no text there, leaves a gap: the others keep their numbers, nothing is
taken for whole, and no lease gets lost on it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from overwinter.state.contract.case import NOW, TTL, change, found, known, lease
from overwinter.state.dynamodb import DynamoStore
from overwinter.state.dynamodb.layout import execution, journal_sort, key
from overwinter.state.errors import StoreCorrupt
from overwinter.state.records import Answer
from overwinter.state.redis import RedisStore
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store
from overwinter.state.whole import GAP, check_whole, placed
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer

Harm = Callable[[int], Awaitable[None]]


async def check(store: Store, harm: Harm, number: int) -> None:
    """Three entries, each of its own commit, of which one is damaged."""
    head = known(await lease(store, "x", "a"))
    for entry in range(1, 4):
        last = entry == 3
        await store.append(change(head, [f"entry {entry}"], consumed=[1] if last else [], release=last))
        head = head._replace(version=head.version + 1, length=entry)
    whole = ["entry 1", "entry 2", "entry 3"]
    assert list(await store.history("x")) == whole
    await harm(number)
    expected = [GAP if entry == number else text for entry, text in enumerate(whole, 1)]
    assert list(await store.history("x")) in (expected, expected[: number - 1])  # nothing is told after the end
    assert list(await store.history("x", after=number - 1, limit=1)) in ([GAP], [])
    if number < 3:
        assert list(await store.history("x", after=number, limit=1)) == [whole[number]]
    await store.beat("b", NOW, TTL)
    accepted = await store.accept("x", None, now=NOW, owner="b")
    assert accepted.answer is Answer.GRANTED
    assert list(accepted.entries or ()) == expected
    await store.append(change(known(accepted), at=NOW, release=True))
    assert (await found(store, "x")).owner is None
    with pytest.raises(StoreCorrupt, match=f"entry {number} of x is missing or no text"):
        await store.dump("x")


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM journal WHERE id & 0xfffffff = ?",
        "UPDATE journal SET body = X'ff00' WHERE id & 0xfffffff = ?",
        "UPDATE journal SET body = CAST(X'80ff' AS TEXT) WHERE id & 0xfffffff = ?",
    ],
    ids=["missing", "bytes", "no UTF-8"],
)
def test_sqlite(tmp_path: Path, statement: str, number: int) -> None:
    path = tmp_path / "store.db"

    async def harm(number: int) -> None:
        with sqlite3.connect(path) as other:
            other.execute(statement, (number,))
        other.close()

    async def main() -> None:
        store = SqliteStore(f"sqlite:///{path}")
        await store.open()
        try:
            await check(store, harm, number)
        finally:
            await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_redis(redis_server: RedisServer, number: int) -> None:
    prefix = uuid4().hex[:8]

    async def main() -> None:
        store = RedisStore(redis_server.dsn(prefix=prefix))
        await store.open()

        async def harm(number: int) -> None:
            journal = store._open.partitions(b"x").of(b"journal", b"x")
            if number == 3:
                redis_server.say("LTRIM", journal, 0, 1)
            else:
                redis_server.say("LSET", journal, number - 1, b"\x80\xff")

        try:
            await check(store, harm, number)
        finally:
            await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("number", [1, 2, 3])
def test_dynamodb(moto: Moto, number: int) -> None:
    async def main() -> None:
        store = DynamoStore(moto.dsn(f"t{uuid4().hex[:12]}"))
        await store.create()
        await store.open()

        async def harm(number: int) -> None:
            picture = await store._listing.picture("x")
            assert picture is not None
            await store._table.delete_many([key(execution("x"), journal_sort(picture.life, number))])

        try:
            await check(store, harm, number)
        finally:
            await store.close()

    asyncio.run(main())


def test_rows_are_placed_by_their_numbers() -> None:
    assert placed([(2, "b"), (4, "d")], 1, 5) == ["", "b", "", "d", ""]
    assert placed([(3, "c"), (6, "f")], 3, 4) == ["c", "", "", "f"]
    assert placed([], 4, 3) == []
    check_whole("x", ["a", "b"], 2)
    check_whole("x", [], 0)
    for entries, length, which in ((["a", ""], 2, 2), (["a"], 2, 2), (["", "b"], 2, 1), (["a", "b"], 1, 2)):
        with pytest.raises(StoreCorrupt, match=f"entry {which} of x"):
            check_whole("x", entries, length)
