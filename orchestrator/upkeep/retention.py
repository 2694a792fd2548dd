"""What is over for long enough goes away: executions that have ended, and idle sessions when asked for.

Nothing goes that is leased, under way or has mail waiting, and nobody's child before its parent may go too: a parent
that is still there may be retried, and would start a child that is gone anew.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from typing import NamedTuple

from ...security.chain import link_of
from ...state.errors import Conflict, InvalidInput
from ...state.records import FINAL, Filter, Head
from ...state.store import Store
from ..audit.store_chain import record
from .moving import together

PRUNABLE = ("completed", "failed", "cancelled", "terminated", "idle")
TOGETHER = 16
"""How many deletions are under way at the same time."""
_PAGE = 200


class Verdict(NamedTuple):
    """What becomes of an old execution: ``kept`` says why it stays, empty when it goes."""

    head: Head
    kept: str


async def old(
    store: Store, older_than_ms: int, statuses: Collection[str], now: int, where: Filter = Filter()
) -> AsyncGenerator[Verdict]:
    """Executions of these statuses that have not changed for ``older_than_ms``, each with what may become of it.
    Raises InvalidInput for a status that is not PRUNABLE, and for an age that is not positive."""
    check(older_than_ms, statuses)
    before = now - older_than_ms
    if before <= 0:
        return
    parents = _Parents(store, before)
    cursor: str | None = None
    while True:
        page = await store.executions(where._replace(status=tuple(statuses), before=before), cursor, _PAGE)
        for head in page.heads:
            yield Verdict(head, await _reason(store, head, parents))
        cursor = page.cursor
        if cursor is None:
            return


def check(older_than_ms: int, statuses: Collection[str]) -> None:
    """Raise InvalidInput for what can't be pruned by."""
    wrong = [status for status in statuses if status not in PRUNABLE]
    if wrong or not statuses:
        raise InvalidInput(f"{wrong[0] if wrong else 'nothing'!r} can't be pruned; choose from {', '.join(PRUNABLE)}")
    if older_than_ms <= 0:
        raise InvalidInput("an age to prune by must be positive; write it like 30d")


async def drop(store: Store, heads: Sequence[Head], now: int, *, by: str = "") -> list[bool]:
    """Delete them, except those that have changed since they were read. Which of them went. ``by``: who does it; the
    rule of a retention, when nobody does. It is written down before, with the links that their journals end with."""
    if heads:
        links = await together([_link(store, head) for head in heads])
        told = [{"id": head.id, "length": head.length, "link": link} for head, link in zip(heads, links, strict=True)]
        await record(store, "store.delete", "store", at=now, by=by, deleted=told)
    return await together([_drop(store, head, now) for head in heads])


async def _link(store: Store, head: Head) -> str:
    last = await store.history(head.id, head.length - 1, 1) if head.length else ()
    return link_of(last[-1]) if last else ""


async def _drop(store: Store, head: Head, now: int) -> bool:
    if await store.head(head.id) != head:
        return False
    try:
        return await store.delete(head.id, now=now)
    except Conflict:
        return False


async def prune(store: Store, older_than_ms: int, statuses: Collection[str], now: int, limit: int = 1000) -> int:
    """Delete at most ``limit`` executions that may go. Returns how many went; fewer than ``limit``: all that could.

    For a process to call now and then; several may at the same time. Raises InvalidInput, StoreError.
    """
    gone = 0
    batch: list[Head] = []
    async with aclosing(old(store, older_than_ms, statuses, now)) as verdicts:
        async for verdict in verdicts:
            if gone + len(batch) >= limit:
                break
            if not verdict.kept:
                batch.append(verdict.head)
            if len(batch) == TOGETHER:
                gone += sum(await drop(store, batch, now))
                batch.clear()
    return gone + sum(await drop(store, batch, now))


class _Parents:
    """Whether parents are over for long enough; what was asked last is remembered, since siblings lie together."""

    def __init__(self, store: Store, before: int) -> None:
        self._store = store
        self._before = before
        self._known: dict[str, bool] = {}

    async def over(self, id: str) -> bool:
        if id not in self._known:
            if len(self._known) >= _PAGE:
                self._known.clear()
            head = await self._store.head(id)
            over = head is None or _lasts(head) or _between_turns(head)
            self._known[id] = over or (head is not None and _over(head) and head.updated < self._before)
        return self._known[id]


def _over(head: Head) -> bool:
    return head.status in FINAL and head.owner is None and head.wake is None


def _lasts(head: Head) -> bool:
    """A queue or a schedule: it goes on for ever, and never comes back to what it began and was told the end of."""
    return head.kind in ("queue", "schedule")


def _between_turns(head: Head) -> bool:
    """A session at rest waits for no child and is never retried; else those of years would pile up."""
    return head.status == "idle" and head.owner is None and head.wake is None


async def _reason(store: Store, head: Head, parents: _Parents) -> str:
    if head.owner is not None:
        return "leased"
    if head.wake is not None:
        return "under way"
    if head.parent is not None and not await parents.over(head.parent):
        return "its parent is there"
    if head.status == "idle" and (await store.mailbox(head.id, 1))[0]:
        return "has mail"
    return ""
