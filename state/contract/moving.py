"""``dump`` and ``restore``: an execution goes to another store and is there what it was here."""

from __future__ import annotations

from ..records import Answer, Dump, Filter, unleased
from ..store import Store
from .case import AGENT, DAY, NOW, TTL, Case, bodies, change, found, known, lease, mail, scenario, settle


async def _rich(store: Store, id: str = "x") -> Dump:
    """An execution that has everything: a journal with a moved base, mail in both lanes, keys, blobs."""
    head = known(await lease(store, id, create=AGENT))
    blobs = {"sha256:aa": bytes(range(256)), "sha256:00": b""}
    await store.append(change(head, ["1", "2", "ä 日本"], consumed=[1], base=2, awaits="w", note="n", blobs=blobs))
    head = await found(store, id)
    await store.append(change(head, ["4"], status="waiting", wake=NOW + 50, release=True, state="{}", token="t"))
    await store.accept(id, mail("k1", "one", blobs={"sha256:bb": b"mailed"}), now=NOW + 5)
    await store.accept(id, mail("", "two", 0), now=NOW + 6)
    dump = await store.dump(id)
    assert dump is not None
    return dump


class Moving(Case):
    @scenario
    async def test_nobody_is_dumped_as_nothing(self, store: Store) -> None:
        assert await store.dump("x") is None

    @scenario
    async def test_a_dump_is_the_whole_execution(self, store: Store) -> None:
        dump = await _rich(store)
        assert dump.head == await store.head("x")
        assert list(dump.entries) == ["1", "2", "ä 日本", "4"]
        assert [(m.seq, m.lane, m.at, m.body) for m in dump.mail] == [(2, 1, NOW, "one"), (3, 0, NOW, "two")]
        assert dict(dump.blobs) == {"sha256:aa": bytes(range(256)), "sha256:00": b"", "sha256:bb": b"mailed"}
        assert len(dump.seen) >= 2

    @scenario
    async def test_what_was_dumped_is_restored_as_it_was(self, store: Store) -> None:
        dump = await _rich(store)
        await settle(store, "x2", "idle")
        moved = dump._replace(head=dump.head._replace(id="y"))
        assert await store.restore(moved) is True
        assert await store.dump("y") == moved
        assert await store.head("y") == moved.head
        assert list(await store.history("y")) == ["1", "2", "ä 日本", "4"]
        assert await bodies(store, "y") == ["two", "one"]
        assert await store.blob("y", "sha256:bb") == b"mailed"
        assert (await store.accept("y", mail("k1"), now=NOW + DAY)).answer is Answer.DUPLICATE
        assert (await store.accept("y", mail("start"), now=NOW + DAY)).answer is Answer.DUPLICATE
        assert (await store.counts())["waiting"] == 2
        assert {head.id for head in (await store.executions(Filter(status=["waiting"]))).heads} == {"x", "y"}

    @scenario
    async def test_what_was_restored_goes_on(self, store: Store) -> None:
        dump = await _rich(store)
        await store.restore(dump._replace(head=dump.head._replace(id="y")))
        assert "y" in await store.due(NOW + 50)
        assert (await store.accept("y", mail("k2", "three"), now=NOW + 7)).answer is Answer.QUEUED
        await store.beat("b", NOW, TTL)
        accepted = await store.accept("y", None, now=NOW + 8, owner="b")
        assert accepted.answer is Answer.GRANTED
        assert list(accepted.entries or ()) == ["2", "ä 日本", "4"]
        assert [(m.seq, m.body) for m in accepted.mail] == [(3, "two"), (2, "one"), (4, "three")]
        answer = await store.append(change(known(accepted), ["5"], consumed=[2, 3, 4], status="idle", release=True))
        assert answer.released
        assert (await found(store, "y")).length == 5

    @scenario
    async def test_an_id_that_is_taken_is_left_alone(self, store: Store) -> None:
        dump = await _rich(store)
        head = await settle(store, "y", "idle")
        assert await store.restore(dump._replace(head=dump.head._replace(id="y"))) is False
        assert await store.head("y") == head
        assert list(await store.history("y")) == ["entry"]

    @scenario
    async def test_what_is_leased_is_dumped_as_due(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        dump = await store.dump("x")
        assert dump is not None
        assert dump.head == unleased(head)
        assert (dump.head.owner, dump.head.wake) == (None, head.updated)
        await store.restore(dump._replace(head=dump.head._replace(id="y")))
        assert await store.due(NOW + 5) == ["y"]
        assert (await found(store, "x")).owner == "a"

    @scenario
    async def test_children_and_rare_statuses_are_found_after_the_move(self, store: Store) -> None:
        dump = await _rich(store)
        for status in ("failed", "stuck", "completed"):
            head = dump.head._replace(id=status, status=status, parent="mother", wake=None)
            await store.restore(dump._replace(head=head, mail=()))
        assert {head.id for head in (await store.executions(Filter(parent="mother"))).heads} == {
            "failed",
            "stuck",
            "completed",
        }
        assert {head.id for head in (await store.executions(Filter(status=["stuck", "failed"]))).heads} == {
            "failed",
            "stuck",
        }
        assert await store.delete("failed", now=NOW) is True

    @scenario
    async def test_a_long_journal_is_moved_whole(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, [f"entry {n}" for n in range(3000)], consumed=[1], status="idle", release=True))
        dump = await store.dump("x")
        assert dump is not None
        await store.restore(dump._replace(head=dump.head._replace(id="y")))
        assert (await store.dump("y") or dump).entries == dump.entries
        assert list(await store.history("y", 2990)) == [f"entry {n}" for n in range(2990, 3000)]

    @scenario
    async def test_a_sound_store_contradicts_itself_nowhere(self, store: Store) -> None:
        await _rich(store)
        await lease(store, "held", "b")
        await settle(store, "gone", "failed")
        await store.delete("gone", now=NOW)
        assert list(await store.verify()) == []
