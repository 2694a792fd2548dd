"""``accept`` takes each event once, over a window, whatever has become of it since."""

from __future__ import annotations

import asyncio

from ..records import FINAL, Answer
from ..store import Store
from .case import DAY, NOW, WORKFLOW, Case, bodies, change, found, known, lease, mail, scenario, settle


class Deduplication(Case):
    @scenario
    async def test_an_event_is_taken_once(self, store: Store) -> None:
        await store.accept("x", mail("k", "first"), now=NOW, create=WORKFLOW)
        before = await found(store, "x")
        accepted = await store.accept("x", mail("k", "second"), now=NOW + 1, create=WORKFLOW)
        assert accepted.answer is Answer.DUPLICATE
        assert accepted.head == before
        assert await store.head("x") == before
        assert await bodies(store, "x") == ["first"]

    @scenario
    async def test_a_duplicate_grants_no_lease(self, store: Store) -> None:
        await settle(store, "x", "idle")
        accepted = await store.accept("x", mail("start"), now=NOW, owner="a")
        assert accepted.answer is Answer.DUPLICATE
        assert known(accepted).owner is None

    @scenario
    async def test_a_duplicate_is_known_while_the_execution_is_leased(self, store: Store) -> None:
        await lease(store, "x")
        assert (await store.accept("x", mail("start"), now=NOW)).answer is Answer.DUPLICATE
        assert (await found(store, "x")).arrivals == 1

    @scenario
    async def test_a_consumed_event_is_still_known(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["start"], consumed=[1]))
        assert (await store.accept("x", mail("start"), now=NOW + 5)).answer is Answer.DUPLICATE
        assert await store.mailbox("x") == (0, [])

    @scenario
    async def test_an_event_is_still_known_after_the_end(self, store: Store) -> None:
        for status in sorted(FINAL):
            before = await settle(store, status, status)
            for owner in (None, "a"):
                repeated = await store.accept(status, mail("start"), now=NOW + 9, owner=owner, create=WORKFLOW)
                assert (repeated.answer, repeated.head) == (Answer.DUPLICATE, before)
                new = await store.accept(status, mail("k"), now=NOW + 9, owner=owner, create=WORKFLOW)
                assert (new.answer, new.head) == (Answer.FINISHED, before)
                unkeyed = await store.accept(status, mail(""), now=NOW + 9, owner=owner, create=WORKFLOW)
                assert (unkeyed.answer, unkeyed.head) == (Answer.FINISHED, before)
            forgotten = NOW + self.window + DAY + 1
            late = await store.accept(status, mail("start"), now=forgotten)
            assert late.answer is Answer.FINISHED
            assert await store.head(status) == before
            assert await store.mailbox(status) == (0, [])

    @scenario
    async def test_keys_belong_to_one_execution(self, store: Store) -> None:
        await store.accept("x", mail("k"), now=NOW, create=WORKFLOW)
        assert (await store.accept("y", mail("k"), now=NOW, create=WORKFLOW)).answer is Answer.QUEUED

    @scenario
    async def test_mail_without_a_key_is_never_a_duplicate(self, store: Store) -> None:
        for _ in range(3):
            accepted = await store.accept("x", mail(""), now=NOW, create=WORKFLOW)
            assert accepted.answer is Answer.QUEUED
        assert (await found(store, "x")).arrivals == 3

    @scenario
    async def test_keys_that_differ_in_little_differ(self, store: Store) -> None:
        keys = ["a", "A", "a ", " a", "a\n", "ä", "a\u0308", "a" * 5000, "a" * 4999 + "b", "source\x1fid", "'; --", "%"]
        for key in keys:
            assert (await store.accept("x", mail(key), now=NOW, create=WORKFLOW)).answer is Answer.QUEUED
        for key in keys:
            assert (await store.accept("x", mail(key), now=NOW)).answer is Answer.DUPLICATE

    @scenario
    async def test_an_event_is_known_for_the_whole_window(self, store: Store) -> None:
        await store.accept("x", mail("k"), now=NOW, create=WORKFLOW)
        for day in range(self.window // DAY):
            later = NOW + day * DAY
            await store.accept("x", mail(f"day {day}"), now=later)
            assert (await store.accept("x", mail("k"), now=later)).answer is Answer.DUPLICATE
        assert (await store.accept("x", mail("k"), now=NOW + self.window - 1)).answer is Answer.DUPLICATE

    @scenario
    async def test_an_event_is_new_again_after_the_window(self, store: Store) -> None:
        await store.accept("x", mail("k"), now=NOW, create=WORKFLOW)
        later = NOW + self.window + DAY + 1
        assert (await store.accept("x", mail("k"), now=later)).answer is Answer.QUEUED
        assert (await store.accept("x", mail("k"), now=later + 1)).answer is Answer.DUPLICATE

    @scenario
    async def test_an_event_is_known_to_a_clock_that_is_behind(self, store: Store) -> None:
        midnight = NOW - NOW % DAY + 3 * DAY
        await store.accept("x", mail("first"), now=midnight - DAY, create=WORKFLOW)
        await store.accept("x", mail("k"), now=midnight + 500)
        assert (await store.accept("x", mail("k"), now=midnight - 500)).answer is Answer.DUPLICATE

    @scenario
    async def test_many_events_over_a_long_life(self, store: Store) -> None:
        await store.accept("x", mail("start"), now=NOW, create=WORKFLOW)
        for day in range(60):
            events = [mail(f"{day}/{number}") for number in range(self.events_a_day)]
            await asyncio.gather(*(store.accept("x", event, now=NOW + day * DAY) for event in events))
        last = NOW + 59 * DAY
        for key in ("59/0", "58/4", "55/2", "53/1"):
            assert (await store.accept("x", mail(key), now=last)).answer is Answer.DUPLICATE
        for key in ("0/0", "20/3", "50/4"):
            assert (await store.accept("x", mail(key), now=last)).answer is Answer.QUEUED
