"""The store's own chain: who changed what belongs to no single execution, or to one that is gone by it.

Key-value entries under the scope ``overwinter.audit``, which no code of a user can write:

    current, current.2  the name of this store's chain; the highest number counts
    NAME/000000000001   {"n", "at", "what", "on", "by", …, "link"}, numbered from 1, each written once and never again
    NAME/head           {"n", "link"}: how far it has come

A record is written before what it tells of is done, so that nothing is done without one; one that tells of what a crash
or a refusal then prevented may stand. A number is taken by whoever writes it first (compare-and-set), and the head
follows; one that lags because its writer died is moved on by the next. Chains of other stores that were imported stand
beside it under their own names.

A chain that is sealed with a key that was lost, or of which the end was changed, can't be gone on with. Another one
begins then, with the record ``store.chain-anew``, and the one before stays beside it, for ``verify`` and for whoever
finds the key. Whoever names the next one first (compare-and-set) has begun it, and all others go on with that one.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

from ...security.chain import keyed_all, link_of, linked, root
from ...security.keyed import Keyed
from ...state.codec import cleaned, dumps, loads
from ...state.errors import EtagMismatch, StoreCorrupt, StoreSealed, StoreUnavailable
from ...state.ids import AUDIT, CHAIN
from ...state.records import Value
from ...state.store import EVERY_KEY, Store

CURRENT, HEAD = "current", "head"
SEALED = dumps({"what": "sealed", "on": "store", "at": 0})
"""Stands for a record that is sealed with a key that is not here."""
TRIES = 64
"""How often a number is tried that others write at the same time."""
_PAGE = 500
_DIGITS = 10
_NUMBERS = 10**12


class Reached(NamedTuple):
    """How far a chain has come: the number of its last record, and that one's link."""

    n: int
    link: str


async def record(store: Store, what: str, on: str, *, at: int, by: str = "", **more: Any) -> None:
    """Write down what is about to be done. It is durable when this returns. Raises StoreError."""
    told = _told(what, on, at, by, more)
    named = await _named(store)
    try:
        await _write(store, await _name(store, named), told)
    except (StoreSealed, StoreCorrupt) as error:  # its key was given up (store forget-key), or somebody has changed it
        await _write(store, await _anew(store, named, at, str(error)), told)


async def add(store: Store, what: str, on: str, *, at: int, by: str = "", **more: Any) -> None:
    """The same, and what is damaged stays as it is. Raises StoreSealed, StoreCorrupt where the chain can't be gone on
    with."""
    await _write(store, await _name(store, await _named(store)), _told(what, on, at, by, more))


def _told(what: str, on: str, at: int, by: str, more: Mapping[str, Any]) -> dict[str, Any]:
    return {"what": what, "on": on, "at": at, **({"by": by} if by else {}), **more}


async def _anew(store: Store, named: int, at: int, reason: str) -> str:
    """The chain after the one that was ``named``: begun, with a record that says why, unless somebody else was first.
    It is named when it has that record: what is named and not there would be one that was taken out."""
    name, place = secrets.token_hex(8), _place(named + 1)
    await _write(store, name, {"what": "store.chain-anew", "on": "store", "at": at, "reason": reason})
    try:
        await store.put(AUDIT, place, dumps(name), etag="")
    except EtagMismatch:
        for one in (HEAD, _numbered(1)):
            await store.remove(AUDIT, f"{name}/{one}")
        return await _name(store, named + 1)
    return name


async def begun(store: Store) -> bool:
    """Whether the store has a chain of its own."""
    return await _named(store) > 0


async def _named(store: Store) -> int:
    """How many chains of the store's own there have been: the number of the one that is gone on with."""
    found = [one.removeprefix(CURRENT).removeprefix(".") for one in await store.keys(AUDIT, CURRENT, EVERY_KEY)]
    return max((int(one or 1) for one in found if not one or (one.isdecimal() and len(one) < _DIGITS)), default=0)


def _place(number: int) -> str:
    """Where the name of the store's own chain of that number lies."""
    return CURRENT if number < 2 else f"{CURRENT}.{number}"


