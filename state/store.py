"""The store contract: three primitives that carry the meaning of durable execution, and queries beside them.

``accept`` puts an event into a mailbox once and may take the lease; ``append`` is the one fenced commit;
``due`` names the executions that must be looked at. Any object that passes ``overwinter.state.contract``
whole is a store. All methods are safe to call from one event loop while other processes use the same data.
Failures are the ``StoreError`` branch of ``overwinter.state.errors``; a method that raised ``StoreUnavailable``,
``StoreFull`` or ``StoreReadOnly`` has changed nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence

from .records import EVERYTHING, Accepted, Appended, Change, Filter, Head, NewExecution, NewMail, Page, Value


class Store(ABC):
    """State of all executions. Made by ``open_store(dsn)``; ``open`` before use, ``close`` after."""

    dsn: str

    @abstractmethod
    async def open(self) -> None:
        """Connect, check the schema's version and migrate an older one. Raises StoreError branches."""

    @abstractmethod
    async def close(self) -> None:
        """Finish what was handed in, then disconnect. Idempotent."""

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
    ) -> Awaitable[Accepted]:
        """Take in an event, make the execution due, and lease it if asked and free. One atomic step.

        - id unknown: created when ``create`` is given (status pending), else MISSING. When the id is known,
          ``create`` says nothing: an idempotent start is a start mail with a constant key.
        - finished (status in FINAL): FINISHED and nothing changed, unless ``reopen`` is set and the status
          is not completed (then the mail is taken as usual), or ``mail`` is None and a wake time or a dead
          owner's lease stands (an unfinished outbox; then the lease is granted, the status stays).
        - ``mail.key`` seen for this execution within the deduplication window: DUPLICATE and nothing changed.
          A store may remember it up to a day longer. The cost of the check stays bounded for an execution
          that lives for years.
        - ``owner`` None: QUEUED with ``wake`` = min(wake, now); BUSY when a live lease stands.
        - ``owner`` given and no live lease: GRANTED, ``Head.owner`` = owner; a status pending, waiting or
          idle becomes running, any other stays. Version and wake do not change.
          A lease is live while its owner is (see ``beat``); an owner that never beat is dead. The own lease
          counts as live: BUSY.
        - BUSY carries the mail just accepted in ``mail``, so that an owner in the same process sees it at once.
        - ``known``: the version whose state the caller still holds; when current, entries are not read.
        """

    @abstractmethod
    def append(self, change: Change) -> Awaitable[Appended]:
        """Commit one transition: entries, head, consumed mail, lease, blobs. All or nothing.

        Raises Conflict when version or owner differ from the stored ones; nothing is changed then.
        With ``release`` the lease is given back and ``wake`` stands. When there is mail that the owner has not
        been given, the lease is kept, released is False and the answer carries the mailbox: stored arrivals
        differ from ``change.arrivals`` (so -1 never releases), or mail was consumed from a mailbox of more
        than MAIL_BATCH.
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
        """The incarnation ends: its leases are dead at once. Idempotent."""

    # -- for people ----------------------------------------------------------------------------------

    @abstractmethod
    async def head(self, id: str) -> Head | None: ...

    @abstractmethod
    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        """Newest first (by creation). The cursor stays valid while executions come and go."""

    @abstractmethod
    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        """Journal texts with sequence numbers after+1 …, whole history, also before ``Head.base``."""

    @abstractmethod
    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        """How many mails wait, and the bodies of the first."""

    @abstractmethod
    async def counts(self) -> dict[str, int]:
        """Number of executions by status."""

    @abstractmethod
    async def delete(self, id: str) -> bool:
        """Remove a finished or idle execution without a live lease, with its journal, mail and key-value
        entries under the scope of its id. True when it existed. Raises Conflict when it is leased."""

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

    @abstractmethod
    async def blob(self, digest: str) -> bytes | None:
        """Bytes stored with an append or an accept under ``sha256:<hex>``."""
