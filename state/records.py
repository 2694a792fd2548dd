"""The records that pass between an engine and a store. Times are integer milliseconds since the epoch.

A store never looks into the JSON texts (``Mail.body``, journal entries, ``Head.state``): their meaning
belongs to the orchestrator. It does know the columns listed here, because it indexes or fences by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

FINAL = frozenset({"completed", "failed", "cancelled", "terminated"})
"""Statuses after which an execution takes no more mail (a failed one may be reopened by ``retry``)."""

IN_DOUBT = "in-doubt"
STATUSES = ("pending", "running", "waiting", IN_DOUBT, "idle", "paused", "stuck", *sorted(FINAL))
"""pending: accepted, not begun · running: leased · waiting: for a timer, an event, an approval, a child · in-doubt:
for somebody who says what came of a call · idle: a session between messages · paused: by a person · stuck: code and
journal disagree."""


class Answer(Enum):
    """What ``accept`` found. In every case but MISSING, FINISHED and OTHER the event is durable when it returns."""

    GRANTED = "granted"  # the lease is yours; everything needed to go on is in the answer
    QUEUED = "queued"  # no lease was asked for; the execution is due now
    BUSY = "busy"  # somebody holds a live lease and will see the mail
    DUPLICATE = "duplicate"  # this event was accepted before, within the window; it may have ended since
    FINISHED = "finished"  # the execution has ended, and this event had not come before
    MISSING = "missing"  # no such execution and nothing to create it from
    OTHER = "other"  # the id is that of an execution of another function than the one to create


class Head(NamedTuple):
    """The small current record of an execution, the one source of its status."""

    id: str
    function: str  # name of the workflow or agent
    kind: str  # "workflow" or "agent"
    status: str  # one of STATUSES
    version: int  # grows by one with every append; the fence
    length: int  # sequence number of the last journal entry; entries are numbered from 1
    base: int  # first journal entry that is needed to go on
    arrivals: int  # how many mails ever arrived; an owner compares it with what it was given
    owner: str | None  # process incarnation that holds the lease
    wake: int | None  # when it must next be looked at
    parent: str | None  # id of the execution that waits for this one
    created: int
    updated: int
    awaits: str  # short text for people: what it waits for ("approval refund", "timer until …")
    note: str  # the status line set by the code
    state: str  # JSON of the decider's small state (aggregates; never the conversation)
    deaths: int = 0  # how many owners in a row have died holding it, without an entry between


class Mail(NamedTuple):
    """An event accepted and not yet consumed."""

    seq: int  # order of arrival within the execution
    lane: int  # 0 control (cancel, decision, child result), read before 1 (start, messages, events)
    at: int  # when it was accepted
    body: str  # JSON


class NewMail(NamedTuple):
    """An event to accept. ``key`` identifies it for deduplication (source+id); empty: never a duplicate."""

    key: str
    lane: int
    at: int
    body: str
    blobs: Mapping[str, bytes] = {}


class NewExecution(NamedTuple):
    """What to create when the execution does not exist."""

    function: str
    kind: str
    parent: str | None = None

    def made(self, head: Head) -> bool:
        """Whether that is an execution of the same function."""
        return head.function == self.function and head.kind == self.kind


class Accepted(NamedTuple):
    """Answer of ``accept``. ``head`` is the head after accepting (None when MISSING).

    When GRANTED: ``entries`` are the journal's texts from ``head.base`` to ``head.length``, or None when
    the caller's ``known`` version is current; ``mail`` is the mailbox, lane 0 first, at most MAIL_BATCH.

    ``again``: the store had taken the mail in before, from this very call, whose answer was lost. So the head is not
    the one that the mail came to: what follows from the mail may be in it already.
    """

    answer: Answer
    head: Head | None
    entries: Sequence[str] | None = None
    mail: Sequence[Mail] = ()
    again: bool = False


class Change(NamedTuple):
    """One transition to commit, fenced by ``version`` and ``owner``."""

    id: str
    owner: str
    version: int  # expected current version
    at: int
    entries: Sequence[str]  # appended after Head.length
    consumed: Sequence[int]  # Mail.seq of consumed mails
    arrivals: int  # Head.arrivals as this owner knows it; -1 to read the mailbox in any case
    status: str
    wake: int | None
    release: bool  # give the lease back, unless unseen mail has arrived
    base: int
    awaits: str
    note: str
    state: str
    blobs: Mapping[str, bytes] = {}
    tell: bool = False  # a reply or the end is in it: whoever watches the execution is to hear of it
    token: str = ""  # unlike that of any other change; by it a repeated append is recognised. Empty: it is not
    paging: bool = False  # what is beyond the first of a long mailbox, the owner reads by itself with Store.mail


class Appended(NamedTuple):
    """Answer of ``append``. The version is now ``Change.version + 1``.

    ``mail`` is the first of the mailbox (at most MAIL_BATCH) when there is mail that the owner has not been
    given, else None. ``released`` is False when a release was asked for and unseen mail kept the lease.
    """

    arrivals: int
    mail: Sequence[Mail] | None
    released: bool


class Filter(NamedTuple):
    """Which executions a query means; empty fields match all. ``prefix`` matches the start of the id. Without a
    ``parent`` (None) all match; the empty text is nobody's id, so it is no execution's parent. ``oldest``: they come
    oldest first, and not newest first."""

    status: Sequence[str] = ()
    function: str = ""
    prefix: str = ""
    parent: str | None = None
    awaits: str = ""  # start of Head.awaits
    before: int = 0  # Head.updated is earlier than this
    kind: str = ""
    since: int = 0  # Head.created is this or later
    until: int = 0  # Head.created is earlier than this
    oldest: bool = False

    def matches(self, head: Head) -> bool:
        """For stores that look through heads themselves."""
        return (
            (not self.status or head.status in self.status)
            and (not self.function or head.function == self.function)
            and head.id.startswith(self.prefix)
            and (self.parent is None or head.parent == self.parent != "")
            and head.awaits.startswith(self.awaits)
            and (not self.before or head.updated < self.before)
            and (not self.kind or head.kind == self.kind)
            and head.created >= self.since
            and (not self.until or head.created < self.until)
        )


EVERYTHING = Filter()
"""The filter that matches every execution."""


class Page(NamedTuple):
    """One page of executions, newest first or as is asked. ``cursor`` is given back to read on; None at the end."""

    heads: Sequence[Head]
    cursor: str | None


class Scan(NamedTuple):
    """What was found among the ``looked`` executions that were looked at, newest first. ``cursor`` is given back to
    look on, also when nothing was found; None at the end."""

    heads: Sequence[Head]
    cursor: str | None
    looked: int


class Dump(NamedTuple):
    """An execution as it is stored, to be written to another store. ``head`` is ``unleased``."""

    head: Head
    entries: Sequence[str]  # the whole journal, from entry 1
    mail: Sequence[Mail]  # the whole mailbox
    seen: Sequence[tuple[str, int]]  # deduplication: ``fingerprint`` of a key, when it was accepted (to the day)
    blobs: Mapping[str, bytes]


class Remark(NamedTuple):
    """Something a store says of its own set-up, for ``doctor`` and ``store stats``."""

    name: str
    state: str  # "ok", "warn" (it works, but not as it should) or "fail"
    detail: str
    advice: str = ""


class Value(NamedTuple):
    """A key-value entry. ``etag`` changes with every write."""

    value: str  # JSON
    etag: str


MAIL_BATCH = 100
"""How many mails one answer carries at the most; the rest is read when these are consumed, or with ``Store.mail``."""

DEDUPLICATION_WINDOW_MS = 7 * 24 * 3600 * 1000
BLOB_THRESHOLD = 256 * 1024
"""A JSON text above this many bytes goes to a blob, its digest into the journal."""

PAYLOAD_LIMIT = 16 * 1024 * 1024
"""Bytes that one value may have anywhere; a store may allow less."""


def unleased(head: Head) -> Head:
    """The head without its lease. What was leased is under way, so it is due at once then."""
    if head.owner is None:
        return head
    return head._replace(owner=None, wake=head.updated if head.wake is None else min(head.wake, head.updated))


def fingerprint(key: str) -> str:
    """What stands for a deduplication key in every store: the first 16 bytes of its SHA-256, in hex."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]
