"""The contract suite must fail on stores that break it, each in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from overwinter.state.contract import StoreContract
from overwinter.state.memory import MemoryStore
from overwinter.state.records import (
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
    NewMail,
    Page,
    Value,
)
from overwinter.state.store import Store


class NoVersionFence(MemoryStore):
    def _append(self, change: Change) -> Appended:
        execution = self._executions.get(change.id)
        return super()._append(change if execution is None else change._replace(version=execution.head.version))


class NoOwnerFence(MemoryStore):
    def _append(self, change: Change) -> Appended:
        execution = self._executions.get(change.id)
        owner = "" if execution is None else execution.head.owner
        return super()._append(change._replace(owner=owner or change.owner))


class ConflictsThatWrite(MemoryStore):
    def _append(self, change: Change) -> Appended:
        if change.id in self._executions:
            self._executions[change.id].blobs.update(change.blobs)
        return super()._append(change)


class RepetitionUnknown(MemoryStore):
    def _append(self, change: Change) -> Appended:
        return super()._append(change._replace(token=""))


class AnyCommitIsARepetition(MemoryStore):
    def _append(self, change: Change) -> Appended:
        execution = self._executions.get(change.id)
        if execution is not None and execution.head.version == change.version + 1:
            return Appended(execution.head.arrivals, None, execution.head.owner is None)
        return super()._append(change)


class RepetitionByAStranger(MemoryStore):
    def _append(self, change: Change) -> Appended:
        execution = self._executions.get(change.id)
        if execution is not None and change.token and change.token == execution.token:
            return Appended(execution.head.arrivals, None, True)
        return super()._append(change)


class BlobsOfAll(MemoryStore):
    async def blob(self, id: str, digest: str) -> bytes | None:
        found = [e.blobs[digest] for e in self._executions.values() if digest in e.blobs]
        return found[0] if found else None


class NobodyIsTold(MemoryStore):
    def _append(self, change: Change) -> Appended:
        return super()._append(change._replace(tell=False))


class OwnersWithoutLeases(MemoryStore):
    async def owners(self, now: int) -> Mapping[str, int]:
        return dict.fromkeys(await super().owners(now), 0)


class TheDeadAreListed(MemoryStore):
    async def retire(self, owner: str) -> None:
        self._owners[owner] = 0

    async def owners(self, now: int) -> Mapping[str, int]:
        return await super().owners(-1)


class DumpWithoutMail(MemoryStore):
    async def dump(self, id: str) -> Dump | None:
        dump = await super().dump(id)
        return None if dump is None else dump._replace(mail=())


class DumpWithoutKeys(MemoryStore):
    async def dump(self, id: str) -> Dump | None:
        dump = await super().dump(id)
        return None if dump is None else dump._replace(seen=())


class DumpWithTheLease(MemoryStore):
    async def dump(self, id: str) -> Dump | None:
        dump = await super().dump(id)
        return None if dump is None else dump._replace(head=self._executions[id].head)


class RestoreOverwrites(MemoryStore):
    async def restore(self, dump: Dump) -> bool:
        self._executions.pop(dump.head.id, None)
        return await super().restore(dump)


class EndsForgetTheirMail(MemoryStore):
    def _seen(self, execution: Any, key: str, now: int) -> bool:
        return execution.head.status not in FINAL and super()._seen(execution, key, now)


class NobodysChildrenAreAll(MemoryStore):
    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        return await super().executions(where._replace(parent=where.parent or None), cursor, limit)


class AgeIgnored(MemoryStore):
    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        return await super().executions(where._replace(before=0), cursor, limit)


class OldestOfThisPage(MemoryStore):
    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        page = await super().executions(where._replace(oldest=False), cursor, limit)
        return page._replace(heads=page.heads[::-1]) if where.oldest else page


class ScopesStay(MemoryStore):
    async def scopes(self, after: str = "", limit: int = 1000) -> Sequence[str]:
        self.ever = getattr(self, "ever", set()) | {scope for scope, _ in self._values}
        return sorted(scope for scope in self.ever if scope > after)[:limit]


class ReleaseIgnoringMail(MemoryStore):
    def _append(self, change: Change) -> Appended:
        answer = super()._append(change)
        if change.release:
            execution = self._executions[change.id]
            execution.head = execution.head._replace(owner=None)
            return answer._replace(released=True)
        return answer


class UnseenMailNotGiven(MemoryStore):
    def _append(self, change: Change) -> Appended:
        return super()._append(change)._replace(mail=None)


class OnlyTheFirstBatch(MemoryStore):
    def _append(self, change: Change) -> Appended:
        execution = self._executions.get(change.id)
        if execution is None or len(execution.mail) <= 100 or execution.head.arrivals != change.arrivals:
            return super()._append(change)
        kept, execution.mail = execution.mail, {}
        for seq in change.consumed:
            kept.pop(seq, None)
        answer = super()._append(change)
        execution.mail = kept
        return answer


class OnlyTheFirstPage(MemoryStore):
    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        return await super().mail(id, lane, 0, limit)


class PagesOfAllLanes(MemoryStore):
    async def mail(self, id: str, lane: int, after: int = 0, limit: int = MAIL_BATCH) -> Sequence[Mail]:
        both = [*await super().mail(id, 0, after, limit), *await super().mail(id, 1, after, limit)]
        return sorted(both)[:limit]


class PagingIgnored(MemoryStore):
    def _append(self, change: Change) -> Appended:
        return super()._append(change._replace(paging=False))


class WakeLostOnRelease(MemoryStore):
    def _append(self, change: Change) -> Appended:
        return super()._append(change._replace(wake=None if change.release else change.wake))


class ConsumedMailStays(MemoryStore):
    def _append(self, change: Change) -> Appended:
        return super()._append(change._replace(consumed=()))


class BaseForgotten(MemoryStore):
    def _append(self, change: Change) -> Appended:
        return super()._append(change._replace(base=1))


class HistoryCut(MemoryStore):
    def _append(self, change: Change) -> Appended:
        answer = super()._append(change)
        execution = self._executions[change.id]
        del execution.journal[: max(0, execution.head.base - 1)]
        return answer


class AcceptAfterFinish(MemoryStore):
    def _takes_more(self, head: Head, mail: NewMail | None, now: int, reopen: bool) -> bool:
        return True


class OutboxAbandoned(MemoryStore):
    def _takes_more(self, head: Head, mail: NewMail | None, now: int, reopen: bool) -> bool:
        return reopen and head.status != "completed"


class CompletedReopened(MemoryStore):
    def _takes_more(self, head: Head, mail: NewMail | None, now: int, reopen: bool) -> bool:
        return reopen or super()._takes_more(head, mail, now, reopen)


class NoDeduplication(MemoryStore):
    def _first_time(self, execution: Any, key: str, now: int) -> bool:
        return True


class DeduplicationForEver(MemoryStore):
    def __init__(self) -> None:
        super().__init__(window=10**15)


class ShortDeduplication(MemoryStore):
    def __init__(self) -> None:
        super().__init__(window=6 * 24 * 3600 * 1000)


class EmptyKeysAreKeys(MemoryStore):
    def _first_time(self, execution: Any, key: str, now: int) -> bool:
        return super()._first_time(execution, key or " ", now)


class LeasesForEver(MemoryStore):
    def _alive(self, owner: str, now: int) -> bool:
        return True


class LeasesWorthNothing(MemoryStore):
    def _alive(self, owner: str, now: int) -> bool:
        return False


class GhostsLive(MemoryStore):
    def _alive(self, owner: str, now: int) -> bool:
        return self._owners.get(owner, now + 1) > now


class RetirementIgnored(MemoryStore):
    async def retire(self, owner: str) -> None:
        return None


class DeathsUncounted(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        before = self._executions.get(arguments[0])
        deaths = 0 if before is None else before.head.deaths
        accepted = super()._accept(*arguments, **named)
        if accepted.answer is Answer.GRANTED and accepted.head is not None:
            head = self._executions[arguments[0]].head = accepted.head._replace(deaths=deaths)
            return accepted._replace(head=head)
        return accepted


class RetirementIsADeath(MemoryStore):
    async def retire(self, owner: str) -> None:
        if owner in self._owners:
            self._owners[owner] = 0


class GhostsDie(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        before = self._executions.get(arguments[0])
        if before is not None and before.head.owner is not None:
            self._owners.setdefault(before.head.owner, 0)
        return super()._accept(*arguments, **named)


class TheDeadAreForgotten(MemoryStore):
    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        if owner not in self._owners:
            self._owners = {other: until for other, until in self._owners.items() if until > now}
        return await super().beat(owner, now, ttl)


class DeathsCountedForEver(MemoryStore):
    def _append(self, change: Change) -> Appended:
        deaths = 0 if change.id not in self._executions else self._executions[change.id].head.deaths
        answer = super()._append(change)
        self._executions[change.id].head = self._executions[change.id].head._replace(deaths=deaths)
        return answer


class AnyCommitForgetsDeaths(MemoryStore):
    def _append(self, change: Change) -> Appended:
        answer = super()._append(change)
        self._executions[change.id].head = self._executions[change.id].head._replace(deaths=0)
        return answer


class DumpWithoutDeaths(MemoryStore):
    async def dump(self, id: str) -> Dump | None:
        dump = await super().dump(id)
        return None if dump is None else dump._replace(head=dump.head._replace(deaths=0))


class AnythingIsServed(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        return super()._accept(*arguments[:-1], None)  # type: ignore[call-arg] # the last one is ``served``


class NamesThatBeginAlike(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        *others, served = arguments
        similar = None if served is None else _Similar(served)
        return super()._accept(*others, similar)  # type: ignore[call-arg] # as above


class _Similar(frozenset[str]):
    def __contains__(self, name: object) -> bool:
        return any(str(name) in served for served in self)


class NothingMoreIsQueued(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        create, served = arguments[4], arguments[-1]
        if served is not None and create is not None and create.function not in served:
            return Accepted(Answer.MISSING, None)
        return super()._accept(*arguments)


class DeafHeart(MemoryStore):
    async def beat(self, owner: str, now: int, ttl: int) -> Sequence[tuple[str, int]]:
        await super().beat(owner, now, ttl)
        return []


class OrphansForgotten(MemoryStore):
    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        ids = await super().due(now, 10**9)
        return [id for id in ids if self._executions[id].head.owner is None][:limit]


class AnyOrder(MemoryStore):
    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        return sorted(await super().due(now, 10**9))[:limit]


class WakeForgotten(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        before = self._executions.get(arguments[0])
        wake = None if before is None else before.head.wake
        accepted = super()._accept(*arguments, **named)
        if accepted.answer is Answer.QUEUED and before is not None:
            before.head = before.head._replace(wake=wake)
        return accepted


class BusyMailDropped(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        accepted = super()._accept(*arguments, **named)
        if accepted.answer is Answer.BUSY and accepted.mail:
            del self._executions[arguments[0]].mail[accepted.mail[0].seq]
        return accepted


class LanesIgnored(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        id, mail, *rest = arguments
        return super()._accept(id, mail and mail._replace(lane=1), *rest, **named)


class EntriesAlwaysSkipped(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        return super()._accept(*arguments, **named)._replace(entries=None)


class StatusUntouched(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        before = self._executions.get(arguments[0])
        status = None if before is None else before.head.status
        accepted = super()._accept(*arguments, **named)
        if before is not None and status is not None and accepted.answer is Answer.GRANTED:
            before.head = before.head._replace(status=status)
            return accepted._replace(head=before.head)
        return accepted


class CreateOverwrites(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        execution, create = self._executions.get(arguments[0]), arguments[4]
        if execution is not None and create is not None and execution.head.status not in FINAL:
            execution.head = execution.head._replace(function=create.function, kind=create.kind)
        return super()._accept(*arguments, **named)


class AnyFunctionTakesMail(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        given, execution = list(arguments), self._executions.get(arguments[0])
        if execution is not None:
            given[4] = None
        return super()._accept(*given, **named)


class KindsIgnored(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        given, execution = list(arguments), self._executions.get(arguments[0])
        if execution is not None and given[4] is not None:
            given[4] = given[4]._replace(kind=execution.head.kind)
        return super()._accept(*given, **named)


class OthersMailIsRemembered(MemoryStore):
    def _accept(self, *arguments: Any, **named: Any) -> Accepted:
        answered = super()._accept(*arguments, **named)
        if answered.answer is Answer.OTHER and arguments[1] is not None:
            self._first_time(self._executions[arguments[0]], arguments[1].key, arguments[2])
        return answered


class EtagsIgnored(MemoryStore):
    def _check_etag(self, scope: str, key: str, etag: str | None) -> None:
        return None


class EtagsOfContent(MemoryStore):
    async def put(self, scope: str, key: str, value: str, *, etag: str | None = None) -> str:
        await super().put(scope, key, value, etag=etag)
        self._values[scope, key] = Value(value, f"={value}")
        return f"={value}"


class ScopesMixed(MemoryStore):
    async def keys(self, scope: str, prefix: str = "", limit: int = 1000) -> Sequence[str]:
        return sorted({key for _, key in self._values if key.startswith(prefix)})[:limit]


class DeleteWithoutLook(MemoryStore):
    async def delete(self, id: str, *, now: int) -> bool:
        return self._executions.pop(id, None) is not None


class DeleteWithMailWaiting(MemoryStore):
    async def delete(self, id: str, *, now: int) -> bool:
        execution = self._executions.get(id)
        if execution is not None:
            execution.head = execution.head._replace(wake=None)
        return await super().delete(id, now=now)


class OffsetCursor(MemoryStore):
    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        page = await super().executions(where, None, 10**9)
        start = int(cursor or 0)
        more = len(page.heads) > start + limit
        return Page(page.heads[start : start + limit], str(start + limit) if more else None)


class OldestFirst(MemoryStore):
    async def executions(self, where: Filter = EVERYTHING, cursor: str | None = None, limit: int = 50) -> Page:
        page = await super().executions(where, cursor, limit)
        return page._replace(heads=list(reversed(page.heads)))


def broken() -> list[type[MemoryStore]]:
    return [store for store in MemoryStore.__subclasses__() if store.__module__ == __name__]


def failures(make: Callable[[], Store]) -> list[str]:
    """Names of the contract's tests that a store fails."""

    class Trial(StoreContract):
        async def make_store(self) -> Store:
            store = make()
            await store.open()
            return store

        async def reopen(self, store: Store) -> Store:
            return store

    failed: list[str] = []
    for name, _ in inspect.getmembers(Trial, inspect.isfunction):
        if name.startswith("test_"):
            try:
                getattr(Trial(), name)()
            except Exception:  # noqa: BLE001 - whatever a broken store leads to is a failure of the test
                failed.append(name)
    return failed


@pytest.mark.parametrize("store", broken(), ids=lambda store: store.__name__)
def test_a_broken_store_is_caught(store: type[MemoryStore]) -> None:
    assert failures(store)


def test_a_sound_store_is_not() -> None:
    assert failures(MemoryStore) == []
