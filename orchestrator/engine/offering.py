"""What a turn offers to the decider, in the order of time: mail that came by a deadline, then the timer of that
deadline, then what came after it. Verbs are carried out here; the decider never sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Protocol

from ...state.codec import dumps, loads
from ...state.records import FINAL, Mail
from ...state.store import Store
from ..protocol.decider import Decider, Decision, Fact, Verdict
from ..protocol.entries import UNREADABLE
from .deadlines import Deadlines
from .mailbox import VERBS, Letter, Mailbox

WAITED = 1_000
"""Milliseconds after which mail is journaled with the time at which it was taken up."""


class Pending(Protocol):
    """What the next commit will carry."""

    @property
    def consumed(self) -> Sequence[int]: ...
    def note(self, fact: Fact) -> None: ...
    def full(self) -> bool: ...
    def take(self, fact: Fact) -> None: ...
    def consume(self, mail: Mail, *, journal: bool) -> None: ...


class Host(Protocol):
    """The execution for which it is offered."""

    decider: Decider
    paused: bool
    nudged: bool
    status: str
    broken: str

    @property
    def pending(self) -> Pending: ...
    def now(self) -> int: ...
    def fetch(self, letter: Letter) -> None:
        """Bring the blob of a mail; the next turn finds it in place."""
        ...


class Offering:
    """For one execution, over its mailbox and deadlines."""

    __slots__ = ("_deadlines", "_fired", "_halted", "_mailbox", "_now", "_stopped", "resumed")

    def __init__(self, mailbox: Mailbox, deadlines: Deadlines) -> None:
        self._mailbox = mailbox
        self._deadlines = deadlines
        self._stopped = False  # mail that could be offered waits for a blob or for the next commit
        self.resumed = False  # in this turn somebody wanted it to be tried again
        self._fired = 0  # the last deadline of this turn
        self._now = 0
        self._halted = False

    def begin(self) -> None:
        """A turn begins."""
        self._now = self._fired = 0
        self._halted = self.resumed = False
        self._deadlines.look = None

    # -- mail ----------------------------------------------------------------------------------------

    def mail(self, host: Host, *, is_stuck: bool) -> Decision | None:
        """Offer the mailbox, control lane first. A decision when a verb decides instead of the decider."""
        mailbox = self._mailbox
        pending = host.pending
        self._stopped = False
        for letter in mailbox.letters(None if host.paused or is_stuck else self._due(host)):
            mail, fact = letter
            if "blob" in fact:
                self._stopped = True
                host.fetch(letter)
                break  # what came later waits its turn
            if pending.full():
                self._stopped = host.nudged = True  # the commit keeps the lease, and the next turn goes on here
                break
            if fact["type"] in VERBS:
                mailbox.remove(letter)
                decision = self._apply(host, mail, fact)
                if decision is not None:
                    return decision
            elif not (host.paused or is_stuck):
                if fact["type"] == UNREADABLE:
                    return _halt(fact["error"])
                waited = self._waited(host, letter)
                verdict = host.decider.offer(fact)
                if verdict is not Verdict.LATER:
                    mailbox.remove(letter)
                    taken = verdict is Verdict.TAKEN
                    pending.consume(_marked(letter) if taken and waited else mail, journal=taken)
        self._halted = host.paused or is_stuck
        return None

    def _waited(self, host: Host, letter: Letter) -> bool:
        """Whether it was taken up long after it came; it says so then. What follows from it begins only now, and
        so do the deadlines of what follows."""
        self._now = self._now or host.now()
        if self._now - letter.mail.at < WAITED:
            return False
        letter.fact["taken"] = self._now
        return True

    def _apply(self, host: Host, mail: Mail, fact: Fact) -> Decision | None:
        kind = fact["type"]
        if kind == "terminated":
            host.pending.consume(mail, journal=True)
            host.pending.note(fact)
            host.broken = ""  # it matters no more
            decision = Decision()
            decision.status = "terminated"
            return decision
        changes = kind == "resumed" or (kind == "paused" and not host.paused)
        host.pending.consume(mail, journal=changes)
        if changes:
            host.decider.offer(fact)  # it does not take it; it only counts the journal
        if kind == "paused":
            host.paused = True
        elif kind == "resumed":
            host.paused, self.resumed = False, True
        return None

    def after_the_end(self, host: Host, *, telling: bool) -> bool:
        """The execution has ended: late mail is dropped, until ``retry`` opens a failed one again, once its end is
        told. Whether it is opened again; mail behind that waits. So do the events of one that has failed: they were
        taken in before it did, and it may wait for them when it goes on."""
        failed = host.status == "failed"
        for letter in self._mailbox.letters():
            reopens = failed and letter.fact["type"] == "retry"
            if (reopens and telling) or (failed and letter.fact["type"] == "event"):
                continue
            self._mailbox.remove(letter)
            host.pending.consume(letter.mail, journal=reopens)
            if reopens:
                return True
        return False

    # -- timers --------------------------------------------------------------------------------------

    def _due(self, host: Host) -> int | None:
        if self._deadlines.wake is None:
            return None
        self._now = self._now or host.now()
        due = self._deadlines.due(self._now)
        return None if due == self._fired else due

    def timers(self, host: Host) -> bool:
        """Offer the timers of the earliest deadline, and queue the retries, if it has come and everything that came
        in time was offered. Whether the decider is to be asked again."""
        due = self._due(host)
        if due is None or self._stopped or host.paused or host.pending.full():
            return False
        if self._deadlines.open(due) or self._hides(due):
            return False
        self._fired = due
        for fact in host.decider.expire(due):
            fact["at"] = self._now
            if due < self._now:
                fact["due"] = due
            if host.decider.offer(fact) is Verdict.TAKEN:
                host.pending.take(fact)
        return True

    def _hides(self, due: int) -> bool:
        """Whether mail that is not in memory may have come in time."""
        deadlines = self._deadlines
        return deadlines.outside and deadlines.searched < due and self._mailbox.partial()

    # -- what is not in memory -----------------------------------------------------------------------

    def missing(self, host: Host, store: Store) -> Callable[[], Coroutine[Any, Any, None]] | None:
        """The reading that is needed before there is more to offer; asked when the mailbox is here in part."""
        mailbox = self._mailbox
        halted = self._halted and host.status not in FINAL
        lane = mailbox.unread(halted=halted)
        if lane is not None:
            return partial(mailbox.search_verbs if halted else mailbox.read, store, lane)
        due = None if halted else self._due(host)
        if due is not None and self._deadlines.told(due) and self._hides(due):
            return partial(self._search, store, due)
        return None

    async def _search(self, store: Store, due: int) -> None:
        """Look for mail that came by ``due`` beyond what is here."""
        for lane in self._mailbox.lanes:
            if lane.more:
                await self._mailbox.search(store, lane, lambda mail, _: mail.at <= due)
                if any(letter.mail.at <= due for letter in lane.held):
                    return
        self._deadlines.searched = max(self._deadlines.searched, due)


def _halt(why: str) -> Decision:
    decision = Decision()
    decision.status, decision.error = "stuck", why
    return decision


def _marked(letter: Letter) -> Mail:
    """The mail as it is journaled when it has waited."""
    return letter.mail._replace(body=dumps({**loads(letter.mail.body), "taken": letter.fact["taken"]}))
