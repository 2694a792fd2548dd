"""Waiting for what another task brings about."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T]]) -> T:
    """The first thing that is seen."""
    while True:
        if found := await look():
            return found
        await asyncio.sleep(0.01)
