"""The store's own chain: many write at once, and a writer that dies at any moment leaves it whole, with the record
before the act."""

from __future__ import annotations

import asyncio

import pytest

from overwinter.orchestrator.audit.store_chain import names, record, texts
from overwinter.orchestrator.governance.budgets.accounts import freeze, shown
from overwinter.state.errors import InvalidInput, StoreUnavailable
from overwinter.state.ids import AUDIT, check_id
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Value
from overwinter.state.sealing.keys import new_key, read_keys
from overwinter.state.sealing.marker import forget
from overwinter.state.sealing.store import SealedStore
from overwinter.state.store import Store

from .desk import NOW, all_acts, findings, opened, short, working


def test_many_write_at_once_and_each_has_its_number(dsn: str) -> None:
    async def main() -> None:
        async with opened(dsn) as store:
            await record(store, "budget.set", "user:x", at=NOW, by="first")
            await asyncio.gather(*(record(store, "budget.set", f"user:{n}", at=NOW, by=str(n)) for n in range(8)))
            (name,) = await names(store)
            assert [number async for number, _ in texts(store, name)] == list(range(1, 10))
            assert {act.by for act in await all_acts(store)} == {"first", *map(str, range(8))}
            assert await findings(store) == []

    asyncio.run(main())


class Dying(MemoryStore):
    """It dies at the so-manieth call that reads or changes a value, before it is made or after."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.after = 1 << 30, False

    def _dies(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise StoreUnavailable("it died")

    async def get(self, scope: str, key: str) -> Value | None:
        if not self.after:
            self._dies()
        found = await super().get(scope, key)
        if self.after:
            self._dies()
        return found

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        if not self.after:
            self._dies()
        made = await super().put(scope, key, value, etag=etag)
        if self.after:
            self._dies()
        return made


async def is_frozen(store: Store) -> bool:
    return (await shown(store, "user:a", NOW)).rules.frozen is not None


@pytest.mark.parametrize("after", [False, True])
def test_wherever_a_writer_dies_no_act_is_done_without_its_record(after: bool) -> None:
    async def main() -> int:
        died = 0
        for moment in range(1, 100):
            store = Dying()
            await store.open()
            await record(store, "budget.set", "user:x", at=NOW, by="first")
            store.left, store.after = moment, after
            try:
                await freeze(store, "user:a", NOW, by="dora")
            except StoreUnavailable:
                died += 1
            done = store.left > 0
            store.left = 1 << 30
            told = [act.by for act in await all_acts(store)]
            assert told in (["first"], ["first", "dora"])
            assert "dora" in told or not await is_frozen(store)
            assert await findings(store) == []
            await freeze(store, "user:a", NOW, by="emil")  # the next one goes on from wherever it stopped
            assert [act.by for act in await all_acts(store)] == [*told, "emil"] and await findings(store) == []
            if done:
                return died
        raise AssertionError("it never came to its end")

    assert asyncio.run(main()) >= 5


def test_no_code_of_a_user_reaches_it() -> None:
    from overwinter.orchestrator.protocol.shared import place_of

    for taken in (place_of, check_id):
        with pytest.raises(InvalidInput):
            taken(AUDIT)


def test_the_scope_of_the_marks_of_traces_is_nobodys_id() -> None:
    from overwinter.functions.tracing import MARKS

    with pytest.raises(InvalidInput):
        check_id(MARKS)


def test_a_chain_whose_key_is_lost_is_told_and_another_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OLD", "NEW"):
        monkeypatch.setenv(name, new_key())
    old, new = read_keys("env:OLD"), read_keys("env:NEW")
    assert old is not None and new is not None

    async def main() -> None:
        inner = MemoryStore()
        async with working(SealedStore(inner, old)) as runtime:
            await (await runtime.start(short, "tea", id="o-1", by="ana")).result("20s")
            await record(runtime.store, "budget.set", "user:x", at=NOW, by="ana")
        assert await forget(inner, old.first.id)
        async with working(SealedStore(inner, new)) as runtime:
            (lost,) = await names(runtime.store)
            await freeze(runtime.store, "user:a", NOW, by="ben")
            own, before = await names(runtime.store)
            assert before == lost
            assert [(act.what, act.on) for act in await all_acts(runtime.store)] == [
                ("store.chain-anew", "store"),
                ("budget.freeze", "user:a"),
                ("sealed", "store"),
                ("sealed", "o-1"),
            ]
            told = await findings(runtime.store)
            assert [one.chain for one in told] == [f"store:{lost}"] * 2 + ["o-1"], "of each chain what it is, once"
            assert any("sealed with a key that is not here" in one.what for one in told)
            await record(runtime.store, "budget.set", "user:x", at=NOW)
            assert [number async for number, _ in texts(runtime.store, own)] == [1, 2, 3]

    asyncio.run(main())


@pytest.mark.parametrize("damaged", ["head", "current", "far"])
def test_whatever_was_damaged_the_next_act_is_recorded_and_verify_says_what(damaged: str) -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.open()
        await record(store, "budget.set", "user:x", at=NOW)
        (name,) = await names(store)
        where = {"head": f"{name}/head", "current": "current", "far": f"{name}/{10**29}"}[damaged]
        await store.put(AUDIT, where, "[no json")
        await record(store, "budget.freeze", "user:x", at=NOW)
        assert {"budget.set", "budget.freeze"} <= {act.what for act in await all_acts(store)}
        told = await findings(store)
        if damaged == "current":  # it was put right by the new one, and the record says so
            assert "store.chain-anew" in {act.what for act in await all_acts(store)} and told == []
        else:
            assert told and {one.chain for one in told} == {f"store:{name}"}

    asyncio.run(main())


@pytest.mark.parametrize("n", ["1e999", "-5", "0", "1.5", "true", f"{10**12}", '"2"'])
def test_a_head_with_a_number_that_no_entry_has_stops_nobody(n: str) -> None:
    """Whoever writes an endless number into the head must not keep anybody from acting, or from finding that."""

    async def main() -> None:
        store = MemoryStore()
        await store.open()
        await record(store, "budget.set", "user:x", at=NOW)
        (name,) = await names(store)
        await store.put(AUDIT, f"{name}/head", f'{{"n":{n},"link":"x"}}')
        assert [one.chain for one in await findings(store)] == [f"store:{name}"]
        await record(store, "budget.freeze", "user:x", at=NOW)
        assert {"budget.set", "budget.freeze", "store.chain-anew"} == {act.what for act in await all_acts(store)}

    asyncio.run(main())


@pytest.mark.parametrize("damaged", ["head", "current", "taken out"])
def test_of_many_that_find_the_chain_damaged_one_begins_another(dsn: str, damaged: str) -> None:
    async def main() -> None:
        async with opened(dsn) as store:
            await record(store, "budget.set", "user:x", at=NOW)
            (before,) = await names(store)
            if damaged == "taken out":
                await store.remove(AUDIT, "current")
            else:
                await store.put(AUDIT, {"head": f"{before}/head", "current": "current"}[damaged], '"no chain"')
            await asyncio.gather(*(record(store, "budget.freeze", f"user:{n}", at=NOW, by=str(n)) for n in range(6)))
            own, *others = await names(store)
            assert others == [before]
            told = [(act.what, act.by) for act in await all_acts(store) if act.chain == f"store:{own}"]
            assert told[0][0] == "store.chain-anew" and {by for _, by in told[1:]} == set("012345") and len(told) == 7
            assert {one.chain for one in await findings(store)} <= {f"store:{before}"}

    asyncio.run(main())
