"""Whether a callback's token is one that its execution gave: who comes with a wrong one is told so, at the door.

The secret in a token follows from the seed of the execution and the operation. The seed stands in what the execution
began with, and anew in each checkpoint, where it follows from the one before; so one or two entries tell.
"""

from __future__ import annotations

import hmac

from ...state.errors import InvalidInput
from ...state.records import Head
from ...state.store import Store
from ..protocol.entries import decode
from ..protocol.starting import beginning
from .tokens import Token, next_seed, secret_of


async def prove(store: Store, head: Head, token: Token) -> None:
    """Raises InvalidInput when the execution has given no such token. One from before a checkpoint is right, though
    nobody waits for it any more."""
    latest = await _checkpoint(store, head)
    if latest is not None and _fits(token, latest):
        return
    begun = await beginning(store, head.id)
    seed = "" if begun is None else str(begun.get("seed", ""))
    for _ in range(head.length + 1):
        if not seed:
            break
        if _fits(token, seed):
            return
        if latest is None or seed == latest:
            break
        seed = next_seed(seed)
    raise InvalidInput(f"{head.id} gave no such callback token; use the one that ctx.callback gave, whole")


async def _checkpoint(store: Store, head: Head) -> str | None:
    """The seed of the last checkpoint; None when there was none."""
    if head.base == 1:
        return None
    entries = [decode(text) for text in await store.history(head.id, head.base - 1, 1)]
    return str(entries[0].get("seed", "")) if entries and entries[0]["type"] == "checkpoint" else None


def _fits(token: Token, seed: str) -> bool:
    return hmac.compare_digest(secret_of(seed, token.op).encode(), token.secret.encode())
