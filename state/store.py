"""The store contract: three primitives that carry the meaning of durable execution, and queries beside them.

``accept`` puts an event into a mailbox once and may take the lease; ``append`` is the one fenced commit;
``due`` names the executions that must be looked at. Any object that passes ``overwinter.state.contract``
whole is a store. All methods are safe to call from one event loop while other processes use the same data.
Failures are the ``StoreError`` branch of ``overwinter.state.errors``. A method that raised one of them has changed
nothing, with one exception: after ``StoreUnavailable`` from a store across a network the outcome of a change is
unknown, because its answer may be what got lost. It is found out by making the same call again: a repeated
``append`` is answered as the first time, mail with a key is a duplicate then, ``put`` writes the same again. A store
first tries so itself, for a few seconds. A lease that may have been granted unawares shows in ``head``.

The store knows no time but the ``now`` and ``at`` it is given. Processes on one store must agree on it: see ``time``.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from ..security.keyed import Keyed
from .quantities import Duration
from .records import (
    EVERYTHING,
    MAIL_BATCH,
    PAYLOAD_LIMIT,
    Accepted,
    Appended,
    Change,
    Dump,
    Filter,
    Head,
    Mail,
    NewExecution,
    NewMail,
    Page,
    Remark,
    Scan,
    Value,
)

EVERY_KEY = 2**31 - 1
"""A limit that no scope reaches."""
PROBE = "overwinter.doctor"
"""Scope of what is written to see whether it can be."""


class Store(ABC):
    """State of all executions. Made by ``open_store(dsn)``; ``open`` before use, ``close`` after."""

    dsn: str
    lease: Duration = "2s"
    """How long an owner that does not beat is taken for alive, unless the settings say otherwise."""
    poll: Duration = "250ms"
    """How often a look at the due index is worth its price, unless the settings say otherwise."""
    vigilance: Duration = "1s"
    """How often ``look`` is worth its price while there is work."""
    counting: Duration = "1s"
    """How often ``counts`` is worth its price while somebody looks on."""
    saying: Duration = "100ms"
    """How often it is worth its price to write what an answer says until now, while somebody listens elsewhere."""
    audit_key: Keyed | None = None
    """What links the entries and records of the audit with a key; None: their links are plain digests."""
    payload_limit: int = PAYLOAD_LIMIT
    """Bytes that one value may have. A larger result is refused by name, before anything is written."""

    async def create(self) -> None:
        """Make what ``open`` needs and does not make itself (a table, a bucket), unless it is there.
        Before ``open``; idempotent."""
        return None

    @abstractmethod
    async def open(self) -> None:
        """Connect, check the schema's version and migrate an older one. Raises StoreError branches."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was handed in, then disconnect. Idempotent."""

    async def look(self) -> None:
        """Whether what was opened is still there. Raises StoreLost when it was deleted, replaced, moved away or
        emptied since, and then every change raises it too, until it is back; other StoreErrors when it can't be told.
        A store that looks by itself at every change need do nothing here but say what it found."""
        return None

    async def probe(self) -> None:
        """Look, and make a small change that nobody reads. Raises what would keep any other change from being made:
        StoreLost, StoreFull, StoreReadOnly, StoreCorrupt, StoreUnavailable. Within a few seconds."""
        await self.look()
        await self.put(PROBE, "probe", "0")

    # -- the three primitives ------------------------------------------------------------------------

    @abstractmethod
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
        """Take in an event, make the execution due, and lease it if asked and free. One atomic step.

        - id unknown: created when ``create`` is given (status pending), else MISSING.
        - id known, and its function or kind is another than that of ``create``: OTHER and nothing changed, whatever
          its status. Else ``create`` says nothing: an idempotent start is a start mail with a constant key.
        - finished (status in FINAL): FINISHED and nothing changed, unless ``reopen`` is set and the status
          is not completed (then the mail is taken as usual), or ``mail`` is None and a wake time or a dead
          owner's lease stands (an unfinished outbox; then the lease is granted, the status stays).
        - ``mail.key`` seen for this execution within the deduplication window: DUPLICATE and nothing changed, also
          when the execution has finished since. A store may remember it up to a day longer. The cost of the check
          stays bounded for an execution that lives for years.
        - ``owner`` None: QUEUED with ``wake`` = min(wake, now); BUSY when a live lease stands.
        - ``owner`` given and no live lease: GRANTED, ``Head.owner`` = owner; a status pending, waiting or
          idle becomes running, any other stays. Version and wake do not change.
          A lease is live while its owner is (see ``beat``); an owner that never beat is dead. The own lease
          counts as live: BUSY.
        - A lease that is taken from an owner that died (it beat, and was not heard of again) adds one to
          ``Head.deaths``; one that is taken from an owner that retired, or never beat, does not.
        - ``served``: names of the functions that the owner can run, None: all. The lease of another one's execution
          is not granted: it is as if no owner had been given.
        - BUSY carries the mail just accepted in ``mail``, so that an owner in the same process sees it at once.
        - ``known``: the version whose state the caller still holds; when current, entries are not read.
        """

    @abstractmethod
    def append(self, change: Change) -> Awaitable[Appended]:
        """Commit one transition: entries, head, consumed mail, lease, blobs. All or nothing.

        Raises Conflict when version or owner differ from the stored ones; nothing is changed then. With one
        exception: the head remembers the ``token`` of its last change. When this change is that one (same
        non-empty token, stored version is ``version + 1``) and the lease is still the owner's or free, it was
        written before and its answer got lost: nothing is changed, and the answer tells what is stored now:
        arrivals, the mailbox if the lease stands (else None), released if it is free.
        ``Head.deaths`` becomes 0 when there are entries, else it stays.
        With ``release`` the lease is given back and ``wake`` stands. When there is mail that the owner has not
        been given, the lease is kept, released is False and the answer carries the mailbox: stored arrivals
        differ from ``change.arrivals`` (so -1 never releases), or mail was consumed from a mailbox of more
        than MAIL_BATCH. The latter not when the owner is ``paging``: it reads on by itself with ``mail``, and
        asks for no release before it has read what it could take.
        """

    @abstractmethod
    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        """Ids of executions without a live lease that must be looked at: their wake time has come, or
        their owner is dead. Oldest wake first. Nothing is changed; take one with ``accept(id, None)``."""

    @abstractmethod
    async def next_wake(self) -> int | None:
        """The earliest wake time of executions that are not leased, for a loop that sleeps until then."""

    # -- leases --------------------------------------------------------------------------------------

    @abstractmethod
    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        """Renew all leases of a process incarnation for ``ttl`` ms; the first call registers it.

        Returns (id, arrivals) of its leased executions that have mail waiting, so that mail which
        another process accepted reaches a running execution.
        """

    @abstractmethod
    async def retire(self, owner: str) -> None:
        """The incarnation ends in order: its leases are dead at once, and nobody calls that a death. Idempotent."""

    @abstractmethod
    async def owners(self, now: int) -> Mapping[str, int]:
        """Living incarnations, and how many executions each holds."""

    async def time(self) -> int | None:
        """The clock that all processes on this store can agree on, in ms; None: that of this machine."""
        return None

    def watch(self, id: str) -> AbstractAsyncContextManager[asyncio.Event | None]:
        """Inside the context the event is set after every append with ``tell`` for this execution, whichever
        process made it. A hint and no promise: look at the store once inside, and now and then.
        None when the store can't notify."""
        return _silence()

    # -- for owners ----------------------------------------------------------------------------------

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        """The mails of one lane that wait and have a number above ``after``, in order of arrival. Tells of all that
        was accepted before it was asked, and costs what it brings, however long the mailbox is."""
        dump = await self.dump(id)  # right and slow, for a store that has nothing better
        found = [] if dump is None else [mail for mail in dump.mail if mail.lane == lane and mail.seq > after]
        return sorted(found)[: max(limit, 0)]

    # -- for people ----------------------------------------------------------------------------------

    @abstractmethod
    async def head(self, id: str) -> Head | None: ...

    @abstractmethod
    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        """Newest first by ``created``, or oldest first; those of one millisecond in a fixed order of the store's own.
        The cursor stays valid while executions come and go. Either way a page costs what it shows."""

    async def scan(self, where: Filter, cursor: str | None = None, limit: int = 50, most: int = 10_000) -> Scan:
        """The same as ``executions``, with its cursors, and it looks at no more than about ``most`` of them: where few
        fit, a page ends before it is full. A store that finds what fits by an index looks at nothing else."""
        page = await self.executions(where, cursor, limit)
        return Scan(page.heads, page.cursor, len(page.heads))

    @abstractmethod
    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        """Journal texts with sequence numbers after+1 …, whole history, also before ``Head.base``. What is missing, or
        is no text, is "" in its place (``whole.GAP``), here and in what ``accept`` answers."""

    @abstractmethod
    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        """How many mails wait, and the bodies of the first."""

    @abstractmethod
    async def counts(self) -> dict[str, int]:
        """Number of executions by status."""

    @abstractmethod
    async def delete(self, id: str, *, now: int) -> bool:
        """Remove a finished or idle execution without a live lease, with its journal, mail, blobs and key-value
        entries under the scope of its id. True when it existed. Raises Conflict when it is leased, under way, or
        has a wake time: mail was just queued for it, or its end is still to be told."""

    # -- for whole stores ----------------------------------------------------------------------------

    @abstractmethod
    async def dump(self, id: str) -> Dump | None:
        """One consistent picture of an execution. Raises Conflict when it does not stand still for it, StoreCorrupt
        when an entry of it is missing or is no text."""

    @abstractmethod
    async def restore(self, dump: Dump) -> bool:
        """Store an execution as it was dumped, as if it had always been here: all or nothing. False, and
        nothing changed, when the id is taken."""

    @abstractmethod
    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        """Scopes of the key-value interface that have entries, in order, those that sort after ``after``."""

    async def verify(self) -> Sequence[str]:
        """What contradicts itself inside the store (indexes, counters), each as a sentence."""
        return []

    async def survey(self) -> Sequence[Remark]:
        """What the store is and how it is set up; warnings for settings that may lose data."""
        return []

    # -- key-value and blobs -------------------------------------------------------------------------

    @abstractmethod
    async def get(self, scope: str, key: str) -> Value | None: ...

    @abstractmethod
    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        """Write and return the new etag. ``etag`` "" means: only if absent; given: only if unchanged
        (else EtagMismatch); None: in any case."""

    @abstractmethod
    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool: ...

    @abstractmethod
    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]: ...

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        """The entries whose keys begin with ``prefix`` and sort after ``after``, in order of their keys, for whoever
        reads a whole scope page by page. One that changes meanwhile is as it was or as it is; one that goes is there or
        is not."""
        names = [key for key in await self.keys(scope, prefix, EVERY_KEY) if key > after][: max(limit, 0)]
        found = [(key, await self.get(scope, key)) for key in names]  # right and slow, for a store without better
        return [(key, value) for key, value in found if value is not None]

    @abstractmethod
    async def blob(self, id: str, digest: str) -> bytes | None:
        """Bytes stored with an append to, or an accept for, this execution under ``sha256:<hex>``."""


@asynccontextmanager
async def _silence() -> AsyncGenerator[None]:
    yield None
