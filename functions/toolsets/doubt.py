"""The bound of a call that may happen once at the most: when it has passed, nobody knows whether it did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ...state.errors import InDoubt
from ...state.quantities import Duration, seconds


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
