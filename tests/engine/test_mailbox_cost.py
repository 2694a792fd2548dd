"""A long mailbox costs what is taken of it: counted, not timed. Memory stays bounded, whoever fills it and however."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from overwinter import Agent
from overwinter.functions.models.scripted import Scripted
from overwinter.orchestrator.agent.decider import AgentLoop
from overwinter.orchestrator.engine.mailbox import HELD, Mailbox
from overwinter.state.memory import MemoryStore
from overwinter.state.records import MAIL_BATCH, Appended, Change, Mail, NewExecution, NewMail
from overwinter.tests.engine.bench import Bench, at_bench

desk = Agent("desk", Scripted(lambda messages, tools: messages[-1].content.upper()), history=10)


class Counted:
    """What a session of many messages asked of decider and store."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offers = 0
        self.mails = 0  # mails that the store has given
        self.most = 0  # mails held in memory at once
        self.history = 0  # entries read by who waits
        offer, mail = AgentLoop.offer, MemoryStore.mail
        append, letters, history = MemoryStore._append, Mailbox.letters, MemoryStore.history

        def offered(loop: AgentLoop, fact: Any) -> Any:
            self.offers += 1
            return offer(loop, fact)

        def appended(store: MemoryStore, change: Any) -> Any:
            answer = append(store, change)
            self.mails += len(answer.mail or ())
            return answer

        async def read(store: MemoryStore, *arguments: Any) -> Any:
            page = await mail(store, *arguments)
            self.mails += len(page)
            return page

        def looked(mailbox: Mailbox, until: int | None = None) -> Any:
            self.most = max(self.most, sum(len(lane.held) for lane in mailbox.lanes))
            return letters(mailbox, until)

        async def backwards(store: MemoryStore, *arguments: Any) -> Any:
            texts = await history(store, *arguments)
            self.history += len(texts)
            return texts

        monkeypatch.setattr(AgentLoop, "offer", offered)
        monkeypatch.setattr(MemoryStore, "_append", appended)
        monkeypatch.setattr(MemoryStore, "mail", read)
        monkeypatch.setattr(Mailbox, "letters", looked)
        monkeypatch.setattr(MemoryStore, "history", backwards)


@pytest.mark.parametrize("way", ["before", "here", "elsewhere"])
def test_a_backlog_costs_the_same_for_each_message(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queued before anybody looks, sent through the process that works on them, or through another one meanwhile."""
    many = 1500
    counted = Counted(monkeypatch)

    async def work(bench: Bench) -> None:
        async def send(process: Any, number: int) -> Any:
            return await process.call(lambda runtime: runtime.send("desk", "s", f"m{number}", id=str(number)))

        worker = None if way == "before" else await bench.process(desk, lease="1h")
        sender = worker if worker is not None and way == "here" else await bench.process(desk, onlooker=True)
        if way == "elsewhere" and worker is not None:
            await send(worker, -1)
        for number in range(many):
            await send(sender, number)
        worker = worker or await bench.process(desk)
        last = await send(worker, many)
        answer = await worker.call(lambda runtime: runtime.reply("desk/s", last.id))
        assert answer == f"M{many}"
        journal = bench.ledger.journal_now("desk/s")
        asked = [fact["id"] for fact in journal if fact["type"] == "message"]
        assert asked == sorted(asked, key=int)
        assert Counter(fact["to"] for fact in journal if fact["type"] == "reply") == Counter(asked)
        assert len(asked) >= many

    at_bench(work)
    assert counted.offers < 6 * many  # the message twice, its answer, and little more
    assert counted.most <= 2 * HELD
    assert counted.mails < (30 if way == "elsewhere" else 3) * many
    assert counted.history < 10 * many


async def commit(store: MemoryStore, version: int, taken: Sequence[int], arrivals: int) -> Appended:
    base, keep = 1, False
    change = Change("e", "me", version, 1, (), taken, arrivals, "running", None, keep, base, "", "", "", paging=True)
    return await store.append(change)


@pytest.mark.parametrize("seed", range(25))
def test_everything_is_offered_once_in_its_order_and_nothing_is_forgotten(seed: int) -> None:
    """The mailbox against a store that others fill: whatever arrives, by whatever way it is told."""

    draw = random.Random(seed)

    async def run() -> None:
        store, create = MemoryStore(), NewExecution("f", "agent")
        await store.beat("me", 1, 10**9)
        mailbox = Mailbox("e", 0)
        offered: list[Mail] = []
        sent: list[int] = []
        accepted = await store.accept("e", None, now=1, owner="me", create=create)
        version = 0
        assert accepted.head is not None
        paused = False
        for _ in range(draw.randint(1, 12)):
            for _ in range(draw.choice((0, 1, 3, MAIL_BATCH, 2 * HELD + 7))):
                lane = draw.choice((0, 1, 1, 1))
                mail = NewMail("", lane, 1, '{"type":"event"}')
                answer = await store.accept("e", mail, now=1, owner="me")
                sent.append(lane)
                told = draw.random() < 0.9 and answer.head is not None
                if told and answer.mail[0].seq == mailbox.arrivals + 1:
                    mailbox.arrive(answer.mail[0])
            paused = draw.random() < 0.5
            taken: list[int] = []
            most = draw.choice((0, 1, 50, 10**6))
            for letter in mailbox.letters():
                if paused or len(taken) >= most:
                    break
                mailbox.remove(letter)
                taken.append(letter.mail.seq)
                offered.append(letter.mail)
            lane_ = mailbox.unread(halted=False)
            if lane_ is not None:
                await mailbox.read(store, lane_)
            gone = await commit(store, version, taken, mailbox.arrivals)
            version += 1
            if gone.mail is not None:
                mailbox.receive(gone.mail, gone.arrivals)
        for _ in range(len(sent) + 5):
            taken = []
            for letter in mailbox.letters():
                mailbox.remove(letter)
                taken.append(letter.mail.seq)
                offered.append(letter.mail)
            gone = await commit(store, version, taken, mailbox.arrivals)
            version += 1
            if gone.mail is not None:
                mailbox.receive(gone.mail, gone.arrivals)
            unread = mailbox.unread(halted=False)
            if unread is not None:
                await mailbox.read(store, unread)
            elif not taken and gone.mail is None:
                break
        for lane in (0, 1):
            order = [mail.seq for mail in offered if mail.lane == lane]
            assert order == sorted(order)
        assert sorted(mail.seq for mail in offered) == list(range(1, len(sent) + 1))

    asyncio.run(run())
