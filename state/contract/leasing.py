"""Leases and what is due: who lives, who may take over, what must be looked at and in which order."""

from __future__ import annotations

from ..records import Answer
from ..store import Store
from .case import NOW, TTL, WORKFLOW, Case, bodies, change, found, known, lease, mail, scenario, settle


class Leasing(Case):
    @scenario
    async def test_a_lease_holds_while_its_owner_beats(self, store: Store) -> None:
        await lease(store, "x", "a")
        for later in range(0, 5 * TTL, TTL // 2):
            await store.beat("a", NOW + later, TTL)
            await store.beat("b", NOW + later, TTL)
            busy = await store.accept("x", None, now=NOW + later + TTL // 2, owner="b")
            assert busy.answer is Answer.BUSY
            assert await store.due(NOW + later + TTL // 2) == []

    @scenario
    async def test_a_lease_ends_when_its_owner_retires(self, store: Store) -> None:
        await lease(store, "x", "a")
        await store.beat("b", NOW, TTL)
        await store.retire("a")
        assert await store.due(NOW) == ["x"]
        accepted = await store.accept("x", mail("k", "news"), now=NOW, owner="b")
        assert accepted.answer is Answer.GRANTED
        assert (known(accepted).owner, known(accepted).status) == ("b", "running")
        assert [m.body for m in accepted.mail] == ["start", "news"]
        assert await store.due(NOW) == []

    @scenario
    async def test_mail_for_a_retired_owner_is_queued(self, store: Store) -> None:
        await lease(store, "x", "a")
        await store.retire("a")
        assert (await store.accept("x", mail("k"), now=NOW + 4)).answer is Answer.QUEUED
        assert await store.due(NOW + 4) == ["x"]
        assert (await found(store, "x")).wake == NOW + 4

    @scenario
    async def test_retiring_is_idempotent_and_for_anybody(self, store: Store) -> None:
        await store.retire("nobody")
        await lease(store, "x", "a")
        await lease(store, "y", "b")
        await store.retire("a")
        await store.retire("a")
        assert await store.due(NOW) == ["x"]

    @scenario
    async def test_an_owner_that_never_beat_is_dead(self, store: Store) -> None:
        accepted = await store.accept("x", mail("k"), now=NOW, owner="ghost", create=WORKFLOW)
        assert accepted.answer is Answer.GRANTED
        assert await store.due(NOW) == ["x"]
        await store.beat("a", NOW, TTL)
        assert (await store.accept("x", None, now=NOW, owner="a")).answer is Answer.GRANTED

    @scenario
    async def test_leases_of_one_owner_all_end_together(self, store: Store) -> None:
        for number in range(25):
            await lease(store, f"x{number}", "a")
        await lease(store, "y", "b")
        await store.retire("a")
        assert sorted(await store.due(NOW)) == sorted(f"x{number}" for number in range(25))
        assert len(await store.due(NOW, limit=10)) == 10

    @scenario
    async def test_a_beat_tells_of_mail(self, store: Store) -> None:
        head = known(await lease(store, "x", "a"))
        await lease(store, "other", "b")
        await settle(store, "free", "idle")
        await store.accept("free", mail("k"), now=NOW)
        assert [tuple(told) for told in await store.beat("a", NOW, TTL)] == [("x", 1)]
        await store.append(change(head, ["e"], consumed=[1]))
        assert list(await store.beat("a", NOW, TTL)) == []
        await store.accept("x", mail("k"), now=NOW)
        assert [tuple(told) for told in await store.beat("a", NOW, TTL)] == [("x", 2)]

    @scenario
    async def test_due_is_what_has_come(self, store: Store) -> None:
        await settle(store, "never", "waiting")
        await settle(store, "later", "waiting", wake=NOW + 101)
        await settle(store, "now", "waiting", wake=NOW + 100)
        await settle(store, "before", "waiting", wake=NOW)
        await settle(store, "held", "running", wake=NOW, release=False)
        assert await store.due(NOW + 100) == ["before", "now"]
        assert await store.due(NOW - 1) == []
        assert await store.due(NOW + 101) == ["before", "now", "later"]

    @scenario
    async def test_the_oldest_wake_time_is_due_first(self, store: Store) -> None:
        order = [7, 3, 9, 1, 5, 8, 2]
        for wake in order:
            await settle(store, str(wake), "waiting", wake=NOW + wake)
        assert list(await store.due(NOW + 10)) == [str(wake) for wake in sorted(order)]
        assert list(await store.due(NOW + 10, limit=3)) == ["1", "2", "3"]

    @scenario
    async def test_leases_of_the_dead_are_due_in_their_order(self, store: Store) -> None:
        await settle(store, "three", "waiting", wake=NOW + 3)
        await settle(store, "two", "running", wake=NOW + 2, release=False, owner="dead")
        await settle(store, "one", "waiting", wake=NOW + 1)
        await settle(store, "far", "running", wake=NOW + 10**6, release=False, owner="dead")
        await store.retire("dead")
        due = list(await store.due(NOW + 10))
        assert [id for id in due if id != "far"] == ["one", "two", "three"]
        assert "far" in due

    @scenario
    async def test_looking_changes_nothing(self, store: Store) -> None:
        before = await settle(store, "x", "waiting", wake=NOW)
        for _ in range(3):
            assert await store.due(NOW) == ["x"]
        assert await store.head("x") == before

    @scenario
    async def test_what_is_taken_is_no_longer_due(self, store: Store) -> None:
        await settle(store, "x", "waiting", wake=NOW)
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert accepted.answer is Answer.GRANTED
        assert await store.due(NOW) == []
        await store.append(change(known(accepted), ["e"], wake=None, release=True))
        assert await store.due(NOW + 10**9) == []

    @scenario
    async def test_the_next_wake_time_is_the_earliest_that_is_free(self, store: Store) -> None:
        assert await store.next_wake() is None
        await settle(store, "held", "running", wake=NOW + 1, release=False)
        await settle(store, "none", "waiting")
        assert await store.next_wake() is None
        await settle(store, "late", "waiting", wake=NOW + 900)
        await settle(store, "soon", "waiting", wake=NOW + 300)
        assert await store.next_wake() == NOW + 300
        await store.accept("late", mail("k"), now=NOW + 5)
        assert await store.next_wake() == NOW + 5

    @scenario
    async def test_the_living_owners_are_listed_with_what_they_hold(self, store: Store) -> None:
        assert dict(await store.owners(NOW)) == {}
        await lease(store, "x", "a")
        await lease(store, "y", "a")
        await store.beat("b", NOW, TTL)
        await settle(store, "z", "idle")
        await store.accept("ghostly", None, now=NOW, owner="ghost", create=WORKFLOW)
        assert dict(await store.owners(NOW)) == {"a": 2, "b": 0}
        await store.retire("a")
        assert dict(await store.owners(NOW)) == {"b": 0}

    @scenario
    async def test_many_owners_come_and_go(self, store: Store) -> None:
        await store.accept("x", None, now=NOW, create=WORKFLOW)
        for number in range(15):
            owner = f"owner {number} ä/…"
            await store.beat(owner, NOW, TTL)
            accepted = await store.accept("x", mail(str(number), str(number)), now=NOW, owner=owner)
            assert accepted.answer is Answer.GRANTED
            assert len(accepted.mail) == number + 1
            await store.retire(owner)
        assert await store.due(NOW) == ["x"]
        assert len(await bodies(store, "x")) == 15
