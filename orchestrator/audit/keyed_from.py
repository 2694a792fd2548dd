"""Up to where the entries of a chain need no key: what was there when the audit was keyed, or got another key.

    overwinter.keyed    {"chain", "n", "link", "mac"} under a digest of the chain's name; ``mac``: only who has the key
                        can have written it

Entries after the n-th must be linked with the first key, and the n-th must still be that one. A chain of which nothing
is written down here must be keyed from its first entry.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import NamedTuple

from ...security.keyed import Keyed
from ...state.codec import dumps, loads
from ...state.errors import StoreSealed
from ...state.ids import KEYED
from ...state.store import Store
from .store_chain import entry_number


class From(NamedTuple):
    """The last entry of a chain that needs no key."""

    n: int
    link: str


async def keep(store: Store, key: Keyed, chain: str, since: From) -> None:
    """Write down that the entries of a chain are keyed from there on."""
    told = {"chain": chain, **since._asdict(), "mac": key.signed(_text(chain, since))}
    await store.put(KEYED, _place(chain), dumps(told))


async def kept(store: Store, key: Keyed, chain: str, *, by_any: bool = False) -> From | None:
    """Up to where a chain needs no key; None: it was not written down, or by nobody who has the first key, or, with
    ``by_any``, one of them."""
    try:
        found = await store.get(KEYED, _place(chain))
        if found is None:
            return None
        told = loads(found.value)
        since, mac = From(entry_number(told["n"]), str(told["link"])), str(told["mac"])
    except (StoreSealed, ValueError, TypeError, KeyError):
        return None
    if by_any:
        return since if key.has_signed(_text(chain, since), mac) else None
    return since if hmac.compare_digest(mac.encode(), key.signed(_text(chain, since)).encode()) else None


async def drop(store: Store, chains: set[str]) -> None:
    """Strike what is written down of chains that are none of these."""
    places = {_place(chain) for chain in chains}
    after = ""
    while page := await store.values(KEYED, "", after):
        for place, _ in page:
            after = place
            if place not in places:
                await store.remove(KEYED, place)


def _place(chain: str) -> str:
    return sha256(chain.encode()).hexdigest()[:40]


def _text(chain: str, since: From) -> str:
    return f"keyed\n{chain}\n{since.n}\n{since.link}"
