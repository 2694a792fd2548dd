"""Standing approvals for all executions of a function: one value of the store for each, changed by compare-and-set.

    {"standing": [terms…], "revoked": [{"standing", "by", "reason", "at"}…]}

``terms`` are as the decision records them, with the ``execution`` in which they were given. Whoever is about to ask
reads this once; what is revoked is for nobody who reads it afterwards. There are MOST at once, and with one more the
eldest ends; those whose time is over go with the next change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar, cast

from ....state.codec import dumps, loads
from ....state.errors import AlreadyFinished, EtagMismatch, StoreCorrupt, StoreUnavailable
from ....state.store import EVERY_KEY, Store
from ...audit.store_chain import record
from ...protocol.decider import Access, Fact
from ...protocol.shared import place_of
from .standing import MOST

PLACE = place_of("overwinter.standing")
"""Where they lie, under the name of the function."""
LOOKUP = "standing approvals"
"""The name of the step by which an execution reads them."""
REVOKED = 50
"""The last revocations that are kept."""
TRIES = 64
"""How often a value is read and written again that others write as well."""

T = TypeVar("T")


class Register(NamedTuple):
    """Of one function, oldest first."""

    standing: list[Fact]
    revoked: list[Fact]

    def text(self) -> str:
        return dumps({"standing": self.standing[-MOST:], "revoked": self.revoked[-REVOKED:]})


def lookup(op: str, function: str, *, what: str, version: str, role: str) -> Access:
    """The reading of those that may be for a call of that tool. What it says is in the journal before anybody is asked,
    so that whoever reads that needs no store."""
    return Access(op, LOOKUP, "get", PLACE, function, read=partial(chosen, what=what, version=version, role=role))


def chosen(found: Any, *, what: str, version: str, role: str) -> list[Fact]:
    """Those for calls of that tool, of what a reading of the value has found. Raises ValueError, TypeError."""
    if found is None:
        return []
    told = _register(found["value"]).standing
    return [one for one in told if (one["what"], one["version"], one["role"]) == (what, version, role)]


async def good(store: Store, function: str, now: int) -> list[Fact]:
    """Those that are good now. Raises StoreCorrupt, other StoreErrors."""
    found = await store.get(PLACE, function)
    return [] if found is None else _current(_read(found.value, function), now)


async def functions(store: Store) -> list[str]:
    """The functions that have any, or had."""
    return sorted(await store.keys(PLACE, "", EVERY_KEY))


async def give(store: Store, function: str, terms: Mapping[str, Any], now: int) -> bool:
    """It holds from now on. False when it was there before, by its id."""

    def change(register: Register) -> tuple[Register, bool]:
        others = [one for one in _current(register, now) if one["id"] != terms["id"]]
        revoked = [one for one in register.revoked if one["standing"] != terms["id"]]
        new = all(one["id"] != terms["id"] for one in register.standing)
        return Register([*others, dict(terms)], revoked), new

    said = {name: terms[name] for name in ("id", "what", "version", "role", "execution", "until") if name in terms}
    await record(store, "standing.give", function, at=now, by=str(terms.get("by") or ""), terms=said)
    return await _changed(store, function, change)


async def withdraw(store: Store, function: str, standing: str, now: int) -> None:
    """What was given with a decision that came to nothing."""

    def change(register: Register) -> tuple[Register, None]:
        return Register([one for one in _current(register, now) if one["id"] != standing], register.revoked), None

    await record(store, "standing.withdraw", function, at=now, standing=standing)
    await _changed(store, function, change)


async def revoke(store: Store, function: str, standing: str, *, by: str, reason: str, now: int) -> Fact | None:
    """It ends. What it was; None when there is none. Raises AlreadyFinished when somebody else has revoked it."""

    def change(register: Register) -> tuple[Register, Fact | None]:
        there = _current(register, now)
        terms = next((one for one in there if one["id"] == standing), None)
        for one in register.revoked:
            if terms is None and one["standing"] == standing:
                raise AlreadyFinished(
                    f"the standing approval {standing!r} of {function} has been revoked already, by {one['by']}"
                )
        ended = [] if terms is None else [{"standing": standing, "by": by, "reason": reason, "at": now}]
        rest = [one for one in there if one["id"] != standing]
        return Register(rest, [*register.revoked, *ended]), terms

    there = await store.get(PLACE, function)
    before = Register([], []) if there is None else _read(there.value, function)
    if change(before)[0] == before:
        return None  # there is none to revoke, and nothing to tell of
    await record(store, "standing.revoke", function, at=now, by=by, reason=reason, standing=standing)
    return await _changed(store, function, change)


async def _changed(store: Store, function: str, change: Callable[[Register], tuple[Register, T]]) -> T:
    for _ in range(TRIES):
        found = await store.get(PLACE, function)
        before = Register([], []) if found is None else _read(found.value, function)
        after, told = change(before)
        if after == before:
            return told
        try:
            await store.put(PLACE, function, after.text(), etag="" if found is None else found.etag)
        except EtagMismatch:
            continue
        return told
    raise StoreUnavailable(f"the standing approvals of {function} are being changed by many others; try again")


def _current(register: Register, now: int) -> list[Fact]:
    return [one for one in register.standing if one["until"] > now]


def _read(text: str, function: str) -> Register:
    """Raises StoreCorrupt: what can't be read approves nothing, and is not written over."""
    try:
        return _register(loads(text))
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreCorrupt(
            f"the standing approvals for all executions of {function} can't be read ({error}); remove the key "
            f"{function!r} of the scope 'overwinter.standing', and give them anew"
        ) from None


def _register(told: Any) -> Register:
    """Raises ValueError, TypeError."""
    try:
        standing = [cast("Fact", dict(one)) for one in told["standing"]]
        revoked = [cast("Fact", dict(one)) for one in told["revoked"]]
        for one in standing:
            _ = one["id"], one["what"], one["version"], one["role"], one["by"]
            if type(one["until"]) is not int:
                raise ValueError(f"{one['until']!r:.40} is no time")
        for one in revoked:
            _ = one["standing"], one["by"]
    except KeyError as error:
        raise ValueError(f"{error} is missing") from None
    return Register(standing, revoked)
