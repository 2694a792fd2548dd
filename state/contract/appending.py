"""``append``: the one fenced commit."""

from __future__ import annotations

import asyncio

from ..errors import Conflict
from ..records import Answer
from ..store import Store
from .case import NOW, TTL, Case, bodies, change, found, known, lease, mail, refusal, scenario, settle


class Appending(Case):
    @scenario
    async def test_a_commit_moves_the_head(self, store: Store) -> None:
        before = known(await lease(store, "x"))
        answer = await store.append(
            change(
                before,
                ["one", "two"],
                at=NOW + 7,
                consumed=[1],
                status="waiting",
                wake=NOW + 50,
                base=2,
                awaits="event reply",
                note="half way",
                state='{"n": 1}',
            )
        )
        assert (answer.arrivals, answer.mail, answer.released) == (1, None, False)
        assert await store.head("x") == before._replace(
            status="waiting",
            version=1,
            length=2,
            base=2,
            wake=NOW + 50,
            updated=NOW + 7,
            awaits="event reply",
            note="half way",
            state='{"n": 1}',
        )
        assert list(await store.history("x")) == ["one", "two"]
        assert await store.mailbox("x") == (0, [])

    @scenario
    async def test_commits_follow_each_other(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        for number in range(1, 30):
            wake = NOW + number if number % 3 else None
            status = "running" if number % 4 else "waiting"
            await store.append(change(head, [str(number)], state=str(number), wake=wake, status=status))
            head = await found(store, "x")
            assert (head.version, head.length, head.state) == (number, number, str(number))
            assert (head.wake, head.status, head.owner) == (wake, status, "a")
        assert list(await store.history("x")) == [str(number) for number in range(1, 30)]

    @scenario
    async def test_a_commit_may_have_no_entry(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, (), note="still here"))
        head = await found(store, "x")
        assert (head.version, head.length, head.note) == (1, 0, "still here")
        assert list(await store.history("x")) == []

    @scenario
    async def test_a_stale_version_changes_nothing(self, store: Store) -> None:
        old = known(await lease(store, "x"))
        await store.append(change(old, ["one"]))
        before = await found(store, "x")
        for version in (old.version, before.version + 1, -1):
            for release in (False, True):
                stale = change(
                    old,
                    ["two"],
                    version=version,
                    consumed=[1],
                    status="failed",
                    wake=NOW,
                    release=release,
                    blobs={"sha256:00": b"0"},
                )
                assert isinstance(await refusal(store.append(stale)), Conflict)
        assert await store.head("x") == before
        assert list(await store.history("x")) == ["one"]
        assert await bodies(store, "x") == ["start"]
        assert await store.blob("x", "sha256:00") is None

    @scenario
    async def test_a_stale_owner_changes_nothing(self, store: Store) -> None:
        head = known(await lease(store, "x", "a"))
        await store.retire("a")
        await store.beat("b", NOW, TTL)
        taken = await store.accept("x", None, now=NOW, owner="b")
        assert taken.answer is Answer.GRANTED
        for release in (False, True):
            stale = change(head, ["late"], consumed=[1], status="completed", release=release)
            assert isinstance(await refusal(store.append(stale)), Conflict)
        assert await store.head("x") == taken.head
        assert await store.history("x") == []
        assert await bodies(store, "x") == ["start"]

    @scenario
    async def test_nobody_writes_without_a_lease(self, store: Store) -> None:
        head = await settle(store, "x", "waiting")
        assert isinstance(await refusal(store.append(change(head, ["e"], owner="a"))), Conflict)
        assert await store.head("x") == head

    @scenario
    async def test_nobody_writes_to_what_is_not_there(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        assert isinstance(await refusal(store.append(change(head, ["e"], id="y"))), Conflict)
        assert await store.head("y") is None

    @scenario
    async def test_of_two_commits_on_one_version_one_wins(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        racing = [store.append(change(head, [str(n)])) for n in range(10)]
        answers = await asyncio.gather(*racing, return_exceptions=True)
        assert sum(isinstance(answer, Conflict) for answer in answers) == 9
        assert len(await store.history("x")) == 1
        assert (await found(store, "x")).version == 1

    @scenario
    async def test_a_conflict_harms_no_other_commit(self, store: Store) -> None:
        heads = [known(await lease(store, f"x{n}")) for n in range(40)]
        conflicting = {3, 17, 39}
        changes = [
            change(head, [head.id], consumed=[1], version=9 if n in conflicting else 0) for n, head in enumerate(heads)
        ]
        answers = await asyncio.gather(*map(store.append, changes), return_exceptions=True)
        for number, answer in enumerate(answers):
            failed = number in conflicting
            assert isinstance(answer, Conflict) == failed
            assert list(await store.history(f"x{number}")) == ([] if failed else [f"x{number}"])
            assert await bodies(store, f"x{number}") == (["start"] if failed else [])

    @scenario
    async def test_a_release_gives_the_lease_back_and_the_wake_time_stands(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        answer = await store.append(change(head, ["e"], consumed=[1], release=True, status="waiting", wake=NOW + 50))
        assert (answer.released, answer.mail) == (True, None)
        head = await found(store, "x")
        assert (head.owner, head.wake, head.status) == (None, NOW + 50, "waiting")
        assert await store.due(NOW + 49) == []
        assert await store.due(NOW + 50) == ["x"]
        await store.beat("b", NOW, TTL)
        assert (await store.accept("x", None, now=NOW, owner="b")).answer is Answer.GRANTED

    @scenario
    async def test_unseen_mail_keeps_the_lease(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.accept("x", mail("k", "news"), now=NOW)
        answer = await store.append(change(head, ["e"], consumed=[1], release=True, status="idle"))
        assert not answer.released
        assert answer.arrivals == 2
        assert [m.body for m in answer.mail or ()] == ["news"]
        kept = await found(store, "x")
        assert (kept.owner, kept.version, kept.length) == ("a", 1, 1)
        answer = await store.append(change(kept, ["f"], consumed=[2], release=True, status="idle"))
        assert answer.released
        assert (await found(store, "x")).owner is None

    @scenario
    async def test_unseen_mail_is_given_with_any_commit(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.accept("x", mail("k", "news"), now=NOW)
        answer = await store.append(change(head, ["e"]))
        assert [(m.seq, m.body) for m in answer.mail or ()] == [(1, "start"), (2, "news")]
        assert (answer.arrivals, answer.released) == (2, False)
        head = await found(store, "x")
        assert (await store.append(change(head, ["f"]))).mail is None

    @scenario
    async def test_the_mailbox_can_be_read_in_any_case(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        answer = await store.append(change(head, ["e"], arrivals=-1, release=True))
        assert [m.body for m in answer.mail or ()] == ["start"]
        assert not answer.released
        head = await found(store, "x")
        assert head.owner == "a"
        answer = await store.append(change(head, ["f"], arrivals=-1, consumed=[1]))
        assert answer.mail is not None
        assert list(answer.mail) == []
        assert answer.arrivals == 1

    @scenario
    async def test_the_base_moves_and_the_history_stays_whole(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["1", "2", "3"], base=4, release=True, status="idle"))
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert accepted.entries is not None
        assert list(accepted.entries) == []
        await store.append(change(known(accepted), ["4"], release=True))
        accepted = await store.accept("x", None, now=NOW, owner="a", known=0)
        assert list(accepted.entries or ()) == ["4"]
        assert list(await store.history("x")) == ["1", "2", "3", "4"]

    @scenario
    async def test_journals_do_not_mix(self, store: Store) -> None:
        heads = [known(await lease(store, id)) for id in ("x", "y", "z")]
        for turn in range(5):
            for head in heads:
                await store.append(change(head._replace(version=turn), [f"{head.id}{turn}"]))
        for head in heads:
            expected = [f"{head.id}{turn}" for turn in range(5)]
            assert list(await store.history(head.id)) == expected
        await store.retire("a")
        await store.beat("b", NOW, TTL)
        for head in heads:
            accepted = await store.accept(head.id, None, now=NOW, owner="b")
            assert list(accepted.entries or ()) == [f"{head.id}{turn}" for turn in range(5)]
            assert [m.body for m in accepted.mail] == ["start"]

    @scenario
    async def test_ten_thousand_entries(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        for start in range(0, 10_000, 500):
            entries = [f"entry {number}" for number in range(start, start + 500)]
            await store.append(change(head, entries))
            head = head._replace(version=head.version + 1)
        await store.append(change(head, ["last"], release=True, status="idle"))
        read: list[str] = []
        while page := await store.history("x", after=len(read), limit=777):
            assert len(page) <= 777
            read += page
        assert read == [*(f"entry {number}" for number in range(10_000)), "last"]
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert list(accepted.entries or ()) == read

    @scenario
    async def test_blobs_are_stored_with_the_commit(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        big = bytes(range(256)) * 2000
        await store.append(change(head, ["e"], blobs={"sha256:aa": big, "sha256:bb": b""}))
        assert await store.blob("x", "sha256:aa") == big
        assert await store.blob("x", "sha256:bb") == b""
        await store.append(change(head, ["f"], version=1, blobs={"sha256:aa": big}))
        assert await store.blob("x", "sha256:aa") == big
        assert await store.blob("x", "sha256:cc") is None

    @scenario
    async def test_blobs_are_stored_with_the_mail(self, store: Store) -> None:
        head = await settle(store, "x", "idle")
        await store.accept("x", mail("k", blobs={"sha256:aa": b"big"}), now=NOW)
        await store.accept("x", mail("k", blobs={"sha256:bb": b"duplicate"}), now=NOW)
        await store.accept(head.id + "?", mail("k", blobs={"sha256:cc": b"missing"}), now=NOW)
        assert await store.blob("x", "sha256:aa") == b"big"
        assert await store.blob("x", "sha256:bb") is None
        assert await store.blob("x?", "sha256:cc") is None

    @scenario
    async def test_blobs_belong_to_one_execution(self, store: Store) -> None:
        for id in ("x", "y"):
            head = known(await lease(store, id))
            blobs = {"sha256:aa": id.encode(), f"sha256:{id}": b"own"}
            await store.append(change(head, ["e"], consumed=[1], status="idle", release=True, blobs=blobs))
        assert await store.blob("y", "sha256:x") is None
        assert await store.delete("x", now=NOW)
        assert await store.blob("x", "sha256:aa") is None
        assert await store.blob("y", "sha256:aa") == b"y"
        assert await store.blob("y", "sha256:y") == b"own"

    @scenario
    async def test_a_repeated_commit_is_answered_and_not_written_again(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.accept("x", mail("k", "news"), now=NOW)
        first = change(head, ["one"], consumed=[1], arrivals=2, token="t1", note="noted")
        assert await store.append(first) == (2, None, False)
        for _ in range(2):
            answer = await store.append(first)
            assert (answer.arrivals, answer.released) == (2, False)
            assert [m.body for m in answer.mail or ()] == ["news"]
        await store.accept("x", mail("l", "more"), now=NOW)
        answer = await store.append(first)
        assert (answer.arrivals, [m.body for m in answer.mail or ()]) == (3, ["news", "more"])
        after = await found(store, "x")
        assert (after.version, after.length, after.owner, after.note) == (1, 1, "a", "noted")
        assert list(await store.history("x")) == ["one"]

    @scenario
    async def test_a_repeated_release_is_answered_as_the_first_time(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        release = change(head, ["e"], consumed=[1], status="idle", release=True, token="t1")
        for _ in range(3):
            assert await store.append(release) == (1, None, True)
        assert (await found(store, "x")).version == 1
        assert list(await store.history("x")) == ["e"]

    @scenario
    async def test_a_repeated_release_that_mail_prevented_is_answered_again(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.accept("x", mail("k", "news"), now=NOW)
        release = change(head, ["e"], consumed=[1], status="idle", release=True, token="t1")
        for _ in range(3):
            answer = await store.append(release)
            assert (answer.arrivals, answer.released) == (2, False)
            assert [m.body for m in answer.mail or ()] == ["news"]
        assert list(await store.history("x")) == ["e"]

    @scenario
    async def test_a_repeated_commit_after_somebody_else_took_over_is_a_conflict(self, store: Store) -> None:
        head = known(await lease(store, "x", "a"))
        release = change(head, ["e"], consumed=[1], status="idle", release=True, token="t1")
        await store.append(release)
        await store.beat("b", NOW, TTL)
        taken = await store.accept("x", None, now=NOW, owner="b")
        assert isinstance(await refusal(store.append(release)), Conflict)
        await store.append(change(known(taken), ["b's"], release=True, token="t2"))
        assert isinstance(await refusal(store.append(release)), Conflict)
        assert list(await store.history("x")) == ["e", "b's"]

    @scenario
    async def test_another_commit_of_the_same_version_is_no_repetition(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        await store.append(change(head, ["one"], token="t1"))
        for token in ("t2", ""):
            assert isinstance(await refusal(store.append(change(head, ["one"], token=token))), Conflict)
        await store.append(change(await found(store, "x"), ["two"]))
        for token in ("t1", ""):
            late = change(head, ["one"], version=1, token=token)
            assert isinstance(await refusal(store.append(late)), Conflict)
        assert list(await store.history("x")) == ["one", "two"]
