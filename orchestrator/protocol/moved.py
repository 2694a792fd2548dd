"""The mark of a move, in a store whose executions go, or have gone, to another one. Who opens such a store is refused
and told where to go; ``upkeep.moving`` sets the mark.

It is one key-value entry: scope ``overwinter.store``, key ``moved``, value ``{"state", "to" or "from", "at"}`` with the
state ``moving`` or ``moved`` in the source and ``arriving`` in the target.
"""

from __future__ import annotations

from typing import NamedTuple

from ...security.address import shown
from ...state.codec import loads
from ...state.errors import StoreCorrupt, StoreMoved
from ...state.store import Store

SCOPE = "overwinter.store"
KEY = "moved"
NOTICE = 6.0
"""Seconds within which a process that is idle, and that a store may not show, looks for the mark and stops."""


class Mark(NamedTuple):
    """What a store says of a move. ``other`` is the DSN at its other end, without secrets."""

    state: str  # "moving", "moved" or "arriving"
    other: str
    at: int
    etag: str


async def read_mark(store: Store) -> Mark | None:
    """What the store says of a move; None when it has never been part of one."""
    stored = await store.get(SCOPE, KEY)
    if stored is None:
        return None
    try:
        value = loads(stored.value)
        other = value["from"] if value["state"] == "arriving" else value["to"]
        return Mark(str(value["state"]), str(other), int(value["at"]), stored.etag)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise StoreCorrupt(
            f"{shown(store.dsn)} holds a mark of a move that can't be read: {stored.value[:80]!r}"
        ) from None


async def refuse_moved(store: Store) -> None:
    """Raise StoreMoved when the store's executions belong to another store, naming it. One read.

    A process asks after it has registered (``beat``), so that a move that begins at that moment sees the process,
    or the process sees the move.
    """
    mark = await read_mark(store)
    if mark is not None:
        raise StoreMoved(refusal(shown(store.dsn), mark))


def refusal(here: str, mark: Mark) -> str:
    """Why the store ``here`` may not be served, and what to do."""
    if mark.state == "moved":
        return f"what was in {here} has moved to {mark.other}; use that store"
    if mark.state == "moving":
        return (
            f"{here} is being moved to {mark.other}; use that store when it is done. If the move was interrupted, do "
            f"it again (overwinter store move) or give it up (overwinter store move --undo)"
        )
    return (
        f"{here} holds an unfinished copy of {mark.other}; wait until the move is done. If it was interrupted, "
        f"do it again (overwinter store move), or remove this copy"
    )
