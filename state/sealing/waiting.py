"""An execution that was leased and can't be opened: its lease goes back, nothing of it is touched, and it says why.

For a missing key it is looked at again now and then, so that it goes on once the key is there; it is stuck when
its texts were changed, until somebody mends them and resumes it.
"""

from __future__ import annotations

import logging
import secrets

from ..errors import StoreCorrupt, StoreError
from ..records import FINAL, Change, Head
from ..store import Store

log = logging.getLogger("overwinter")

PAUSE = 30_000
"""Milliseconds between two looks at an execution that waits for a key."""


def later(now: int, wake: int | None) -> int:
    """The wake time of an execution that has something to be looked at again."""
    return now + PAUSE if wake is None else min(wake, now + PAUSE)


async def give_back(inner: Store, head: Head, now: int, why: StoreError) -> Head:
    """Release the lease that was just granted; the head as it is then. The mail that came with it is durable."""
    assert head.owner is not None
    log.error("execution %s is left alone: %s", head.id, why)
    status, awaits = head.status, head.awaits
    wake: int | None = later(now, None)
    if isinstance(why, StoreCorrupt) and status not in FINAL:
        status, awaits, wake = "stuck", str(why), None
    elif status == "running":
        status, awaits = "waiting", "a key of the store"
    change = Change(
        id=head.id,
        owner=head.owner,
        version=head.version,
        at=now,
        entries=(),
        consumed=(),
        arrivals=head.arrivals,
        status=status,
        wake=wake,
        release=True,
        base=head.base,
        awaits=awaits,
        note=head.note,
        state=head.state,
        tell=status == "stuck",
        token=secrets.token_hex(8),
    )
    answer = await inner.append(change)
    while not answer.released:
        change = change._replace(version=change.version + 1, arrivals=answer.arrivals, token=secrets.token_hex(8))
        answer = await inner.append(change)
    return head._replace(
        owner=None,
        status=status,
        version=change.version + 1,
        arrivals=answer.arrivals,
        wake=wake,
        updated=now,
        awaits=awaits,
    )
