"""A store across a network whose connections break at the worst moments: after a change was carried out and before
its answer came, and before the server had it whole. What came of it is found out exactly, by every store.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overwinter import Runtime
from overwinter.state import Store, open_store
from overwinter.state.errors import Conflict, EtagMismatch, StoreError, StoreUnavailable
from overwinter.state.records import Accepted, Answer, Appended, Change, Head, Mail, NewExecution, NewMail
from overwinter.tests.engine.bench import Onlooker
from overwinter.tests.processes.errands import answer_to
from overwinter.tests.processes.places import REMOTE, Remote
from overwinter.tests.processes.shop import FUNCTIONS
from overwinter.tests.servers.proxy import Fault

NOW = 1_790_000_000_000
WORKFLOW = NewExecution("f", "workflow")
Cut = Callable[[str], Fault]


class Scene(NamedTuple):
    """``store`` reaches its server through proxies; ``direct`` tells what is stored."""

    place: Remote
    store: Store
    direct: Store

    def after(self, name: str) -> Fault:
        """The next request about ``name`` is carried out, and its answer does not come."""
        return self.place.cut_after_request(name.encode())

    def amid(self, name: str) -> Fault:
        """The next request about ``name`` does not reach the server whole."""
        return self.place.cut_mid_request(name.encode())

    async def lease(self, id: str) -> Head:
        """An execution with one mail, leased by "me"."""
        await self.store.beat("me", NOW, 60_000)
        accepted = await self.accept(id, owner="me")
        assert accepted.answer is Answer.GRANTED and accepted.head is not None
        return accepted.head

    async def accept(self, id: str, *, key: str = "start", owner: str | None = None) -> Accepted:
        return await self.store.accept(
            id, NewMail(key, 1, NOW, f'{{"to":"{id}"}}'), now=NOW, owner=owner, create=WORKFLOW
        )

    async def stored(self, id: str) -> tuple[Head, list[str], int]:
        """Head, journal, number of mails."""
        head = await self.direct.head(id)
        assert head is not None
        return head, list(await self.direct.history(id)), (await self.direct.mailbox(id))[0]


def told(answer: Appended) -> tuple[int, list[Mail], bool]:
    """What an owner learns from it; no mail is no mail."""
    return answer.arrivals, list(answer.mail or ()), answer.released


def change(head: Head, **more: Any) -> Change:
    entries = [f'{{"of":"{head.id}"}}']
    made = Change(head.id, "me", head.version, NOW, entries, (1,), 1, "running", None, False, 1, "", "", "{}")
    return made._replace(**more)


@asynccontextmanager
async def scene(place: Remote) -> AsyncGenerator[Scene, None]:
    store, direct = open_store(place.dsn), open_store(place.direct)
    try:
        await store.open()
        await direct.open()
        yield Scene(place, store, direct)
    finally:
        place.clear()
        await store.close()
        await direct.close()


@pytest.fixture(scope="module", params=list(REMOTE))
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """The servers, for all tests; each has a store of its own there."""
    place = REMOTE[request.param](tmp_path_factory.mktemp("place"))
    asyncio.run(place.open())
    yield place
    asyncio.run(place.close())


def on_every_remote(work: Callable[[Scene], Awaitable[None]]) -> Callable[[Remote], None]:
    def test(place: Remote) -> None:
        async def main() -> None:
            await place.fresh(work.__name__[-40:].strip("_"))
            async with scene(place) as here:
                await asyncio.wait_for(work(here), 60)

        asyncio.run(main())

    return test


@on_every_remote
async def test_a_commit_whose_answer_is_cut_is_made_once(here: Scene) -> None:
    calm = told(await here.store.append(change(await here.lease("calm"))))
    for cut, id in ((here.after, "answer"), (here.amid, "request")):
        head = await here.lease(id)
        fault = cut(id)
        assert told(await here.store.append(change(head))) == calm
        assert fault.happened == 1
        after, journal, mails = await here.stored(id)
        assert (after.version, after.length, journal, mails) == (1, 1, [f'{{"of":"{id}"}}'], 0)
        assert after.owner == "me"


@on_every_remote
async def test_a_release_whose_answer_is_cut_is_made_once(here: Scene) -> None:
    calm = told(await here.store.append(change(await here.lease("calm"), status="idle", release=True)))
    assert calm == (1, [], True)
    for cut, id in ((here.after, "answer"), (here.amid, "request")):
        head = await here.lease(id)
        fault = cut(id)
        assert told(await here.store.append(change(head, status="idle", release=True))) == calm
        assert fault.happened == 1
        after, journal, mails = await here.stored(id)
        assert (after.version, after.owner, len(journal), mails) == (1, None, 1, 0)


@on_every_remote
async def test_a_cut_commit_is_still_fenced(here: Scene) -> None:
    for cut, id in ((here.after, "answer"), (here.amid, "request")):
        head = await here.lease(id)
        await here.store.append(change(head))
        fault = cut(id)
        with pytest.raises(Conflict):
            await here.store.append(change(head, entries=['{"other":1}']))
        assert fault.happened == 1
        assert (await here.stored(id))[1] == [f'{{"of":"{id}"}}']


@on_every_remote
async def test_mail_whose_answer_is_cut_arrives_once(here: Scene) -> None:
    for number in range(20):  # every server of a cluster has the script then, and carries out what it is sent
        assert not (await here.accept(f"calm {number}")).again
    for cut, id in ((here.after, "answer"), (here.amid, "request")):
        fault = cut(id)
        accepted = await here.accept(id)
        assert fault.happened == 1
        assert accepted.answer in (Answer.QUEUED, Answer.DUPLICATE)
        assert accepted.head is not None and accepted.head.arrivals == 1
        assert accepted.again is (cut == here.after)
        assert (await here.accept(id)).answer is Answer.DUPLICATE
        assert (await here.stored(id))[2] == 1


@on_every_remote
async def test_a_reply_is_found_though_it_came_before_the_answer_to_its_message(here: Scene) -> None:
    """The message is stored and its sender is not told; another process answers it before the sender asks again."""
    async with (
        Runtime(FUNCTIONS, here.place.direct),
        Runtime(FUNCTIONS, here.place.dsn, Onlooker()) as client,
    ):
        assert await (await client.send("desk", "late", "first")).reply("20s") == answer_to("first")
        fault = here.place.drop_replies(b"desk/late")
        try:
            sent = await client.send("desk", "late", "hello", id="m")
        except StoreUnavailable:
            sent = await client.send("desk", "late", "hello", id="m")
        assert fault.happened == 1
        assert await sent.reply("20s") == answer_to("hello")
        async with asyncio.timeout(20):
            assert [event.type async for event in sent.events()][-1] == "reply"


@on_every_remote
async def test_mail_without_a_key_whose_answer_is_cut_does_not_arrive_twice(here: Scene) -> None:
    for cut, id in ((here.after, "answer"), (here.amid, "request")):
        fault = cut(id)
        with suppress(StoreUnavailable):  # an honest answer: nobody knows
            await here.accept(id, key="")
        assert fault.happened == 1
        head = await here.direct.head(id)
        assert head is None or (await here.stored(id))[2] == head.arrivals == 1


@on_every_remote
async def test_a_lease_whose_answer_is_cut_is_known_of(here: Scene) -> None:
    await here.store.beat("me", NOW, 60_000)
    for cut, id in ((here.after, "answer"), (here.amid, "request")):
        fault = cut(id)
        accepted = await here.accept(id, owner="me")
        assert fault.happened == 1
        assert accepted.head is not None and accepted.head.owner == "me"
        after, _, mails = await here.stored(id)
        assert (after.owner, after.arrivals, mails) == ("me", 1, 1)


@on_every_remote
async def test_a_value_whose_answer_is_cut_is_written_once(here: Scene) -> None:
    for cut, key in ((here.after, "answer"), (here.amid, "request")):
        for etag in (None, ""):
            scope = f"scope-{key}-{'new' if etag == '' else 'any'}"
            fault = cut(scope)
            written = await here.store.put(scope, key, json.dumps(key), etag=etag)
            assert fault.happened == 1
            found = await here.direct.get(scope, key)
            assert found is not None and found == (json.dumps(key), written)
            fault = cut(scope)
            written = await here.store.put(scope, key, "2", etag=written)
            assert fault.happened == 1
            assert await here.direct.get(scope, key) == ("2", written)
            with pytest.raises(EtagMismatch):
                await here.store.put(scope, key, "3", etag=found.etag)


@on_every_remote
async def test_a_server_that_does_not_answer_is_not_waited_for_for_ever(here: Scene) -> None:
    """The answer is lost, and the connection says nothing of it."""
    head = await here.lease("silent")
    fault = here.place.drop_replies(b"silent")
    try:
        await here.store.append(change(head))
    except StoreUnavailable:
        await here.store.append(change(head))
    assert fault.happened == 1
    after, journal, _ = await here.stored("silent")
    assert (after.version, len(journal)) == (1, 1)


@on_every_remote
async def test_a_server_that_is_away_for_a_moment_is_waited_for(here: Scene) -> None:
    head = await here.lease("away")
    here.place.refuse()
    appending = asyncio.ensure_future(here.store.append(change(head)))
    await asyncio.sleep(0.5)
    assert not appending.done()
    here.place.restore()
    assert not (await appending).released
    assert (await here.stored("away"))[0].version == 1


@on_every_remote
async def test_watching_outlives_broken_connections(here: Scene) -> None:
    """Many come and go while connections break; none of them is told an error, and the last one is told of the end."""

    async def watch(number: int) -> None:
        await asyncio.sleep(number * 0.005)
        async with here.store.watch(f"w-{number % 20}"):
            await asyncio.sleep(0.02)

    watching = asyncio.ensure_future(asyncio.gather(*(watch(number) for number in range(200))))
    while not watching.done():
        for proxy in here.place.proxies:
            proxy.reset()
        await asyncio.sleep(0.03)
    await watching
    head = await here.lease("told")
    async with here.store.watch("told") as told:
        await here.direct.append(change(head, tell=True))
        if told is not None:
            await asyncio.wait_for(told.wait(), 30)


def test_a_process_leaves_in_order_though_its_store_is_away(tmp_path: Path) -> None:
    async def main() -> None:
        place = REMOTE["redis"](tmp_path)
        await place.open()
        try:
            runtime = Runtime(FUNCTIONS, open_store(place.dsn))
            await runtime.__aenter__()
            place.refuse()
            await runtime.close("1s")  # its leases run out by themselves
            with pytest.raises(StoreError, match="not open"):
                await runtime.store.head("x")  # nothing is left behind
        finally:
            await place.close()

    asyncio.run(main())
