"""What a process that has ended had drawn: how much of it was used is in the journals.

A slice is recovered when its owner lives no more, takes nothing more out of it (``until``), and holds no execution:
then no entry that names it can still be written, because a commit is refused to all but the holder. What was used is
the sum of what the entries that name it say; it is added, and the slice removed, in one compare-and-set: once, whoever
does it, and however many at once. Until then all of it counts as spent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any, cast

from ....state.errors import EtagMismatch, StoreCorrupt
from ....state.records import Head
from ....state.store import EVERY_KEY, Store
from ...protocol.entries import decode
from .amount import NOTHING, Amount, amount_of
from .book import TRIES
from .ledger import Ledger, Slice, ledger_of
from .places import LEDGER, PLACE

SLACK = 5_000
"""Milliseconds that the clocks of two processes may differ."""
_EARLIER = 60_000
_HEADS, _ENTRIES = 500, 1000


async def accounts(store: Store) -> list[str]:
    """All that have a ledger."""
    return [key.removeprefix(LEDGER) for key in await store.keys(PLACE, LEDGER, EVERY_KEY)]


async def recover_all(store: Store, now: int) -> int:
    """Of all accounts; their ledgers are read a page at a time. Before journals are deleted, too: what was used of a
    slice is nowhere else."""
    names: list[str] = []
    after = ""
    while page := await store.values(PLACE, LEDGER, after, _HEADS):
        after = page[-1][0]
        for key, value in page:
            name = key.removeprefix(LEDGER)
            if any(_is_over(slice, now) for slice in ledger_of(value.value, name).slices.values()):
                names.append(name)
    return await recover(store, names, now) if names else 0


def _is_over(slice: Slice, now: int) -> bool:
    return slice.until + SLACK < now


async def recover(store: Store, names: Iterable[str], now: int) -> int:
    """How many slices of these accounts were closed."""
    living = await store.owners(now)
    wanted: dict[str, list[Slice]] = {}
    for name in names:
        ledger, _ = await _read(store, name)
        wanted[name] = [slice for slice in ledger.slices.values() if _is_over(slice, now) and slice.owner not in living]
    slices = [slice for some in wanted.values() for slice in some]
    if not slices:
        return 0
    since = min(slice.at for slice in slices) - _EARLIER
    held: set[str] = set()
    changed: list[str] = []
    async for head in _heads(store):
        if head.owner is not None:
            held.add(head.owner)
        if head.updated >= since:
            changed.append(head.id)
    ended = {slice.id for slice in slices if slice.owner not in held}
    if not ended:
        return 0
    used = await _used(store, changed, ended)
    return sum(
        [
            await _close(store, name, [one for one in some if one.id in ended], used)
            for name, some in wanted.items()
            if any(one.id in ended for one in some)
        ]
    )


async def _close(store: Store, name: str, slices: Iterable[Slice], used: Mapping[str, Amount]) -> int:
    for _ in range(TRIES):
        ledger, etag = await _read(store, name)
        closed = [
            slice
            for slice in slices
            if ledger.slices.get(slice.id) == slice and ledger.close(slice.id, used.get(slice.id, NOTHING))
        ]
        if not closed:
            return 0
        try:
            await store.put(PLACE, LEDGER + name, ledger.text(), etag=etag)
        except EtagMismatch:
            continue
        return len(closed)
    return 0


async def _read(store: Store, name: str) -> tuple[Ledger, str]:
    found = await store.get(PLACE, LEDGER + name)
    return (Ledger(), "") if found is None else (ledger_of(found.value, name), found.etag)


async def _heads(store: Store) -> AsyncGenerator[Head]:
    cursor: str | None = None
    while True:
        page = await store.executions(cursor=cursor, limit=_HEADS)
        for head in page.heads:
            yield head
        cursor = page.cursor
        if cursor is None:
            return


async def _used(store: Store, executions: Iterable[str], slices: set[str]) -> dict[str, Amount]:
    """What the journals say was used of each."""
    used: dict[str, Amount] = {}
    for id in executions:
        async for _, named, amount in settlements(store, id):
            for slice in named:
                if slice in slices:
                    used[slice] = used.get(slice, NOTHING).plus(amount)
    return used


async def settlements(store: Store, id: str) -> AsyncGenerator[tuple[str, tuple[str, ...], Amount]]:
    """What an execution's journal has settled: the operation, the slices, how much."""
    after = 0
    while texts := await store.history(id, after, _ENTRIES):
        after += len(texts)
        for text in texts:
            if (found := settled_in(text)) is not None:
                yield found


def settled_in(text: str) -> tuple[str, tuple[str, ...], Amount] | None:
    """What one entry settles: of its own operation, or of the one that it names. None: nothing, or nobody can read
    it."""
    if '"settled"' not in text:
        return None
    try:
        fact = decode(text)
    except StoreCorrupt:
        return None
    settled: Any = fact.get("settled")
    if not isinstance(settled, dict):
        return None
    told = cast("dict[str, Any]", settled)
    named: Any = told.get("slices")
    slices: list[Any] = named if isinstance(named, list) else []  # pyright: ignore[reportUnknownVariableType]  # JSON
    return str(told.get("op") or fact.get("op", "")), tuple(dict.fromkeys(map(str, slices))), amount_of(told)
