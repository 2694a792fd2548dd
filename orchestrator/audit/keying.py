"""Saying that a store's chains are keyed from here on (``security.keyed``): each that holds is written down as it is.

The act ``store.keyed`` is recorded before. Done again it says so anew: after another key, after an import, and after a
process without the key has written. A chain in which something does not hold, or that is not the one that was keyed
before, with any of the keys that this process has, is left out, so that ``verify`` goes on telling of it.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import NamedTuple

from ...state.errors import InvalidInput
from ...state.store import Store
from .keyed_from import From, drop, keep, kept
from .proving import Finding, changed_since, prove
from .store_chain import record

NO_KEY = (
    "there is no key to link the audit with; make one (overwinter store new-key) and say where it lies: "
    "OVERWINTER_AUDIT_KEY=env:NAME or file:PATH, for every process on this store"
)


class Keyed(NamedTuple):
    """``chains`` were looked at, ``older`` of them have entries that need no key, or another one. ``left``: what does
    not hold, in chains that were left as they are."""

    key: str
    chains: int
    older: int
    left: tuple[Finding, ...]


async def key_from_here(store: Store, *, at: int, by: str = "") -> Keyed:
    """From here on what is written must be keyed. Raises InvalidInput when this process has no key, StoreError."""
    key = store.audit_key
    if key is None:
        raise InvalidInput(NO_KEY)
    executions = sum((await store.counts()).values())
    await record(store, "store.keyed", "store", at=at, by=by, key=key.id, executions=executions)
    chains, older, left = set[str](), 0, list[Finding]()
    async with aclosing(prove(store, keyed=False)) as all_of_them:
        async for one in all_of_them:
            chains.add(one.chain)
            findings = [*one.findings]
            if one.unkeyed and not findings and (since := await kept(store, key, one.chain, by_any=True)):
                findings = await changed_since(store, one.chain, since, one.entries)  # it was made anew without a key
            left += findings
            if one.unkeyed and not findings:
                await keep(store, key, one.chain, From(one.entries, one.link))
                older += 1
    await drop(store, chains)
    return Keyed(key.id, len(chains), older, tuple(left))
