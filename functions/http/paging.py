"""Pages with a bound in bytes: one answer never grows with what is stored. A page holds one item at the least, and is
read in small steps, so that no more than a page and a step is ever in memory for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ...state.codec import dumps

if TYPE_CHECKING:
    from ...state.store import Store

T = TypeVar("T")

PAGE_BYTES = 4 * 1024 * 1024
FIRST, STEP = 16, 64  # entries of one look into the store; one has 256 KB at the most


async def journal(store: Store, id: str, after: int, limit: int) -> list[str]:
    """Journal texts from ``after`` on, as many as make a page."""
    texts: list[str] = []
    size, step = 0, FIRST
    while len(texts) < limit:
        wanted = min(step, limit - len(texts))
        found = await store.history(id, after + len(texts), wanted)
        for text in found:
            size += len(text.encode())
            if texts and size > PAGE_BYTES:
                return texts
            texts.append(text)
        if len(found) < wanted:
            break
        step = STEP
    return texts


def fitting(items: Sequence[T]) -> int:
    """How many of the items, as JSON, make a page."""
    size = 0
    for count, item in enumerate(items):
        size += len(dumps(item).encode())
        if count and size > PAGE_BYTES:
            return count
    return len(items)
