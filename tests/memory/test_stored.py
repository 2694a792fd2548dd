"""How memories lie in a store: written once, seen by every index, erased whole; sealed where the store is."""

from __future__ import annotations

import asyncio
import base64
from array import array
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter.functions.memory import stored as module
from overwinter.functions.memory.index import Index
from overwinter.functions.memory.looking import Wanted, erase, held, memories
from overwinter.functions.memory.scope import Scope, scope_at
from overwinter.functions.memory.stored import Changes, Entry, Stored, Vector
from overwinter.state.dynamodb.store import DynamoStore
from overwinter.state.errors import InvalidInput, StoreCorrupt
from overwinter.state.memory import MemoryStore
from overwinter.state.redis.store import RedisStore
from overwinter.state.sealing.keys import read_keys
from overwinter.state.sealing.store import SealedStore
from overwinter.state.sqlite.store import SqliteStore
from overwinter.state.store import Store
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer

ANA = Scope("support", "ana")
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z", "C"]), max_size=20)


def run(test: Callable[[Store], Awaitable[None]], store: Store | None = None) -> None:
    async def whole() -> None:
        made = store or MemoryStore()
        await made.open()
        try:
            await test(made)
        finally:
            await made.close()

    asyncio.run(whole())


def vector(*numbers: float) -> Vector:
    return Vector("m", array("f", numbers))


async def found(index: Index, stored: Stored, question: str, meaning: Any = None) -> list[str]:
    return [one.entry.id for one in await index.search(stored, question, meaning, 10)]


@given(NAMES, NAMES, NAMES)
def test_a_place_says_whose_it_is(agent: str, user: str, tenant: str) -> None:
    scope = Scope(agent or "a", user, tenant)
    assert scope_at(scope.place) == scope
    assert scope_at(f"{scope.place}/more") is None and scope_at(" kv/other") is None


@pytest.mark.parametrize("scope", [Scope(""), Scope("a", " x"), Scope("a", "u", "\n"), Scope("a", "u" * 201)])
def test_what_is_no_name_is_refused(scope: Scope) -> None:
    with pytest.raises(InvalidInput):
        scope.checked()


def test_an_index_keeps_up_with_other_processes() -> None:
    async def test(store: Store) -> None:
        stored, index, words = Stored(store, ANA), Index("m"), Index("")
        assert await found(index, stored, "tea") == []
        await stored.write(Entry("1", "green tea", 5), vector(1, 0))
        await stored.write(Entry("2", "coffee", 6), vector(0, 1))
        for one in (index, words):
            assert await found(one, stored, "tea") == ["1"]
        assert await found(index, stored, "nothing", [0, 2]) == ["2", "1"]
        assert await stored.remove(["1", "none"]) == 1
        assert await found(index, stored, "tea", [1, 0]) == ["2"] and await found(words, stored, "tea") == []
        await stored.write(Entry("1", "black tea", 7), vector(1, 0))
        assert await found(index, stored, "black", [1, 0]) == ["1", "2"]

    run(test)


def test_who_has_missed_many_changes_reads_all_anew() -> None:
    async def test(store: Store) -> None:
        stored, index = Stored(store, ANA), Index("")
        await stored.write(Entry("first", "first tea", 0))
        assert await found(index, stored, "tea") == ["first"]
        for number in range(module.RECENT + 5):
            await stored.write(Entry(str(number), f"number {number}", number))
        await stored.remove(["first"])
        assert await found(index, stored, "tea") == [] and len(index) == module.RECENT + 5
        assert len((await stored.changes()).recent) == module.RECENT

    run(test)


@given(st.integers(0, 12), st.integers(0, 12), st.integers(1, 6))
def test_changes_since_are_told_or_not_known(last: int, seen: int, most: int) -> None:
    recent = [(number, str(number)) for number in range(1, last + 1)][-most:]
    told = Changes("line", last, recent).since("line", seen)
    missed = [str(number) for number in range(seen + 1, last + 1)]
    assert told == (missed if seen <= last and last - seen <= len(recent) else None)
    assert Changes("line", last, recent).since("other", seen) is None


def test_what_is_erased_and_written_again_is_another_line() -> None:
    async def test(store: Store) -> None:
        stored, index = Stored(store, ANA), Index("")
        await stored.write(Entry("1", "green tea", 5), vector(1, 0))
        assert await found(index, stored, "tea") == ["1"]
        assert await stored.erase() == 1
        assert not [scope for scope in await store.scopes() if "ana" in scope]
        await stored.write(Entry("2", "coffee", 5))  # change number 1 again
        assert await found(index, stored, "tea coffee") == ["2"]
        assert await stored.erase() == 1 and await found(index, stored, "tea coffee") == []

    run(test)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    async def test(store: Store) -> None:
        stored, index = Stored(store, ANA), Index("")
        await asyncio.gather(*(stored.write(Entry(str(number), f"tea {number}", number)) for number in range(20)))
        changes = await stored.changes()
        assert changes.number == 20 and sorted(id for _, id in changes.recent) == sorted(map(str, range(20)))
        assert len(await index.search(stored, "tea", None, 50)) == 20

    run(test)
    run(test, SqliteStore(f"sqlite:///{tmp_path}/m.db"))


