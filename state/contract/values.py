"""The key-value interface: etags decide who wins, scopes keep apart."""

from __future__ import annotations

import asyncio

from ..errors import EtagMismatch
from ..store import Store
from .case import Case, refusal, scenario


class Values(Case):
    @scenario
    async def test_a_value_is_read_as_it_was_written(self, store: Store) -> None:
        assert await store.get("s", "k") is None
        for value in ('{"a": 1}', "null", '"ä 日本 👩‍👩‍👧"', "", "x" * 300_000):
            etag = await store.put("s", "k", value)
            assert etag
            assert await store.get("s", "k") == (value, etag)

    @scenario
    async def test_every_write_changes_the_etag(self, store: Store) -> None:
        etags = [await store.put("s", "k", "1") for _ in range(5)]
        await store.remove("s", "k")
        etags.append(await store.put("s", "k", "1"))
        assert len(set(etags)) == 6

    @scenario
    async def test_only_if_absent(self, store: Store) -> None:
        etag = await store.put("s", "k", "1", etag="")
        assert isinstance(await refusal(store.put("s", "k", "2", etag="")), EtagMismatch)
        assert await store.get("s", "k") == ("1", etag)
        await store.remove("s", "k")
        await store.put("s", "k", "3", etag="")

    @scenario
    async def test_only_if_unchanged(self, store: Store) -> None:
        old = await store.put("s", "k", "1")
        new = await store.put("s", "k", "2", etag=old)
        for stale in (old, "no such etag"):
            assert isinstance(await refusal(store.put("s", "k", "3", etag=stale)), EtagMismatch)
        assert await store.get("s", "k") == ("2", new)
        assert isinstance(await refusal(store.put("s", "absent", "3", etag=new)), EtagMismatch)
        assert await store.get("s", "absent") is None

    @scenario
    async def test_of_many_writers_one_wins(self, store: Store) -> None:
        etag = await store.put("s", "k", "0")
        writing = [store.put("s", "k", str(number), etag=etag) for number in range(10)]
        answers = await asyncio.gather(*writing, return_exceptions=True)
        assert sum(isinstance(answer, EtagMismatch) for answer in answers) == 9

    @scenario
    async def test_removing(self, store: Store) -> None:
        assert await store.remove("s", "k") is False
        old = await store.put("s", "k", "1")
        new = await store.put("s", "k", "2")
        assert isinstance(await refusal(store.remove("s", "k", etag=old)), EtagMismatch)
        assert await store.get("s", "k") is not None
        assert await store.remove("s", "k", etag=new) is True
        assert await store.get("s", "k") is None
        await store.put("s", "k", "3")
        assert await store.remove("s", "k") is True

    @scenario
    async def test_a_scope_is_read_page_by_page(self, store: Store) -> None:
        names = ["b", "a", "a%b", "B", "ä", "日本", "a\U0010ffff", "a/1", "a/10", "a/2", "m/x"]
        etags = {name: await store.put("s", name, f'"{name}"' * 300) for name in names}
        await store.put("t", "a/3", "1")

        async def read(prefix: str, limit: int) -> list[tuple[str, tuple[str, str]]]:
            found: list[tuple[str, tuple[str, str]]] = []
            while page := await store.values("s", prefix, found[-1][0] if found else "", limit):
                assert len(page) <= limit
                found += page
            return found

        for prefix in ("", "a", "a/1", "ä", "z", "a\U0010ffff"):
            expected = [(name, (f'"{name}"' * 300, etags[name])) for name in sorted(names) if name.startswith(prefix)]
            for limit in (1, 3, 1000):
                assert await read(prefix, limit) == expected
        assert await store.values("s", "m", "a") == await store.values("s", "m")
        assert not await store.values("s", "a", "b") and not await store.values("nobody")
        assert not await store.values("s", limit=0)

    @scenario
    async def test_scopes_keep_apart(self, store: Store) -> None:
        await store.put("s", "k", "1")
        await store.put("t", "k", "2")
        await store.put("s/t", "k", "3")
        await store.put("s", "t/k", "4")
        assert [list(await store.keys(scope)) for scope in ("s", "t", "s/t", "")] == [["k", "t/k"], ["k"], ["k"], []]
        await store.remove("t", "k")
        assert (await store.get("s", "k") or ("",))[0] == "1"
        assert (await store.get("s/t", "k") or ("",))[0] == "3"

    @scenario
    async def test_scopes_are_listed_in_order(self, store: Store) -> None:
        assert list(await store.scopes()) == []
        names = ["b", "a", "B", "ä", "日本", "a/1", "a\U0010ffff"]
        for name in names:
            await store.put(name, "k", "1")
            await store.put(name, "l", "1")
        assert list(await store.scopes()) == sorted(names)
        assert list(await store.scopes("a", 2)) == sorted(names)[2:4]
        assert list(await store.scopes(max(names))) == []
        await store.remove("b", "k")
        assert "b" in await store.scopes()
        await store.remove("b", "l")
        assert "b" not in await store.scopes()

    @scenario
    async def test_keys_are_listed_in_order(self, store: Store) -> None:
        names = ["b", "a", "a%b", "a_b", "axb", "B", "ä", "日本", "a\U0010ffff", "", "a/1", "a/10", "a/2"]
        for name in names:
            await store.put("s", name, "1")
        assert list(await store.keys("s")) == sorted(names)
        for prefix in ("a", "a%", "a/1", "ä", "日", "a\U0010ffff", "z"):
            assert list(await store.keys("s", prefix)) == sorted(n for n in names if n.startswith(prefix))
        assert list(await store.keys("s", limit=2)) == sorted(names)[:2]
        assert list(await store.keys("nobody")) == []
