"""A store moves with everything under way, survives death at any moment of it, and its text form loses nothing."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, Context, Runtime, workflow
from overwinter.orchestrator.engine.delivery import mail_of
from overwinter.orchestrator.protocol import moved
from overwinter.orchestrator.protocol.clock import wall_clock
from overwinter.orchestrator.protocol.moved import read_mark, refuse_moved
from overwinter.orchestrator.protocol.shared import place_of
from overwinter.orchestrator.upkeep import moving
from overwinter.orchestrator.upkeep.archive import export, lines_of, load
from overwinter.orchestrator.upkeep.moving import copy_values, move, nobody, undo
from overwinter.state.errors import Conflict, InvalidInput, StoreCorrupt, StoreError, StoreUnavailable
from overwinter.state.memory import MemoryStore
from overwinter.state.opening import open_store
from overwinter.state.records import Answer, Change, Dump, Filter, NewExecution, NewMail
from overwinter.state.sqlite import SqliteStore
from overwinter.state.store import Store

BIG = "ü" * 200_000
NOW = 1_790_000_000_000
echo = Agent("echo", "scripted:echo")
made: list[str] = []


def bake(what: str) -> str:
    made.append(what)
    return BIG + what


@workflow
async def icing(ctx: Context, colour: str) -> str:
    return colour + str(await ctx.wait_for("sugar", type=str))


@workflow
async def cake(ctx: Context, what: str) -> list[str | None]:
    """Has everything under way at once: a result in a blob, a child, a timer, an approval, mail to come."""
    baked = await ctx.step(bake, what)
    await ctx.state.put("what", what)
    await ctx.kv("kitchen").put("oven", "hot")
    topping = ctx.child(icing, "pink")
    await ctx.sleep("300ms")
    yes = await ctx.approve("serve it?", role="cook")
    note = await ctx.wait_for("note", type=str)
    return [baked[-4:], str(len(baked)), await topping, yes.by, note, await ctx.state.get("what", type=str)]


FUNCTIONS = [cake, icing, echo]
Make = Callable[[Path, str], Store]


def memory(folder: Path, name: str) -> Store:
    return MemoryStore(f"memory://{name}")


def sqlite(folder: Path, name: str) -> Store:
    return SqliteStore(f"sqlite:///{folder}/{name}.db")


def arranged(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(main())


def afresh(store: Store) -> Store:
    """As another process would have it."""
    return store if isinstance(store, MemoryStore) else open_store(store.dsn)


async def until(store: Store, id: str, *awaits: str) -> None:
    """Nobody holds it, and that is what it waits for."""
    while True:
        head = await store.head(id)
        if head is not None and head.owner is None and head.awaits.startswith(awaits):
            return
        await asyncio.sleep(0.01)


async def bake_halfway(store: Store) -> Store:
    """A cake and its child under way, mail that nobody has read, a session with a conversation; in an open store."""
    made.clear()
    async with Runtime(FUNCTIONS, store) as runtime:
        await runtime.start(cake, "plum", id="cake-1")
        await until(store, "cake-1", "child", "approval")
        assert await (await runtime.send(echo, "ann", "one", id="m1")).reply("10s") == "one"
    store = afresh(store)
    await store.open()
    now = wall_clock()
    note: dict[str, Any] = {"type": "event", "at": now, "id": "n", "name": "note", "data": BIG}
    await store.accept("cake-1", mail_of(note, "post n", lane=1), now=now)
    await store.put(place_of("kitchen"), "fridge", '{"cold": true}')
    return store


async def eat(store: Store) -> None:
    """Everything goes on as if nothing had happened."""
    async with Runtime(FUNCTIONS, store) as runtime:
        again: dict[str, Any] = {"type": "event", "at": wall_clock(), "id": "n2", "name": "note", "data": "twice"}
        repeated = await store.accept("cake-1", mail_of(again, "post n", lane=1), now=wall_clock())
        assert repeated.answer is Answer.DUPLICATE
        await until(store, "cake-1", "approval")
        await runtime.decide("cake-1", None, True, by="ann")
        child = (await store.executions(Filter(parent="cake-1"))).heads[0].id
        await runtime.signal(child, "sugar", "!")
        assert await runtime.result("cake-1", "10s") == ["plum", "200004", "pink!", "ann", BIG, "plum"]
        assert made == ["plum"]
        assert await (await runtime.send(echo, "ann", "two", id="m2")).reply("10s") == "two"
        assert not (await runtime.start(cake, "plum", id="cake-1")).created
        assert await runtime.reply("echo/ann", "m1", "10s") == "one"
        value = await store.get(place_of("kitchen"), "fridge")
        assert value is not None
        assert value.value == '{"cold": true}'


@pytest.fixture
def dsns(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """DSNs of fresh stores on real servers, which start when they are first asked for."""

    def dsn(kind: str) -> str:
        if kind == "redis":
            return str(request.getfixturevalue("redis_server").dsn(prefix=f"moving{next(_numbers)}"))
        return str(request.getfixturevalue("moto").dsn(bucket=f"bucket-{next(_numbers)}"))

    return dsn


_numbers = itertools.count()


WAYS = ["sqlite sqlite", "sqlite memory", "memory sqlite", "sqlite redis", "redis dynamodb", "dynamodb sqlite"]


@pytest.mark.parametrize("way", WAYS)
def test_everything_under_way_goes_on_at_the_target(tmp_path: Path, way: str, dsns: Callable[[str], str]) -> None:
    def made_at(kind: str, name: str) -> Store:
        return {"sqlite": sqlite, "memory": memory}[kind](tmp_path, name) if kind[0] in "sm" else open_store(dsns(kind))

    async def work() -> None:
        here, there = (made_at(kind, name) for kind, name in zip(way.split(), ("here", "there"), strict=True))
        await here.create()
        here = await bake_halfway(here)
        await there.create()
        await there.open()
        done = await move(here, there)
        assert (done.executions, done.copied, done.same, done.before) == (3, 3, 0, False)
        assert done.values == 3
        await there.close()
        await eat(afresh(there))
        with pytest.raises(StoreError, match=r"has moved to"):
            await refuse_moved(here)
        await here.close()

    arranged(work)


def test_a_process_of_the_source_is_told_where_to_go(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = memory(tmp_path, "here"), memory(tmp_path, "there")
        await bake_halfway(here)
        await move(here, there)
        with pytest.raises(StoreError, match=r"moved to memory://there"):
            async with Runtime(FUNCTIONS, here):
                pass
        assert await here.owners(NOW) == {}
        again = await move(here, there)
        assert again.before
        assert again.executions == 3

    arranged(work)


# -- death -------------------------------------------------------------------------------------------


class Life:
    """How many operations a mover has left; then it is dead, and all that it still tries fails."""

    def __init__(self, left: int) -> None:
        self.left = left

    def breathe(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Died


class Died(BaseException):
    """The process is gone: no clean-up of its own has any effect."""


class Mortal:
    """A store as a mover sees it that may die before or after each operation."""

    def __init__(self, store: Store, life: Life) -> None:
        self._store = store
        self._life = life
        self.dsn = store.dsn

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        async def lived(*values: Any, **named: Any) -> Any:
            self._life.breathe()
            answer = await method(*values, **named)
            self._life.breathe()
            return answer

        return lived


async def refused(store: Store) -> bool:
    try:
        await refuse_moved(store)
    except StoreError:
        return True
    return False


def test_a_mover_may_die_between_any_two_operations(tmp_path: Path) -> None:
    async def work() -> None:
        steps = 0
        while True:
            here, there = MemoryStore("memory://here"), MemoryStore("memory://there")
            await bake_quickly(here)
            before = [await here.dump(id) for id in ("a", "b", "c")]
            life = Life(steps)
            try:
                await move(Mortal(here, life), Mortal(there, life))  # type: ignore[arg-type]  # all that a mover uses
                break
            except Died:
                pass
            free = [store for store in (here, there) if not await refused(store)]
            held = [store.dsn for store in free if sum((await store.counts()).values())]
            assert len(held) <= 1, f"after {steps} operations both stores may be served: {held}"
            done = await move(here, there)
            assert done.executions == 3
            assert [await there.dump(id) for id in ("a", "b", "c")] == before
            assert (await there.get("shop", "till")) is not None
            assert [await refused(store) for store in (here, there)] == [True, False]
            steps += 1
        assert steps > 60

    arranged(work)


async def bake_quickly(store: Store) -> None:
    """Three executions of every sort, and a shared key-value entry."""
    await store.beat("p", NOW, 1000)
    for id, status, wake in (("a", "waiting", NOW + 5), ("b", "completed", None), ("c", "running", None)):
        accepted = await store.accept(
            id, NewMail("start", 1, NOW, "{}"), now=NOW, owner="p", create=NewExecution("f", "w")
        )
        assert accepted.head is not None
        change = Change(id, "p", 0, NOW, ["{}"], [1], 1, status, wake, status != "running", 1, "", "", "")
        await store.append(change._replace(blobs={"sha256:00": b"bytes"}))
        await store.put(id, "own", "1")
    await store.retire("p")
    await store.put("shop", "till", "[1, 2]")


# -- refusals ----------------------------------------------------------------------------------------


def test_nothing_moves_while_a_process_lives_and_the_source_is_as_before(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = MemoryStore("memory://here"), MemoryStore("memory://there")
        await bake_quickly(here)
        await here.beat("worker-7", 4_000_000_000_000, 1000)
        await here.accept("a", None, now=NOW, owner="worker-7")
        with pytest.raises(StoreUnavailable, match=r"in use by worker-7 \(1 executions\). Stop"):
            await move(here, there)
        assert not await refused(here)
        assert not await refused(there)

        async def stop() -> None:
            await asyncio.sleep(0.1)
            await here.retire("worker-7")

        said: list[str] = []
        stopping = asyncio.ensure_future(stop())
        done = await move(here, there, patience=10, report=lambda what, *_: said.append(what))
        await stopping
        assert done.copied == 3
        assert any("waiting for worker-7" in what for what in said)

    arranged(work)


def test_a_mark_with_a_time_without_end_is_told_as_damaged() -> None:
    async def work() -> None:
        here = MemoryStore("memory://here")
        await here.put(moved.SCOPE, moved.KEY, '{"state":"moved","to":"x","at":1e999}')
        with pytest.raises(StoreCorrupt, match="can't be read"):
            await read_mark(here)

    arranged(work)


def test_who_begins_while_the_source_is_being_marked_stops_the_move(tmp_path: Path) -> None:
    class Late(MemoryStore):
        async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
            answer = await super().put(scope, key, value, etag=etag)
            if scope == moved.SCOPE:
                await self.beat("late", 4_000_000_000_000, 1000)
            return answer

    async def work() -> None:
        here, there = Late("memory://here"), MemoryStore("memory://there")
        await bake_quickly(here)
        with pytest.raises(StoreUnavailable, match="late"):
            await move(here, there)
        assert await read_mark(here) is None
        assert await read_mark(there) is None
        assert await there.counts() == {}

    arranged(work)


def test_what_somebody_changes_during_the_move_is_named_and_nothing_is_handed_over(tmp_path: Path) -> None:
    class Meddled(MemoryStore):
        async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
            await self.accept("a", NewMail("late", 1, NOW, "{}"), now=NOW)  # the executions have been copied by now
            return await super().keys(scope, prefix, limit)

    async def work() -> None:
        here, there = Meddled("memory://here"), MemoryStore("memory://there")
        await bake_quickly(here)
        for _ in range(2):  # doing it again finds the same
            with pytest.raises(Conflict, match=r"^a: not the same in memory://here and memory://there"):
                await move(here, there)
            assert [await refused(store) for store in (here, there)] == [True, True]
        mark = await undo(here)
        assert mark is not None
        assert mark.state == "moving"
        assert [await refused(store) for store in (here, there)] == [False, True]

    arranged(work)


def test_a_copy_that_differs_in_its_journal_alone_is_named(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = MemoryStore("memory://here"), MemoryStore("memory://there")
        await bake_quickly(here)
        dump = await here.dump("b")
        assert dump is not None
        await moving._write(there, "arriving", here.dsn, "")  # pyright: ignore[reportPrivateUsage]  # an earlier run
        await there.restore(dump._replace(entries=["[]"]))
        with pytest.raises(Conflict, match=r"^b: not the same"):
            await move(here, there)
        assert [await refused(store) for store in (here, there)] == [True, True]

    arranged(work)


def test_a_value_that_differs_is_named(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = MemoryStore("memory://here"), MemoryStore("memory://there")
        await bake_quickly(here)
        await there.put("shop", "till", "[3]")
        with pytest.raises(Conflict, match=r"^shop/till: not the same"):
            await move(here, there)
        assert (await there.get("a", "own")) is not None

    arranged(work)


def test_a_store_in_use_for_something_else_is_no_target(tmp_path: Path) -> None:
    async def work() -> None:
        here, there, other = (MemoryStore(f"memory://{name}") for name in ("here", "there", "other"))
        await bake_quickly(here)
        await bake_quickly(other)
        with pytest.raises(StoreError, match="holds 3 executions already"):
            await move(here, other)
        with pytest.raises(InvalidInput, match="can't be moved to itself"):
            await move(here, here)
        assert not await refused(here)
        await move(here, there)
        with pytest.raises(StoreError, match=r"moved to memory://there"):
            await move(here, other)
        with pytest.raises(StoreError, match=r"moved to memory://there"):
            await move(other, here)
        with pytest.raises(StoreError, match="is finished"):
            await undo(here)
        assert await undo(here, finished=True) is not None
        assert not await refused(here)

    arranged(work)


def test_marks_that_can_not_be_read_are_not_passed_over(tmp_path: Path) -> None:
    async def work() -> None:
        store = MemoryStore()
        await store.put(moved.SCOPE, moved.KEY, '{"state": "moved"}')
        with pytest.raises(StoreError, match=r"mark of a move that can.t be read"):
            await refuse_moved(store)

    arranged(work)


def test_nobody_waits_only_for_the_living(tmp_path: Path) -> None:
    async def work() -> None:
        store = MemoryStore()
        await store.beat("dead", NOW, 1000)
        await nobody(store, 0)
        assert await copy_values(store, MemoryStore()) == 0

    arranged(work)


# -- as text -----------------------------------------------------------------------------------------


async def text(store: Store, where: Filter = Filter()) -> bytes:
    out = io.BytesIO()
    await export(store, out.write, at=NOW, release="1", where=where)
    return out.getvalue()


def lasting(content: bytes) -> list[bytes]:
    """The lines that are the same in every store: deduplication remembers the day only, or the moment."""
    lines = content.splitlines()
    return sorted(line for line in lines if not line.startswith((b'{"overwinter"', b'{"seen"', b'{"end"')))


def read(content: bytes) -> Iterator[bytes]:
    return lines_of(io.BytesIO(content))


@pytest.mark.parametrize(("source", "target"), [(sqlite, memory), (memory, sqlite)])
def test_what_was_exported_goes_on_where_it_was_imported(tmp_path: Path, source: Make, target: Make) -> None:
    async def work() -> None:
        here, there = source(tmp_path, "here"), target(tmp_path, "there")
        here = await bake_halfway(here)
        content = await text(here)
        await here.close()
        assert max(map(len, content.splitlines())) < 700_000  # an entry of 400 KB, written as a text in a text
        await there.open()
        done = await load(there, read(content))
        assert (done.executions, done.there, done.values, done.values_there) == (3, 0, 3, 0)
        assert lasting(await text(there)) == lasting(content)
        again = await load(there, read(content))
        assert (again.executions, again.there, again.values, again.values_there) == (0, 3, 0, 2)
        await there.close()
        await eat(afresh(there))

    arranged(work)


def test_an_import_may_die_between_any_two_operations(tmp_path: Path) -> None:
    async def work() -> None:
        here, steps = MemoryStore(), 0
        await bake_quickly(here)
        content = await text(here)
        dumps = [await here.dump(id) for id in ("a", "b", "c")]
        while True:
            there = MemoryStore()
            try:
                await load(Mortal(there, Life(steps)), read(content))  # type: ignore[arg-type]
                break
            except Died:
                await load(there, read(content))
            assert [await there.dump(id) for id in ("a", "b", "c")] == dumps
            for scope, key in (("a", "own"), ("b", "own"), ("c", "own"), (place_of("shop"), "till")):
                assert await there.get(scope, key) is not None, f"{scope}/{key} after {steps} operations"
            steps += 1
        assert steps > 20

    arranged(work)


def test_a_filter_leaves_the_others_and_the_shared_values_out(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = MemoryStore(), MemoryStore()
        await bake_quickly(here)
        done = await load(there, read(await text(here, Filter(status=["completed"]))))
        assert done == (1, 0, 1, 0)
        assert await there.counts() == {"completed": 1}
        assert await there.scopes() == ["b"]

    arranged(work)


def test_wherever_an_export_is_cut_off_it_is_noticed_and_nothing_is_half_there(tmp_path: Path) -> None:
    async def work() -> None:
        here = MemoryStore()
        await bake_quickly(here)
        content = await text(here)
        dumps = {id: await here.dump(id) for id in ("a", "b", "c")}
        for cut in range(0, len(content) - 1, 7):
            there = MemoryStore()
            with pytest.raises(InvalidInput, match=r"cut off|this is no export"):
                await load(there, read(content[:cut]))
            for head in (await there.executions()).heads:
                assert await there.dump(head.id) == dumps[head.id]
            await load(there, read(content))
            assert [await there.dump(id) for id in dumps] == list(dumps.values())

    arranged(work)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ((b'"format":1', b'"format":9'), "line 1: this export has format 9, written by release 1; .* Upgrade"),
        ((b'"overwinter":"store"', b'"hello":"store"'), "line 1: this is no export of a store"),
        ((b'"length":1', b'"length":2'), "line 7: the execution c is not what was exported"),
        ((b'"entries"', b'"entrees"'), "line 3: 'entrees' can't stand inside of the execution c"),
        ((b'["{}"]', b'["[]"]'), "line 7: the execution c is not what was exported"),
        ((b'["{}"]', b"[7]"), "line 3: it can't be read"),
        ((b'"status":"running"', b'"status":"rushing"'), "line 2: it can't be read .*no status 'rushing'"),
        ((b'"version":1', b'"version":"1"'), "line 2: it can't be read .*is no int"),
        ((b'"parent":null,', b""), "line 2: it can't be read .*has the fields"),
        ((b'{"executions":3', b'{"executions":4'), "4 executions were exported, 3 are here"),
        ((b'"base64":"Ynl0ZXM="', b'"base64":"Ynl0"'), "line 7: the execution c is not what was exported"),
    ],
)
def test_what_is_wrong_with_an_export_is_said_with_its_line(change: tuple[bytes, bytes], complaint: str) -> None:
    async def work() -> None:
        here, there = MemoryStore(), MemoryStore()
        await bake_quickly(here)
        content = await text(here)
        assert change[0] in content
        with pytest.raises(InvalidInput, match=complaint):
            await load(there, read(content.replace(*change, 1)))
        assert await there.head("c") is None or b"total" in change[0] or b"executions" in change[0]

    arranged(work)


def test_what_is_whole_before_the_mistake_stays(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = MemoryStore(), MemoryStore()
        await bake_quickly(here)
        content = await text(here)
        middle = content.rindex(b'"sha256"')  # in the last line of the last execution
        with pytest.raises(InvalidInput, match=r"Nothing of a was imported\. 2 executions before it were imported"):
            await load(there, read(content[:middle]))
        assert sorted(head.id for head in (await there.executions()).heads) == ["b", "c"]

    arranged(work)


def test_a_head_that_counts_other_entries_than_there_are_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = MemoryStore(), MemoryStore()
        await bake_quickly(here)
        dump = await here.dump("b")
        assert dump is not None
        await here.restore(dump._replace(head=dump.head._replace(id="torn", length=2)))
        with pytest.raises(InvalidInput, match="the execution torn is not what was exported"):
            await load(there, read(await text(here, Filter(prefix="torn"))))

    arranged(work)


def test_what_can_not_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    class Torn(MemoryStore):
        async def dump(self, id: str) -> Dump | None:
            if id == "b":
                raise StoreCorrupt("row 7 is no text")
            return await super().dump(id)

    async def work() -> None:
        here = Torn()
        await bake_quickly(here)
        out = io.BytesIO()
        done = await export(here, out.write, at=NOW, release="1")
        assert done.executions == 2
        assert [(id, "row 7 is no text" in why) for id, why in done.left_out] == [("b", True)]
        assert (await load(MemoryStore(), read(out.getvalue()))).executions == 2
        with pytest.raises(StoreCorrupt, match="b can't be read whole"):
            await move(here, MemoryStore("memory://there"))

    arranged(work)


def test_one_big_blob_is_many_lines(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = MemoryStore(), MemoryStore()
        await bake_quickly(here)
        dump = await here.dump("b")
        assert dump is not None
        blob = bytes(range(256)) * 4096
        await here.restore(
            dump._replace(head=dump.head._replace(id="big"), blobs={"sha256:11": blob, "sha256:22": b""})
        )
        content = await text(here, Filter(prefix="big"))
        assert max(map(len, content.splitlines())) < 300_000
        await load(there, read(content))
        moved = await there.dump("big")
        assert moved is not None
        assert moved.blobs == {"sha256:11": blob, "sha256:22": b""}

    arranged(work)
