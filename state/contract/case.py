"""What the parts of the contract share: how a test gets its store, and short forms of what it says to it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from unittest import SkipTest

from ..errors import StoreError
from ..records import Accepted, Answer, Change, Head, NewExecution, NewMail
from ..store import Store

NOW = 1_790_000_000_000
TTL = 2_000
DAY = 24 * 3600 * 1000
WORKFLOW = NewExecution("ticket", "workflow")
AGENT = NewExecution("support", "agent")

Self = TypeVar("Self", bound="Case")


class Case(ABC):
    """A part of the contract. Subclasses of the whole say how a store is made."""

    window = 7 * DAY
    """The deduplication window of the stores that ``make_store`` makes, in ms."""

    events_a_day = 20
    """How many events a long-lived execution gets a day; fewer for a store that is slow under test."""

    @abstractmethod
    async def make_store(self) -> Store:
        """A fresh, opened store without executions."""

    async def reopen(self, store: Store) -> Store | None:
        """A second opened store on the same data, for another process; None when there can be none."""
        return None


def scenario(test: Callable[[Self, Store], Awaitable[None]]) -> Callable[[Self], None]:
    """Run the test on a fresh store, in an event loop of its own."""

    async def whole(case: Self) -> None:
        store = await case.make_store()
        try:
            await test(case, store)
        finally:
            await store.close()

    def run(case: Self) -> None:
        asyncio.run(whole(case))

    run.__name__ = test.__name__
    run.__qualname__ = test.__qualname__
    run.__doc__ = test.__doc__
    return run


async def second(case: Case, store: Store) -> Store:
    """Another connection to the same data; skips the test of a store that can have none."""
    other = await case.reopen(store)
    if other is None:
        raise SkipTest("this store has one connection only")
    return other


def mail(key: str = "", body: str = "{}", lane: int = 1, blobs: dict[str, bytes] | None = None) -> NewMail:
    return NewMail(key, lane, NOW, body, blobs or {})


async def lease(
    store: Store, id: str, owner: str = "a", *, create: NewExecution = WORKFLOW, body: str = "start", now: int = NOW
) -> Accepted:
    """An execution that ``owner`` has started and holds, with its start in the mailbox."""
    await store.beat(owner, now, TTL)
    accepted = await store.accept(id, mail("start", body), now=now, owner=owner, create=create)
    assert accepted.answer is Answer.GRANTED
    return accepted


def change(head: Head, entries: Sequence[str] = (), **fields: Any) -> Change:
    """A transition of a leased execution that keeps what it does not name."""
    whole: dict[str, Any] = {
        "id": head.id,
        "owner": head.owner,
        "version": head.version,
        "at": NOW + 1,
        "entries": entries,
        "consumed": (),
        "arrivals": head.arrivals,
        "status": head.status,
        "wake": head.wake,
        "release": False,
        "base": head.base,
        "awaits": head.awaits,
        "note": head.note,
        "state": head.state,
    }
    return Change(**{**whole, **fields})


async def settle(store: Store, id: str, status: str, *, owner: str = "a", now: int = NOW, **fields: Any) -> Head:
    """An execution in that status, created then, released, its start consumed."""
    head = known(await lease(store, id, owner, now=now))
    await store.append(change(head, ["entry"], consumed=[1], status=status, **{"release": True, **fields}))
    return await found(store, id)


async def found(store: Store, id: str) -> Head:
    head = await store.head(id)
    assert head is not None
    return head


def known(accepted: Accepted) -> Head:
    assert accepted.head is not None
    return accepted.head


async def refusal(work: Awaitable[object]) -> StoreError:
    """The error with which the store refuses; fails when it does not."""
    try:
        answer = await work
    except StoreError as error:
        return error
    raise AssertionError(f"the store should have refused, and answered {answer!r}")


async def bodies(store: Store, id: str) -> list[str]:
    return (await store.mailbox(id, limit=10_000))[1]
