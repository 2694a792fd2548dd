"""Texts above a size are compressed where they are stored, on every store; all that reads sees what was written, and
what was written before stays readable."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.state.compression import ABOVE, MARK, asked, opened, pack, pack_blob, said, unpack, unpack_blob
from overwinter.state.contract import StoreContract
from overwinter.state.contract.case import change, found, known, lease, mail
from overwinter.state.dynamodb.store import DynamoStore
from overwinter.state.errors import InvalidInput, StoreCorrupt
from overwinter.state.opening import open_store
from overwinter.state.redis.store import RedisStore
from overwinter.state.sealing.keys import read_keys
from overwinter.state.sealing.store import SealedStore
from overwinter.state.sqlite.store import SqliteStore
from overwinter.state.store import Store
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer

PROSE = json.dumps({"type": "message", "content": "The lamp of order o-17 was broken when it came, says Ana. " * 40})
OTHER = PROSE.replace("lamp", "cup ä 日本")


BLOBS = {
    "sha256:text": OTHER.encode() * 9,
    "sha256:mark": MARK + b"no compressed text",
    "sha256:looks": MARK + zlib.compress(b"that one would be taken for it"),
    "sha256:noise": bytes(range(256)) * 2,
    "sha256:none": b"",
}


# -- the form ----------------------------------------------------------------------------------------


@given(st.text(), st.integers(0, 200), st.integers(1, 60))
def test_a_text_comes_back_as_it_was(text: str, above: int, times: int) -> None:
    packed = pack(text * times, above)
    assert unpack(packed) == text * times == opened(packed)
    assert packed.startswith(MARK) or packed == (text * times).encode()
    assert len(packed) <= len((text * times).encode())


@given(st.binary(max_size=300), st.booleans(), st.integers(0, 200))
def test_a_blob_comes_back_as_it_was(content: bytes, marked: bool, above: int) -> None:
    content = MARK + content if marked else content
    assert unpack_blob(pack_blob(content, above)) == content
    assert unpack_blob(content) == content or content.startswith(MARK)


def test_a_big_blob_holds_up_nobody() -> None:
    big = b"x" * (1024 * 1024 + 1)
    assert pack_blob(big, ABOVE) is big and len(pack_blob(big[1:], ABOVE)) < 2000


@given(st.text())
def test_no_text_looks_compressed(text: str) -> None:
    assert not text.encode().startswith(MARK[:1])


def test_what_is_small_or_would_not_become_smaller_stays_plain() -> None:
    noise = base64.b64encode(bytes(range(256)) * 8).decode()[:1100]
    assert pack("x" * 1023, ABOVE) == b"x" * 1023 and pack("x" * 5000, 0) == b"x" * 5000
    assert len(pack("x" * 1024, ABOVE)) < 40
    hidden = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(400))
    assert unpack(pack(hidden, ABOVE)) == hidden and unpack(pack(noise, ABOVE)) == noise


def test_what_is_damaged_is_said_to_be() -> None:
    packed = pack(PROSE, ABOVE)
    for damaged in (packed[:-3], packed[:20] + b"?" + packed[21:], MARK):
        with pytest.raises(StoreCorrupt, match="compressed text is damaged"):
            unpack(damaged)
    with pytest.raises(StoreCorrupt, match="a int where a text must be"):
        opened(5)


def test_an_address_says_from_which_size_on() -> None:
    assert asked(None, 7) == 7 and asked("off", 7) == 0 == asked("0", 7)
    assert asked("2KB", 7) == 2048 and asked("1B", 7) == 64
    assert said("sqlite:///x.db?compress=1KB") == 1024 and said("sqlite:///x.db") == 0
    assert RedisStore("redis://h/0").address.above == ABOVE == DynamoStore("dynamodb://table").place.above
    assert RedisStore("redis://h/0?compress=off").address.above == 0
    assert DynamoStore("dynamodb://table?compress=4KB").place.above == 4096
    for dsn in ("sqlite:///x.db?compress=much", "sqlite:///x.db?other=1", "sqlite:///x.db?compress=1KB&other=1"):
        with pytest.raises(InvalidInput):
            SqliteStore(dsn)
    with pytest.raises(InvalidInput, match="compress"):
        RedisStore("redis://h/0?compress=much")


# -- the stores --------------------------------------------------------------------------------------


class TestCompressedSqlite(StoreContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store.db"

    async def make_store(self) -> Store:
        store = SqliteStore(f"sqlite:///{self.path}?compress=64B")
        await store.open()
        return store

    async def reopen(self, store: Store) -> Store:
        other = SqliteStore(store.dsn)
        await other.open()
        return other


@pytest.fixture
def keys(tmp_path: Path) -> Any:
    key = tmp_path / "key"
    key.write_text(base64.b64encode(bytes(range(100, 132))).decode())
    return read_keys(f"file:{key}")


async def fill(store: Store, id: str) -> None:
    """Something in every place where a text may lie."""
    head = known(await lease(store, id, body=PROSE))
    await store.append(change(head, [OTHER, '{"type":"small"}', PROSE], state=PROSE, note="short", blobs=BLOBS))
    await store.accept(id, mail("second", OTHER), now=head.created + 1)
    await store.put(id, "value", OTHER)


async def check(store: Store, id: str) -> None:
    head = await found(store, id)
    assert (head.state, head.note) == (PROSE, "short")
    assert await store.history(id) == [OTHER, '{"type":"small"}', PROSE]
    assert await store.mailbox(id) == (2, [PROSE, OTHER])
    assert [one.body for one in await store.mail(id, 1)] == [PROSE, OTHER]
    value = await store.get(id, "value")
    assert value is not None and value.value == OTHER
    assert await store.values(id) == [("value", value)]
    dump = await store.dump(id)
    assert dump is not None and [one.body for one in dump.mail] == [PROSE, OTHER] and dump.entries[0] == OTHER
    assert dump.blobs == BLOBS == {digest: await store.blob(id, digest) for digest in BLOBS}
    assert not await store.verify()


async def both_ways(make: Callable[[str], Awaitable[Store]]) -> None:
    """Who compresses reads what was not, who does not reads what was, and an execution goes on under either."""
    plain, compressed = await make("off"), await make("1KB")
    await fill(plain, "plain")
    await fill(compressed, "compressed")
    for store in (plain, compressed):
        await check(store, "plain")
        await check(store, "compressed")
    for number, store in enumerate((compressed, plain)):
        for id in ("plain", "compressed"):
            head = await found(store, id)
            await store.append(change(head, [PROSE], state=PROSE, note="short"))
            assert (await plain.history(id))[3 + number] == PROSE
    dump = await compressed.dump("plain")
    assert dump is not None and await compressed.delete("nobody", now=dump.head.updated) is False
    for store in (plain, compressed):
        await store.close()


def test_sqlite_reads_both(tmp_path: Path) -> None:
    async def make(option: str) -> Store:
        store = SqliteStore(f"sqlite:///{tmp_path}/both.db?compress={option}")
        await store.open()
        return store

    asyncio.run(both_ways(make))


def test_redis_reads_both(redis_server: RedisServer) -> None:
    async def make(option: str) -> Store:
        store = RedisStore(redis_server.dsn(prefix="both", compress=option))
        await store.open()
        return store

    asyncio.run(both_ways(make))


def test_dynamodb_reads_both(moto: Moto) -> None:
    address = moto.dsn()

    async def make(option: str) -> Store:
        store = DynamoStore(f"{address}&compress={option}", patience="60s")
        await store.create()
        await store.open()
        return store

    asyncio.run(both_ways(make))


def rows(path: Path) -> list[Any]:
    with sqlite3.connect(path) as connection:
        found = [body for (body,) in connection.execute("SELECT body FROM journal ORDER BY id")]
    connection.close()
    return found


def test_a_damaged_entry_is_a_gap_and_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "damaged.db"

    async def work() -> None:
        store = open_store(f"sqlite:///{path}?compress=1KB")
        await store.open()
        await fill(store, "x")
        (first, *_) = rows(path)
        assert isinstance(first, bytes) and first.startswith(MARK) and len(first) < len(OTHER) / 4
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE journal SET body = ? WHERE body = ?", (first[:-2], first))
        connection.close()
        assert await store.history("x") == ["", '{"type":"small"}', PROSE]
        with pytest.raises(StoreCorrupt, match="entry 1 of x"):
            await store.dump("x")
        await store.close()

    asyncio.run(work())


def test_a_sealed_store_compresses_before_it_seals_and_only_when_it_is_told_to(tmp_path: Path, keys: Any) -> None:
    async def work() -> None:
        sizes: dict[int, int] = {}
        for above in (0, ABOVE):
            inner = SqliteStore(f"sqlite:///{tmp_path}/{above}.db")
            store = SealedStore(inner, keys, above)
            await store.open()
            await fill(store, "x")
            await check(store, "x")
            sizes[above] = len((await inner.history("x"))[0])
            await store.close()
            other = SealedStore(SqliteStore(inner.dsn), keys, ABOVE - above)  # reads what the other way has written
            await other.open()
            await check(other, "x")
            await other.close()
        assert sizes[0] > len(OTHER) > 4 * sizes[ABOVE]

    asyncio.run(work())


def test_keys_and_an_address_make_a_sealed_store_that_compresses(
    tmp_path: Path, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERWINTER_KEYS", f"file:{tmp_path}/key")

    async def work() -> None:
        for option, smaller in (("", False), ("?compress=1KB", True)):
            store = open_store(f"sqlite:///{tmp_path}/opened{len(option)}.db{option}")
            assert isinstance(store, SealedStore)
            await store.open()
            await fill(store, "x")
            assert (len((await store.inner.history("x"))[0]) < len(OTHER)) is smaller
            await store.close()

    asyncio.run(work())
