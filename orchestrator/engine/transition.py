"""What one commit will carry, gathered while facts are taken and decisions made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from ...security.chain import keyed_all, linked_all, root
from ...state.codec import clean
from ...state.errors import PayloadTooLarge
from ...state.records import FINAL, Change, Mail
from ...state.store import Store
from ..errors import failures
from ..protocol import keys
from ..protocol.decider import Decision, Fact, Post
from ..protocol.entries import PARCEL, encode
from .mailbox import Mailbox

COMMIT_LIMIT = 1024 * 1024
"""Bytes after which a commit takes in no further fact. One fact may still be a blob of the largest size."""
_NOTABLE = frozenset({"reply", "completed", "failed", "cancelled", "terminated"})


class Transition:
    """Journal texts, consumed mail and blobs of the next append."""

    __slots__ = ("blobs", "consumed", "entries", "limit", "link", "notable", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit  # bytes that one value may have
        self.entries: list[str] = []
        self.consumed: Sequence[int] = ()
        self.blobs: dict[str, bytes] = {}
        self.notable: Sequence[Fact] = ()  # entries that somebody may be waiting for
        self.size = 0  # about how many bytes it has
        self.link = ""  # that of the last entry when it is sent

    def empty(self) -> bool:
        return not self.entries and not self.consumed

    def take(self, fact: Fact) -> None:
        beside: dict[str, bytes] = fact.pop(PARCEL, {})
        text, blobs = encode(fact, self.limit)
        blobs |= beside
        self.entries.append(text)
        self.size += len(text)
        if blobs:
            self.blobs.update(blobs)
            self.size += sum(map(len, blobs.values()))

    def consume(self, mail: Mail, *, journal: bool) -> None:
        """The mail is dealt with; its text becomes an entry as it is."""
        self.consumed = (*self.consumed, mail.seq)
        if journal:
            self.entries.append(mail.body)
            self.size += len(mail.body)

    def full(self) -> bool:
        """What comes now shares the next commit, so that no store has to take one of any size."""
        return self.size >= COMMIT_LIMIT

    def add(self, decision: Decision) -> None:
        """The decider's own entries. A result over the limit fails the execution, or the answer, by name."""
        entries, decision.entries = decision.entries, []
        for fact in entries:
            try:
                self.take(_without_repetition(fact))
            except PayloadTooLarge as error:
                failed: Fact = {"at": fact["at"], "error": failures.encode(error)}
                if fact["type"] == "completed":
                    fact, decision.status = {"type": "failed", **failed}, "failed"
                elif fact["type"] == "reply":
                    fact = {"type": "reply", "to": fact["to"], **failed}
                else:
                    raise
                self.take(fact)
            if fact["type"] in _NOTABLE:
                self.note(fact)

    def note(self, fact: Fact) -> None:
        """Somebody may be waiting for this entry."""
        self.notable = (*self.notable, fact)

    def ending(self) -> Fact:
        """The final entry that this transition carries."""
        return self.notable[-1]


def _without_repetition(fact: Fact) -> Fact:
    """A value that is word for word what the entry of operation ``said`` holds is not stored a second time."""
    if "said" not in fact or fact["type"] != "reply":
        return fact
    return {key: value for key, value in fact.items() if key != "value"}


class Signing(Protocol):
    """The process that commits: an engine."""

    owner: str
    store: Store

    def token(self) -> str:
        """What names this commit among all."""
        ...


class Committing(Protocol):
    """The execution that is committed: an activation. All but ``now`` is as its last commit left it."""

    id: str
    version: int
    nudged: bool
    paused: bool
    base: int
    note: str
    state: str
    link: str
    mailbox: Mailbox

    @property
    def engine(self) -> Signing: ...
    def now(self) -> int: ...


def change_of(activation: Committing, decision: Decision, carried: Transition, *, release: bool) -> Change:
    """The append that makes a decision durable, with all that the transition carries."""
    status = decision.status if release or decision.status in FINAL else "running"
    engine, note = activation.engine, decision.note or activation.note
    before, key = activation.link or root(activation.id), engine.store.audit_key
    texts = carried.entries
    entries, carried.link = linked_all(before, texts) if key is None else keyed_all(key, before, texts)
    return Change(  # in its order, not by name: half the price, once for every commit
        activation.id,
        engine.owner,
        activation.version,
        activation.now(),
        entries,
        carried.consumed,
        -1 if activation.nudged else activation.mailbox.arrivals,
        "paused" if activation.paused else status,
        decision.wake,
        release,
        activation.base if decision.base is None else decision.base,
        clean(decision.awaits) if decision.awaits else "",
        clean(note) if note else "",
        decision.state or activation.state,
        carried.blobs,
        bool(carried.notable),
        engine.token(),
        True,
    )


Told = tuple[Fact, asyncio.Future[None]]
"""A fact, and who waits for the commit that carries it."""


def told(waiting: list[Told], later: Sequence[Fact]) -> tuple[Sequence[asyncio.Future[None]], list[Told]]:
    """Who is told by this commit, and who waits on, because his fact is one of those that the next one carries."""
    on = [one for one in waiting if any(one[0] is fact for fact in later)]
    return [one[1] for one in waiting if one not in on], on


class Commit:
    """One append under way. ``asked``: when the store was asked the last time, ``began``: the same by the clock that
    measures, in seconds; and after how many ``tries``."""

    __slots__ = ("asked", "began", "carried", "change", "decision", "durable", "tries")

    def __init__(
        self, change: Change, decision: Decision, carried: Transition, durable: Sequence[asyncio.Future[None]]
    ) -> None:
        self.change = change
        self.decision = decision
        self.carried = carried
        self.durable = durable
        self.asked = 0
        self.began = 0.0
        self.tries = 0

    def tell(self) -> None:
        """It is stored."""
        for done in self.durable:
            if not done.done():
                done.set_result(None)


def stuck(message: str) -> Decision:
    """The decision of an execution that can't go on until somebody mends something."""
    decision = Decision()
    decision.status, decision.error = "stuck", message
    return decision


def reopening(now: int) -> Decision:
    """It goes on from the store, with another decider, as soon as the lease is given back. Mail waits for that."""
    decision = Decision()
    decision.status, decision.wake = "pending", now
    return decision


def hand_over(decision: Decision, *, begun: bool) -> bool:
    """When a process is about to stop, what would begin is the next process's to begin. Whether there is such a
    thing; once ``begun``, every later decision of the execution is handed over too."""
    if decision.status in (*FINAL, "stuck", "paused") or not (decision.perform or begun):
        return False
    decision.status, decision.perform, decision.immediate = "waiting", [], False
    return True


def merge(first: Decision, second: Decision) -> Decision:
    """Two decisions of one turn as one; the later one knows the state."""
    second.perform = [effect for effect in first.perform if effect.op not in second.abandon] + second.perform
    second.abandon = (*first.abandon, *second.abandon)
    second.base = first.base if second.base is None else second.base
    second.immediate = second.immediate and not first.perform
    return second


def child_post(child: str, parent: str, ending: Fact) -> Post:
    """What a parent is told when a child has ended."""
    status = ending["type"]
    fact: Fact = {"type": "child", "at": ending["at"], "id": child, "status": status}
    for field in ("value", "error", "reason", "used"):
        if field in ending:
            fact[field] = ending[field]
    return Post("parent", parent, keys.child(child, ending["at"]), fact)
