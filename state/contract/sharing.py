"""Two connections to the same data, as two processes have them: nothing is private to one."""

from __future__ import annotations

import asyncio

from ..errors import Conflict, EtagMismatch
from ..records import Answer
from ..store import Store
from .case import NOW, TTL, WORKFLOW, Case, bodies, change, found, known, lease, mail, refusal, scenario, second, settle


class Sharing(Case):
    @scenario
    async def test_everything_is_there_for_another_connection(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["e"], note="noted", wake=NOW + 5, blobs={"sha256:aa": b"big"}))
        await store.accept("x", mail("k", "news"), now=NOW)
        etag = await store.put("scope", "key", '"value"')
        other = await second(self, store)
        assert await other.head("x") == await store.head("x")
        assert list(await other.history("x")) == ["e"]
        assert await bodies(other, "x") == ["start", "news"]
        assert await other.get("scope", "key") == ('"value"', etag)
        assert await other.blob("x", "sha256:aa") == b"big"
        assert await other.counts() == {"running": 1}
        assert (await other.accept("x", mail("k"), now=NOW)).answer is Answer.DUPLICATE
        await other.close()

    @scenario
    async def test_a_live_lease_is_respected_by_another_connection(self, store: Store) -> None:
        other = await second(self, store)
        await lease(store, "x", "a")
        await other.beat("b", NOW, TTL)
        assert (await other.accept("x", mail("k"), now=NOW + 1, owner="b")).answer is Answer.BUSY
        assert await other.due(NOW + 1) == []
        answer = await store.append(change(await found(store, "x"), ["e"], arrivals=1))
        assert answer.mail is not None
        assert len(answer.mail) == 2
        await other.close()

    @scenario
    async def test_a_fence_stands_between_connections(self, store: Store) -> None:
        other = await second(self, store)
        head = known(await lease(store, "x", "a"))
        await store.retire("a")
        await other.beat("b", NOW, TTL)
        taken = await other.accept("x", None, now=NOW, owner="b")
        assert taken.answer is Answer.GRANTED
        await other.append(change(known(taken), ["b's"]))
        assert isinstance(await refusal(store.append(change(head, ["a's"]))), Conflict)
        assert list(await store.history("x")) == ["b's"]
        await other.close()

    @scenario
    async def test_a_lost_owner_is_replaced_after_its_time(self, store: Store) -> None:
        other = await second(self, store)
        await lease(other, "x", "lost")
        await other.close()
        later = NOW + TTL + 1
        await store.beat("b", later, TTL)
        assert await store.due(later) == ["x"]
        accepted = await store.accept("x", mail("k", "news"), now=later, owner="b")
        assert accepted.answer is Answer.GRANTED
        assert [m.body for m in accepted.mail] == ["start", "news"]

    @scenario
    async def test_one_of_many_gets_the_lease(self, store: Store) -> None:
        other = await second(self, store)
        await settle(store, "x", "waiting", wake=NOW)
        await store.beat("a", NOW, TTL)
        await other.beat("b", NOW, TTL)
        taking = [
            connection.accept("x", None, now=NOW, owner=owner)
            for _ in range(10)
            for connection, owner in ((store, "a"), (other, "b"))
        ]
        answers = [accepted.answer for accepted in await asyncio.gather(*taking)]
        assert answers.count(Answer.GRANTED) == 1
        assert answers.count(Answer.BUSY) == 19
        await other.close()

    @scenario
    async def test_mail_through_both_connections_is_all_there(self, store: Store) -> None:
        other = await second(self, store)
        await store.accept("x", None, now=NOW, create=WORKFLOW)
        sending = [
            connection.accept("x", mail(f"k{number}", str(number)), now=NOW)
            for number in range(40)
            for connection in (store, other)
        ]
        answers = [accepted.answer for accepted in await asyncio.gather(*sending)]
        assert answers.count(Answer.QUEUED) == 40
        assert answers.count(Answer.DUPLICATE) == 40
        assert sorted(await bodies(store, "x"), key=int) == [str(number) for number in range(40)]
        await other.close()

    @scenario
    async def test_values_written_through_one_connection_fence_the_other(self, store: Store) -> None:
        other = await second(self, store)
        etag = await store.put("s", "k", "1", etag="")
        newer = await other.put("s", "k", "2", etag=etag)
        assert isinstance(await refusal(store.put("s", "k", "3", etag=etag)), EtagMismatch)
        assert await store.get("s", "k") == ("2", newer)
        await other.close()

    @scenario
    async def test_what_was_closed_is_there_again(self, store: Store) -> None:
        other = await second(self, store)
        for number in range(20):
            await settle(other, f"x{number}", "idle")
        await other.close()
        await other.close()
        again = await second(self, store)
        assert await again.counts() == {"idle": 20}
        assert list(await again.history("x7")) == ["entry"]
        await again.close()

    @scenario
    async def test_a_reply_is_told_to_who_watches(self, store: Store) -> None:
        other = await second(self, store)
        head = known(await lease(store, "x"))
        bystander = known(await lease(store, "y"))
        async with store.watch("x") as here, other.watch("x") as there, other.watch("y") as elsewhere:
            events = [event for event in (here, there) if event is not None]
            await store.append(change(head, ["quiet"]))
            await store.append(change(head, ["e"], version=1, tell=True))
            async with asyncio.timeout(10):
                for event in events:
                    await event.wait()
            assert elsewhere is None or not elsewhere.is_set()
        await store.append(change(bystander, ["e"], tell=True))  # nobody watches any more
        await other.close()