async def same_everywhere(store: Store) -> None:
    """As an application uses it, with what only real stores have: pages, etags of their own, an erased scope."""
    stored, index, number = Stored(store, ANA), Index("m"), module.PAGE + 3
    await asyncio.gather(
        *(store.put(ANA.place, f"m/{n:04d}", f'{{"text": "old {n}", "at": {n}}}') for n in range(number))
    )
    assert await found(index, stored, f"{number - 1}") == [f"{number - 1:04d}"] and len(index) == number
    await asyncio.gather(*(stored.write(Entry(str(n), f"tea {n}", n), vector(1, n)) for n in range(3)))
    assert sorted(await found(index, stored, "tea")) == ["0", "1", "2"]
    assert await found(index, stored, "none", [0, 1]) == ["2", "1", "0"]
    assert (await held(store, Wanted(user="ana")))[0].memories == number + 3
    assert await stored.erase() == number + 3
    assert await found(index, stored, "old tea") == [] and await held(store, Wanted()) == []


def test_on_redis_and_dynamodb_too(redis: RedisServer, moto: Moto) -> None:
    run(same_everywhere, RedisStore(redis.dsn(prefix="memories")))
    dynamodb = DynamoStore(moto.dsn(), patience="60s")
    asyncio.run(dynamodb.create())
    run(same_everywhere, dynamodb)


WRITE, REMOVE, ERASE, LOOK = "write", "remove", "erase", "look"
CHANGES = st.lists(st.tuples(st.sampled_from([WRITE, WRITE, REMOVE, ERASE, LOOK]), st.integers(0, 5)), max_size=30)


@given(CHANGES)
def test_an_index_is_what_the_store_holds_whatever_happened(changes: list[tuple[str, int]]) -> None:
    async def test(store: Store) -> None:
        stored, other, index = Stored(store, ANA), Stored(store, ANA), Index("m")
        held: dict[str, str] = {}
        for number, (what, key) in enumerate(changes):
            one = (stored, other)[number % 2]
            if what == WRITE:
                held.setdefault(str(key), f"tea {number}")
                await one.write(Entry(str(key), f"tea {number}", number), vector(1, key))
            elif what == REMOVE:
                held.pop(str(key), None)
                await one.remove([str(key)])
            elif what == ERASE:
                held.clear()
                await one.erase()
            else:
                assert len(await index.search(stored, "tea", [1.0, 0.0], 50)) == len(held)
        told = await index.search(stored, "tea", None, 50)
        assert {one.entry.id: one.entry.text for one in told} == held
        assert sorted(id for id in await found(index, stored, "nothing", [1, 1])) == sorted(held)

    run(test)


def test_a_memory_stays_as_it_was_first_written() -> None:
    async def test(store: Store) -> None:
        stored = Stored(store, ANA)
        assert await stored.write(Entry("1", "tea", 5, "x")) == Entry("1", "tea", 5, "x")
        assert (await stored.write(Entry("1", "tea", 9, "y"))).text == "tea"
        assert await stored.write(Entry("1", "coffee", 9)) == Entry("1", "tea", 5, "x") == await stored.entry("1")

    run(test)


def test_scopes_are_listed_counted_and_erased_apart() -> None:
    async def test(store: Store) -> None:
        scopes = [ANA, Scope("support", "ben"), Scope("sales", "ana"), Scope("sales", "ana", "acme"), Scope("sales")]
        for number, scope in enumerate(scopes):
            await Stored(store, scope).write(Entry("1", f"of {number}", 10 * number), vector(1))
        await store.put(" kv/overwinter.memory", "m/x", "1")
        await store.put("zz", "m/x", "1")
        assert {one.scope for one in await held(store, Wanted())} == set(scopes)
        anas = [(scope, entry.text) async for scope, entry in memories(store, Wanted(user="ana"))]
        assert sorted(anas) == sorted([(scopes[3], "of 3"), (scopes[2], "of 2"), (ANA, "of 0")])
        assert await erase(store, Wanted(user="ana", tenant=""), ["2"]) == 0
        assert await erase(store, Wanted(user="ana", tenant="")) == 2
        assert {one.scope for one in await held(store, Wanted())} == {scopes[1], scopes[3], scopes[4]}
        assert [scope async for scope, _ in memories(store, Wanted(user=""))] == [Scope("sales")]

    run(test)


def test_a_sealed_store_seals_text_and_vector_alike(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(base64.b64encode(bytes(range(100, 132))).decode())
    keys = read_keys(f"file:{key}")
    assert keys is not None
    path = tmp_path / "sealed.db"
    numbers = vector(0.125, 0.5, 0.25)

    async def test(store: Store) -> None:
        stored = Stored(store, ANA)
        await stored.write(Entry("1", "Ana likes green tea", 5), numbers)
        assert await found(Index("m"), stored, "tea", [1, 1, 1]) == ["1"]
        assert await stored.vector("1") == numbers

    run(test, SealedStore(SqliteStore(f"sqlite:///{path}"), keys))
    content = b"".join(part.read_bytes() for part in tmp_path.glob("sealed.db*") if part.is_file())
    assert b"green" not in content and base64.b64encode(numbers.numbers.tobytes()) not in content
    assert b"m/1" in content and b"ana" in content  # what docs/memory.md says is readable


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"text": "x"}', '{"text": "x", "at": "y"}', '{"text": "x", "at": 1e999}']
)
def test_a_damaged_memory_is_named(text: str) -> None:
    async def test(store: Store) -> None:
        await store.put(ANA.place, "m/1", text)
        with pytest.raises(StoreCorrupt, match="memory 1"):
            await Stored(store, ANA).entry("1")

    run(test)