async def _write(store: Store, name: str, told: Mapping[str, Any]) -> None:
    told = {**told, "id": secrets.token_hex(8)}
    for _ in range(TRIES):
        there = await store.get(AUDIT, f"{name}/{HEAD}")
        head = reached(there)
        text = _linked(store.audit_key, head.link or root_of(name), dumps(cleaned({"n": head.n + 1, **told})))
        mine = True
        try:
            await store.put(AUDIT, key(name, head.n + 1), text, etag="")
        except EtagMismatch:
            found = await store.get(AUDIT, key(name, head.n + 1))
            if found is None:
                continue
            mine, text = found.value == text, found.value
        link = link_of(text)
        if not link:
            raise StoreCorrupt(f"record {head.n + 1} of the audit of the store was changed; overwinter audit verify")
        with suppress(EtagMismatch):  # somebody else has moved it on
            told_head = dumps({"n": head.n + 1, "link": link})
            await store.put(AUDIT, f"{name}/{HEAD}", told_head, etag="" if there is None else there.etag)
        if mine:
            return
    raise StoreUnavailable("the audit of the store is being written by many others; try again")


def _linked(key: Keyed | None, before: str, text: str) -> str:
    return linked(before, text) if key is None else keyed_all(key, before, [text])[0][0]


async def _name(store: Store, number: int) -> str:
    """The name of the store's own chain of that number; of a store that has none yet, a new one."""
    if not number:
        if await names(store):
            raise StoreCorrupt("which chain is the store's own was taken out")
        with suppress(EtagMismatch):
            await store.put(AUDIT, CURRENT, dumps(secrets.token_hex(8)), etag="")
    found = await store.get(AUDIT, _place(number))
    if found is None:
        raise StoreUnavailable("the audit of the store could not be begun; try again")
    try:
        name = loads(found.value)
    except ValueError:
        name = None
    if not isinstance(name, str) or not CHAIN.fullmatch(f"store:{name}"):
        raise StoreCorrupt(f"which chain is the store's own can't be read: {found.value[:80]!r}")
    return name


def key(name: str, number: int) -> str:
    return f"{name}/{_numbered(number)}"


def _numbered(number: int) -> str:
    return f"{number:012}"


def root_of(name: str) -> str:
    """What the first record of a chain follows."""
    return root(f"store {name}")


def reached(head: Value | None) -> Reached:
    """Raises StoreCorrupt."""
    if head is None:
        return Reached(0, "")
    try:
        told = loads(head.value)
        return Reached(entry_number(told["n"]), str(told["link"]))
    except (ValueError, TypeError, KeyError):
        raise StoreCorrupt(f"how far the audit of the store has come can't be read: {head.value[:80]!r}") from None


def entry_number(told: Any) -> int:
    """The number of an entry as JSON says it, which anybody may have written. Raises ValueError."""
    if type(told) is not int or not 1 <= told < _NUMBERS:
        raise ValueError(f"{told!r:.40} is no number of an entry")
    return told


async def current(store: Store) -> str:
    """The name of the store's own chain; "" when none is named, or by a key that is not here."""
    try:
        found = await store.get(AUDIT, _place(await _named(store)))
    except StoreSealed:
        return ""
    return "" if found is None else found.value.strip('"')


async def names(store: Store) -> list[str]:
    """The chains that there are, this store's own first."""
    found = dict.fromkeys(one.partition("/")[0] for one in await store.keys(AUDIT, "", EVERY_KEY) if "/" in one)
    own = await current(store)
    return sorted(found, key=lambda name: (name != own, name))


async def texts(store: Store, name: str, after: int = 0) -> AsyncGenerator[tuple[int, str]]:
    """The records of a chain with the numbers that their keys say, in order; SEALED for one that can't be opened."""
    last = key(name, after)
    while page := await _some(store, name, last):
        for where, value in page:
            number = where.partition("/")[2]
            if number.isdecimal():
                yield int(number), value.value
        last = page[-1][0]


async def _some(store: Store, name: str, last: str) -> Sequence[tuple[str, Value]]:
    try:
        return await store.values(AUDIT, f"{name}/", last, _PAGE)
    except StoreSealed:  # one of them is: they are read one by one
        keys = [one for one in await store.keys(AUDIT, f"{name}/", EVERY_KEY) if one > last]
        return [(one, await _opened(store, one)) for one in sorted(keys)[:_PAGE]]


async def _opened(store: Store, where: str) -> Value:
    try:
        found = await store.get(AUDIT, where)
    except StoreSealed:
        found = None
    return Value(SEALED, "") if found is None else found


def read(text: str) -> Mapping[str, Any]:
    """What a record says; one that can't be read says so."""
    try:
        told = loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return {"what": "damaged", "on": "", "at": 0}
    return cast("dict[str, Any]", told)
