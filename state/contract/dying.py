"""Owners that die holding an execution: they are counted until something is written, so that the one that kills its
processes is told from those that were merely there."""

from __future__ import annotations

from ..records import Answer, Head
from ..store import Store
from .case import NOW, TTL, Case, change, found, known, lease, mail, scenario

LONG = 10 * 60_000
"""After this, silence is death on every store."""


async def _take(store: Store, id: str, owner: str, now: int) -> Head:
    """``owner`` takes over what another one left."""
    await store.beat(owner, now, TTL)
    accepted = await store.accept(id, None, now=now, owner=owner)
    assert accepted.answer is Answer.GRANTED
    return known(accepted)


async def _dies(store: Store, id: str = "x", times: int = 1) -> Head:
    """A new execution under which so many owners have died; the head that the last one was granted."""
    await lease(store, id, "owner 0")
    head = await found(store, id)
    for number in range(1, times + 1):
        head = await _take(store, id, f"owner {number}", NOW + number * LONG)
    return head


class Dying(Case):
    @scenario
    async def test_a_death_is_counted_when_the_lease_is_taken_over(self, store: Store) -> None:
        assert known(await lease(store, "x", "a")).deaths == 0
        later = NOW + LONG
        assert await store.due(later) == ["x"]
        assert (await found(store, "x")).deaths == 0
        assert (await _take(store, "x", "b", later)).deaths == 1
        assert (await found(store, "x")).deaths == 1
        assert (await _take(store, "x", "c", later + LONG)).deaths == 2

    @scenario
    async def test_mail_takes_over_like_the_sweep(self, store: Store) -> None:
        await lease(store, "x", "a")
        await store.beat("b", NOW + LONG, TTL)
        accepted = await store.accept("x", mail("k", "news"), now=NOW + LONG, owner="b")
        assert (accepted.answer, known(accepted).deaths) == (Answer.GRANTED, 1)
        assert [m.body for m in accepted.mail] == ["start", "news"]

    @scenario
    async def test_an_owner_that_retires_or_never_beat_has_not_died(self, store: Store) -> None:
        await lease(store, "x", "a")
        await store.retire("a")
        assert (await _take(store, "x", "ghost", NOW + 1)).deaths == 0
        await store.retire("ghost")
        accepted = await store.accept("x", None, now=NOW + 2, owner="one that never beats")
        assert (accepted.answer, known(accepted).deaths) == (Answer.GRANTED, 0)
        assert (await _take(store, "x", "b", NOW + 3)).deaths == 0

    @scenario
    async def test_a_death_is_known_to_those_who_come_long_after_it(self, store: Store) -> None:
        for id in ("x", "y"):
            await lease(store, id, "a")
        for number in range(1, 6):  # they make themselves known, and take nothing
            await store.beat(f"passer-by {number}", NOW + number * LONG, TTL)
            await store.retire(f"passer-by {number}")
        for id in ("x", "y"):
            assert (await _take(store, id, "b", NOW + 6 * LONG)).deaths == 1

    @scenario
    async def test_a_free_execution_keeps_its_count(self, store: Store) -> None:
        head = await _dies(store, times=2)
        at = NOW + 2 * LONG + 1
        await store.append(change(head, at=at, release=True, status="waiting", wake=at))
        assert (await found(store, "x")).deaths == 2
        accepted = await store.accept("x", mail("k"), now=at)
        assert (accepted.answer, known(accepted).deaths) == (Answer.QUEUED, 2)
        assert (await _take(store, "x", "z", at)).deaths == 2

    @scenario
    async def test_an_entry_ends_the_count(self, store: Store) -> None:
        head = await _dies(store, times=3)
        await store.append(change(head, at=NOW + 3 * LONG))
        assert (await found(store, "x")).deaths == 3
        head = head._replace(version=head.version + 1)
        await store.append(change(head, ["e"], at=NOW + 3 * LONG))
        assert (await found(store, "x")).deaths == 0
        assert (await _take(store, "x", "z", NOW + 4 * LONG)).deaths == 1

    @scenario
    async def test_an_entry_that_goes_with_the_lease_ends_the_count_too(self, store: Store) -> None:
        head = await _dies(store)
        await store.append(change(head, ["e"], at=NOW + LONG, release=True, status="waiting", wake=NOW + LONG))
        assert (await found(store, "x")).deaths == 0

    @scenario
    async def test_looking_on_changes_no_count(self, store: Store) -> None:
        await _dies(store, times=2)
        now = NOW + 2 * LONG + 1
        await store.beat("b", now, TTL)
        assert (await store.accept("x", mail("k"), now=now, owner="b")).answer is Answer.BUSY
        assert await store.due(now) == []
        listed = [(head.id, head.deaths) for head in (await store.executions()).heads]
        assert (await found(store, "x")).deaths == 2
        assert listed == [("x", 2)]

    @scenario
    async def test_the_count_is_carried_to_another_store(self, store: Store) -> None:
        head = await _dies(store, times=2)
        at = NOW + 2 * LONG + 1
        await store.append(change(head, at=at, release=True, status="waiting"))
        dump = await store.dump("x")
        assert dump is not None
        copy = dump._replace(head=dump.head._replace(id="y"))
        assert await store.restore(copy)
        assert (await found(store, "y")).deaths == 2
        assert await store.dump("y") == copy._replace(blobs={})
