"""Executions page after page, gone on with where somebody stopped, whatever begins or goes meanwhile.

Lists are newest first by when executions began. So what began after the one where it stopped was told, or has begun
since; and that one is found again, or passed where it is gone.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from typing import NamedTuple

from ...state.codec import dumps, loads
from ...state.errors import InvalidInput
from ...state.records import Filter, Head
from ...state.store import Store

MOST = 2**53
_HEADS = 100


class Stood(NamedTuple):
    """At the execution ``id``, which began at ``created``; ``page`` is the cursor of the heads among which it is. ""
    is before all of them."""

    id: str = ""
    page: str | None = None
    created: int = 0

    def text(self) -> str:
        """As a cursor that is given out."""
        return base64.urlsafe_b64encode(dumps(list(self)).encode()).decode().rstrip("=")


def stood(cursor: str) -> Stood:
    """Where it was. Raises InvalidInput for a cursor that was not given out."""
    try:
        id, page, created = loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode())
    except (ValueError, TypeError):
        id, page, created = None, None, None
    if not (isinstance(id, str) and (page is None or isinstance(page, str)) and type(created) is int):
        raise InvalidInput(f"{cursor[:80]!r} is no cursor of this list; leave it out to begin anew")
    return Stood(id, page, created)


async def from_there(store: Store, where: Filter, at: Stood) -> AsyncGenerator[tuple[Stood, Head]]:
    """The executions from ``at`` on, that one too if it is still there, each with where that is."""
    cursor, seeking = at.page, bool(at.id)
    gone = seeking and await store.head(at.id) is None
    while True:
        page = await store.executions(where, cursor, _HEADS)
        for head in page.heads:
            begun = began(head)
            if seeking and head.id != at.id and (begun > at.created or (begun == at.created and not gone)):
                continue  # it was told, or has begun since
            seeking = False
            yield Stood(head.id, cursor, begun), head
        cursor = page.cursor
        if cursor is None:
            return


def began(head: Head) -> int:
    """When it began; what is no number is listed before all that are."""
    return head.created if type(head.created) is int else MOST
