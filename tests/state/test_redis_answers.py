"""Answers that get lost on their way: the call is repeated, is carried out once, and is answered as the first time."""

from __future__ import annotations

import asyncio
import gc
import random
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from overwinter.state.contract.case import NOW, TTL, change, found, known, lease, mail, settle
from overwinter.state.errors import EtagMismatch, PayloadTooLarge, StoreError, StoreUnavailable
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Accepted, Answer, Appended, Change, Head
from overwinter.state.redis import RedisStore, address, scripts, servers
from overwinter.state.redis.scripts import script
from overwinter.state.store import Store
from overwinter.tests.servers.proxy import HOST, Proxy
from overwinter.tests.servers.redis import RedisServer
from overwinter.tests.state import redis_cases as cases
from overwinter.tests.state.redis_cases import NEW, leased

SCRIPTS = Path(scripts.__file__).parent / "scripts"
LOST = "lost on its way"
"""What stands in the one call of a test whose answer gets lost."""


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    for name in (path.stem for path in SCRIPTS.glob("*.lua")):  # or the first answer, which gets lost, is NOSCRIPT
        redis_server.say("SCRIPT", "LOAD", script(name).source)
    with Proxy(redis_server.port) as proxy:
        yield proxy


def opened(proxy: Proxy, *, prefix: str = "", **settings: Any) -> AbstractAsyncContextManager[RedisStore]:
    return cases.opened(f"redis://{HOST}:{proxy.port}/0?prefix={prefix or secrets.token_hex(4)}", **settings)


def plain(answer: object) -> object:
    """An answer without what two stores may differ in."""
    if isinstance(answer, Accepted):
        entries = None if answer.entries is None else list(answer.entries)
        return answer._replace(entries=entries, mail=list(answer.mail), again=False)
    if isinstance(answer, Appended):
        return answer._replace(mail=None if answer.mail is None else list(answer.mail))
    return answer


async def held(store: Store, owner: str = "a") -> Head:
    return known(await lease(store, "x", owner))


async def gone(store: Store) -> None:
    await settle(store, "x", "completed")


async def idle(store: Store) -> Head:
    await settle(store, "x", "idle")
    await store.beat("b", NOW, TTL)
    return await found(store, "x")


async def nothing(store: Store) -> None:
    await store.beat("b", NOW, TTL)


async def with_news(store: Store) -> Head:
    head = await held(store)
    await store.accept("x", mail("news", "news"), now=NOW)
    return head


