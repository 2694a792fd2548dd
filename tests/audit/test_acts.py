"""Who did what, on every store: each act is told once, with who, on what and where it stands."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from overwinter import Runtime
from overwinter.orchestrator.audit import ocsf
from overwinter.orchestrator.audit.acts import Wanted
from overwinter.orchestrator.audit.proving import holds, prove
from overwinter.orchestrator.audit.reading import page
from overwinter.orchestrator.audit.readings import reading
from overwinter.orchestrator.audit.store_chain import names
from overwinter.orchestrator.governance.budgets.account import Limit
from overwinter.orchestrator.governance.budgets.accounts import freeze, raise_limits, remove, set_limits, unfreeze
from overwinter.state.errors import InvalidInput
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store

from .desk import NOW, all_acts, findings, one_order, short, working


def test_everything_that_people_do_is_told_and_holds(dsn: str) -> None:
    async def main() -> None:
        store = open_store(dsn)
        async with working(store) as runtime:
            await one_order(runtime)
            await set_limits(store, "user:ana", [Limit("day", {"tokens": 10})], NOW, by="dora")
            await raise_limits(store, "user:ana", {"tokens": 5}, NOW, by="dora", reason="busy")
            await freeze(store, "user:ana", NOW, by="dora", reason="a leak")
            await unfreeze(store, "user:ana", NOW, by="emil")
            await remove(store, "user:ana", by="emil")
            acts = await all_acts(store)
            told = [(act.by, act.what, act.on) for act in acts]
            assert told == [
                ("dora", "budget.set", "user:ana"),
                ("dora", "budget.raise", "user:ana"),
                ("dora", "budget.freeze", "user:ana"),
                ("emil", "budget.unfreeze", "user:ana"),
                ("emil", "budget.remove", "user:ana"),
                ("ana", "start", "o-1"),
                ("ben", "approve", "o-1"),
                ("cara", "signal", "o-1"),
            ]
            assert [act.n for act in acts[:5]] == [1, 2, 3, 4, 5] and all(act.link for act in acts)
            assert acts[6].reason == "it is paid" and acts[6].details["approved"] is True
            assert await findings(store) == []

    asyncio.run(main())


def test_acts_are_chosen_by_who_what_function_and_time() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with working(store) as runtime:
            await one_order(runtime)
            await (await runtime.start(short, "x", id="s-1", by="ana")).result("20s")
            await freeze(store, "user:ana", NOW, by="ana")
            for wanted, expected in (
                (Wanted(by="ana"), {"start", "budget.freeze"}),
                (Wanted(what="budget"), {"budget.freeze"}),
                (Wanted(what="approve"), {"approve"}),
                (Wanted(function="short"), {"start"}),
                (Wanted(on="o-1"), {"start", "approve", "signal"}),
                (Wanted(on="user:ana"), {"budget.freeze"}),
                (Wanted(by="nobody"), set[str]()),
                (Wanted(until=1), set[str]()),
                (Wanted(since=1 << 50), set[str]()),
            ):
                assert {act.what for act in await all_acts(store, wanted)} == expected

    asyncio.run(main())


@pytest.mark.parametrize("scan", [1, 2, 3, 7, 1000])
def test_pages_tell_each_act_once_however_little_one_page_looks_at(scan: int) -> None:
    async def main() -> None:
        store = MemoryStore()
        async with working(store) as runtime:
            for number in range(3):
                await one_order(runtime, f"o-{number}")
                await freeze(store, f"user:u-{number}", NOW, by="dora")
            whole = await all_acts(store)
            found, cursor = list[object](), None
            while True:
                told = await page(store, Wanted(), cursor, limit=2, scan=scan)
                assert len(told.acts) <= 2 and told.scanned <= scan
                found += told.acts
                cursor = told.cursor
                if cursor is None:
                    break
            assert found == whole and len(whole) == 12
            for bad in ("x", "!", "W10", "WzEsMiwzXQ"):
                with pytest.raises(InvalidInput):
                    await page(store, Wanted(), bad, limit=1, scan=1)

    asyncio.run(main())


@pytest.mark.parametrize("deleted", [False, True])
def test_pages_go_on_where_they_were_whatever_begins_or_goes_meanwhile(deleted: bool) -> None:
    """Between two pages more begin than a page of executions has, and the one where it stood may be gone."""

    async def main() -> None:
        store = MemoryStore()
        await store.create()
        async with Runtime([short], store, clock=count(NOW).__next__) as runtime:  # no two begin at one time
            there = [f"s-{number}" for number in range(6)]
            for id in there:
                await (await runtime.start(short, "x", id=id)).result("20s")
            found = await page(store, Wanted(what="start"), None, limit=2, scan=1000)
            told, cursor = [act.on for act in found.acts], found.cursor
            assert cursor is not None
            for number in range(150):
                await (await runtime.start(short, "x", id=f"later-{number}")).result("20s")
            if deleted:
                assert await store.delete(told[-1], now=runtime.clock() + 1_000_000)
            while cursor is not None and len(told) < 20:
                found = await page(store, Wanted(what="start"), cursor, limit=2, scan=1000)
                told, cursor = told + [act.on for act in found.acts], found.cursor
            assert told == there[::-1] and cursor is None

    asyncio.run(main())


def test_an_act_as_an_event_of_ocsf_has_what_the_class_requires() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with working(store) as runtime:
            await one_order(runtime)
            await remove(store, "user:ana", by="emil")
            await reading(store, "audit.list", by="ana")
            activities = {act.what: ocsf.event(act, "1.0")["activity_name"] for act in await all_acts(store)}
            assert (activities["audit.list"], activities["start"]) == ("Read", "Create")
            for act in await all_acts(store):
                told = ocsf.event(act, "1.0")
                assert told["type_uid"] == told["class_uid"] * 100 + told["activity_id"] and told["class_uid"] == 6003
                needed = ("activity_id", "actor", "api", "category_uid", "class_uid", "metadata", "severity_id")
                assert all(told[name] for name in (*needed, "src_endpoint", "time", "type_uid"))
                assert told["metadata"]["version"] == "1.3.0" and told["metadata"]["product"]["vendor_name"]
                assert told["actor"]["user"]["name"] == act.by and told["api"]["operation"] == act.what

    asyncio.run(main())


def test_an_execution_that_is_called_as_a_chain_of_the_store_stands_in_nobodys_way() -> None:
    async def main() -> None:
        async with working(MemoryStore()) as runtime:
            for id in ("store:1", "store:", "b"):
                await (await runtime.start(short, "tea", id=id)).result("20s")
            await freeze(runtime.store, "user:a", NOW)
            (name,) = await names(runtime.store)
            with pytest.raises(InvalidInput):
                await runtime.start(short, "tea", id=f"store:{name}")
            told, cursor = list[str](), None
            for _ in range(20):
                found = await page(runtime.store, Wanted(), cursor, limit=1, scan=5000)
                told, cursor = told + [act.on for act in found.acts], found.cursor
                if cursor is None:
                    break
            assert sorted(told) == ["b", "store:", "store:1", "user:a"] and cursor is None
            proven = [one async for one in prove(runtime.store)]
            first = (await all_acts(runtime.store, Wanted(on="store:1")))[0]
            assert await holds(runtime.store, proven, first.link)

    asyncio.run(main())
