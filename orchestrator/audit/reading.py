"""Acts as they are asked for: all of a store, of one execution, or a bounded page.

Journals are read as they are, so what is asked of many executions costs as much as they have entries. A page looks at
so many entries at the most, says how many, and its cursor goes on behind them.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from ...state.codec import dumps, loads
from ...state.errors import InvalidInput, StoreSealed
from ...state.records import Filter, Head
from ...state.store import Store
from ..protocol.entries import shown_anyway
from ..protocol.resuming import MOST, Stood, from_there
from . import store_chain
from .acts import Act, Wanted, of_entry, of_record

STORE = "store:"
_PAGE = 200


class Found(NamedTuple):
    """A page of acts. ``scanned`` is how many entries were looked at, ``cursor`` where the next page begins, None at
    the end."""

    acts: list[Act]
    scanned: int
    cursor: str | None


class _At(NamedTuple):
    """Where a reading stands: in the chain ``chain``, behind its entry ``n``; ``page`` is the cursor of the heads among
    which the execution is, and ``created`` when it began, so that it is found however many have begun since, and passed
    where it is gone. ``own``: it is a chain of the store, whatever an execution is called."""

    chain: str
    n: int
    page: str | None
    own: bool = False
    created: int = 0

    def text(self) -> str:
        return base64.urlsafe_b64encode(dumps(list(self)).encode()).decode().rstrip("=")


_Place = tuple[_At, Act | None]


async def acts(store: Store, wanted: Wanted = Wanted()) -> AsyncGenerator[Act]:
    """All that fit: the store's own chains first, then execution by execution, newest first."""
    async with aclosing(_entries(store, wanted, _At("", 0, None))) as places:
        async for _, act in places:
            if act is not None and wanted.fits(act):
                yield act


async def of_execution(store: Store, head: Head, after: int = 0) -> AsyncGenerator[_Place]:
    """The entries of one journal behind number ``after``, each with the act that it records, if it does. One that is
    sealed with a key that is not here ends them, with an act ``sealed`` that says so."""
    number = after
    try:
        while texts := await store.history(head.id, number, _PAGE):
            for text in texts:
                number += 1
                yield _At(head.id, number, None), of_entry(head, number, shown_anyway(text, number), text)
    except StoreSealed as error:  # the others are told all the same
        if number < head.length:
            told = Act(head.updated, "", "sealed", head.id, head.function, str(error), {}, head.id, head.length, "")
            yield _At(head.id, head.length, None), told


async def page(store: Store, wanted: Wanted, cursor: str | None, *, limit: int, scan: int) -> Found:
    """At most ``limit`` acts, of at most ``scan`` entries. Raises InvalidInput for a cursor that was not given out."""
    found: list[Act] = []
    scanned = 0
    async with aclosing(_entries(store, wanted, _position(cursor))) as places:
        async for at, act in places:
            scanned += 1
            if act is not None and wanted.fits(act):
                found.append(act)
            if len(found) >= limit or scanned >= scan:
                return Found(found, scanned, at.text())
    return Found(found, scanned, None)


def check_cursor(cursor: str | None) -> None:
    """Raises InvalidInput for a cursor that was not given out."""
    _position(cursor)


def _position(cursor: str | None) -> _At:
    if cursor is None:
        return _At("", 0, None)
    try:
        chain, n, among, own, created = loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (ValueError, TypeError):
        chain, n, among, own, created = None, None, None, None, None
    n = n if type(n) is int and 0 <= n < MOST else None
    fits = among is None or isinstance(among, str)
    if not (isinstance(chain, str) and isinstance(own, bool) and type(created) is int) or n is None or not fits:
        raise InvalidInput(f"{cursor[:80]!r} is no cursor of this list; leave it out to begin anew")
    return _At(chain, n, among, own, created)


async def _entries(store: Store, wanted: Wanted, at: _At) -> AsyncGenerator[_Place]:
    if not at.chain or at.own:
        async with aclosing(_of_store(store, wanted, at)) as records:
            async for place in records:
                yield place
        at = _At("", 0, None)
    if wanted.what.startswith(("budget", "store", "standing")):
        return  # these are in no journal
    if wanted.on:
        head = await store.head(wanted.on)
        if head is not None:
            async with aclosing(of_execution(store, head, at.n)) as entries:
                async for place in entries:
                    yield place
        return
    async with aclosing(_of_executions(store, wanted, at)) as entries:
        async for place in entries:
            yield place


async def _of_store(store: Store, wanted: Wanted, at: _At) -> AsyncGenerator[_Place]:
    begun = at.chain == ""
    for name in await store_chain.names(store):
        here = at.n if f"{STORE}{name}" == at.chain else 0
        begun = begun or f"{STORE}{name}" == at.chain
        if begun:
            async with aclosing(store_chain.texts(store, name, here)) as records:
                async for number, text in records:
                    act = of_record(name, number, store_chain.read(text), text)
                    yield _At(act.chain, number, None, True), act


async def _of_executions(store: Store, wanted: Wanted, at: _At) -> AsyncGenerator[_Place]:
    where, there = Filter(function=wanted.function), Stood(at.chain, at.page, at.created)
    async with aclosing(from_there(store, where, there)) as heads:
        async for stand, head in heads:
            if head.updated < wanted.since:
                continue  # all of its entries are older
            async with aclosing(of_execution(store, head, at.n if head.id == at.chain else 0)) as entries:
                async for place, act in entries:
                    yield place._replace(page=stand.page, created=stand.created), act
