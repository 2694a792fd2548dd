"""A process is given only the leases of what it can run."""

from __future__ import annotations

from ..records import Answer
from ..store import Store
from .case import NOW, TTL, WORKFLOW, Case, bodies, change, found, known, lease, mail, scenario, settle

OTHERS = frozenset({"tick", "ticketing", "ticket ", "other"})
"""Functions with names like that of WORKFLOW; none of them is it."""


class Serving(Case):
    @scenario
    async def test_only_what_is_served_is_leased(self, store: Store) -> None:
        await store.beat("a", NOW, TTL)
        for served, answer in (
            (OTHERS, Answer.QUEUED),
            (frozenset[str](), Answer.QUEUED),
            (OTHERS | {WORKFLOW.function}, Answer.GRANTED),
        ):
            id = f"x{len(served)}"
            await settle(store, id, "waiting", wake=NOW + 100)
            accepted = await store.accept(id, mail("k", "news"), now=NOW + 5, owner="a", served=served)
            assert accepted.answer is answer
            assert await bodies(store, id) == ["news"]
            if answer is Answer.QUEUED:
                head = known(accepted)
                assert (head.owner, head.wake, head.status) == (None, NOW + 5, "waiting")
                assert id in await store.due(NOW + 5)

    @scenario
    async def test_what_is_not_served_is_created_for_others(self, store: Store) -> None:
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", mail("start"), now=NOW, owner="a", create=WORKFLOW, served=OTHERS)
        assert accepted.answer is Answer.QUEUED
        assert (known(accepted).status, known(accepted).owner) == ("pending", None)
        await store.beat("b", NOW, TTL)
        mine = await store.accept("x", None, now=NOW, owner="b", served=frozenset({WORKFLOW.function}))
        assert mine.answer is Answer.GRANTED
        assert [m.body for m in mine.mail] == ["{}"]

    @scenario
    async def test_a_start_under_the_id_of_another_function_takes_no_lease(self, store: Store) -> None:
        await settle(store, "x", "waiting")
        await store.beat("a", NOW, TTL)
        create = WORKFLOW._replace(function="other")
        accepted = await store.accept("x", mail("k"), now=NOW, owner="a", create=create, served=OTHERS)
        assert (accepted.answer, known(accepted).function) == (Answer.OTHER, WORKFLOW.function)
        assert known(accepted).owner is None

    @scenario
    async def test_many_functions_may_be_served(self, store: Store) -> None:
        await store.beat("a", NOW, TTL)
        many = frozenset(f"function number {number}" for number in range(150))
        await settle(store, "x", "waiting")
        await settle(store, "y", "waiting")
        assert (await store.accept("x", mail("k"), now=NOW, owner="a", served=many)).answer is Answer.QUEUED
        more = many | {WORKFLOW.function}
        assert (await store.accept("y", mail("k"), now=NOW, owner="a", served=more)).answer is Answer.GRANTED
        created = await store.accept("z", mail("k"), now=NOW, owner="a", create=WORKFLOW, served=more)
        assert created.answer is Answer.GRANTED

    @scenario
    async def test_other_answers_are_what_they_were(self, store: Store) -> None:
        head = known(await lease(store, "x", "a"))
        await store.beat("b", NOW, TTL)
        busy = await store.accept("x", mail("k"), now=NOW, owner="b", served=OTHERS)
        assert busy.answer is Answer.BUSY
        again = await store.accept("x", mail("k"), now=NOW, owner="b", served=OTHERS)
        assert again.answer is Answer.DUPLICATE
        await store.append(change(head, ["e"], consumed=[1, 2], status="completed", arrivals=2, release=True))
        assert (await store.accept("x", mail("l"), now=NOW, owner="b", served=OTHERS)).answer is Answer.FINISHED
        assert (await store.accept("?", mail("l"), now=NOW, owner="b", served=OTHERS)).answer is Answer.MISSING

    @scenario
    async def test_what_the_dead_held_is_left_to_those_who_can_run_it(self, store: Store) -> None:
        await lease(store, "x", "a")
        await store.retire("a")
        await store.beat("b", NOW, TTL)
        accepted = await store.accept("x", mail("k"), now=NOW + 1, owner="b", served=OTHERS)
        assert accepted.answer is Answer.QUEUED
        assert (await found(store, "x")).owner != "b"
        assert await store.due(NOW + 1) == ["x"]
