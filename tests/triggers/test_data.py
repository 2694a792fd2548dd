"""Data that begins functions: what is found begins once, whatever dies between, and nothing is passed over."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from overwinter import Agent, InvalidInput, Runtime, tool, workflow
from overwinter.functions.event import CloudEvent
from overwinter.functions.trigger import S3, Folder, Found, Mailbox, Source, Table, trigger
from overwinter.functions.triggers import folder as folders
from overwinter.functions.triggers import table as tables
from overwinter.functions.triggers.watching import Watcher, id_of
from overwinter.state.errors import StoreUnavailable
from overwinter.state.memory import MemoryStore
from overwinter.state.records import Filter


class Shelf(Source):
    """A source in memory: each look gives what was put there since, twice."""

    def __init__(self, name: str = "shelf") -> None:
        super().__init__(name, "100ms")
        self.items: list[Any] = []
        self.looks = 0
        self.broken = 0
        self.confirmed: list[str] = []

    async def look(self, since: Any) -> Found:
        self.looks += 1
        if self.broken:
            self.broken -= 1
            raise ValueError("it can't be read")
        first = max(0, (since or 0) - 1)
        events = [
            CloudEvent(type="put", source="/shelf", id=str(number), data=item)
            for number, item in enumerate(self.items[first:], first)
        ]
        return Found(events, len(self.items), receipts=[event.id for event in events])

    async def confirm(self, receipts: list[str]) -> None:
        self.confirmed += receipts


class ManualClock:
    """It stands where it is put, in milliseconds."""

    now = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    from .place import on_a_loop as loop

    return loop(test)


async def until(true: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    async with asyncio.timeout(30):
        while not await true():  # noqa: ASYNC110  # nothing tells of the moment
            await asyncio.sleep(0.02)


async def results(runtime: Runtime, function: str) -> list[Any]:
    heads = [head async for head in runtime.all(Filter(("completed",), function))]
    return sorted([await runtime.result(head.id) for head in heads], key=str)


@on_a_loop
async def test_what_is_found_begins_once_in_however_many_lives() -> None:
    shelf = Shelf()
    shelf.items = ["a", "b"]
    began: list[str] = []

    @trigger(shelf)
    @workflow
    async def take(ctx: Any, item: str) -> str:
        began.append(item)
        return item.upper()

    store = MemoryStore()
    async with Runtime([take], store) as runtime:
        await until(lambda: _are(runtime, ["A", "B"]))
        assert {"0", "1"} <= set(shelf.confirmed)
    shelf.items.append("c")
    async with Runtime([take], store) as runtime:  # another life: it sleeps in the store between
        await until(lambda: _are(runtime, ["A", "B", "C"]))
        watching = [head async for head in runtime.all(Filter(prefix="watch-"))]
        assert [head.id for head in watching] == [id_of("take", "shelf")]
    assert sorted(began) == ["a", "b", "c"]


async def _are(runtime: Runtime, wanted: list[Any], function: str = "take") -> bool:
    return await results(runtime, function) == wanted


@on_a_loop
async def test_a_source_that_can_not_be_read_is_looked_at_again_and_what_does_not_fit_stops_nothing() -> None:
    shelf = Shelf()
    shelf.items = [1, "no number", 3]
    shelf.broken = 2

    @trigger(shelf)
    @workflow
    async def take(ctx: Any, item: int) -> int:
        return item

    async with Runtime([take], "memory://") as runtime:
        await until(lambda: _are(runtime, [1, 3]))
        told = [entry.get("value") for entry in await runtime.history(id_of("take", "shelf"))]
        refused = next(one["refused"] for one in told if isinstance(one, dict) and one.get("refused"))
        assert [one["id"] for one in refused] == ["1"]
        assert "valid integer" in refused[0]["why"]


@on_a_loop
async def test_a_store_that_is_away_when_it_begins_loses_nothing() -> None:
    shelf = Shelf()
    shelf.items = ["a"]

    class Away(MemoryStore):
        left = 0

        async def accept(self, *args: Any, **kwargs: Any) -> Any:
            if self.left and "watch-" not in str(args) + str(kwargs):
                self.left -= 1
                raise StoreUnavailable("away")
            return await super().accept(*args, **kwargs)

    @trigger(shelf)
    @workflow
    async def take(ctx: Any, item: str) -> str:
        return item

    store = Away()
    store.left = 2
    async with Runtime([take], store) as runtime:
        await until(lambda: _are(runtime, ["a"]))


@on_a_loop
async def test_tools_sessions_and_whole_events() -> None:
    shelf, other = Shelf(), Shelf("other")
    shelf.items = [{"item": "a", "who": "c-1"}]
    other.items = ["x"]

    @trigger(shelf)
    @tool
    def book(item: str, who: str) -> str:
        """Books it."""
        return item + who

    @trigger(other)
    @workflow
    async def take(ctx: Any, event: CloudEvent) -> str:
        return f"{event.type} {event.id} {event.data}"

    desk = Agent("desk", "scripted:echo")
    trigger(shelf, input=lambda event: event.data["item"], session=lambda event: str(event.data["who"]))(desk)
    async with Runtime([book, take, desk], "memory://") as runtime:
        await until(lambda: _are(runtime, ["ac-1"], "book"))
        await until(lambda: _are(runtime, ["put 0 x"]))

        async def said() -> bool:
            head = await runtime.find("desk/c-1")
            return head is not None and head.status == "idle"

        await until(said)


@on_a_loop
async def test_a_source_that_is_no_longer_declared_stops_nothing() -> None:
    old, new = Shelf("old"), Shelf("new")
    new.items = ["a"]

    def declared(shelf: Shelf) -> Any:
        @trigger(shelf)
        @workflow
        async def take(ctx: Any, item: str) -> str:
            return item

        return take

    store = MemoryStore()
    async with Runtime([declared(old)], store) as runtime:

        async def looked() -> bool:
            return old.looks > 1

        await until(looked)
    async with Runtime([declared(new)], store) as runtime:
        await until(lambda: _are(runtime, ["a"]))
        head = await runtime.show(id_of("take", "old"))
        assert head.status in ("waiting", "running", "pending")


def test_what_can_not_be_declared() -> None:
    shelf = Shelf()

    async def plain(ctx: Any) -> None: ...

    with pytest.raises(InvalidInput, match="write @trigger above"):
        trigger(shelf)(plain)
    flow = trigger(shelf)(workflow(plain))
    with pytest.raises(InvalidInput, match="already"):
        trigger(shelf)(flow)
    with pytest.raises(InvalidInput, match="without a pause"):
        Folder("/x", every="1ms")
    with pytest.raises(InvalidInput):
        Table("postgres://x", "orders")
    with pytest.raises(InvalidInput):
        Table("sqlite:///x", "orders; DROP TABLE orders")
    with pytest.raises(InvalidInput):
        Table(lambda: None, "orders")


# -- folders -----------------------------------------------------------------------------------------------------


def look(source: Source, since: Any = None) -> Found:
    return asyncio.run(source.look(since))


def names(found: Found) -> list[str]:
    return [str(event.subject) for event in found.events]


def test_a_folder_tells_of_each_file_once_and_again_when_it_changes(tmp_path: Path) -> None:
    folder = Folder(tmp_path, pattern="*.txt", settle="0s")
    (tmp_path / ".hidden.txt").write_text("")
    (tmp_path / "sub.txt").mkdir()
    (tmp_path / "x.csv").write_text("")
    (tmp_path / "a b.txt").write_text("one")
    first = look(folder)
    [event] = first.events
    assert (event.type, event.subject, event.data["size"]) == ("overwinter.file", "a b.txt", 3)
    assert event.data["path"] == str(tmp_path / "a b.txt")
    second = look(folder, first.since)
    assert names(second) == []
    (tmp_path / "old.txt").write_text("moved")
    os.utime(tmp_path / "old.txt", (1, 1))  # as one that is unpacked with its old date
    third = look(folder, second.since)
    assert names(third) == ["old.txt"]
    (tmp_path / "a b.txt").write_text("longer")
    fourth = look(folder, third.since)
    assert names(fourth) == ["a b.txt"]
    assert fourth.events[0].id != event.id
    assert look(folder, fourth.since).events == []
    assert names(look(folder)) == ["old.txt", "a b.txt"]
    assert look(folder).events[1] == fourth.events[0]  # the same id however often it is found


def test_a_file_that_may_still_be_written_is_left_for_later(tmp_path: Path) -> None:
    folder = Folder(tmp_path, settle="1h")
    (tmp_path / "writing").write_text("half")
    (tmp_path / "done").write_text("whole")
    hours_ago = time.time() - 7200
    os.utime(tmp_path / "done", (hours_ago, hours_ago))
    first = look(folder)
    assert names(first) == ["done"]
    later = Folder(tmp_path, settle="0s")  # time has passed, and nobody has touched it
    second = look(later, first.since)
    assert names(second) == ["writing"]
    assert look(later, second.since).events == []


def test_many_files_come_in_parts_and_none_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST", 3)
    for number in range(20):
        (tmp_path / f"{number:02}").write_text("x")
    since: Any = None
    told: list[str] = []
    for _ in range(30):
        found = look(Folder(tmp_path, settle="0s"), since)
        told += names(found)
        since = found.since
    assert sorted(told) == [f"{number:02}" for number in range(20)]


def test_a_name_that_is_no_text_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe")).write_text("x")
    [event] = look(Folder(tmp_path, settle="0s")).events
    assert event.id.startswith("%FF%FE@")
    with pytest.raises(FileNotFoundError):
        look(Folder(tmp_path / "nothing"))


def moments(monkeypatch: pytest.MonkeyPatch, there: dict[str, int]) -> Callable[[Any], Found]:
    """A folder whose files came at the moments that stand in ``there``; what looks into it."""
    stat = Path(__file__).stat()
    monkeypatch.setattr(Folder, "_files", lambda self: iter([(at, stat, name) for name, at in there.items()]))
    return lambda since: look(Folder("/inbox", settle="0s"), since)


def test_a_file_that_lands_behind_the_listing_is_found_by_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"early": 10}
    looked = moments(monkeypatch, there)
    first = looked(None)
    there["late"] = 30  # while it is listed: "passed" lands where the listing has been, then this one before it
    second = looked(first.since)
    assert names(second) == ["late"]
    there["passed"] = 20
    third = looked(second.since)
    assert names(third) == ["passed"]
    for _ in range(3):
        third = looked(third.since)
        assert names(third) == []
    assert len(third.since["known"]) == 1  # what is known does not grow


def test_many_that_land_behind_the_listing_are_found_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MOST", 3)
    there = {"early": 10}
    looked = moments(monkeypatch, there)
    since = looked(None).since
    there["late"] = 100
    since = looked(since).since
    there.update({f"passed {number:02}": 20 + number for number in range(10)})
    told: list[str] = []
    for _ in range(6):
        found = looked(since)
        told, since = told + names(found), found.since
    assert sorted({*told} - {"late"}) == [f"passed {number:02}" for number in range(10)]


def test_a_clock_that_is_set_back_hides_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    hour = 3_600_000_000_000
    there = {"before": 1000 * hour}
    looked = moments(monkeypatch, there)
    monkeypatch.setattr(time, "time_ns", lambda: 1000 * hour)
    since = looked(looked(None).since).since
    monkeypatch.setattr(time, "time_ns", lambda: 100 * hour)
    there["after"] = 100 * hour - 1
    since = looked(since).since
    there["later"] = 100 * hour + 1
    monkeypatch.setattr(time, "time_ns", lambda: 100 * hour + 2)
    told: list[str] = []
    for _ in range(3):
        found = looked(since)
        told, since = told + names(found), found.since
    assert told == ["later"]


def test_names_and_links_that_are_in_nobodys_way(tmp_path: Path) -> None:
    inbox, old = tmp_path / "inbox", tmp_path / "old"
    inbox.mkdir()
    old.write_text("x")
    (inbox / "new\nline").write_text("x")
    (inbox / "loop").symlink_to("loop")
    (inbox / "nowhere").symlink_to("nothing")
    folder = Folder(inbox, settle="0s")
    first = look(folder)
    assert [(event.subject, event.data["name"]) for event in first.events] == [("new%0Aline", "new\nline")]
    while (inbox / "new\nline").stat().st_ctime_ns <= old.stat().st_ctime_ns:
        (inbox / "new\nline").touch()
    since = first.since
    for _ in range(3):
        since = look(folder, since).since
    (inbox / "link").symlink_to(old)  # put there later than what it leads to
    assert names(look(folder, since)) == ["link"]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (lambda: Folder(""), "no path"),
        (lambda: Folder(None), "no path"),  # type: ignore[arg-type]
        (lambda: Folder("a\0b"), "no path"),
        (lambda: Folder("x", pattern="../*"), "would match no name"),
        (lambda: Table("sqlite:///x", "t", watermark=5), "no name of a table"),  # type: ignore[arg-type]
        (lambda: Table("sqlite:///x", "t", since=float("nan")), "no watermark"),
        (lambda: Table("sqlite:///x", "t", since=b"x"), "no watermark"),  # type: ignore[arg-type]
        (lambda: Mailbox(None, "u", "env:P"), "host of a mailbox is a text"),  # type: ignore[arg-type]
        (lambda: Mailbox("", "u", "env:P"), "host of a mailbox is a text"),
        (lambda: Mailbox("h", " ", "env:P"), "user of a mailbox is a text"),
        (lambda: Mailbox("h:993:1", "u", "env:P"), "no host of a mailbox"),
        (lambda: Mailbox("h:99999", "u", "env:P"), "no host of a mailbox"),
        (lambda: S3(None), "no URL of a queue"),  # type: ignore[arg-type]
        (lambda: S3("https://sqs", hidden="0s"), "between 1s and 12h"),
        (lambda: S3("https://sqs", hidden="20h"), "between 1s and 12h"),
        (lambda: trigger(Folder), "is no source"),  # type: ignore[arg-type]
        (lambda: trigger("inbox"), "is no source"),  # type: ignore[arg-type]
        (lambda: trigger(Folder("x"), input=5), "input= is a function"),  # type: ignore[arg-type]
    ],
)
def test_what_could_never_find_anything_is_refused_when_it_is_declared(declared: Callable[[], Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        declared()


# -- tables ------------------------------------------------------------------------------------------------------


def test_a_table_tells_of_each_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST", 2)
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, changed REAL, what TEXT, raw BLOB)")
        for number in range(5):
            db.execute("INSERT INTO orders VALUES (?, 1.5, ?, ?)", (number, f"thing {number}", b"\x00\xff"))
        db.commit()
        table = Table(f"sqlite:///{path}", "orders", watermark="changed", key="id")
        since, told, rounds = None, [], 0
        while True:
            found = look(table, since)
            told += found.events
            since, rounds = found.since, rounds + 1
            if not found.more:
                break
        assert (rounds, [event.subject for event in told]) == (3, ["0", "1", "2", "3", "4"])
        assert told[0].data == {"id": 0, "changed": 1.5, "what": "thing 0", "raw": "00ff"}
        assert look(table, since) == Found([], since)
        db.execute("UPDATE orders SET changed = 2, what = 'other' WHERE id = 1")
        db.commit()
        [again] = look(table, since).events
        assert (again.subject, again.data["what"]) == ("1", "other")
        assert again.id != told[1].id
        counted = Table(lambda: sqlite3.connect(path), "orders", since=2, name="shop")
        assert [event.id for event in look(counted).events] == ["3", "4"]


@on_a_loop
async def test_rows_begin_workflows(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT)")
        db.execute("INSERT INTO orders VALUES (1, 'tulips')")
        db.commit()

    @trigger(Table(f"sqlite:///{path}", "orders", every="100ms"))
    @workflow
    async def take(ctx: Any, row: dict[str, Any]) -> str:
        return str(row["what"])

    async with Runtime([take], "memory://") as runtime:
        await until(lambda: _are(runtime, ["tulips"]))


def test_a_row_that_can_be_no_event_as_it_is_is_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "odd.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE odd (k, w, v)")
        odd = [("a\nb", 1, 1), ("", 2, 2), ("c", 3, float("inf")), ("n", None, 4), ("x" * 9, float("inf"), 5)]
        db.executemany("INSERT INTO odd VALUES (?, ?, ?)", odd)
        db.commit()
        table = Table(f"sqlite:///{path}", "odd", watermark="w", key="k")
        found = look(table)
        assert [(event.id, event.subject) for event in found.events[:3]] == [
            ("a%0Ab@1", "a%0Ab"),
            ("@2", None),
            ("c@3", "c"),
        ]
        assert [event.data["v"] for event in found.events] == [1, 2, "inf", 5]  # and what has no watermark has no place
        db.execute("INSERT INTO odd VALUES ('t', 'a text', 7)")
        db.commit()
        found = look(table, found.since)
        db.execute("INSERT INTO odd VALUES ('z', 4, 6)")
        db.commit()
        assert "z@4" in [event.id for event in look(table, found.since).events]


def test_rows_that_no_look_can_go_on_after_are_no_reason_to_look_at_once_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST", 2)
    path = tmp_path / "endless.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE endless (id, w)")
        db.executemany("INSERT INTO endless VALUES (?, ?)", [(1, 1), *((n, float("inf")) for n in range(2, 9))])
        db.commit()
    table = Table(f"sqlite:///{path}", "endless", watermark="w", key="id")
    first = look(table)
    assert (first.since, first.more) == ([1, 1], True)
    second = look(table, first.since)
    assert (second.since, second.more) == ([1, 1], False)


def test_rows_that_the_watermark_does_not_tell_apart_are_told_of(tmp_path: Path) -> None:
    path = tmp_path / "twins.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE twins (w, v)")
        db.executemany("INSERT INTO twins VALUES (?, ?)", [(1, "a"), (1, "b"), (2, "c")])
        db.commit()
    [(id, why)] = look(Table(f"sqlite:///{path}", "twins", watermark="w")).refused
    assert id == "1"
    assert "key=" in why


def test_what_is_large_is_found_in_parts(tmp_path: Path) -> None:
    path = tmp_path / "large.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE large (id INTEGER PRIMARY KEY, v TEXT)")
        db.executemany("INSERT INTO large (v) VALUES (?)", [("x" * 1_500_000,)] * 7)
        db.commit()
    table, since = Table(f"sqlite:///{path}", "large"), None
    parts: list[Found] = []
    while not parts or parts[-1].more:
        parts.append(look(table, since))
        since = parts[-1].since
    assert [[event.id for event in part.events] for part in parts] == [["1", "2"], ["3", "4"], ["5", "6"], ["7"]]


# -- what stands in nobody's way ---------------------------------------------------------------------------------


@on_a_loop
async def test_a_rule_that_fails_for_one_event_does_not_keep_the_others_from_beginning() -> None:
    shelf = Shelf()
    shelf.items = [{"what": "a"}, {}, {"what": "c"}]

    @trigger(shelf, input=lambda event: event.data["what"])
    @workflow
    async def take(ctx: Any, item: str) -> str:
        return item

    async with Runtime([take], "memory://") as runtime:
        await until(lambda: _are(runtime, ["a", "c"]))
        told = [entry.get("value") for entry in await runtime.history(id_of("take", "shelf"))]
        refused = next(one["refused"] for one in told if isinstance(one, dict) and one.get("refused"))
        assert (refused[0]["id"], "KeyError: 'what'" in refused[0]["why"]) == ("1", True)


@on_a_loop
async def test_an_event_that_no_store_takes_and_what_a_source_refuses_are_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd(Shelf):
        async def look(self, since: Any) -> Found:
            found = await super().look(since)
            return found._replace(refused=[("odd", "it is no event")] if found.events else [])

    shelf = Odd()
    shelf.items = ["x" * 200_000, "b"]

    @trigger(shelf)
    @workflow
    async def take(ctx: Any, item: str) -> str:
        return item

    class Small(MemoryStore):
        payload_limit = 250_000

    async with Runtime([take], Small()) as runtime:
        await until(lambda: _are(runtime, ["b"]))
        told = [entry.get("value") for entry in await runtime.history(id_of("take", "shelf"))]
        refused = next(one["refused"] for one in told if isinstance(one, dict) and one.get("refused"))
        assert [one["id"] for one in refused] == ["odd", "0"]
    assert "can't be taken: odd: it is no event" in caplog.text


@on_a_loop
async def test_a_source_that_can_not_be_read_is_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    shelf.items, shelf.broken = ["a"], 1

    @trigger(shelf)
    @workflow
    async def take(ctx: Any, item: str) -> str:
        return item

    async with Runtime([take], "memory://") as runtime:
        await until(lambda: _are(runtime, ["a"]))
    assert "shelf can't be read for take and is tried again: ValueError: it can't be read" in caplog.text


@on_a_loop
async def test_a_journal_of_before_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks that were recorded without their time, by a process that is gone."""
    shelf = Shelf()
    shelf.items = ["a"]

    @trigger(shelf)
    @workflow
    async def take(ctx: Any, item: str) -> str:
        return item

    look = Watcher._look

    async def before(self: Watcher, source: str, since: Any) -> dict[str, Any]:
        return {
            key: value for key, value in (await look(self, source, since)).items() if key not in ("looked", "refused")
        }

    store = MemoryStore()
    with monkeypatch.context() as patch:
        patch.setattr(before, "__name__", "_look")
        patch.setattr(Watcher, "_look", before)
        async with Runtime([take], store) as runtime:
            await until(lambda: _are(runtime, ["a"]))
    shelf.items.append("b")
    async with Runtime([take], store) as runtime:
        await until(lambda: _are(runtime, ["a", "b"]))


def test_a_changed_period_holds_after_a_nap() -> None:
    shelf = Shelf()
    shelf.items, shelf.every = ["a"], 9 * 3600.0
    clock = ManualClock()

    @trigger(shelf)
    @workflow
    async def take(ctx: Any, item: str) -> str:
        return item

    async def main() -> None:
        store = MemoryStore()
        async with Runtime([take], store, clock=clock) as runtime:
            await until(lambda: _are(runtime, ["a"]))
            watcher = Watcher(runtime, "take")
            first = await watcher._look("shelf", None, None)
            assert (first["pause"], first["looked"]) == (3600.0, clock())
            clock.now += 3_600_000
            looks = shelf.looks
            napping = await watcher._look("shelf", 1, first["looked"])
            assert (napping["pause"], napping["looked"], shelf.looks) == (3600.0, first["looked"], looks)
            shelf.every = 5400.0
            assert (await watcher._look("shelf", 1, first["looked"]))["pause"] == 1800.0
            shelf.every = 60.0
            assert (await watcher._look("shelf", 1, first["looked"]))["looked"] == clock()
            assert shelf.looks == looks + 1

    asyncio.run(main())
