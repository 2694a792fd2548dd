"""Saying that a store's chains are keyed from here on (``security.keyed``): each that holds is written down as it is.

The act ``store.keyed`` is recorded before. Done again it says so anew: after another key, after an import, and after a
process without the key has written. A chain in which something does not hold is left out, so that ``verify`` goes on
telling of it.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import NamedTuple

from ...state.errors import InvalidInput
from ...state.store import Store
from .keyed_from import From, drop, keep
from .proving import Finding, prove
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
            left += one.findings
            if one.unkeyed and not one.findings:
                await keep(store, key, one.chain, From(one.entries, one.link))
                older += 1
    await drop(store, chains)
    return Keyed(key.id, len(chains), older, tuple(left))
