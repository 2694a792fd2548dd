"""The store in plain dicts (``memory://``): for tests, the simulator and programs that need no durability.

It promises the whole contract within one process and one event loop, and determinism: no threads, no clock
but the ``now`` and ``at`` it is given, no randomness. ``accept`` and ``append`` take effect when they are
called, not when they are awaited. Closing it keeps the data; several owners may share one object.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import TypeVar

from .errors import Conflict, EtagMismatch, InvalidInput, StoreError
from .records import (
    DEDUPLICATION_WINDOW_MS,
    EVERYTHING,
    FINAL,
    MAIL_BATCH,
    Accepted,
    Answer,
    Appended,
    Change,
    Dump,
    Filter,
    Head,
    Mail,
    NewExecution,
    NewMail,
    Page,
    Value,
    fingerprint,
    unleased,
)
from .remembered import Remembered, held, repeated
from .store import Store

Result = TypeVar("Result")


class MemoryStore(Store):
    """All state in this object. ``window`` is the deduplication window in ms."""

    def __init__(self, dsn: str = "memory://", *, window: int = DEDUPLICATION_WINDOW_MS) -> None:
        self.dsn = dsn
        self._window = window
        self._created = 0
        self._writes = 0
        self._executions: dict[str, Remembered] = {}
        self._owners: dict[str, int] = {}  # live incarnation -> when its lease expires
        self._values: dict[tuple[str, str], Value] = {}
        self._watched: dict[str, set[asyncio.Event]] = {}

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    # -- the three primitives ------------------------------------------------------------------------

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
        return _answered(lambda: self._accept(id, mail, now, owner, create, known, reopen, served))

    def append(self, change: Change) -> Awaitable[Appended]:
        return _answered(lambda: self._append(change))

    def _accept(
        self,
        id: str,
        mail: NewMail | None,
        now: int,
        owner: str | None,
        create: NewExecution | None,
        known: int | None,
        reopen: bool,
        served: frozenset[str] | None,
    ) -> Accepted:
        execution = self._executions.get(id)
        if execution is None:
            if create is None:
                return Accepted(Answer.MISSING, None)
            execution = self._create(id, create, now)
        head = execution.head
        if create is not None and not create.made(head):
            return Accepted(Answer.OTHER, head)
        arrived: tuple[Mail, ...] = ()
        if head.status in FINAL and not self._takes_more(head, mail, now, reopen):
            known_mail = mail is not None and self._seen(execution, mail.key, now)
            return Accepted(Answer.DUPLICATE if known_mail else Answer.FINISHED, head)
        if mail is not None:
            if not self._first_time(execution, mail.key, now):
                return Accepted(Answer.DUPLICATE, head)
            head = head._replace(arrivals=head.arrivals + 1)
            arrived = (Mail(head.arrivals, mail.lane, mail.at, mail.body),)
            execution.mail[head.arrivals] = arrived[0]
            execution.blobs.update(mail.blobs)
        if head.owner is not None and (head.owner == owner or self._alive(head.owner, now)):
            execution.head = head._replace(updated=now) if mail is not None else head
            return Accepted(Answer.BUSY, execution.head, mail=arrived)
        if owner is None or (served is not None and head.function not in served):
            wake = now if head.wake is None else min(head.wake, now)
            execution.head = head._replace(wake=wake, updated=now)
            return Accepted(Answer.QUEUED, execution.head)
        status = "running" if head.status in ("pending", "waiting", "idle") else head.status
        deaths = head.deaths + (head.owner in self._owners)  # who retired is not among them
        execution.head = head = head._replace(owner=owner, status=status, updated=now, deaths=deaths)
        entries = None if known == head.version else execution.journal[head.base - 1 :]
        return Accepted(Answer.GRANTED, head, entries, execution.batch())

    def _create(self, id: str, create: NewExecution, now: int) -> Remembered:
        self._created += 1
        head = Head(
            id=id,
            function=create.function,
            kind=create.kind,
            status="pending",
            version=0,
            length=0,
            base=1,
            arrivals=0,
            owner=None,
            wake=None,
            parent=create.parent,
            created=now,
            updated=now,
            awaits="",
            note="",
            state="",
        )
        execution = self._executions[id] = Remembered(self._created, head)
        return execution

    def _takes_more(self, head: Head, mail: NewMail | None, now: int, reopen: bool) -> bool:
        if reopen and head.status != "completed":
            return True
        if mail is not None:
            return False
        return head.wake is not None or (head.owner is not None and not self._alive(head.owner, now))

    def _first_time(self, execution: Remembered, key: str, now: int) -> bool:
        if self._seen(execution, key, now):
            return False
        if key:
            execution.seen[fingerprint(key)] = now
        return True

    def _seen(self, execution: Remembered, key: str, now: int) -> bool:
        seen = execution.seen
        for old in list(_expired(seen, now - self._window)):
            del seen[old]
        return key != "" and fingerprint(key) in seen

    def _alive(self, owner: str, now: int) -> bool:
        return self._owners.get(owner, now) > now

    def _append(self, change: Change) -> Appended:
        execution = self._executions.get(change.id)
        if execution is not None and repeated(execution, change):
            free = execution.head.owner is None
            return Appended(execution.head.arrivals, None if free else execution.batch(), free)
        if execution is None or not held(execution.head, change):
            raise Conflict(f"{change.id} was moved on by another owner after version {change.version}")
        head = execution.head
        crowded = bool(change.consumed) and not change.paging and len(execution.mail) > MAIL_BATCH
        unseen = head.arrivals != change.arrivals or crowded
        execution.journal.extend(change.entries)
        for seq in change.consumed:
            execution.mail.pop(seq, None)
        execution.blobs.update(change.blobs)
        execution.token = change.token
        execution.head = head._replace(
            status=change.status,
            version=head.version + 1,
            length=len(execution.journal),
            base=change.base,
            owner=None if change.release and not unseen else head.owner,
            wake=change.wake,
            updated=change.at,
            awaits=change.awaits,
            note=change.note,
            state=change.state,
            deaths=0 if change.entries else head.deaths,
        )
        if change.tell:
            for event in self._watched.get(change.id, ()):
                event.set()
        return Appended(head.arrivals, execution.batch() if unseen else None, change.release and not unseen)

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        found: list[tuple[int, int, str]] = []
        for execution in self._executions.values():
            head = execution.head
            if head.owner is not None:
                if not self._alive(head.owner, now):
                    found.append((head.wake or 0, execution.no, head.id))
            elif head.wake is not None and head.wake <= now:
                found.append((head.wake, execution.no, head.id))
        return [id for _, _, id in sorted(found)[:limit]]

    async def next_wake(self) -> int | None:
        heads = (execution.head for execution in self._executions.values())
        return min((head.wake for head in heads if head.owner is None and head.wake is not None), default=None)

    # -- leases --------------------------------------------------------------------------------------

    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        self._owners[owner] = now + ttl
        return [
            (execution.head.id, execution.head.arrivals)
            for execution in self._executions.values()
            if execution.head.owner == owner and execution.mail
        ]

    async def retire(self, owner: str) -> None:
        self._owners.pop(owner, None)

    async def owners(self, now: int) -> Mapping[str, int]:
        held = Counter(execution.head.owner for execution in self._executions.values())
        return {owner: held[owner] for owner, expires in self._owners.items() if expires > now}

    @asynccontextmanager
    async def watch(self, id: str) -> AsyncGenerator[asyncio.Event]:
        event = asyncio.Event()
        self._watched.setdefault(id, set()).add(event)
        try:
            yield event
        finally:
            self._watched[id].discard(event)
            if not self._watched[id]:
                del self._watched[id]

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        execution = self._executions.get(id)
        mails = () if execution is None else execution.mail.values()  # in order of arrival
        return list(islice((mail for mail in mails if mail.lane == lane and mail.seq > after), max(limit, 0)))

    # -- for people ----------------------------------------------------------------------------------

    async def head(self, id: str) -> Head | None:
        execution = self._executions.get(id)
        return None if execution is None else execution.head

    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        at = None if cursor is None else _position(cursor)
        found = [
            ((execution.head.created, execution.no), execution.head)
            for execution in self._executions.values()
            if where.matches(execution.head)
        ]
        if at is not None:
            found = [one for one in found if (one[0] > at if where.oldest else one[0] < at)]
        found.sort(key=lambda one: one[0], reverse=not where.oldest)
        more = len(found) > limit
        return Page([head for _, head in found[:limit]], "{}.{}".format(*found[limit - 1][0]) if more else None)

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        execution = self._executions.get(id)
        return [] if execution is None else execution.journal[after : after + limit]

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        execution = self._executions.get(id)
        if execution is None:
            return 0, []
        mails = sorted(execution.mail.values(), key=lambda mail: (mail.lane, mail.seq))
        return len(mails), [mail.body for mail in mails[:limit]]

    async def counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for execution in self._executions.values():
            counts[execution.head.status] = counts.get(execution.head.status, 0) + 1
        return counts

    async def delete(self, id: str, *, now: int) -> bool:
        execution = self._executions.get(id)
        if execution is None:
            return False
        head = execution.head
        if head.owner is not None and self._alive(head.owner, now):
            raise Conflict(f"{id} is leased by {head.owner}; wait until it is released, then delete it")
        if head.status not in FINAL and head.status != "idle":
            raise Conflict(f"{id} is {head.status}; cancel or terminate it, then delete it")
        if head.wake is not None:
            raise Conflict(f"{id} has something left to do; wait until that is done, then delete it")
        del self._executions[id]
        for scoped in [scoped for scoped in self._values if scoped[0] == id]:
            del self._values[scoped]
        return True

    # -- for whole stores ----------------------------------------------------------------------------

    async def dump(self, id: str) -> Dump | None:
        execution = self._executions.get(id)
        if execution is None:
            return None
        return Dump(
            head=unleased(execution.head),
            entries=list(execution.journal),
            mail=[execution.mail[seq] for seq in sorted(execution.mail)],
            seen=list(execution.seen.items()),
            blobs=dict(execution.blobs),
        )

    async def restore(self, dump: Dump) -> bool:
        if dump.head.id in self._executions:
            return False
        self._created += 1
        execution = self._executions[dump.head.id] = Remembered(self._created, dump.head)
        execution.journal = list(dump.entries)
        execution.mail = {mail.seq: mail for mail in dump.mail}
        execution.seen = dict(sorted(dump.seen, key=lambda item: item[1]))
        execution.blobs = dict(dump.blobs)
        return True

    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        return sorted({scope for scope, _ in self._values if scope > after})[:limit]

    # -- key-value and blobs -------------------------------------------------------------------------

    async def get(self, scope: str, key: str) -> Value | None:
        return self._values.get((scope, key))

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        self._check_etag(scope, key, etag)
        self._writes += 1
        self._values[scope, key] = Value(value, str(self._writes))
        return str(self._writes)

    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool:
        self._check_etag(scope, key, etag)
        return self._values.pop((scope, key), None) is not None

    def _check_etag(self, scope: str, key: str, etag: str | None) -> None:
        stored = self._values.get((scope, key))
        if etag is not None and etag != ("" if stored is None else stored.etag):
            raise EtagMismatch(f"{scope}/{key} was changed by somebody else; read it again")

    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        return sorted(key for held, key in self._values if held == scope and key.startswith(prefix))[:limit]

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        names = [key for key in await self.keys(scope, prefix, len(self._values)) if key > after]
        return [(key, self._values[scope, key]) for key in names[: max(limit, 0)]]

    async def blob(self, id: str, digest: str) -> bytes | None:
        execution = self._executions.get(id)
        return None if execution is None else execution.blobs.get(digest)


def _answered(work: Callable[[], Result]) -> Awaitable[Result]:
    """A future that already holds what ``work`` returned or raised."""
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    try:
        future.set_result(work())
    except StoreError as error:
        future.set_exception(error)
    return future


def _expired(seen: dict[str, int], before: int) -> Iterator[str]:
    for key, at in seen.items():
        if at > before:
            return
        yield key


def _position(cursor: str) -> tuple[int, int]:
    created, _, no = cursor.partition(".")
    if not (created.isdecimal() and no.isdecimal()):
        raise InvalidInput(f"{cursor!r} is not a cursor; give back the one that came with the last page")
    return int(created), int(no)
