"""The queries for people, and deleting."""

from __future__ import annotations

from typing import Any

from ..errors import Conflict, InvalidInput
from ..records import FINAL, IN_DOUBT, Answer, Filter, NewExecution
from ..store import Store
from .case import NOW, TTL, WORKFLOW, Case, bodies, change, found, known, lease, mail, refusal, scenario, settle


class Listing(Case):
    @scenario
    async def test_nobody_has_no_head_and_no_history(self, store: Store) -> None:
        assert await store.head("x") is None
        assert list(await store.history("x")) == []
        page = await store.executions()
        assert (list(page.heads), page.cursor) == ([], None)

    @scenario
    async def test_the_newest_execution_comes_first(self, store: Store) -> None:
        for number in (3, 0, 4, 1, 2):  # the clocks of several processes
            await store.accept(str(number), mail(), now=NOW + number, create=WORKFLOW)
        await store.accept("0", mail(), now=NOW + 100)
        page = await store.executions()
        assert [head.id for head in page.heads] == ["4", "3", "2", "1", "0"]
        assert page.heads[4] == await store.head("0")
        assert page.cursor is None

    @scenario
    async def test_pages_follow_each_other(self, store: Store) -> None:
        for number in range(23):
            await store.accept(f"x{number}", None, now=NOW + number, create=WORKFLOW)
        ids: list[str] = []
        sizes: list[int] = []
        cursor: str | None = None
        while True:
            page = await store.executions(cursor=cursor, limit=5)
            ids += [head.id for head in page.heads]
            sizes.append(len(page.heads))
            cursor = page.cursor
            if cursor is None:
                break
        assert ids == [f"x{number}" for number in reversed(range(23))]
        assert max(sizes) == 5

    @scenario
    async def test_the_cursor_is_valid_while_executions_come_and_go(self, store: Store) -> None:
        for number in range(12):
            await settle(store, f"x{number}", "completed", now=NOW + number)
        page = await store.executions(limit=4)
        assert [head.id for head in page.heads] == ["x11", "x10", "x9", "x8"]
        await store.accept("new", None, now=NOW + 99, create=WORKFLOW)
        for gone in ("x9", "x8", "x7", "x3"):
            await store.delete(gone, now=NOW)
        rest: list[str] = []
        while page.cursor is not None:
            page = await store.executions(cursor=page.cursor, limit=4)
            rest += [head.id for head in page.heads]
        assert rest == ["x6", "x5", "x4", "x2", "x1", "x0"]

    @scenario
    async def test_a_cursor_that_is_none_is_refused(self, store: Store) -> None:
        await store.accept("x", None, now=NOW, create=WORKFLOW)
        try:
            await store.executions(cursor="not a cursor '--")
        except InvalidInput:
            return
        raise AssertionError("the store should have refused the cursor")

    @scenario
    async def test_filters(self, store: Store) -> None:
        rows = [
            ("ticket/1", "ticket", None, "failed", ""),
            ("ticket/2", "ticket", None, "waiting", "approval refund"),
            ("ticket/3", "ticket", "ticket/1", "waiting", "timer"),
            ("support/1", "support", "ticket/1", "idle", ""),
            ("support/2", "support", "ticket/2", "stuck", "approval other"),
            ("Support/3", "support", None, "completed", ""),
        ]
        for id, function, parent, status, awaits in rows:
            await store.accept(id, None, now=NOW, create=NewExecution(function, "workflow", parent))
            await store.beat("a", NOW, 1000)
            head = known(await store.accept(id, None, now=NOW, owner="a"))
            await store.append(change(head, status=status, awaits=awaits, wake=None, release=True))

        async def ids(**fields: Any) -> set[str]:
            page = await store.executions(Filter()._replace(**fields))
            return {head.id for head in page.heads}

        assert await ids() == {row[0] for row in rows}
        assert await ids(status=["waiting"]) == {"ticket/2", "ticket/3"}
        assert await ids(status=["failed", "stuck"]) == {"ticket/1", "support/2"}
        assert await ids(status=["completed", "idle"]) == {"Support/3", "support/1"}
        assert await ids(status=["paused"]) == set()
        assert await ids(status=["no such status"]) == set()
        assert await ids(function="support") == {"support/1", "support/2", "Support/3"}
        assert await ids(function="sup") == set()
        assert await ids(prefix="support/") == {"support/1", "support/2"}
        assert await ids(prefix="ticket/2") == {"ticket/2"}
        assert await ids(parent="ticket/1") == {"ticket/3", "support/1"}
        assert await ids(parent="nobody") == set()
        assert await ids(parent="") == set()  # nobody's id; it must not mean everybody
        assert await ids(parent="", status=["failed"]) == set()
        assert await ids(parent="ticket/1", status=["paused"]) == set()
        assert await ids(awaits="approval") == {"ticket/2", "support/2"}
        assert await ids(awaits="approval refund") == {"ticket/2"}
        assert await ids(parent="ticket/1", status=["idle"], function="support", prefix="s") == {"support/1"}

    @scenario
    async def test_the_filter_by_age(self, store: Store) -> None:
        for number in range(4):
            await settle(store, f"x{number}", "completed", at=NOW + number)
        page = await store.executions(Filter(before=NOW + 2))
        assert {head.id for head in page.heads} == {"x0", "x1"}
        page = await store.executions(Filter(before=NOW + 2, prefix="x1"))
        assert {head.id for head in page.heads} == {"x1"}
        assert not (await store.executions(Filter(before=NOW))).heads

    @scenario
    async def test_executions_of_one_moment_are_listed_once_each(self, store: Store) -> None:
        for number in range(17):
            await store.accept(f"x{number}", None, now=NOW, create=WORKFLOW)
        page = await store.executions(limit=5)
        ids = [head.id for head in page.heads]
        while page.cursor is not None:
            page = await store.executions(cursor=page.cursor, limit=5)
            ids += [head.id for head in page.heads]
        assert sorted(ids) == sorted(f"x{number}" for number in range(17))

    @scenario
    async def test_prefixes_are_taken_literally(self, store: Store) -> None:
        names = [
            "a%b",
            "a_b",
            "axb",
            "a*b",
            "a",
            "b",
            "a\U0010ffff",
            "a\U0010ffffz",
            "ä",
            "äb",
            "日本",
            "日本語",
            "😀",
            "😀x",
            "😁",
            "a\ud7ff",
        ]
        for name in names:
            await store.accept(name, None, now=NOW, create=WORKFLOW)
        for prefix in [*names, "a\U0010ffff\U0010ffff", "A", "日"]:
            page = await store.executions(Filter(prefix=prefix))
            assert {head.id for head in page.heads} == {name for name in names if name.startswith(prefix)}

    @scenario
    async def test_filtered_pages_follow_each_other(self, store: Store) -> None:
        for number in range(30):
            await settle(store, f"x{number}", "failed" if number % 3 == 0 else "idle", now=NOW + number)
        ids: list[str] = []
        page = await store.executions(Filter(status=["failed"]), limit=4)
        ids += [head.id for head in page.heads]
        while page.cursor is not None:
            page = await store.executions(Filter(status=["failed"]), page.cursor, 4)
            ids += [head.id for head in page.heads]
        assert ids == [f"x{number}" for number in range(27, -1, -3)]

    @scenario
    async def test_executions_are_found_by_their_kind_and_by_when_they_were_made(self, store: Store) -> None:
        for number in range(6):
            kind = NewExecution("f", ("workflow", "agent")[number % 2])
            await store.accept(f"x{number}", None, now=NOW + number // 2, create=kind)

        async def ids(limit: int = 50, **fields: Any) -> list[str]:
            found, cursor = list[str](), None
            while True:
                page = await store.executions(Filter()._replace(**fields), cursor, limit)
                found += [head.id for head in page.heads]
                cursor = page.cursor
                if cursor is None:
                    return sorted(found)

        assert await ids(kind="agent") == ["x1", "x3", "x5"]
        assert await ids(kind="none") == []
        for limit in (1, 2, 50):
            assert await ids(limit, since=NOW + 1) == ["x2", "x3", "x4", "x5"]
            assert await ids(limit, until=NOW + 1) == ["x0", "x1"]
            assert await ids(limit, since=NOW + 1, until=NOW + 2) == ["x2", "x3"]
            assert await ids(limit, since=NOW + 1, kind="workflow", status=("pending",)) == ["x2", "x4"]
        assert await ids(since=NOW + 3) == await ids(until=NOW) == []

    @scenario
    async def test_the_oldest_come_first_when_that_is_asked(self, store: Store) -> None:
        for number in (5, 3, 20, 0, 8, 13, 1, 21, 2, 7, 6, 19):
            await settle(store, f"x{number:02}", ("idle", "failed", "waiting")[number % 3], now=NOW + number // 3)
        for where in (
            Filter(),
            Filter(prefix="x1"),
            Filter(("failed",)),
            Filter(("failed", "stuck", "waiting")),
            Filter(("failed", "idle"), since=NOW + 1),
            Filter(function=WORKFLOW.function, until=NOW + 4),
            Filter(since=NOW + 1, until=NOW + 6),
            Filter(before=NOW + 3),
        ):
            wanted = [head.id for head in (await store.executions(where)).heads][::-1]
            assert wanted, where
            for limit, most in ((50, 10_000), (1, 1), (2, 3), (3, 2)):
                found, cursor = list[str](), None
                while True:
                    scan = await store.scan(where._replace(oldest=True), cursor, limit, most)
                    assert len(scan.heads) <= limit
                    found += [head.id for head in scan.heads]
                    cursor = scan.cursor
                    if cursor is None:
                        break
                assert found == wanted, (where, limit, most)
        everything = [head.id for head in (await store.executions()).heads][::-1]
        page = await store.executions(Filter(oldest=True), limit=4)
        assert [head.id for head in page.heads] == everything[:4]
        await settle(store, "x99", "idle", now=NOW + 99)
        await store.delete("x00", now=NOW)
        rest = await store.executions(Filter(oldest=True), page.cursor)
        assert [head.id for head in rest.heads] == [*everything[4:], "x99"]

    @scenario
    async def test_a_scan_finds_what_a_listing_finds_however_little_it_looks_at(self, store: Store) -> None:
        for number in range(24):
            await settle(store, f"x{number:02}", ("idle", "failed", "completed")[number % 3], now=NOW + number // 4)
        for where in (
            Filter(),
            Filter(prefix="x1"),
            Filter(prefix="x07"),
            Filter(("failed",)),
            Filter(("failed", "stuck", "idle")),
            Filter(("failed", "paused"), since=NOW + 2, until=NOW + 5),
            Filter(function="f", before=NOW + 3),
            Filter(parent="nobody"),
        ):
            wanted = [head.id for head in (await store.executions(where)).heads]
            for limit, most in ((50, 10_000), (2, 3), (3, 1), (1, 5)):
                found, cursor = list[str](), None
                while True:
                    scan = await store.scan(where, cursor, limit, most)
                    assert len(scan.heads) <= limit and scan.looked >= len(scan.heads)
                    found += [head.id for head in scan.heads]
                    cursor = scan.cursor
                    if cursor is None:
                        break
                assert found == wanted, (where, limit, most)

    @scenario
    async def test_a_status_that_people_look_for_is_found_as_long_as_it_is_had(self, store: Store) -> None:
        """Each of them that a store has an index of: when it comes, when it goes, and when it is deleted."""

        async def ids(*status: str) -> list[str]:
            return [head.id for head in (await store.executions(Filter(status=status))).heads]

        looked_for = (IN_DOUBT, "failed", "stuck", "paused", "cancelled", "terminated")
        for number, status in enumerate(looked_for):
            await settle(store, f"x{number}", status, now=NOW + number)
            await settle(store, f"idle{number}", "idle", now=NOW + number)
        for number, status in enumerate(looked_for):
            assert await ids(status) == [f"x{number}"]
        assert await ids(*looked_for) == [f"x{number}" for number in reversed(range(len(looked_for)))]
        head = known(await store.accept("x0", None, now=NOW, owner="a"))
        await store.append(change(head, ["entry"], status="idle", release=True))
        assert await ids(IN_DOUBT) == []
        head = known(await store.accept("idle1", None, now=NOW, owner="a"))
        await store.append(change(head, ["entry"], status=IN_DOUBT, release=True))
        assert await ids(IN_DOUBT) == ["idle1"]
        assert await store.delete("x1", now=NOW) is True
        assert await ids("failed") == [] and await store.verify() == []

    @scenario
    async def test_history_is_read_in_parts(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, [str(number) for number in range(1, 11)]))
        assert list(await store.history("x", after=0, limit=3)) == ["1", "2", "3"]
        assert list(await store.history("x", after=3, limit=3)) == ["4", "5", "6"]
        assert list(await store.history("x", after=9)) == ["10"]
        assert list(await store.history("x", after=10)) == []
        assert list(await store.history("x", after=99)) == []
        assert list(await store.history("x", limit=0)) == []

    @scenario
    async def test_counts(self, store: Store) -> None:
        for status, number in {"idle": 3, "failed": 1, "completed": 2}.items():
            for index in range(number):
                await settle(store, f"{status}{index}", status)
        await store.accept("new", None, now=NOW, create=WORKFLOW)
        assert await store.counts() == {"idle": 3, "failed": 1, "completed": 2, "pending": 1}

    @scenario
    async def test_finished_and_idle_executions_are_deleted_whole(self, store: Store) -> None:
        await settle(store, "neighbour", "idle")
        await store.put("neighbour", "k", "1")
        for status in (*sorted(FINAL), "idle"):
            head = known(await lease(store, "x"))
            await store.append(change(head, ["entry"], status=status, release=True))  # its start stays unread
            await store.put("x", "k", "1")
            assert await store.mailbox("x") != (0, [])
            assert await store.delete("x", now=NOW) is True
            assert await store.head("x") is None
            assert list(await store.history("x")) == []
            assert await store.mailbox("x") == (0, [])
            assert await store.get("x", "k") is None
            assert await store.due(NOW + 10) == []
            assert (await store.accept("x", None, now=NOW)).answer is Answer.MISSING
        assert await store.delete("x", now=NOW) is False
        assert list(await store.history("neighbour")) == ["entry"]
        assert await store.get("neighbour", "k") is not None

    @scenario
    async def test_what_was_deleted_can_be_made_anew(self, store: Store) -> None:
        head = known(await lease(store, "x", body="unread"))
        await store.append(change(head, ["entry"], status="idle", release=True))
        await store.delete("x", now=NOW)
        accepted = await store.accept("x", mail("start", "again"), now=NOW + 5, create=WORKFLOW)
        assert accepted.answer is Answer.QUEUED
        head = known(accepted)
        assert (head.version, head.length, head.arrivals, head.created) == (0, 0, 1, NOW + 5)
        assert await bodies(store, "x") == ["again"]
        assert list(await store.history("x")) == []

    @scenario
    async def test_what_has_something_left_to_do_is_not_deleted(self, store: Store) -> None:
        await settle(store, "x", "idle")
        await store.accept("x", mail("k", "just sent"), now=NOW + 1)
        await settle(store, "y", "completed", wake=NOW + 10)
        for id in ("x", "y"):
            before = await found(store, id)
            assert isinstance(await refusal(store.delete(id, now=NOW + 2)), Conflict)
            assert await found(store, id) == before
        assert await bodies(store, "x") == ["just sent"]
        for id, status, read in (("x", "idle", [2]), ("y", "completed", [])):
            head = known(await store.accept(id, None, now=NOW + 10, owner="a"))
            await store.append(change(head, consumed=read, release=True, status=status, wake=None))
            assert await store.delete(id, now=NOW + 11) is True

    @scenario
    async def test_what_is_leased_or_under_way_is_not_deleted(self, store: Store) -> None:
        for status in ("idle", "completed", "running"):
            await store.beat("a", NOW, TTL)
            head = known(await store.accept(status, None, now=NOW, owner="a", create=WORKFLOW))
            await store.append(change(head, ["e"], status=status))
            assert isinstance(await refusal(store.delete(status, now=NOW)), Conflict)
            assert list(await store.history(status)) == ["e"]
        for status in ("pending", "waiting", "paused", "stuck"):
            head = known(await store.accept(status, None, now=NOW, owner="a", create=WORKFLOW))
            await store.append(change(head, status=status, release=True))
            assert isinstance(await refusal(store.delete(status, now=NOW)), Conflict)
        await store.retire("a")
        assert await store.delete("completed", now=NOW) is True
        assert isinstance(await refusal(store.delete("running", now=NOW)), Conflict)
        assert (await found(store, "running")).length == 1
