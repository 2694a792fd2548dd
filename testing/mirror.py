"""Virtual time on a real store: every operation is done on the ledger and on the real one, and the answers compared.

The ledger is the model; it says whether the engine keeps its promises. The real store runs on an event loop of its
own in another thread, and virtual time stands still while it answers. Two connections share its data, so that what
one process has written is read through the other's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from zlib import crc32

from ..state.errors import Conflict, StoreError
from ..state.records import (
    EVERYTHING,
    MAIL_BATCH,
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
    Value,
)
from ..state.store import Store
from .ledger import Ledger

T = TypeVar("T")
DAY = 24 * 3600 * 1000


class Elsewhere:
    """An event loop in a thread; ``do`` blocks until it has done the work."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="real-store")
        self._thread.start()

    def do(self, work: Callable[[], Awaitable[T]]) -> T:
        async def inside() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(timeout=60)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Mirror(Ledger):
    """``make`` makes another, not yet opened, store on the same data each time."""

    def __init__(self, make: Callable[[], Store]) -> None:
        super().__init__()
        self._elsewhere = Elsewhere()
        self._real = [make(), make()]
        self._etags: dict[str, str] = {}  # the ledger's etag -> the real store's
        for store in self._real:
            self._elsewhere.do(store.open)

    def end(self) -> None:
        for store in self._real:
            self._elsewhere.do(store.close)
        self._elsewhere.end()

    def _of(self, who: str | None) -> Store:
        """The connection of a process; what nobody in particular asks goes by its subject."""
        return self._real[crc32((who or "").encode()) % 2]

    def _do(self, work: Callable[[], Awaitable[T]]) -> T | StoreError:
        try:
            return self._elsewhere.do(work)
        except StoreError as error:
            return error

    def _compare(self, id: str, what: str, expected: object, got: object) -> None:
        if expected != got:
            self._broken(id, f"{what}: the store answered {got!r}\n    and should have answered {expected!r}")

    # -- what changes --------------------------------------------------------------------------------

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
        model = super()._accept(id, mail, now, owner, create, known, reopen, served)
        real = self._do(
            lambda: self._of(owner or id).accept(
                id, mail, now=now, owner=owner, create=create, known=known, reopen=reopen, served=served
            )
        )
        self._compare(id, f"accept({mail}, owner={owner}, known={known})", _listed(model), _listed(real))
        return model

    def _append(self, change: Change) -> Appended:
        real = self._do(lambda: self._of(change.owner).append(change))
        try:
            model = super()._append(change)
        except Conflict:
            if not isinstance(real, Conflict):
                self._broken(change.id, f"append({change}) should have been a conflict, and was {real!r}")
            raise
        self._compare(change.id, f"append({change})", _listed(model), _listed(real))
        return model

    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        model = await super().beat(owner, now, ttl)
        real = self._do(lambda: self._of(owner).beat(owner, now, ttl))
        self._compare(owner, "beat", sorted(model), real if isinstance(real, StoreError) else sorted(map(tuple, real)))
        return model

    async def retire(self, owner: str) -> None:
        await super().retire(owner)
        self._compare(owner, "retire", None, self._do(lambda: self._of(owner).retire(owner)))

    async def dies(self, owner: str) -> None:
        await self.retire(owner)  # no store can be told that a process that lives here is dead

    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        known = etag if etag is None or etag == "" else self._etags.get(etag, "unknown")
        real = self._do(lambda: self._of(scope).put(scope, key, value, etag=known))
        try:
            model = await super().put(scope, key, value, etag=etag)
        except StoreError as error:
            self._compare(scope, f"put({key})", type(error), type(real))
            raise
        self._etags[model] = str(real)
        return model

    async def remove(self, scope: str, key: str, *, etag: str | None = None) -> bool:
        known = etag if etag is None or etag == "" else self._etags.get(etag, "unknown")
        real = self._do(lambda: self._of(scope).remove(scope, key, etag=known))
        model = await super().remove(scope, key, etag=etag)
        self._compare(scope, f"remove({key})", model, real)
        return model

    # -- what is only read ---------------------------------------------------------------------------

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        model = await super().due(now, limit)
        real = self._do(lambda: self._real[0].due(now, limit))
        if isinstance(real, StoreError) or len(model) < limit:  # else each may choose among those of one moment
            self._compare("due", str(now), set(model), real if isinstance(real, StoreError) else set(real))
        return model

    async def next_wake(self) -> int | None:
        model = await super().next_wake()
        self._compare("next_wake", "", model, self._do(self._real[1].next_wake))
        return model

    async def head(self, id: str) -> Head | None:
        model = await super().head(id)
        self._compare(id, "head", model, self._do(lambda: self._of(id).head(id)))
        return model

    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        model = await super().executions(where, cursor, limit)
        if cursor is None and model.cursor is None:
            real = self._do(lambda: self._real[0].executions(where, None, limit))
            got = real if isinstance(real, StoreError) else set(real.heads)
            self._compare("executions", str(where), set(model.heads), got)
        return model

    async def history(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[str]:
        model = await super().history(id, after, limit)
        self._compare(id, "history", list(model), _list(self._do(lambda: self._of(id).history(id, after, limit))))
        return model

    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        model = await super().mail(id, lane, after, limit)
        self._compare(id, "mail", list(model), _list(self._do(lambda: self._of(id).mail(id, lane, after, limit))))
        return model

    async def mailbox(self, id: str, limit: int = 100) -> tuple[int, list[str]]:
        model = await super().mailbox(id, limit)
        real = self._do(lambda: self._of(id).mailbox(id, limit))
        self._compare(id, "mailbox", model, real if isinstance(real, StoreError) else (real[0], list(real[1])))
        return model

    async def get(self, scope: str, key: str) -> Value | None:
        model = await super().get(scope, key)
        real = self._do(lambda: self._of(scope).get(scope, key))
        value = real.value if isinstance(real, Value) else real
        self._compare(scope, f"get({key})", None if model is None else model.value, value)
        return model

    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        model = await super().keys(scope, prefix, limit)
        self._compare(scope, "keys", list(model), _list(self._do(lambda: self._of(scope).keys(scope, prefix, limit))))
        return model

    async def values(
        self, scope: str, prefix: str = "", after: str = "", limit: int = 1000
    ) -> Sequence[tuple[str, Value]]:
        model = await super().values(scope, prefix, after, limit)
        real = self._do(lambda: self._of(scope).values(scope, prefix, after, limit))
        told = real if isinstance(real, StoreError) else [(key, value.value) for key, value in real]
        self._compare(scope, "values", [(key, value.value) for key, value in model], told)
        return model

    async def blob(self, id: str, digest: str) -> bytes | None:
        model = await super().blob(id, digest)
        self._compare(id, f"blob {digest}", model, self._do(lambda: self._of(id).blob(id, digest)))
        return model

    # -- at the end ----------------------------------------------------------------------------------

    def audit(self) -> list[str]:
        """Also what was read by nobody must be the same, whole."""
        for id, execution in self._executions.items():
            real = self._do(lambda id=id: self._of(id).dump(id))  # type: ignore[misc]
            head = execution.head
            assert head.owner is None, "at the end nothing is leased"
            model = Dump(head, list(execution.journal), list(execution.mail.values()), (), execution.blobs)
            got = real
            if isinstance(real, Dump):
                got = Dump(real.head, list(real.entries), sorted(real.mail), (), dict(real.blobs))
                marks = {mark for mark, _ in real.seen}
                self._compare(id, "seen", set[str](), set(execution.seen) - marks)
            self._compare(id, "dump", model._replace(mail=sorted(model.mail)), got)
        counts: dict[str, int] = {}
        for head in self.heads_now():
            counts[head.status] = counts.get(head.status, 0) + 1
        self._compare("store", "counts", counts, self._do(self._real[0].counts))
        self._compare("store", "verify", [], _list(self._do(self._real[1].verify)))
        return super().audit()


def _list(answer: Any) -> Any:
    return answer if isinstance(answer, StoreError) else list(answer)


def _listed(answer: Any) -> Any:
    """The answer with lists for sequences, so that equal ones are equal."""
    if isinstance(answer, Accepted):
        entries = None if answer.entries is None else list(answer.entries)
        return answer._replace(entries=entries, mail=list(answer.mail))
    if isinstance(answer, Appended) and answer.mail is not None:
        return answer._replace(mail=list(answer.mail))
    return answer
