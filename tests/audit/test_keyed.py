"""With a key, who can write the store and has not the key can't write the audit anew: every entry that was not linked
with it is found, but for those that were there when it was keyed."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence

import pytest

from overwinter.orchestrator.audit.acts import Wanted
from overwinter.orchestrator.audit.keyed_from import From, keep
from overwinter.orchestrator.audit.keying import NO_KEY, key_from_here
from overwinter.orchestrator.audit.proving import Finding, Proven, prove
from overwinter.orchestrator.audit.store_chain import key as place
from overwinter.orchestrator.audit.store_chain import names, record, root_of
from overwinter.orchestrator.governance.budgets.accounts import freeze
from overwinter.orchestrator.upkeep.moving import move
from overwinter.security.chain import keyed_all, link_of, linked_all, root, without
from overwinter.security.keyed import Keyed
from overwinter.security.redaction import redacted
from overwinter.state.errors import InvalidInput
from overwinter.state.ids import AUDIT, KEYED
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.sealing.keys import new_key
from overwinter.state.store import Store

from .desk import NOW, all_acts, asked, findings, one_order, order, short, working

ONE, TWO = Keyed({"01" * 8: b"one" * 11}), Keyed({"02" * 8: b"two" * 11})
BOTH = Keyed({"02" * 8: b"two" * 11, "01" * 8: b"one" * 11})


async def proven(store: Store, key: Keyed | None) -> list[Proven]:
    store.audit_key = key
    return [one async for one in prove(store)]


async def found(store: Store, key: Keyed | None) -> list[Finding]:
    return [finding for one in await proven(store, key) for finding in one.findings]


async def done(store: Store, id: str, key: Keyed | None) -> None:
    store.audit_key = key
    async with working(store) as runtime:
        await (await runtime.start(short, "tea", id=id, by="ana")).result("20s")


async def anew(store: Store, id: str, texts: Sequence[str]) -> None:
    """Whoever can write the store puts these entries in the place of a journal."""
    dump = await store.dump(id)
    assert dump is not None
    head = dump.head._replace(length=len(texts))
    assert await store.delete(id, now=NOW * 2)
    assert await store.restore(dump._replace(head=head, entries=tuple(texts)))


def test_what_is_written_with_a_key_holds_with_it_and_on_every_store(dsn: str) -> None:
    async def main() -> None:
        store = open_store(dsn)
        store.audit_key = ONE
        async with working(store) as runtime:
            await one_order(runtime)
            await freeze(store, "user:a", NOW, by="dora")
            for one in await proven(store, ONE):
                assert one.findings == () and one.unkeyed == 0 and not one.unchecked and one.begins == 1
                assert one.link.startswith(ONE.begin)
            assert [act.what for act in await all_acts(store)] == ["budget.freeze", "start", "approve", "signal"]

    asyncio.run(main())


def test_who_has_no_key_can_not_make_a_journal_anew() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "s-1", ONE)
        texts = [without(text).replace("tea", "gin") for text in await store.history("s-1")]
        for made in (linked_all(root("s-1"), texts)[0], keyed_all(TWO, root("s-1"), texts)[0]):
            await anew(store, "s-1", made)
            assert [(one.chain, one.n) for one in await found(store, ONE)] == [("s-1", 1)]
        whole = keyed_all(ONE, root("s-1"), texts)[0]
        await anew(store, "s-1", [*whole[:-1], *linked_all(link_of(whole[-2]), [texts[-1]])[0]])
        assert [(one.chain, one.n) for one in await found(store, ONE)] == [("s-1", len(texts))]
        changed = [whole[0].replace("gin", "rum"), *whole[1:]]
        await anew(store, "s-1", changed)
        assert [(one.n, "is not what was written" in one.what) for one in await found(store, ONE)] == [(1, True)]

    asyncio.run(main())


def test_who_has_no_key_can_not_make_the_chain_of_the_store_anew() -> None:
    async def main() -> None:
        store = MemoryStore()
        await store.open()
        store.audit_key = ONE
        await record(store, "budget.freeze", "user:a", at=NOW, by="dora")
        (name,) = await names(store)
        (text,) = [value.value for key, value in await store.values(AUDIT) if key == place(name, 1)]
        (lie,), _ = linked_all(root_of(name), [without(text).replace("dora", "zoe")])
        await store.put(AUDIT, place(name, 1), lie)
        await store.put(AUDIT, f"{name}/head", f'{{"n":1,"link":"{link_of(lie)}"}}')
        assert await found(store, None) == [], "it holds in itself"
        assert [one.n for one in await found(store, ONE)] == [1]

    asyncio.run(main())


def test_entries_from_before_stay_valid_up_to_the_act_and_no_further() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "old", None)
        async with working(store) as runtime:
            await runtime.start(order, "tea", id="o-1", by="ana")
            await asked(runtime, "o-1")
        await freeze(store, "user:a", NOW, by="dora")
        assert {one.chain for one in await found(store, ONE)} == {"old", "o-1", f"store:{(await names(store))[0]}"}
        told = await key_from_here(store, at=NOW, by="ana")
        assert told.left == () and told.older == 3 and await found(store, ONE) == []
        (act,) = await all_acts(store, Wanted(what="store.keyed"))
        assert (act.by, act.details) == ("ana", {"key": ONE.id, "executions": 2})
        async with working(store) as runtime:
            await runtime.approve("o-1", by="ben")
            await runtime.signal("o-1", "note", "soon", by="cara")
            await runtime.result("o-1", "20s")
        await done(store, "new", ONE)
        assert await found(store, ONE) == []
        await freeze(store, "user:b", NOW, by="dora")
        texts = [without(text) for text in await store.history("old")]
        for made in (
            linked_all(root("old"), [texts[0].replace("tea", "gin"), *texts[1:]])[0],  # anew, as long as it was
            linked_all(root("old"), texts[:1])[0],  # shorter
        ):
            await anew(store, "old", made)
            assert [one.chain for one in await found(store, ONE)] == ["old"]
        await anew(store, "old", linked_all(root("old"), [*texts, texts[-1]])[0])  # longer
        assert [(one.chain, one.n) for one in await found(store, ONE)] == [("old", len(texts) + 1)]
        await anew(store, "old", linked_all(root("old"), texts)[0])
        assert await found(store, ONE) == []
        await done(store, "later", None)  # by a process without the key
        assert [one.chain for one in await found(store, ONE)] == ["later"]

    asyncio.run(main())


def test_nobody_without_the_key_says_from_where_on_a_chain_is_keyed() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "s-1", None)
        (one,) = await proven(store, ONE)
        await keep(store, TWO, "s-1", From(one.entries, one.link))
        assert [finding.chain for finding in await found(store, ONE)] == ["s-1"]
        await keep(store, ONE, "s-2", From(one.entries, one.link))
        (other, there) = (await store.values(KEYED))[-1]
        for key, _ in await store.values(KEYED):  # that of another chain says nothing of this one
            await store.put(KEYED, key, there.value)
        assert other and [finding.chain for finding in await found(store, ONE)] == ["s-1"]
        store.audit_key = None
        with pytest.raises(InvalidInput, match="OVERWINTER_AUDIT_KEY"):
            await key_from_here(store, at=NOW)
        assert NO_KEY and "store.keyed" not in {act.what for act in await all_acts(store)}

    asyncio.run(main())


@pytest.mark.parametrize("odd", [{"mac": "\ud800"}, {"link": "\ud800"}, {"mac": "é"}], ids=str)
def test_a_record_that_nobody_can_have_signed_frees_no_chain_and_stops_nobody(odd: dict[str, str]) -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "old", None)
        store.audit_key = ONE
        await key_from_here(store, at=NOW)
        ((place, value), *_) = [one for one in await store.values(KEYED) if '"old"' in one[1].value]
        await store.put(KEYED, place, json.dumps({**json.loads(value.value), **odd}))
        assert {one.chain for one in await found(store, ONE)} == {"old"}
        assert (await key_from_here(store, at=NOW)).left == ()

    asyncio.run(main())


def test_a_number_that_no_entry_has_frees_no_chain_and_stops_nobody() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "s-1", None)
        store.audit_key = ONE
        await key_from_here(store, at=NOW)
        ((where, _),) = await store.values(KEYED)
        for n in ("1e999", "-1", "true", '"1"'):
            await store.put(KEYED, where, f'{{"chain":"s-1","n":{n},"link":"x","mac":"é"}}')
            assert [one.chain for one in await found(store, ONE)] == ["s-1"]
        assert await store.values(KEYED), "it is left for whoever looks"

    asyncio.run(main())


def test_a_chain_that_does_not_hold_is_not_keyed_as_it_is() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "bad", None)
        await done(store, "good", None)
        texts = list(await store.history("bad"))
        await anew(store, "bad", [texts[0].replace("tea", "gin"), *texts[1:]])
        store.audit_key = ONE
        told = await key_from_here(store, at=NOW)
        assert {one.chain for one in told.left} == {"bad"}
        assert {one.chain for one in await found(store, ONE)} == {"bad"}

    asyncio.run(main())


@pytest.mark.parametrize("then", [ONE, BOTH], ids=["the same key", "another one"])
def test_a_chain_that_was_keyed_and_made_anew_without_a_key_is_not_taken_later(then: Keyed) -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "old", None)
        store.audit_key = ONE
        await key_from_here(store, at=NOW)
        texts = [without(text).replace("tea", "gin") for text in await store.history("old")]
        await anew(store, "old", linked_all(root("old"), texts)[0])
        store.audit_key = then
        told = await key_from_here(store, at=NOW)
        assert [(one.chain, one.what) for one in told.left] == [("old", "is another one than when the audit was keyed")]
        assert {one.chain for one in await found(store, then)} == {"old"}

    asyncio.run(main())


def test_without_the_key_it_is_said_what_was_not_checked() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "plain", None)
        await done(store, "keyed", ONE)
        for key in (None, TWO):
            told = {one.chain: one for one in await proven(store, key)}
            assert told["keyed"].unchecked == {"010101": told["keyed"].entries}
            assert not told["plain"].unchecked
        assert await found(store, None) == []

    asyncio.run(main())


def test_after_another_key_the_old_one_counts_up_to_there() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "first", ONE)
        assert {one.chain for one in await found(store, BOTH)} == {"first"}
        await key_from_here(store, at=NOW, by="ana")
        await done(store, "second", BOTH)
        assert await found(store, BOTH) == []
        (first,) = [one for one in await proven(store, TWO) if one.chain == "first"]
        assert first.findings == () and first.unchecked == {"010101": first.entries}, "the old one is not here"
        await done(store, "third", ONE)  # by a process that has not heard, or whoever has stolen the old one
        assert {one.chain for one in await found(store, BOTH)} == {"third"}

    asyncio.run(main())


def test_what_is_keyed_moves_along() -> None:
    async def main() -> None:
        here, there = MemoryStore(), MemoryStore("memory://there")
        await done(here, "old", None)
        here.audit_key = ONE
        await key_from_here(here, at=NOW)
        await there.open()
        await move(here, there)
        assert await found(there, ONE) == []

    asyncio.run(main())


def test_a_key_is_named_by_where_it_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NEW", "OLD"):
        monkeypatch.setenv(name, new_key())
    assert open_store("memory://").audit_key is None
    monkeypatch.setenv("OVERWINTER_AUDIT_KEY", "env:NEW env:OLD")
    monkeypatch.setenv("OVERWINTER_KEYS", "env:OLD")
    both = open_store("memory://").audit_key
    monkeypatch.setenv("OVERWINTER_AUDIT_KEY", "env:OLD")
    old = open_store("memory://").audit_key
    assert both is not None and old is not None and both.id != old.id
    assert both.holds(old.link("a", "b"), "a", "b") and old.holds(both.link("a", "b"), "a", "b") is None
    monkeypatch.setenv("OVERWINTER_AUDIT_KEY", "file:/nowhere/key")
    with pytest.raises(InvalidInput) as missing:
        open_store("memory://")
    assert "file:/nowhere/key" in redacted(str(missing.value)), "where it lies is no secret"
    for wrong in ("strict env:OLD", "env:NOTHING_IS_THERE", secrets.token_hex(32)):
        monkeypatch.setenv("OVERWINTER_AUDIT_KEY", wrong)
        with pytest.raises(InvalidInput, match="OVERWINTER_AUDIT_KEY") as refused:
            open_store("memory://")
        assert wrong.removeprefix("strict ") not in str(refused.value) or ":" in wrong


def test_who_looks_changes_no_finding() -> None:
    async def main() -> None:
        store = MemoryStore()
        await done(store, "s-1", None)
        store.audit_key = ONE
        assert await findings(store) == await findings(store) != []

    asyncio.run(main())
