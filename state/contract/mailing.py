"""The mailbox: order, lanes, batches, and that nothing accepted is forgotten."""

from __future__ import annotations

import asyncio

from ..records import MAIL_BATCH, Answer, Filter
from ..store import Store
from .case import NOW, TTL, WORKFLOW, Case, bodies, change, found, known, lease, mail, scenario, settle

ODD_IDS = [
    "x",
    "X",
    "x ",
    " x",
    "x\t\n",
    "support/customer-42",
    "../../etc/passwd",
    "a'b\"c`d;--",
    "%_*?[]{}$",
    "ä",
    "a\u0308",
    "日本語/会話",
    "👩‍👩‍👧",
    "\U0010ffff",
    "0",
    "007",
    "None",
    "id:with:colons",
    "z" * 2000,
]


class Mailing(Case):
    @scenario
    async def test_mail_keeps_the_order_of_arrival(self, store: Store) -> None:
        for number in range(20):
            await store.accept("x", mail(f"k{number}", str(number)), now=NOW, create=WORKFLOW)
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert [(m.seq, m.body) for m in accepted.mail] == [(n + 1, str(n)) for n in range(20)]

    @scenario
    async def test_control_mail_comes_first(self, store: Store) -> None:
        for number, lane in enumerate([1, 0, 1, 0, 1]):
            await store.accept("x", mail("", f"{lane}:{number}", lane), now=NOW, create=WORKFLOW)
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert [(m.seq, m.lane) for m in accepted.mail] == [(2, 0), (4, 0), (1, 1), (3, 1), (5, 1)]
        assert await bodies(store, "x") == ["0:1", "0:3", "1:0", "1:2", "1:4"]

    @scenario
    async def test_an_answer_carries_one_batch(self, store: Store) -> None:
        for number in range(MAIL_BATCH + 5):
            await store.accept("x", mail("", str(number)), now=NOW, create=WORKFLOW)
        await store.accept("x", mail("", "cancel", 0), now=NOW)
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert [m.body for m in accepted.mail] == ["cancel", *map(str, range(MAIL_BATCH - 1))]
        assert known(accepted).arrivals == MAIL_BATCH + 6
        assert (await store.mailbox("x"))[0] == MAIL_BATCH + 6

    @scenario
    async def test_the_next_batch_comes_when_mail_is_consumed(self, store: Store) -> None:
        for number in range(2 * MAIL_BATCH + 10):
            await store.accept("x", mail("", str(number)), now=NOW, create=WORKFLOW)
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", None, now=NOW, owner="a")
        head, given = known(accepted), accepted.mail
        seen: list[str] = []
        for _ in range(10):
            seen += [m.body for m in given]
            taken = [m.seq for m in given]
            answer = await store.append(change(head, ["e"], consumed=taken, release=True, status="idle"))
            if answer.released:
                break
            head, given = await found(store, "x"), answer.mail or ()
            assert head.owner == "a"
        assert seen == [str(number) for number in range(2 * MAIL_BATCH + 10)]
        assert (await found(store, "x")).owner is None

    @scenario
    async def test_a_crowded_mailbox_that_is_left_alone_can_be_released(self, store: Store) -> None:
        for number in range(MAIL_BATCH + 1):
            await store.accept("x", mail("", str(number)), now=NOW, create=WORKFLOW)
        await store.beat("a", NOW, TTL)
        head = known(await store.accept("x", None, now=NOW, owner="a"))
        assert (await store.append(change(head, ["e"], release=True, status="paused"))).released

    @scenario
    async def test_an_owner_that_is_paging_reads_on_by_itself(self, store: Store) -> None:
        for number in range(2 * MAIL_BATCH + 10):
            lane = 0 if number % 5 == 4 else 1
            await store.accept("x", mail("", str(number), lane), now=NOW, create=WORKFLOW)
        await store.beat("a", NOW, TTL)
        accepted = await store.accept("x", None, now=NOW, owner="a")
        head, first = known(accepted), [m.seq for m in accepted.mail]
        assert [m.lane for m in accepted.mail].count(0) == 42
        answer = await store.append(change(head, ["e"], consumed=first, paging=True))
        assert (answer.mail, answer.released) == (None, False)
        assert list(await store.mail("x", 0)) == []
        read: list[str] = []
        seq = first[-1]
        while page := await store.mail("x", 1, seq, 7):
            assert len(page) <= 7
            assert all(m.lane == 1 and m.seq > seq for m in page)
            read += [m.body for m in page]
            seq = page[-1].seq
        assert read == [str(number) for number in range(first[-1], 2 * MAIL_BATCH + 10) if number % 5 != 4]
        last = change(await found(store, "x"), ["f"], consumed=[seq], paging=True, release=True)
        assert (await store.append(last)).released

    @scenario
    async def test_a_lane_is_read_from_any_number_on(self, store: Store) -> None:
        assert list(await store.mail("x", 1)) == []
        for number, lane in enumerate([1, 0, 0, 1, 0, 1], start=1):
            await store.accept("x", mail("", f"{lane}:{number}", lane), now=NOW, create=WORKFLOW)
        await store.accept("y", mail("", "another's"), now=NOW, create=WORKFLOW)
        assert [(m.seq, m.lane, m.at, m.body) for m in await store.mail("x", 0, 2)] == [
            (3, 0, NOW, "0:3"),
            (5, 0, NOW, "0:5"),
        ]
        assert [m.seq for m in await store.mail("x", 1)] == [1, 4, 6]
        assert [m.seq for m in await store.mail("x", 1, 1, 1)] == [4]
        assert list(await store.mail("x", 1, 6)) == list(await store.mail("x", 1, 0, 0)) == []
        await store.beat("a", NOW, TTL)
        head = known(await store.accept("x", None, now=NOW, owner="a"))
        await store.append(change(head, ["e"], consumed=[4, 5]))
        assert [m.seq for m in await store.mail("x", 1)] == [1, 6]
        assert [m.seq for m in await store.mail("x", 0)] == [2, 3]

    @scenario
    async def test_consumed_mail_is_gone_and_the_rest_stays(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        for number in (2, 3, 4):
            head = known(await store.accept("x", mail("", str(number)), now=NOW))
        await store.append(change(head, ["e"], consumed=[1, 3]))
        assert await bodies(store, "x") == ["2", "4"]
        assert (await found(store, "x")).arrivals == 4

    @scenario
    async def test_consuming_what_is_not_there_does_no_harm(self, store: Store) -> None:
        await lease(store, "other")
        head = known(await lease(store, "x"))
        head = known(await store.accept("x", mail("", "two"), now=NOW))
        await store.append(change(head, ["e"], consumed=[1, 1, 77]))
        assert await store.mailbox("x") == (1, ["two"])
        assert await bodies(store, "other") == ["start"]
        assert ("x", 2) in list(await store.beat("a", NOW, TTL))

    @scenario
    async def test_mail_that_is_left_is_given_to_the_next_owner(self, store: Store) -> None:
        head = known(await lease(store, "x"))
        assert (await store.append(change(head, [], release=True, status="paused"))).released
        accepted = await store.accept("x", None, now=NOW, owner="a")
        assert [m.body for m in accepted.mail] == ["start"]

    @scenario
    async def test_the_mailbox_for_people_counts_all_and_shows_the_first(self, store: Store) -> None:
        for number in range(7):
            await store.accept("x", mail("", str(number), number % 2), now=NOW, create=WORKFLOW)
        assert await store.mailbox("x", limit=3) == (7, ["0", "2", "4"])
        assert await store.mailbox("x", limit=0) == (7, [])
        assert await store.mailbox("nobody") == (0, [])

    @scenario
    async def test_texts_come_back_as_they_were(self, store: Store) -> None:
        texts = [
            "",
            " ",
            '{"a": "\\u0000"}',
            "äöü 日本 👩‍👩‍👧",
            "line\nline\r\n",
            "'; DROP TABLE x; --",
            "%s {} \\",
            "x" * 300_000,
        ]
        await store.accept("x", None, now=NOW, create=WORKFLOW)
        for text in texts:
            await store.accept("x", mail("", text), now=NOW)
        assert await bodies(store, "x") == texts
        await store.beat("a", NOW, TTL)
        head = known(await store.accept("x", None, now=NOW, owner="a"))
        await store.append(change(head, texts, awaits=texts[3], note=texts[4], state=texts[5]))
        assert list(await store.history("x")) == texts
        head = await found(store, "x")
        assert (head.awaits, head.note, head.state) == (texts[3], texts[4], texts[5])

    @scenario
    async def test_odd_ids_are_ids_like_others(self, store: Store) -> None:
        await store.beat("a", NOW, TTL)
        for id in ODD_IDS:
            accepted = await store.accept(id, mail("k", id), now=NOW, owner="a", create=WORKFLOW)
            assert accepted.answer is Answer.GRANTED
            await store.append(change(known(accepted), [id], release=True, status="waiting", wake=NOW))
        assert sorted(await store.due(NOW)) == sorted(ODD_IDS)
        assert sorted(head.id for head in (await store.executions(limit=100)).heads) == sorted(ODD_IDS)
        for id in ODD_IDS:
            assert (await found(store, id)).id == id
            assert await bodies(store, id) == [id]
            assert list(await store.history(id)) == [id]
            assert [h.id for h in (await store.executions(Filter(prefix=id))).heads if h.id == id] == [id]

    @scenario
    async def test_mail_from_many_at_once_is_all_there(self, store: Store) -> None:
        await settle(store, "x", "idle")
        sent = [store.accept("x", mail(f"k{n}", str(n)), now=NOW) for n in range(60)]
        answers = await asyncio.gather(*sent)
        assert all(answer.answer is Answer.QUEUED for answer in answers)
        assert sorted(await bodies(store, "x"), key=int) == [str(n) for n in range(60)]
        assert (await found(store, "x")).arrivals == 61
