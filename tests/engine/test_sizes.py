"""Big values through whole runtimes, on every store: what fits comes back as it was, also in another process; what
does not is refused by name, and what asked for it goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overwinter import Agent, Context, Retry, Runtime, Settings, tool, workflow
from overwinter.functions.http.app import create_app
from overwinter.functions.models.port import Message, ToolSchema
from overwinter.functions.models.scripted import Said, Scripted, call
from overwinter.orchestrator.protocol.decider import Fact
from overwinter.state.errors import ExecutionStuck, PayloadTooLarge
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import BLOB_THRESHOLD, FINAL, PAYLOAD_LIMIT, Appended, Change
from overwinter.state.sealing.keys import new_key, read_keys
from overwinter.state.sealing.store import SealedStore
from overwinter.state.store import Store

MEGABYTE = 1_000_000
FIVE = 5 * MEGABYTE
HUNDRED = 100 * MEGABYTE
MEDIUM = 200_000  # below the size from which values go to blobs
MANY = 64

NOT_CACHED = Settings(cache=0)
PATIENCE = 60.0


def text_of(size: int, seed: object = "") -> str:
    """Text that no store can shorten, and that is not the same twice."""
    block = "".join(hashlib.sha512(f"{seed} {number}".encode()).hexdigest() for number in range(128))
    return (block * (size // len(block) + 1))[:size]


BIG = text_of(FIVE, "big")
BIG_REPORT = text_of(FIVE)


# -- the stores --------------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where executions of one test live. ``store`` makes another object on the same data each time."""

    store: Callable[[], Store]
    created: bool  # whether ``create`` is wanted first


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, Any]]:
    """Servers that were needed; each is started once."""
    with ExitStack() as stack:
        yield {"stack": stack}


