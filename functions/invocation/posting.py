"""One request to where a route leads: what was asked goes there and nowhere else, and what comes back is bounded.

Connections are kept from call to call. No redirection is followed, an answer that is compressed without being asked for
is not read, and who says nothing for too long is given up.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from .connections import CONNECT, Connections, library

if TYPE_CHECKING:
    import httpx

MOST = 64 * 1024 * 1024
"""Bytes of an answer."""
SILENCE = 90.0
"""Seconds without a byte after which a connection is given up."""
WHOLE = 120.0
"""Seconds after which an answer that still comes, byte by byte, is given up."""


class Unreached(Exception):  # never leaves the rooms that post: each says what it is there
    """Nobody answered, or in the middle of an answer there was an end."""


class Silent(Unreached):
    """It was sent, and nothing has been said for too long: it may go on there."""


class Unwanted(Exception):  # as above
    """What was answered is not read: it is compressed, or too long."""


class Told(NamedTuple):
    """An answer that was read whole."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        """What it holds; None when that is no JSON."""
        return parsed(self.body)


class Posts:
    """Requests of one kind."""

    def __init__(self) -> None:
        self._connections: dict[bool, Connections] = {}

    @asynccontextmanager
    async def posted(
        self, url: str, body: bytes, headers: Mapping[str, str], silence: float = SILENCE, *, method: str = "POST"
    ) -> AsyncGenerator[httpx.Response]:
        """The answer, its body not read. Raises Unreached, Unwanted."""
        httpx = await library()
        encrypted = url.startswith("https:")
        client = await self._connections.setdefault(encrypted, Connections(encrypted=encrypted)).client()
        whole = {"accept-encoding": "identity", **headers}
        try:
            wait = httpx.Timeout(silence, connect=CONNECT)
            async with client.stream(
                method, url, content=body, headers=whole, timeout=wait, follow_redirects=False
            ) as response:
                if response.headers.get("content-encoding", "identity") != "identity":  # it may be of any size
                    raise Unwanted("the answer is compressed, which was not asked")
                yield response
        except httpx.ReadTimeout:
            raise Silent(f"said nothing for {silence:g} s") from None
        except httpx.TimeoutException:
            raise Unreached(f"said nothing for {silence:g} s") from None
        except httpx.HTTPError as error:
            raise Unreached(str(error) or type(error).__name__) from None

    async def whole(
        self, url: str, body: bytes, headers: Mapping[str, str], silence: float = SILENCE, *, method: str = "POST"
    ) -> Told:
        """The answer, read. Raises Unreached, Unwanted."""
        bound = asyncio.timeout(WHOLE)
        try:
            async with bound, self.posted(url, body, headers, silence, method=method) as response:
                return Told(response.status_code, response.reason_phrase, response.headers, await read(response))
        except TimeoutError:
            if not bound.expired():
                raise
            raise Unreached(f"was not done with its answer after {WHOLE:g} s") from None


async def read(response: httpx.Response) -> bytes:
    """The body of an answer. Raises Unwanted when it is longer than MOST."""
    whole = bytearray()
    async for data in response.aiter_bytes():
        whole += data
        if len(whole) > MOST:
            raise Unwanted(f"the answer is longer than {MOST:,} bytes")
    return bytes(whole)


def parsed(text: bytes) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def sent_as(kind: str, token: str) -> dict[str, str]:
    """The headers of a request whose body is of that media type."""
    headers = {"content-type": kind, "accept": "application/json"}
    return headers | ({"authorization": f"Bearer {token}"} if token else {})
