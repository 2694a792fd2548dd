"""Who reads the audit, or takes data away, is in the audit before it is read, once an hour, and nothing else is changed
by looking."""

from __future__ import annotations

import asyncio

import pytest

from overwinter.orchestrator.audit import readings, store_chain
from overwinter.orchestrator.audit.acts import Wanted
from overwinter.orchestrator.audit.readings import HOUR, reading
from overwinter.orchestrator.audit.store_chain import names, record
from overwinter.orchestrator.protocol import moved
from overwinter.state.codec import dumps
from overwinter.state.errors import StoreReadOnly, StoreUnavailable
from overwinter.state.ids import AUDIT
from overwinter.state.memory import MemoryStore
from overwinter.state.store import Store

from .desk import NOW, all_acts, findings, opened


async def told(store: Store) -> list[tuple[str, str, str]]:
    return [(act.by, act.what, act.on) for act in await all_acts(store)]


class Later(MemoryStore):
    """A store whose clock is set."""

    now = NOW

    async def time(self) -> int:
        return self.now


def test_the_same_reading_is_told_once_an_hour_and_each_other_one(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as store:
            await record(store, "budget.set", "user:x", at=NOW)
            for _ in range(3):
                await reading(store, "audit.list", by="ana", asked={"what": "budget"})
            await reading(store, "audit.list", by="ben")
            await reading(store, "audit.list", "o-1", by="ana")
            await reading(store, "audit.verify", by="ana")
            assert (await told(store))[1:] == [
                ("ana", "audit.list", "store"),
                ("ben", "audit.list", "store"),
                ("ana", "audit.list", "o-1"),
                ("ana", "audit.verify", "store"),
            ]
            (first, *_) = await all_acts(store, Wanted(what="audit.list"))
            assert first.details["asked"] == {"what": "budget"}
            assert await findings(store) == []
            await reading(store, "audit.list", "\udcff", by="ana")  # an argument that was no text
            assert (await told(store))[-1][:2] == ("ana", "audit.list")

    asyncio.run(main())


def test_whoever_asks_ever_again_makes_the_chain_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "MOST", 5)

    async def main() -> None:
        store = Later()
        await store.open()
        await record(store, "budget.set", "user:x", at=NOW)
        for hour in (1, 2):
            for number in range(20):
                await reading(store, "audit.list", f"o-{number}", by="ana")
            made = await all_acts(store, Wanted(what="audit"))
            assert len(made) == 6 * hour and made[-1].what == "audit.more" and "more than 5" in made[-1].reason
            store.now += HOUR

    asyncio.run(main())


def test_what_can_not_be_written_is_read_without_a_record() -> None:
    class Copy(MemoryStore):
        frozen = False

        async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
            if self.frozen:
                raise StoreReadOnly("it only reads")
            return await super().put(scope, key, value, etag=etag)

    async def main() -> None:
        store = Copy()
        await store.open()
        await record(store, "budget.set", "user:x", at=NOW)
        store.frozen = True
        await reading(store, "audit.list")
        assert [what for _, what, _ in await told(store)] == ["budget.set"]

    asyncio.run(main())


def test_nobody_reads_where_the_record_could_not_be_written() -> None:
    class Away(MemoryStore):
        away = False

        async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
            if self.away:
                raise StoreUnavailable("it is away")
            return await super().put(scope, key, value, etag=etag)

    async def main() -> None:
        store = Away()
        await store.open()
        await record(store, "budget.set", "user:x", at=NOW)
        store.away = True
        with pytest.raises(StoreUnavailable):
            await reading(store, "audit.list")

    asyncio.run(main())


@pytest.mark.parametrize("damaged", ["current", "head", "taken out"])
def test_who_looks_mends_no_damage_that_somebody_has_to_see(damaged: str) -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.open()
        await record(store, "budget.set", "user:x", at=NOW)
        (name,) = await names(store)
        if damaged == "taken out":
            await store.remove(AUDIT, "current")
        else:
            await store.put(AUDIT, {"head": f"{name}/head", "current": "current"}[damaged], "[no json")
        before = await store.values(AUDIT)
        seen = await findings(store)
        await reading(store, "audit.verify")
        assert await store.values(AUDIT) == before and await findings(store) == seen and seen

    asyncio.run(main())


def test_a_store_that_is_empty_or_has_moved_is_left_as_it_is() -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.open()
        await reading(store, "audit.list")
        assert await store.scopes() == []
        await record(store, "budget.set", "user:x", at=NOW)
        await store.put(moved.SCOPE, moved.KEY, dumps({"state": "moved", "to": "memory://", "at": NOW}))
        await reading(store, "audit.list")
        assert [what for _, what, _ in await told(store)] == ["budget.set"]

    asyncio.run(main())


def test_a_crash_after_the_record_tells_it_twice_and_never_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.open()
        await record(store, "budget.set", "user:x", at=NOW)
        done = store_chain.add

        async def dies(*given: object, **more: object) -> None:
            await done(*given, **more)  # type: ignore[arg-type]  # as it was called
            raise StoreUnavailable("it died")

        monkeypatch.setattr(store_chain, "add", dies)
        with pytest.raises(StoreUnavailable):
            await reading(store, "audit.list", by="ana")
        monkeypatch.setattr(store_chain, "add", done)
        await reading(store, "audit.list", by="ana")
        assert [by for by, what, _ in await told(store) if what == "audit.list"] == ["ana", "ana"]

    asyncio.run(main())
