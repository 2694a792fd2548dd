"""The Store around a Store that seals what people and models said and leaves readable what finds it again.

Sealed: bodies of mail, journal entries, ``Head.state`` and ``Head.note``, what a stuck execution says in
``Head.awaits``, values, blobs. Everything else is as the inner store has it, which does all the work: the calls
reach it in the order in which they were made. Texts from before sealing are read as they are, unless ``strict``.

An entry is sealed for its number in the journal of one life of the execution, so that life and the number that the
next entry gets are kept for each lease. What
can't be opened is never handed to an engine: the lease is given back, and the execution waits for its key, or is
stuck when its texts were tampered with. ``head`` and ``executions`` show what can't be opened as it is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import lru_cache, partial
from typing import NamedTuple, TypeVar

from ..errors import Conflict, InvalidInput, StoreCorrupt, StoreError, StoreUnavailable
from ..records import (
    EVERYTHING,
    MAIL_BATCH,
    PAYLOAD_LIMIT,
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
    Remark,
    Scan,
    Value,
)
from ..store import Store
from . import marker
from .box import BOUND, Box
from .contents import Contents
from .keys import Keys
from .waiting import give_back, later

T = TypeVar("T")

_BOXES = 4096  # names whose derived keys are kept
_LEASES = 16384  # leased executions of which is kept what their next entry is sealed for
_SEEN = 16384  # executions of which the life is remembered


class _Lease(NamedTuple):
    """A leased execution: its life, and the length of its journal by version."""

    life: int
    lengths: dict[int, int]


class SealedStore(Store):
    """``inner`` with its payloads sealed. Opened and closed with it. ``compress``: bytes from which on texts are
    compressed before they are sealed, 0 for never; their lengths then say something of what they are. ``but``: ids of
    keys that are being given up, and need not be here."""

    def __init__(self, inner: Store, keys: Keys, compress: int = 0, but: Collection[str] = ()) -> None:
        self.inner = inner
        self._keys, self._but = keys, but
        self.dsn = inner.dsn
        self.lease, self.poll, self.saying = inner.lease, inner.poll, inner.saying
        self.counting, self.audit_key = inner.counting, inner.audit_key
        if inner.payload_limit < PAYLOAD_LIMIT:  # as text, what is sealed is a third longer
            self.payload_limit = inner.payload_limit * 3 // 4 - 100
        self._box = lru_cache(_BOXES)(partial(Box, keys, above=compress))
        self._leased: dict[str, _Lease] = {}
        self._lives: dict[str, int] = {}  # of executions that were seen lately
        self._withheld: set[str] = set()  # leased executions with mail that can't be opened
        self._mixed = False
        self._unmarked = True  # nothing in the store says yet that it is sealed with the first key
        self._marking = asyncio.Lock()
        self._queued = 0  # changes that wait until it does

    @property
    def first_key(self) -> str:
        """Id of the key that seals."""
        return self._keys.first.id

    async def create(self) -> None:
        await self.inner.create()

    async def open(self) -> None:
        """Also checks the keys against those that the store is sealed with, and raises StoreSealed then. A store
        is marked as sealed before the first change, so that who only looks at it changes nothing."""
        await self.inner.open()
        try:
            held = await marker.check(self.inner, self._keys, self.box("store", ""), self._but)
            self._mixed, self._unmarked = held.plain, self.first_key not in held.keys
        except BaseException:
            await self.inner.close()
            raise

    async def close(self) -> None:
        await self.inner.close()

    async def mark(self) -> None:
        """Note in the store that it is sealed with the first key. Raises as ``open`` does."""
        await marker.introduce(self.inner, self._keys, self.box("store", ""), self._but)
        self._unmarked = False

    def box(self, kind: str, name: str) -> Box:
        """What seals and opens the things of an execution ("execution"), or of a scope ("values")."""
        return self._box(kind, name)

    def _contents(self, id: str, life: int | None = None) -> Contents:
        return Contents(self._box("execution", id), life)

    def _of(self, head: Head) -> Contents:
        """The contents of an execution as it is now."""
        if len(self._lives) >= _SEEN:
            del self._lives[next(iter(self._lives))]
        self._lives[head.id] = head.created
        return self._contents(head.id, head.created)

    async def look(self) -> None:
        await self.inner.look()

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
        sealed = None if mail is None else self._contents(id).seal_new(mail)
        accept = partial(
            self.inner.accept,
            id,
            sealed,
            now=now,
            owner=owner,
            create=create,
            known=known,
            reopen=reopen,
            served=served,
        )
        return self._accepted(self._change(accept), now)

    def _change(self, call: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        """Make the call at once and not when it is awaited: calls take effect in their order."""
        if not (self._unmarked or self._queued):
            return call()
        self._queued += 1
        return self._change_when_marked(call)

    async def _change_when_marked(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            async with self._marking:  # those who wait get it in their order
                if self._unmarked:
                    await self.mark()
                answer = call()
        finally:
            self._queued -= 1
        return await answer

    async def _accepted(self, answer: Awaitable[Accepted], now: int) -> Accepted:
        accepted = await answer
        head = accepted.head
        if head is None:
            return accepted
        contents = self._of(head)
        shown = contents.show(head)
        if accepted.answer is not Answer.GRANTED:
            return accepted._replace(head=shown, mail=contents.open_mail(accepted.mail))
        try:
            contents.check(head)
            entries = accepted.entries
            if entries is not None:
                entries = contents.open_entries(entries, head.base)
            mail = contents.open_mail(accepted.mail)
        except StoreError as error:
            waiting = await give_back(self.inner, head, now, error)
            return Accepted(Answer.QUEUED, contents.show(waiting))
        if len(self._leased) >= _LEASES:
            del self._leased[next(iter(self._leased))]
        self._leased[head.id] = _Lease(head.created, {head.version: head.length})
        self._withheld.discard(head.id)
        return accepted._replace(head=shown, entries=entries, mail=mail)

    def append(self, change: Change) -> Awaitable[Appended]:
        lease = self._leased.get(change.id)
        length = None if lease is None else lease.lengths.get(change.version)
        if lease is None or length is None:
            return self._append_after_a_look(change)
        return self._append(change, lease.life, length)

    def _append(self, change: Change, life: int, length: int) -> Awaitable[Appended]:
        sealed = self._contents(change.id, life).seal_change(change, length)
        if change.release and change.id in self._withheld:
            sealed = sealed._replace(wake=later(change.at, change.wake))
        answer = self._change(partial(self.inner.append, sealed))
        # Before it is answered: the next change may be handed in at once.
        lengths = {change.version: length, change.version + 1: length + len(change.entries)}
        self._leased[change.id] = _Lease(life, lengths)
        return self._appended(change, answer)

    async def _append_after_a_look(self, change: Change) -> Appended:
        """For a lease that was granted to another object, or a change that is handed in again after its release."""
        head = await self.inner.head(change.id)
        if head is not None and head.version == change.version:
            return await self._append(change, head.created, head.length)
        if head is not None and head.version == change.version + 1:
            return await self._append(change, head.created, head.length - len(change.entries))
        raise Conflict(f"{change.id} was moved on by another owner after version {change.version}")

    async def _appended(self, change: Change, given: Awaitable[Appended]) -> Appended:
        try:
            answer = await given
        except StoreUnavailable:
            raise  # it may have been written: the same change will come again
        except StoreError:
            self._leased.pop(change.id, None)
            raise
        if answer.released:
            self._leased.pop(change.id, None)
            self._withheld.discard(change.id)
        if not answer.mail:
            return answer
        readable = self._contents(change.id).readable(answer.mail)
        if len(readable) < len(answer.mail):
            self._withheld.add(change.id)
        return answer._replace(mail=readable)

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        return await self.inner.due(now, limit)

    async def next_wake(self) -> int | None:
        return await self.inner.next_wake()

    # -- leases --------------------------------------------------------------------------------------

    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        return await self.inner.beat(owner, now, ttl)

    async def retire(self, owner: str) -> None:
        await self.inner.retire(owner)

    async def owners(self, now: int) -> Mapping[str, int]:
        return await self.inner.owners(now)

    async def time(self) -> int | None:
        return await self.inner.time()

    def watch(self, id: str) -> AbstractAsyncContextManager[asyncio.Event | None]:
        return self.inner.watch(id)

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        mail = await self.inner.mail(id, lane, after, limit)
        readable = self._contents(id).readable(mail)
        if len(readable) < len(mail):
            self._withheld.add(id)
        return readable

    # -- for people ----------------------------------------------------------------------------------

    async def head(self, id: str) -> Head | None:
        head = await self.inner.head(id)
        return None if head is None else self._of(head).show(head)

    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        page = await self.inner.executions(where, cursor, limit)
        return page._replace(heads=[self._of(head).show(head) for head in page.heads])

    async def scan(self, where: Filter, cursor: str | None = None, limit: int = 50, most: int = 10_000) -> Scan:
        scan = await self.inner.scan(where, cursor, limit, most)
        return scan._replace(heads=[self._of(head).show(head) for head in scan.heads])

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        first = max(after, 0) + 1
        texts = await self.inner.history(id, after, limit)
        if not any(text.startswith(BOUND) for text in texts):
            return self._contents(id).open_entries(texts, first)
        if id in self._lives:
            try:
                return self._contents(id, self._lives[id]).open_entries(texts, first)
            except StoreCorrupt:
                pass  # perhaps it was deleted and made anew since it was seen
        head = await self.inner.head(id)
        texts = await self.inner.history(id, after, limit)
        return [] if head is None else self._of(head).open_entries(texts, first)

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        waiting, bodies = await self.inner.mailbox(id, limit)
        return waiting, self._contents(id).open_bodies(bodies)

    async def counts(self) -> dict[str, int]:
        return await self.inner.counts()

    async def delete(self, id: str, *, now: int) -> bool:
        return await self.inner.delete(id, now=now)

    # -- for whole stores ----------------------------------------------------------------------------

    async def dump(self, id: str) -> Dump | None:
        dump = await self.inner.dump(id)
        return None if dump is None else self._of(dump.head).open_dump(dump)

    async def restore(self, dump: Dump) -> bool:
        sealed = self._contents(dump.head.id, dump.head.created).seal_dump(dump)
        return await self._change(partial(self.inner.restore, sealed))

    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        found = await self.inner.scopes(after, limit + 1)
        if marker.SCOPE in found and not await self.keys(marker.SCOPE, limit=1):
            found = [scope for scope in found if scope != marker.SCOPE]
        return found[:limit]

    async def verify(self) -> Sequence[str]:
        return await self.inner.verify()

    async def survey(self) -> Sequence[Remark]:
        others = [id for id in self._keys.by_id if id != self.first_key]
        detail = f"payloads are sealed with key {self.first_key}"
        if others:
            detail += f"; {', '.join(others)} open{'s' if len(others) == 1 else ''} older ones"
        if self._keys.strict:
            detail += "; what is not sealed is refused"
        elif self._mixed:
            detail += "; what was stored before is not sealed"
        return [*await self.inner.survey(), Remark("sealing", "ok", detail)]

    # -- key-value and blobs -------------------------------------------------------------------------

    async def get(self, scope: str, key: str) -> Value | None:
        value = None if _reserved(scope, key) else await self.inner.get(scope, key)
        if value is None or scope == marker.SCOPE:
            return value
        return value._replace(value=self._box("values", scope).open(place_of_value(key), value.value))

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        _check(scope, key)
        if scope == marker.SCOPE:  # what a store says of itself is read by processes without keys
            return await self.inner.put(scope, key, value, etag=etag)
        sealed = self._box("values", scope).seal(place_of_value(key), value)
        return await self._change(partial(self.inner.put, scope, key, sealed, etag=etag))

    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool:
        _check(scope, key)
        return await self.inner.remove(scope, key, etag=etag)

    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        if scope != marker.SCOPE:
            return await self.inner.keys(scope, prefix, limit)
        found = await self.inner.keys(scope, prefix, limit + 1)
        return [key for key in found if key != marker.KEY][:limit]

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        found = await self.inner.values(scope, prefix, after, limit)
        if scope == marker.SCOPE:
            return [(key, value) for key, value in found if key != marker.KEY]
        open = self._box("values", scope).open
        return [(key, value._replace(value=open(place_of_value(key), value.value))) for key, value in found]

    async def blob(self, id: str, digest: str) -> bytes | None:
        content = await self.inner.blob(id, digest)
        return None if content is None else self._contents(id).open_blob(digest, content)


def place_of_value(key: str) -> str:
    """Where a value is, within its scope."""
    return f"value {key}"


def _reserved(scope: str, key: str) -> bool:
    return scope == marker.SCOPE and key == marker.KEY


def _check(scope: str, key: str) -> None:
    if _reserved(scope, key):
        raise InvalidInput(f"the entry {scope}/{key} says that this store is sealed; use another key")
