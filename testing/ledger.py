"""A store in memory that keeps its own books and checks every commit against them, as it happens.

The books are kept apart from the store's own records, so that a store or an engine that breaks a promise is
found out: what was acknowledged, who holds which lease, what each journal said before, which operation has a
recorded result, which call was made. Every broken promise is a sentence in ``violations``.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from ..orchestrator.protocol.decider import Fact, Invoke
from ..orchestrator.protocol.journal import Rules
from ..state.codec import dumps, loads
from ..state.memory import MemoryStore
from ..state.records import FINAL, Accepted, Answer, Appended, Change, Dump, Head, NewExecution, NewMail
from .clock import VirtualLoop

HEAD_LIMIT = 64 * 1024


class Book:
    """What is known of one execution."""

    def __init__(self) -> None:
        self.journal: list[str] = []
        self.holder: str | None = None
        self.rules = Rules()
        self.read = 0  # entries that the rules have been asked about
        self.invoked: dict[tuple[str, int], int] = {}  # (operation, attempt) -> how often
        self.came: dict[int, tuple[int, Fact]] = {}  # mail from outside that waits: when it was durable, and what


class Ledger(MemoryStore):
    """``changed`` futures wake whoever waits for the next commit. ``again`` counts calls that were made
    once more because a process died before their result was recorded; that is allowed."""

    def __init__(self) -> None:
        super().__init__()
        self.violations: list[str] = []
        self.books: dict[str, Book] = {}
        self.again = 0
        self.astray = 0  # calls by a process that had lost its lease and did not know yet
        self.commits = 0
        self.conflicts = 0
        self.repeated = 0
        self.clock: Callable[[], int] | None = None  # a clock of the store's own
        self._waiting: list[asyncio.Future[None]] = []

    def book(self, id: str) -> Book:
        return self.books.setdefault(id, Book())

    def head_now(self, id: str) -> Head | None:
        execution = self._executions.get(id)
        return None if execution is None else execution.head

    def journal_now(self, id: str) -> list[Fact]:
        execution = self._executions.get(id)
        return [] if execution is None else [loads(text) for text in execution.journal]

    def heads_now(self) -> list[Head]:
        return [execution.head for execution in self._executions.values()]

    def waiting_mail(self, id: str) -> int:
        execution = self._executions.get(id)
        return 0 if execution is None else len(execution.mail)

    def changed(self) -> asyncio.Future[None]:
        """Done at the next accept or append of anybody."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return future

    def _notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def time(self) -> int | None:
        return None if self.clock is None else self.clock()

    async def dies(self, owner: str) -> None:
        """Everybody sees at once that this owner is dead, as on one machine. It has not left in order."""
        if owner in self._owners:
            self._owners[owner] = 0

    def _broken(self, id: str, what: str) -> None:
        self.violations.append(f"{id}: {what}")

    # -- accept --------------------------------------------------------------------------------------

    def accept(
        self,
        id: str,
        mail: NewMail | None,
        *,
        now: int,
        owner: str | None = None,
        create: NewExecution | None = None,
        known: int | None = None,
        reopen: bool = False,
        served: frozenset[str] | None = None,
    ) -> Awaitable[Accepted]:
        before = self.head_now(id)
        if mail is not None and mail.key == "start":
            mail = mail._replace(body=_seeded(mail.body, id))
        answered = super().accept(
            id, mail, now=now, owner=owner, create=create, known=known, reopen=reopen, served=served
        )
        assert isinstance(answered, asyncio.Future)
        if answered.exception() is None:
            self._check_accepted(id, mail, before, answered.result(), create, reopen)
            self._notify()
        return answered

    def _check_accepted(
        self,
        id: str,
        mail: NewMail | None,
        before: Head | None,
        accepted: Accepted,
        create: NewExecution | None,
        reopen: bool,
    ) -> None:
        answer, head = accepted.answer, accepted.head
        if answer is Answer.GRANTED and head is not None:
            self.book(id).holder = head.owner
        over = before is not None and before.status in FINAL
        if over and mail is not None and not reopen and answer not in (Answer.FINISHED, Answer.DUPLICATE, Answer.OTHER):
            self._broken(id, f"mail was acknowledged ({answer.value}) after the end: {mail.body[:120]}")
        if mail is not None and head is not None and answer in (Answer.GRANTED, Answer.BUSY, Answer.QUEUED):
            fact = loads(mail.body)
            if fact["type"] in ("event", "decided", "callback", "beat"):
                self.book(id).came[head.arrivals] = max(_true_time(), mail.at), fact
        parent = create.parent if before is None and create is not None else None
        if parent is not None and not (self.book(parent).rules.machine or id in self.book(parent).rules.ordered):
            self._broken(id, f"was started before {parent} had recorded that it orders it")

    # -- append --------------------------------------------------------------------------------------

    def append(self, change: Change) -> Awaitable[Appended]:
        before = self.head_now(change.id)
        answered = super().append(change)
        assert isinstance(answered, asyncio.Future)
        if answered.exception() is None and before is not None and before.version > change.version:
            self.repeated += 1  # its first answer was lost; nothing was written
        elif answered.exception() is None:
            self.commits += 1
            self._check_appended(change, answered.result())
            self._notify()
        else:
            self.conflicts += 1
        return answered

    async def restore(self, dump: Dump) -> bool:
        made = await super().restore(dump)
        if made:
            book = self.book(dump.head.id)
            book.journal += dump.entries
            for text in dump.entries:
                if "type" in (entry := loads(text)):  # else it is a damaged one, of a test of that
                    self._check_entry(dump.head.id, book, entry)
        return made

    def _check_appended(self, change: Change, answer: Appended) -> None:
        id, book = change.id, self.book(change.id)
        if book.holder != change.owner:
            self._broken(id, f"{change.owner} changed it, but the lease was {book.holder}'s")
        if answer.released:
            book.holder = None
        book.journal += change.entries
        entries = [loads(text) for text in change.entries]
        self._check_timers(id, book, [_as_mailed(entry) for entry in entries])
        for seq in change.consumed:
            book.came.pop(seq, None)
        for entry in entries:
            self._check_entry(id, book, entry)
        head = self._executions[id].head
        if (change.status in FINAL or book.rules.ending) and change.status != book.rules.ending:
            self._broken(id, f"the status is {change.status}, the journal ends with {book.rules.ending or 'no end'}")
        if head.length != len(book.journal):
            self._broken(id, f"the head counts {head.length} entries, {len(book.journal)} were appended")
        size = len(dumps(head))
        if size > HEAD_LIMIT:
            self._broken(id, f"the head has {size} bytes")
        if answer.released and change.status not in FINAL and change.wake is None and not _waits(change):
            self._broken(id, f"was released as {change.status} with nothing to wake it")

    def _check_timers(self, id: str, book: Book, entries: list[Fact]) -> None:
        """What was acknowledged by a deadline goes before the timer of that deadline. What did not fit is not what was
        waited for: an entry says that it was passed over."""
        for number, timer in enumerate(entries):
            if timer["type"] != "timer":
                continue
            due = timer["due"] if "due" in timer else timer["at"]
            earlier = entries[:number]
            missed = [
                fact
                for durable, fact in book.came.values()
                if durable <= due and _precedes(fact, timer) and fact not in earlier
            ]
            unfit = sum(entry["type"] == "skipped" and entry.get("op") == timer["op"] for entry in earlier)
            for fact in missed[unfit:]:
                self._broken(id, f"the timer of {timer['op']} fired though mail came in time: {dumps(fact)[:200]}")

    def _check_entry(self, id: str, book: Book, entry: Fact) -> None:
        book.read += 1
        said = len(book.rules.wrong)
        book.rules.take(book.read, entry)
        for what in book.rules.wrong[said:]:
            self._broken(id, f"{what}: {dumps(entry)[:200]}")
        if entry["type"] in ("checkpoint", "retry"):
            book.invoked.clear()

    # -- calls ---------------------------------------------------------------------------------------

    def invoked(self, id: str, call: Invoke, owner: str, version: int) -> None:
        """A process is about to make a call. One that has lost its lease unawares may: nothing comes of it."""
        book, head = self.book(id), self._executions[id].head
        if head.owner != owner or version < head.version:
            self.astray += 1
            return
        if book.rules.holds(call.op):
            self._broken(id, f"operation {call.op} ({call.name}) is run again though its result is recorded")
        made = book.invoked.get((call.op, call.attempt), 0)
        book.invoked[call.op, call.attempt] = made + 1
        self.again += made > 0 and not call.begun

    # -- at the end ----------------------------------------------------------------------------------

    def audit(self) -> list[str]:
        """All broken promises, with those that only show when everything is read again."""
        for id, execution in self._executions.items():
            if execution.journal != self.book(id).journal:
                self._broken(id, "the journal is not what was appended")
        return self.violations


def _as_mailed(entry: Fact) -> Fact:
    return {key: value for key, value in entry.items() if key != "taken"}


def _true_time() -> int:
    """That of the simulated world, whatever a machine's clock says."""
    loop = asyncio.get_running_loop()
    return loop.clock() if isinstance(loop, VirtualLoop) else 0


def _precedes(fact: Fact, timer: Fact) -> bool:
    """Whether the fact is what the timer was to wait for."""
    if fact["type"] == "event":
        return timer.get("kind") == "event" and timer.get("name") == fact["name"]
    return bool(fact["op"] == timer["op"])


def _waits(change: Change) -> bool:
    """Whether something from outside is legitimately awaited."""
    return change.status in ("idle", "paused", "stuck") or (
        change.status in ("waiting", "in-doubt") and bool(change.awaits)
    )


def _seeded(body: str, id: str) -> str:
    """The start mail with a seed made of the id, so that the same execution draws the same every time."""
    fact: Any = loads(body)
    fact["seed"] = hashlib.sha256(id.encode()).hexdigest()[:32]
    return dumps(fact)
