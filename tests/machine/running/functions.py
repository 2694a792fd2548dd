"""What the Tasks of the corpus call. Each is a plain function of the Task's input."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from overwinter import current_call

TOKENS: dict[str, str] = {}
"""The task token that ``ask`` was given last."""


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
    """Fails as often as it is told, then answers."""
    tried = _tried()
    if tried <= given["times"]:
        raise CustomError(f"time {tried}")
    return {"failed": tried - 1}


async def tumble(given: Any) -> Any:
    """Fails with each of the errors in turn, then answers with what it was given."""
    errors = given["errors"]
    tried = _tried()
    if tried <= len(errors):
        raise type(errors[tried - 1], (Exception,), {})(f"time {tried}")
    return given


def _tried() -> int:
    """For which time its state is tried, by its operation: so it is the same however often its process dies."""
    return max(map(int, re.findall(r"~(\d+)", current_call().operation)), default=1)


async def ask(given: Any) -> Any:
    """Hands the task token to somebody who will say what came of it."""
    TOKENS["token"] = given["token"]


async def slow(given: Any) -> Any:
    await asyncio.sleep(3600)


ALL = [slow, ask, tumble, echo, add, hello, boom, null, number, flaky]