@pytest.fixture(params=["memory", "sqlite", "sealed", "redis", "dynamodb"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Place:
    kind: str = request.param
    if kind == "memory":
        kept = MemoryStore()
        return Place(lambda: kept, False)
    if kind == "sqlite":
        return Place(lambda: open_store(f"sqlite:///{tmp_path / 'store.db'}"), False)
    if kind == "sealed":
        monkeypatch.setenv("SIZES_KEY", new_key())
        keys = read_keys("strict env:SIZES_KEY")
        assert keys is not None
        return Place(lambda: SealedStore(open_store(f"sqlite:///{tmp_path / 'store.db'}"), keys), False)
    return Place(_networked(kind, request, servers), True)


def _networked(kind: str, request: pytest.FixtureRequest, servers: dict[str, Any]) -> Callable[[], Store]:
    fresh = "t" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12]
    if kind == "redis":
        from overwinter.tests.servers.redis import RedisServer

        server = servers.get(kind) or servers.setdefault(kind, servers["stack"].enter_context(RedisServer(aof=None)))
        dsn = server.dsn(prefix=fresh)
    else:
        dsn = request.getfixturevalue("moto").dsn(fresh, bucket=f"{fresh}-bucket")
    return lambda: open_store(dsn)


def run(place: Place, work: Callable[[Store], Awaitable[None]]) -> None:
    """``work`` on a store object that was not opened; what it needs has been created."""

    async def main() -> None:
        store = place.store()
        if place.created:
            await store.create()
        async with asyncio.timeout(PATIENCE):
            await work(store)

    asyncio.run(main())


async def rested(runtime: Runtime, id: str) -> None:
    """Wait until nobody holds the execution and it waits or has ended."""
    while True:
        head = await runtime.store.head(id)
        if head is not None and head.owner is None and head.status in (*FINAL, "waiting", "idle"):
            return
        await asyncio.sleep(0.02)


async def journal(runtime: Runtime, id: str) -> list[Fact]:
    return [fact async for fact in runtime.entries(id)]


# -- one big value -----------------------------------------------------------------------------------


@workflow
async def measured(ctx: Context, size: int) -> dict[str, Any]:
    """A step with a result of that size, then a pause, then a look at it."""
    text: str = await ctx.step(text_of, size, name="big")
    await ctx.wait_for("go on")
    length: int = await ctx.step(len, text, name="length")
    return {"length": length, "same": text == text_of(size)}


def test_a_big_step_result_comes_back_in_another_process(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([measured], store) as runtime:
            await runtime.start(measured, FIVE, id="e")
            await rested(runtime, "e")
            texts = await runtime.store.history("e")
            assert max(len(text) for text in texts) <= BLOB_THRESHOLD  # it is not in the journal itself
        async with Runtime([measured], place.store()) as runtime:
            await runtime.signal("e", "go on")
            assert await runtime.result("e") == {"length": FIVE, "same": True}
            (big,) = [fact for fact in await journal(runtime, "e") if fact.get("name") == "big"]
            assert big["value"] == text_of(FIVE)

    run(place, work)


@tool
async def report(size: int) -> str:
    """A report of so many characters."""
    return text_of(size)


def _about(messages: list[Message], tools: list[ToolSchema]) -> Said:
    """Ask for a report of the size that the user names, and say what came of it."""
    asked = next(message.content for message in reversed(messages) if message.role == "user")
    last = messages[-1]
    if last.role == "tool":
        return f"it begins with {last.content[:60]}"
    return call("report", size=int(asked)) if asked.isdigit() else f"{len(messages)} messages"


def reporter() -> Agent[str]:
    return Agent("reporter", Scripted(_about), tools=[report])  # type: ignore[arg-type]


def test_a_big_tool_result_is_kept_whole_and_its_beginning_read_by_the_model(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([reporter()], store, NOT_CACHED) as runtime:
            sent = await runtime.send("reporter", "s", str(FIVE))
            assert await sent.reply() == f"it begins with {BIG_REPORT[:60]}"
        async with Runtime([reporter()], place.store(), NOT_CACHED) as runtime:
            sent = await runtime.send("reporter", "s", "and now?")
            assert await sent.reply() == "5 messages"
            (result,) = [fact for fact in await journal(runtime, "reporter/s") if fact["type"] == "tool"]
            assert result["value"] == BIG_REPORT

    run(place, work)


@workflow
async def letters(ctx: Context, first: str) -> list[int]:
    second: str = await ctx.wait_for("letter")
    return [len(first), len(second), int(first == second)]


def test_a_big_input_and_a_big_event(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([letters], store, NOT_CACHED) as runtime:
            handle = await runtime.start(letters, BIG, id="e")
            again = await runtime.start(letters, BIG, id="e")
            assert (handle.created, again.created) == (True, False)
            await rested(runtime, "e")
            await runtime.signal("e", "letter", BIG)
            assert await handle.result() == [FIVE, FIVE, 1]

    run(place, work)


def test_a_big_message_and_a_big_reply(place: Place) -> None:
    async def work(store: Store) -> None:
        poet = Agent("poet", Scripted([BIG, "short"]))
        async with Runtime([poet], store, NOT_CACHED) as runtime:
            sent = await runtime.send("poet", "s", BIG_REPORT)
            assert await sent.reply() == BIG
        async with Runtime([poet], place.store(), NOT_CACHED) as runtime:
            assert await runtime.reply("poet/s", sent.id) == BIG
            asked = next(fact for fact in await journal(runtime, "poet/s") if fact["type"] == "message")
            assert asked["content"] == BIG_REPORT
            assert await (await runtime.send("poet", "s", "more")).reply() == "short"

    run(place, work)


@workflow
async def parent(ctx: Context, size: int) -> int:
    text: str = await ctx.child(child, text_of(size))
    return len(text)


@workflow
async def child(ctx: Context, text: str) -> str:
    return text + text


def test_a_big_input_of_a_child_and_a_big_result_of_it(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([parent, child], store, NOT_CACHED) as runtime:
            handle = await runtime.start(parent, FIVE, id="e")
            assert await handle.result() == 2 * FIVE

    run(place, work)


@workflow
async def shelf(ctx: Context, size: int) -> int:
    await ctx.kv("shelf").put("big", text_of(size))
    return len(await ctx.kv("shelf").get("big", type=str) or "")


def test_a_big_value_under_a_key(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([shelf], store, NOT_CACHED) as runtime:
            handle = await runtime.start(shelf, MEGABYTE, id="e")
            assert await handle.result() == MEGABYTE

    run(place, work)


# -- too big -----------------------------------------------------------------------------------------


def _huge() -> str:
    return "x" * HUNDRED


class Burst(Exception):
    """An error that carries what it choked on."""


def _burst() -> None:
    raise Burst("x" * HUNDRED)


TWICE = Retry(attempts=2, first="1ms")


@workflow
async def careful(ctx: Context, what: str) -> list[str]:
    """Catches what it can't have, and goes on."""
    seen: list[str] = []
    try:
        await ctx.step(_huge if what == "result" else _burst, name=what, retry=TWICE)
    except (PayloadTooLarge, Burst) as error:
        seen += [type(error).__name__, str(error)[:200]]
    seen.append(await ctx.step(text_of, 5, name="after"))
    return seen


def test_a_huge_step_result_is_an_error_that_the_workflow_can_catch(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([careful], store, NOT_CACHED) as runtime:
            handle = await runtime.start(careful, "result", id="e")
            kind, message, after = await handle.result()
            assert (kind, after) == ("PayloadTooLarge", text_of(5))
            assert "'result'" in message and "100,000,0" in message and f"{PAYLOAD_LIMIT:,}" in message
            assert [fact["type"] for fact in await journal(runtime, "e")] == ["start", "step", "step", "completed"]

    run(place, work)


def test_a_huge_tool_result_is_told_to_the_model(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([reporter()], store, NOT_CACHED) as runtime:
            sent = await runtime.send("reporter", "s", str(HUNDRED))
            assert (await sent.reply()).startswith("it begins with Error: PayloadTooLarge: the result of 'report'")
            sent = await runtime.send("reporter", "s", "and now?")
            assert await sent.reply() == "5 messages"

    run(place, work)


def test_an_error_with_a_huge_text_is_recorded_without_it(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([careful], store, NOT_CACHED) as runtime:
            handle = await runtime.start(careful, "error", id="e")
            kind, message, after = await handle.result()
            assert (kind, message[:9], after) == ("Burst", "x" * 9, text_of(5))

    run(place, work)


def test_what_is_too_big_to_come_in_is_refused_before_anything_is_stored(place: Place) -> None:
    async def work(store: Store) -> None:
        huge = "x" * (PAYLOAD_LIMIT + 1)
        async with Runtime([letters, reporter()], store, NOT_CACHED) as runtime:
            with pytest.raises(PayloadTooLarge):
                await runtime.start(letters, huge, id="none")
            assert await runtime.store.head("none") is None
            with pytest.raises(PayloadTooLarge):
                await runtime.send("reporter", "none", huge)
            assert await runtime.store.head("reporter/none") is None
            await runtime.start(letters, "x", id="e")
            await rested(runtime, "e")
            with pytest.raises(PayloadTooLarge):
                await runtime.signal("e", "letter", huge)
            await runtime.signal("e", "letter", "x")
            assert await runtime.result("e") == [1, 1, 1]

    run(place, work)


def test_a_huge_value_under_a_key_is_an_error_of_the_workflow(place: Place) -> None:
    @workflow
    async def hoard(ctx: Context, input: None) -> str:
        try:
            await ctx.kv("shelf").put("huge", "x" * (PAYLOAD_LIMIT + 1))
        except PayloadTooLarge as error:
            return str(error)
        return "it was stored"

    async def work(store: Store) -> None:
        async with Runtime([hoard], store, NOT_CACHED) as runtime:
            handle = await runtime.start(hoard, id="e")
            assert "huge" in await handle.result() and "limit" in await handle.result()
            assert await runtime.store.get("shelf", "huge") is None

    run(place, work)


def test_what_is_too_big_at_the_door_is_answered_with_413() -> None:
    import httpx

    async def main() -> None:
        async with Runtime([letters, reporter()], "memory://") as runtime:
            for limit, statuses in (("4MB", [413, 413]), ("8MB", [202, 200])):
                app: Any = create_app(runtime, token=None, max_body=limit)
                async with httpx.AsyncClient(
                    transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=PATIENCE
                ) as client:
                    started = await client.post("/workflows/letters?id=e", json=BIG)
                    told = await client.post(
                        "/sessions/reporter/s", content=BIG, headers={"content-type": "text/plain"}
                    )
                    assert [started.status_code, told.status_code] == statuses, (started.text, told.text)
            app = create_app(runtime, token=None, max_body="32MB")
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
                answer = await client.post("/workflows/letters?id=f", json="x" * (PAYLOAD_LIMIT + 1))
                assert answer.status_code == 413 and f"{PAYLOAD_LIMIT:,}" in answer.json()["detail"]
                answer = await client.post("/signal/e", json={"name": "letter", "data": "x" * (PAYLOAD_LIMIT + 1)})
                assert answer.status_code == 413
            assert await runtime.store.head("f") is None

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


# -- many at once ------------------------------------------------------------------------------------


@workflow
async def crowd(ctx: Context, count: int) -> list[Any]:
    gate = asyncio.Event()
    inside: list[int] = []

    async def one(number: int) -> str:
        """Returns with all the others, in one turn of the event loop."""
        inside.append(number)
        if len(inside) == count:
            gate.set()
        await gate.wait()
        return text_of(MEDIUM, number)

    async def item(branch: Context, number: int) -> str:
        text: str = await branch.step(one, number, name="medium")
        return text

    texts = await ctx.map(item, list(range(count)), concurrency=count)
    await ctx.wait_for("go on")
    return [len(texts), *(int(text == text_of(MEDIUM, number)) for number, text in enumerate(texts))]


def test_many_medium_results_in_one_turn(place: Place) -> None:
    async def work(store: Store) -> None:
        async with Runtime([crowd], store, NOT_CACHED) as runtime:
            await runtime.start(crowd, MANY, id="e")
            await rested(runtime, "e")
        async with Runtime([crowd], place.store(), NOT_CACHED) as runtime:
            await runtime.signal("e", "go on")
            assert await runtime.result("e") == [MANY] + [1] * MANY

    run(place, work)


def test_many_medium_tool_results_in_one_turn(place: Place) -> None:
    def script(messages: list[Message], tools: list[ToolSchema]) -> Said:
        results = [message for message in messages if message.role == "tool"]
        return f"{len(results)} came" if results else [call("report", size=MEDIUM + number) for number in range(32)]

    async def work(store: Store) -> None:
        agent = Agent("asker", Scripted(script), tools=[report])  # type: ignore[arg-type]
        async with Runtime([agent], store, NOT_CACHED) as runtime:
            handle = await runtime.start(agent, "go", id="e")
            assert await handle.result() == "32 came"
            sizes = sorted(len(f["value"]) for f in await journal(runtime, "e") if f["type"] == "tool")
            assert sizes == [MEDIUM + number for number in range(32)]

    run(place, work)


@workflow
async def reader(ctx: Context, count: int) -> list[int]:
    await ctx.wait_for("begin")
    return [len(await ctx.wait_for("page")) for _ in range(count)]


def test_many_medium_events_at_once(place: Place) -> None:
    count = 24 if place.created else MANY  # a server of tests takes a second for each

    async def work(store: Store) -> None:
        async with Runtime([reader], store, NOT_CACHED) as runtime:
            await runtime.start(reader, count, id="e")
            await rested(runtime, "e")
            await runtime.pause("e")
            await asyncio.gather(*(runtime.signal("e", "page", text_of(MEDIUM + n, n)) for n in range(count)))
        async with Runtime([reader], place.store(), NOT_CACHED) as runtime:
            await runtime.signal("e", "begin")
            await runtime.resume("e")
            assert sorted(await runtime.result("e")) == [MEDIUM + number for number in range(count)]

    run(place, work)


class Narrow(MemoryStore):
    """Notes how many bytes each commit carries, and takes none above ``most``."""

    def __init__(self, most: int = 1 << 40) -> None:
        super().__init__()
        self.most = most
        self.sizes: list[int] = []

    def append(self, change: Change) -> Awaitable[Appended]:
        size = sum(map(len, change.entries)) + sum(map(len, change.blobs.values()))
        self.sizes.append(size)
        return super().append(change) if size <= self.most else self._refuse(size)

    async def _refuse(self, size: int) -> Appended:
        raise PayloadTooLarge(f"an append of {size:,} bytes; this store takes {self.most:,}")


@pytest.mark.parametrize("many", ["results", "events"])
def test_no_commit_grows_with_what_comes_at_once(many: str) -> None:
    async def work(store: Store) -> None:
        async with Runtime([crowd, reader], store, NOT_CACHED) as runtime:
            if many == "results":
                await runtime.start(crowd, MANY, id="e")
                await rested(runtime, "e")
                await runtime.signal("e", "go on")
            else:
                await runtime.start(reader, MANY, id="e")
                await rested(runtime, "e")
                await runtime.pause("e")
                await asyncio.gather(*(runtime.signal("e", "page", text_of(MEDIUM, n)) for n in range(MANY)))
                await runtime.signal("e", "begin")
                await runtime.resume("e")
            assert len(await runtime.result("e")) >= MANY
            facts = await journal(runtime, "e")
            assert len(facts) == len({fact["op"] for fact in facts if "op" in fact}) + len(
                [fact for fact in facts if "op" not in fact]
            )  # nothing was recorded twice

    narrow = Narrow()
    run(Place(lambda: narrow, False), work)
    assert sum(narrow.sizes) > MANY * MEDIUM
    assert max(narrow.sizes) < 1_500_000


def test_a_commit_that_the_store_can_not_take_makes_stuck_by_name_and_is_not_tried_for_ever() -> None:
    ran: list[int] = []

    @workflow
    async def too_much(ctx: Context, size: int) -> int:
        def make() -> str:
            ran.append(size)
            return text_of(size)

        return len(await ctx.step(make, name="make"))

    async def work(store: Store) -> None:
        async with Runtime([too_much], store, NOT_CACHED) as runtime:
            handle = await runtime.start(too_much, 4 * MEDIUM, id="e")
            with pytest.raises(ExecutionStuck, match="PayloadTooLarge: an append of"):
                await handle.result()
            assert len(ran) == 1
            narrow.most = 1 << 40  # somebody gave the store a bucket
            await runtime.resume("e")
            assert await handle.result() == 4 * MEDIUM

    narrow = Narrow(2 * MEDIUM)
    run(Place(lambda: narrow, False), work)
