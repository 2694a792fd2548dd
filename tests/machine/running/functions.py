"""What the Tasks of the corpus call. Each is a plain function of the Task's input."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from overwinter import current_call


class CustomError(Exception):
    """Of the shop's own."""


async def echo(given: Any) -> Any:
    return given


async def add(given: Any) -> Any:
    return given["a"] + given["b"]


async def hello(given: Any) -> Any:
    return {"greeting": f"Hello, {given['name']}!"}


async def boom(given: Any) -> Any:
    raise CustomError(given.get("why", "boom") if isinstance(given, dict) else "boom")


async def null(given: Any) -> Any:
    return None


async def number(given: Any) -> Any:
    return 42


async def flaky(given: Any) -> Any:
    """Fails as often as it is told, then answers. It knows by its operation how often it was tried, so it does the same
    however often its process dies."""
    tried = max(map(int, re.findall(r"~(\d+)", current_call().operation)), default=1)
    if tried <= given["times"]:
        raise CustomError(f"time {tried}")
    return {"failed": tried - 1}


async def slow(given: Any) -> Any:
    await asyncio.sleep(3600)


ALL = [slow, echo, add, hello, boom, null, number, flaky]
