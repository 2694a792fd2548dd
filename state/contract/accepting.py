"""``accept``: creating, leasing, queueing, and what becomes of finished executions."""

from __future__ import annotations

from ..records import FINAL, Answer, NewExecution
from ..store import Store
from .case import AGENT, NOW, TTL, WORKFLOW, Case, bodies, change, found, known, lease, mail, scenario, settle


class Accepting(Case):
    @scenario
    async def test_an_unknown_id_is_missing_and_nothing_is_stored(self, store: Store) -> None:
        accepted = await store.accept("x", mail("k"), now=NOW, owner="a")
        assert accepted.answer is Answer.MISSING
        assert accepted.head is None
        assert await store.head("x") is None
        assert await store.mailbox("x") == (0, [])
        assert await store.counts() == {}

    @scenario
    async def test_creating_makes_a_pending_execution_that_is_due(self, store: Store) -> None:
        create = NewExecution("ticket", "workflow", parent="mother")
        accepted = await store.accept("x", mail("k", "hello"), now=NOW, create=create)
        assert accepted.answer is Answer.QUEUED
        head = known(accepted)
        assert head == await store.head("x")
        assert head[:8] == ("x", "ticket", "workflow", "pending", 0, 0, 1, 1)
        assert (head.owner, head.wake, head.parent) == (None, NOW, "mother")
        assert (head.created, head.updated) == (NOW, NOW)
        assert (head.awaits, head.note, head.state) == ("", "", "")
        assert await store.due(NOW) == ["x"]
        assert await bodies(store, "x") == ["hello"]

    @scenario
    async def test_creating_with_an_owner_grants_the_lease(self, store: Store) -> None:
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", mail("k", "hello"), now=NOW, owner="a", create=AGENT)
        assert accepted.answer is Answer.GRANTED
        head = known(accepted)
        assert head == await store.head("x")
        assert (head.kind, head.status, head.owner, head.version, head.wake) == ("agent", "running", "a", 0, None)
        assert list(accepted.entries or ()) == []
        assert [(m.seq, m.lane, m.at, m.body) for m in accepted.mail] == [(1, 1, NOW, "hello")]
        assert await store.due(NOW + 1) == []

    @scenario
    async def test_creating_needs_no_mail(self, store: Store) -> None:
        accepted = await store.accept("x", None, now=NOW, create=WORKFLOW)
        assert accepted.answer is Answer.QUEUED
        assert known(accepted).arrivals == 0
        assert await store.due(NOW) == ["x"]

    @scenario
    async def test_create_says_nothing_when_the_id_is_known(self, store: Store) -> None:
        await store.accept("x", mail("1"), now=NOW, create=WORKFLOW)
        accepted = await store.accept("x", mail("2"), now=NOW + 5, create=WORKFLOW._replace(parent="p"))
        head = known(accepted)
        assert (head.function, head.kind, head.parent, head.created) == ("ticket", "workflow", None, NOW)
        assert await bodies(store, "x") == ["{}", "{}"]

    @scenario
    async def test_an_execution_of_another_function_takes_nothing(self, store: Store) -> None:
        others = WORKFLOW._replace(function="tickets"), WORKFLOW._replace(kind="agent"), AGENT
        await store.beat("b", NOW, TTL)
        for status in ("pending", "running", "idle", "waiting", "paused", "stuck", *sorted(FINAL)):
            if status == "pending":
                await store.accept(status, mail("start", "start"), now=NOW, create=WORKFLOW)
            elif status == "running":
                await lease(store, status, "a")
            else:
                await settle(store, status, status)
            before, waiting = await found(store, status), await store.mailbox(status)
            for create in others:
                for owner in (None, "b"):
                    for key, content in (("start", "start"), ("k", "hello"), ("", "hello")):
                        news = mail(key, content, blobs={"d": b"bytes"} if key == "k" else {})
                        accepted = await store.accept(
                            status, news, now=NOW + 9, owner=owner, create=create, reopen=True
                        )
                        assert (accepted.answer, accepted.head) == (Answer.OTHER, before)
                        assert (accepted.entries, list(accepted.mail)) == (None, [])
                    accepted = await store.accept(status, None, now=NOW + 9, owner=owner, create=create)
                    assert (accepted.answer, accepted.head) == (Answer.OTHER, before)
            assert await found(store, status) == before
            assert await store.mailbox(status) == waiting
            assert await store.blob(status, "d") is None
            mine = await store.accept(status, mail("k", "mine"), now=NOW + 9, create=WORKFLOW)
            expected = {"running": Answer.BUSY} | dict.fromkeys(FINAL, Answer.FINISHED)
            assert mine.answer is expected.get(status, Answer.QUEUED)

    @scenario
    async def test_queued_mail_makes_the_execution_due_now(self, store: Store) -> None:
        await settle(store, "x", "waiting", wake=NOW + 60_000)
        accepted = await store.accept("x", mail("k"), now=NOW + 10)
        assert accepted.answer is Answer.QUEUED
        assert known(accepted).wake == NOW + 10
        assert known(accepted).status == "waiting"
        assert await store.due(NOW + 10) == ["x"]

    @scenario
    async def test_queued_mail_does_not_delay_an_earlier_wake_time(self, store: Store) -> None:
        await settle(store, "x", "waiting", wake=NOW - 500)
        accepted = await store.accept("x", mail("k"), now=NOW + 10)
        assert known(accepted).wake == NOW - 500

    @scenario
    async def test_a_grant_makes_waiting_executions_running_and_leaves_other_statuses(self, store: Store) -> None:
        expected = {"pending": "running", "waiting": "running", "idle": "running"}
        for status in ("pending", "waiting", "idle", "running", "paused", "stuck"):
            before = await settle(store, status, status, wake=NOW + 77)
            accepted = await store.accept(status, mail("k"), now=NOW + 5, owner="a")
            assert accepted.answer is Answer.GRANTED
            head = known(accepted)
            assert (head.status, head.owner) == (expected.get(status, status), "a")
            assert (head.version, head.wake) == (before.version, NOW + 77)
            assert head == await store.head(status)

    @scenario
    async def test_a_grant_without_mail_gives_what_waits(self, store: Store) -> None:
        await store.accept("x", mail("1", "one"), now=NOW, create=WORKFLOW)
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert accepted.answer is Answer.GRANTED
        assert [m.body for m in accepted.mail] == ["one"]
        assert known(accepted).arrivals == 1

    @scenario
    async def test_a_grant_carries_the_entries_from_the_base(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["1", "2", "3", "4"], base=3, release=True, status="waiting"))
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert list(accepted.entries or ()) == ["3", "4"]
        assert (known(accepted).base, known(accepted).length) == (3, 4)

    @scenario
    async def test_entries_are_not_read_when_the_known_version_is_current(self, store: Store) -> None:
        head = await settle(store, "x", "idle")
        accepted = await store.accept("x", mail("k", "news"), now=NOW, owner="a", known=head.version)
        assert accepted.answer is Answer.GRANTED
        assert accepted.entries is None
        assert [m.body for m in accepted.mail] == ["news"]

    @scenario
    async def test_entries_are_read_when_the_known_version_is_old(self, store: Store) -> None:
        head = await settle(store, "x", "idle")
        accepted = await store.accept("x", None, now=NOW, owner="a", known=head.version - 1)
        assert list(accepted.entries or ()) == ["entry"]

    @scenario
    async def test_busy_keeps_the_mail_and_carries_it(self, store: Store) -> None:
        await lease(store, "x", "a")
        await store.beat("b", NOW, TTL)
        accepted = await store.accept("x", mail("k", "news"), now=NOW + 1, owner="b")
        assert accepted.answer is Answer.BUSY
        assert (known(accepted).owner, known(accepted).arrivals) == ("a", 2)
        assert known(accepted).wake is None
        assert [(m.seq, m.body) for m in accepted.mail] == [(2, "news")]
        assert await bodies(store, "x") == ["start", "news"]
        assert await store.due(NOW + 1) == []

    @scenario
    async def test_busy_without_an_owner_and_without_mail(self, store: Store) -> None:
        await lease(store, "x", "a")
        for given in (None, mail("k")):
            assert (await store.accept("x", given, now=NOW)).answer is Answer.BUSY
        assert (await found(store, "x")).wake is None

    @scenario
    async def test_the_own_lease_counts_as_live(self, store: Store) -> None:
        await lease(store, "x", "a")
        accepted = await store.accept("x", mail("k"), now=NOW, owner="a")
        assert accepted.answer is Answer.BUSY
        assert [m.seq for m in accepted.mail] == [2]
        await store.retire("a")
        assert (await store.accept("x", None, now=NOW + 10 * TTL, owner="a")).answer is Answer.BUSY

    @scenario
    async def test_a_finished_execution_takes_no_mail(self, store: Store) -> None:
        for status in sorted(FINAL):
            before = await settle(store, status, status)
            for owner in (None, "a"):
                accepted = await store.accept(status, mail(f"k{owner}"), now=NOW + 9, owner=owner, create=WORKFLOW)
                assert accepted.answer is Answer.FINISHED
                assert accepted.head == before
            assert await store.head(status) == before
            assert await store.mailbox(status) == (0, [])

    @scenario
    async def test_a_finished_execution_refuses_the_sweeper(self, store: Store) -> None:
        before = await settle(store, "x", "completed")
        assert (await store.accept("x", None, now=NOW, owner="a")).answer is Answer.FINISHED
        assert await store.head("x") == before
        assert await store.due(NOW + 10**9) == []

    @scenario
    async def test_a_finished_execution_with_an_unfinished_outbox_is_leased(self, store: Store) -> None:
        await settle(store, "x", "completed", wake=NOW + 100)
        assert (await store.accept("x", mail("k"), now=NOW + 100, owner="a")).answer is Answer.FINISHED
        assert await store.due(NOW + 100) == ["x"]
        accepted = await store.accept("x", None, now=NOW + 100, owner="a")
        assert accepted.answer is Answer.GRANTED
        assert known(accepted).status == "completed"
        await store.append(change(known(accepted), wake=None, release=True))
        assert (await store.accept("x", None, now=NOW + 200, owner="a")).answer is Answer.FINISHED

    @scenario
    async def test_a_finished_execution_of_a_dead_owner_is_leased(self, store: Store) -> None:
        await settle(store, "x", "failed", release=False)
        await store.beat("b", NOW, TTL)
        assert (await store.accept("x", None, now=NOW, owner="b")).answer is Answer.FINISHED
        await store.retire("a")
        assert await store.due(NOW) == ["x"]
        assert (await store.accept("x", mail("k"), now=NOW, owner="b")).answer is Answer.FINISHED
        accepted = await store.accept("x", None, now=NOW, owner="b")
        assert accepted.answer is Answer.GRANTED
        assert (known(accepted).status, known(accepted).owner) == ("failed", "b")

    @scenario
    async def test_a_finished_execution_of_a_living_owner_is_busy_while_its_outbox_stands(self, store: Store) -> None:
        await settle(store, "x", "completed", release=False, wake=NOW)
        await store.beat("b", NOW, TTL)
        assert (await store.accept("x", None, now=NOW, owner="b")).answer is Answer.BUSY

    @scenario
    async def test_reopening_takes_mail_unless_completed(self, store: Store) -> None:
        for status in sorted(FINAL):
            await settle(store, status, status)
            accepted = await store.accept(status, mail("again"), now=NOW, owner="a", reopen=True)
            if status == "completed":
                assert accepted.answer is Answer.FINISHED
                assert await store.mailbox(status) == (0, [])
            else:
                assert accepted.answer is Answer.GRANTED
                assert (known(accepted).status, known(accepted).owner) == (status, "a")
                assert len(accepted.mail) == 1

    @scenario
    async def test_reopening_without_an_owner_queues(self, store: Store) -> None:
        await settle(store, "x", "failed")
        assert (await store.accept("x", mail("k"), now=NOW + 3, reopen=True)).answer is Answer.QUEUED
        assert await store.due(NOW + 3) == ["x"]
