"""Past windows, out of the ledger: what was used in them, by month. Each is written once, before the ledger forgets it,
so one that dies in between writes it again, and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ....state.codec import dumps, loads
from ....state.errors import EtagMismatch, StoreCorrupt, StoreUnavailable
from ....state.store import Store
from .amount import Amount, amount_of
from .book import TRIES
from .places import PLACE, past_of
from .windows import month_of


async def archive(store: Store, account: str, past: Mapping[str, Amount]) -> None:
    """Durable when it returns. What is there already stays as it is."""
    for month in sorted({month_of(key) for key in past}):
        await _write(store, account, month, {key: spent for key, spent in past.items() if month_of(key) == month})


async def _write(store: Store, account: str, month: str, past: Mapping[str, Amount]) -> None:
    place = past_of(account) + month
    for _ in range(TRIES):
        found = await store.get(PLACE, place)
        there = {} if found is None else _read(found.value, account)
        if past.keys() <= there.keys():
            return
        told = {**{key: spent.record() for key, spent in past.items()}, **there}
        try:
            await store.put(PLACE, place, dumps(told), etag="" if found is None else found.etag)
        except EtagMismatch:
            continue
        return
    raise StoreUnavailable(f"past windows of {account} are written by others all the time; try it again")


async def archived(store: Store, account: str) -> dict[str, Amount]:
    """All past windows of an account."""
    found: dict[str, Amount] = {}
    prefix, after = past_of(account), ""
    while page := await store.values(PLACE, prefix, after, 100):
        after = page[-1][0]
        for _, value in page:
            found.update({key: amount_of(told) for key, told in _read(value.value, account).items()})
    return found


def _read(text: str, account: str) -> dict[str, Any]:
    try:
        told: object = loads(text)
    except ValueError as error:
        raise StoreCorrupt(f"past windows of {account} can't be read ({error}); overwinter budget remove") from None
    return cast("dict[str, Any]", told) if isinstance(told, dict) else {}
