"""What is not known of a call that may happen once at the most: whether it did, when its time has passed, or when an
answer came that nobody can read. A model that is told of a failure would call again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from ...state.codec import mended
from ...state.errors import InDoubt, InvalidInput, ToolFailed
from ...state.quantities import Duration, seconds
from ...state.records import PAYLOAD_LIMIT


@asynccontextmanager
async def in_doubt_after(within: Duration | None, name: str) -> AsyncGenerator[None]:
    """None: no bound. Raises InDoubt."""
    limit = asyncio.timeout(None if within is None else seconds(within))
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise InDoubt(f"{name!r} had no answer within {within}; it may have taken effect") from None


def unread(what: str, why: Exception, *, once: bool) -> InDoubt | ToolFailed:
    """The error of a call that was answered with what can't be read."""
    said = f"{what} ({str(why)[:300]})"
    return InDoubt(f"{said}; it may have taken effect") if once else ToolFailed(said)


def readable_of(value: Any, what: str, *, once: bool) -> Any:
    """The value, if it can be recorded. Raises InDoubt, ToolFailed."""
    try:
        return mended(value, PAYLOAD_LIMIT)
    except InvalidInput as error:
        raise unread(f"{what} can't be read", error, once=once) from None