CALLS: dict[str, tuple[Callable[[Store], Awaitable[Any]], Callable[[Store, Any], Awaitable[object]]]] = {
    "creates": (nothing, lambda store, _: store.accept("x", mail("k", LOST), now=NOW, create=NEW)),
    "creates, with a lease": (
        nothing,
        lambda store, _: store.accept("x", mail("k", LOST), now=NOW, owner="b", create=NEW),
    ),
    "queues": (idle, lambda store, _: store.accept("x", mail("k", LOST), now=NOW + 1)),
    "queues mail without a key": (idle, lambda store, _: store.accept("x", mail("", LOST), now=NOW + 1)),
    "leases": (idle, lambda store, _: store.accept("x", mail("k", LOST), now=NOW + 1, owner="b")),
    "leases, with mail without a key": (
        idle,
        lambda store, _: store.accept("x", mail("", LOST), now=NOW + 1, owner="b"),
    ),
    "finds it busy": (held, lambda store, _: store.accept("x", mail("k", LOST), now=NOW + 1, owner="b")),
    "finds it busy, with mail without a key": (held, lambda store, _: store.accept("x", mail("", LOST), now=NOW + 1)),
    "is a duplicate": (idle, lambda store, _: store.accept("x", mail("start", LOST), now=NOW + 1)),
    "reopens": (
        lambda store: settle(store, "x", "failed"),
        lambda store, _: store.accept("x", mail("k", LOST), now=NOW + 1, owner="b", reopen=True),
    ),
    "finds it finished": (gone, lambda store, _: store.accept("x", mail("k", LOST), now=NOW + 1)),
    "appends": (held, lambda store, head: store.append(change(head, [LOST], consumed=[1], wake=NOW + 9))),
    "appends, with a token": (held, lambda store, head: store.append(change(head, [LOST], token="t"))),
    "releases": (held, lambda store, head: store.append(change(head, [LOST], release=True, status="idle"))),
    "learns of mail": (with_news, lambda store, head: store.append(change(head, [LOST], release=True))),
    "finishes": (held, lambda store, head: store.append(change(head, [LOST], release=True, status="completed"))),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("times", [1, 2])
def test_what_was_carried_out_is_answered_as_the_first_time(proxy: Proxy, name: str, times: int) -> None:
    async def scenario() -> None:
        twin = MemoryStore()
        prepare, call = CALLS[name]
        async with opened(proxy) as store:
            before, expected = await prepare(store), await call(twin, await prepare(twin))
            cut = proxy.cut_after_request(LOST.encode(), times)
            answer = await call(store, before)
            assert cut.done
            if isinstance(expected, Appended) and not expected.released:  # a repeated one always brings the mailbox
                waiting = await twin.dump("x")
                assert waiting is not None
                expected = expected._replace(mail=waiting.mail)
            assert plain(answer) == plain(expected)
            if isinstance(expected, Accepted):  # its mail came by the first attempt: something may have followed
                taken = expected.answer in (Answer.QUEUED, Answer.GRANTED, Answer.BUSY)
                assert isinstance(answer, Accepted) and (answer.again, expected.again) == (taken, False)
            assert await store.head("x") == await twin.head("x")
            assert list(await store.history("x")) == list(await twin.history("x"))
            assert await store.mailbox("x") == await twin.mailbox("x")
            assert list(await store.due(NOW + 1)) == list(await twin.due(NOW + 1))
            assert await store.counts() == await twin.counts()
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_a_lease_that_was_granted_unawares_is_granted_again_with_everything(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            head = await held(store)
            await store.append(change(head, ["one", LOST], release=True, status="waiting", wake=NOW))
            await store.beat("owner-of-the-lost", NOW, TTL)
            cut = proxy.cut_after_request(b"owner-of-the-lost")
            accepted = await store.accept("x", None, now=NOW, owner="owner-of-the-lost")
            assert cut.done
            assert accepted.answer is Answer.GRANTED
            assert list(accepted.entries or ()) == ["one", LOST]
            assert [m.body for m in accepted.mail] == ["start"]
            # A second call is another one: the lease is its own, and that is busy.
            again = await store.accept("x", None, now=NOW, owner="owner-of-the-lost")
            assert again.answer is Answer.BUSY

    asyncio.run(scenario())


def test_what_finished_meanwhile_has_still_taken_the_mail(proxy: Proxy) -> None:
    async def scenario() -> None:
        prefix = secrets.token_hex(4)
        async with opened(proxy, prefix=prefix) as store, opened(proxy, prefix=prefix) as other:
            head = await held(store)
            dropped = proxy.drop_replies(LOST.encode())
            sending = store.accept("x", mail("k", LOST), now=NOW)
            assert await asyncio.to_thread(dropped.first.wait, 10)
            await other.append(change(head, ["e"], consumed=[1, 2], arrivals=2, status="completed", release=True))
            proxy.reset()
            accepted = await sending
            assert accepted.answer is Answer.QUEUED  # not FINISHED: the event is durable, and was even consumed
            assert known(accepted).status == "completed"

    asyncio.run(scenario())


def test_key_value_writes_are_carried_out_once(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            cuts = [proxy.cut_after_request(b"EVALSHA") for _ in range(3)]
            first = await store.put("s", LOST, "1", etag="")
            assert cuts[0].done
            cuts.append(proxy.cut_after_request(b"EVALSHA"))
            second = await store.put("s", LOST, "2", etag=first)
            assert await store.get("s", LOST) == ("2", second)
            cuts.append(proxy.cut_after_request(b"EVALSHA", 2))
            assert await store.remove("s", LOST, etag=second) is True
            assert all(cut.done for cut in cuts)
            assert await store.get("s", LOST) is None
            assert await store.remove("s", LOST) is False
            assert list(await store.scopes()) == []
            etag = await store.put("s", "k", "1")
            with pytest.raises(EtagMismatch):
                await store.put("s", "k", "2", etag="x")
            assert await store.get("s", "k") == ("1", etag)

    asyncio.run(scenario())


def test_deleting_and_restoring_are_carried_out_once(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            head = await held(store)
            await store.append(change(head, [LOST], consumed=[1], status="idle", release=True, note=LOST))
            dump = await store.dump("x")
            assert dump is not None
            proxy.cut_after_request(script("delete").digest)
            assert await store.delete("x", now=NOW) is True
            assert await store.delete("x", now=NOW) is False
            cuts = [proxy.cut_after_request(script(name).digest) for name in ("stage", "restore")]
            assert await store.restore(dump) is True
            assert all(cut.done for cut in cuts)
            assert await store.dump("x") == dump
            assert await store.restore(dump) is False
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_a_call_that_was_cut_in_the_middle_is_sent_again(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            head = await held(store)
            for length in (1, 20, 300):
                cut = proxy.cut_mid_request(length, LOST.encode())
                await store.append(change(head, [f"{LOST} {length}"]))
                head = head._replace(version=head.version + 1)
                assert cut.done
            assert list(await store.history("x")) == [f"{LOST} {length}" for length in (1, 20, 300)]

    asyncio.run(scenario())


def test_a_server_that_says_nothing_is_asked_again_on_another_connection(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy, timeout="200ms") as store:
            head = await held(store)
            dropped = proxy.drop_replies(LOST.encode())
            answer = await store.append(change(head, [LOST]))
            assert dropped.first.is_set()
            assert answer.arrivals == 1
            assert list(await store.history("x")) == [LOST]

    asyncio.run(scenario())


def test_nobody_waits_for_a_connection_that_an_unforeseen_error_kept_from_being_made(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            head, dialled = await held(store), address.connection

            def odd(*given: Any) -> Any:
                monkeypatch.setattr(servers, "connection", dialled)
                raise AttributeError("a mistake of the client's")

            monkeypatch.setattr(servers, "connection", odd)
            proxy.reset()
            assert (await asyncio.wait_for(store.append(change(head, ["x"])), 30)).arrivals == 1
            gc.collect()
            assert "a mistake of the client's" in caplog.text

    asyncio.run(scenario())


def test_what_can_not_be_found_out_in_time_can_be_asked_again(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy, patience="300ms") as store:
            head = await held(store)
            token = change(head, [LOST], token="t", release=True, status="idle")
            cut = proxy.cut_after_request(LOST.encode(), None)
            with pytest.raises(StoreUnavailable):
                await store.append(token)
            assert cut.happened > 1
            proxy.clear()
            assert (await store.append(token)).released
            assert list(await store.history("x")) == [LOST]

    asyncio.run(scenario())


def test_connections_that_break_all_the_time_lose_and_repeat_nothing(proxy: Proxy) -> None:
    async def work(store: RedisStore, number: int) -> int:
        accepted = await store.accept(f"x{number}", mail("", "start"), now=NOW, owner="a", create=NEW)
        assert accepted.answer is Answer.GRANTED
        turn = 0
        while turn < 30 or proxy.connections < 6:
            answer = await store.append(change(known(accepted), [str(turn)], version=turn))
            assert answer.arrivals == 1
            turn += 1
        return turn

    async def breaking() -> None:
        while True:
            await asyncio.sleep(0.02)
            proxy.reset()

    async def scenario() -> None:
        async with opened(proxy, patience="20s") as store:
            await store.beat("a", NOW, 60_000)
            breaker = asyncio.ensure_future(breaking())
            try:
                turns = await asyncio.gather(*(work(store, number) for number in range(40)))
            finally:
                breaker.cancel()
            for number, count in enumerate(turns):
                assert list(await store.history(f"x{number}", limit=10**6)) == [str(turn) for turn in range(count)]
            assert list(await store.verify()) == []

    asyncio.run(scenario())


def test_all_that_is_pending_travels_together(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            heads = await leased(store, 50)
            (link,) = store._open.exchange.servers.links()
            requests, flights = proxy.requests, link.flights
            changes: list[Change] = [change(head, ["e"], consumed=[1]) for head in heads]
            answers = await asyncio.gather(*map(store.append, changes))
            assert [answer.arrivals for answer in answers] == [1] * 50
            assert (proxy.requests - requests, link.flights - flights) == (1, 1)
            # What comes while an answer is awaited goes with the next.
            first = store.append(change(heads[0], ["f"], version=1))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            rest = [store.append(change(head, ["f"], version=1)) for head in heads[1:]]
            await asyncio.gather(first, *rest)
            assert (proxy.requests - requests, link.flights - flights) == (3, 3)

    asyncio.run(scenario())


def test_scripts_are_brought_to_a_server_that_has_forgotten_them(proxy: Proxy, redis_server: RedisServer) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            heads = await leased(store, 20)
            await asyncio.to_thread(redis_server.say, "SCRIPT", "FLUSH")
            await asyncio.gather(*(store.append(change(head, ["e"], consumed=[1])) for head in heads))
            for head in heads:
                assert list(await store.history(head.id)) == ["e"]

    asyncio.run(scenario())


def test_what_is_too_big_is_refused_before_it_is_sent(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            head = await held(store)
            store._open.exchange.limit = 1_000_000
            requests, noise = proxy.requests, random.Random(1).randbytes(1_000_000)
            with pytest.raises(PayloadTooLarge):
                await store.append(change(head, ["e"], blobs={"sha256:aa": noise}))  # which can't be compressed
            assert proxy.requests == requests
            await store.append(change(head, ["e"], blobs={"sha256:aa": noise[:900_000]}))

    asyncio.run(scenario())


def test_what_is_no_text_is_refused(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            for call in (store.accept("\ud800", None, now=NOW), store.append(change(await held(store), ["\ud800"]))):
                with pytest.raises(Exception, match="can't be stored"):
                    await call

    asyncio.run(scenario())


def test_a_closed_store_says_so(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            head = await held(store)
            written = store.append(change(head, ["handed in before it was closed"]))
            await store.close()
            assert (await written).arrivals == 1
            await store.close()
            with pytest.raises(StoreError, match="not open"):
                await store.head("x")

    asyncio.run(scenario())


def test_who_watches_is_woken_when_something_may_have_been_missed(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store, store.watch("x") as told:
            assert told is not None
            async with store.watch("x") as again, store.watch("y") as other:
                assert again is not None
                assert other is not None
                assert not (told.is_set() or again.is_set() or other.is_set())
                proxy.reset()
                async with asyncio.timeout(10):
                    await asyncio.gather(told.wait(), again.wait(), other.wait())
            told.clear()
            head = await held(store)
            await store.append(change(head, ["e"], tell=True))
            async with asyncio.timeout(10):
                await told.wait()

    asyncio.run(scenario())


def test_a_store_that_can_not_listen_says_so(proxy: Proxy) -> None:
    async def scenario() -> None:
        async with opened(proxy) as store:
            proxy.refuse()
            async with store.watch("x") as told:
                assert told is None
            proxy.restore()

    asyncio.run(scenario())
