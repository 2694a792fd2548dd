"""Pages with a bound in bytes: one answer never grows with what is stored. A page holds one item at the least, and is
read in small steps, so that no more than a page and a step is ever in memory for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ...state.codec import dumps

T = TypeVar("T")

PAGE_BYTES = 4 * 1024 * 1024


def fitting(items: Sequence[T]) -> int:
    """How many of the items, as JSON, make a page."""
    size = 0
    for count, item in enumerate(items):
        size += len(dumps(item).encode())
        if count and size > PAGE_BYTES:
            return count
    return len(items)
