"""The API as the console asks for it where it lies elsewhere: each request goes on as it came, with the token that its
browser sent, and what comes back goes back, piece by piece. Nothing is kept and nothing is added.

Of headers only those go on that the API knows: no cookies, and nothing that a proxy on the way may have added.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

from ..functions.messages.answer import Answer, Receive, Scope, Send
from ..functions.messages.message import RawHeaders, read_body
from ..functions.messages.problem import Refused, answered
from ..state.errors import InvalidInput

if TYPE_CHECKING:
    import httpx

MAX_BODY = 4 * 1024 * 1024
PATIENCE = 10.0  # seconds for the API to take a connection
SILENCE = 100.0
"""Seconds without a byte after which the API is taken for gone: a request may wait for 60, a stream says something each
15."""
OPEN = 1000  # requests at a time
_ON = frozenset(
    {
        b"accept",
        b"authorization",
        b"content-type",
        b"idempotency-key",
        b"last-event-id",
        b"overwinter-tenant",
        b"overwinter-user",
        b"prefer",
    }
)
_BACK = (
    "allow",
    "cache-control",
    "content-security-policy",
    "content-type",
    "idempotent-replay",
    "location",
    "overwinter-error",
    "referrer-policy",
    "retry-after",
    "www-authenticate",
    "x-accel-buffering",
    "x-frame-options",
    "x-robots-tag",
)
_SAFE = (
    ("x-content-type-options", "nosniff"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
)
"""Whatever answers at the API's address does so as the console: no script of it runs beside the token."""


class Proxy:
    """An ASGI application that asks the API at ``url``. Raises InvalidInput for what is no address."""

    def __init__(self, url: str, transport: httpx.AsyncBaseTransport | None = None) -> None:
        import httpx

        try:
            place = httpx.URL(url.rstrip("/"))
        except httpx.InvalidURL as error:
            raise InvalidInput(f"{url[:200]!r} is no address of an API ({error})") from None
        if place.scheme not in ("http", "https") or not place.host or place.query or place.fragment or place.userinfo:
            raise InvalidInput(f"{url[:200]!r} is no address of an API; write one like https://api.example.com")
        self.url = str(place)
        self._place = place
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._over = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, refused = b"", None
        try:
            body = await read_body(scope, receive, MAX_BODY)
        except Refused as error:
            refused = error

        async def work() -> None:
            answer = await answered(self._asked(scope, body, refused))
            await answer(scope, receive, send)

        await _first(work(), _gone(receive), self._over.wait())

    async def _asked(self, scope: Scope, body: bytes, refused: Refused | None) -> Answer:
        import httpx

        if refused is not None:
            raise refused
        if not {".", ".."}.isdisjoint(scope["path"].split("/")):
            raise Refused(404, "no path of the API has a part that is . or .., which would lead out of its address")
        path: bytes = self._place.raw_path.rstrip(b"/") + (scope.get("raw_path") or scope["path"].encode())
        query: bytes = scope.get("query_string", b"")
        asked: RawHeaders = scope["headers"]
        headers = [(name, value) for name, value in asked if name in _ON]
        request = self._reach().build_request(
            scope["method"],
            self._place.copy_with(raw_path=path + (b"?" + query if query else b"")),
            headers=[*headers, (b"accept-encoding", b"identity")],
            content=body,
        )
        try:
            return Relayed(await self._reach().send(request, stream=True))
        except httpx.TimeoutException:
            raise Refused(504, f"the API at {self.url} does not answer; try again") from None
        except httpx.TransportError as error:
            raise Refused(502, f"the API at {self.url} can't be reached ({type(error).__name__})") from None

    def _reach(self) -> httpx.AsyncClient:
        import httpx

        if self._client is None:
            timeout = httpx.Timeout(PATIENCE, read=SILENCE)
            limits = httpx.Limits(max_connections=OPEN, max_keepalive_connections=20)
            nobodys = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # one browser's would go on with another's
            self._client = httpx.AsyncClient(cookies=nobodys, timeout=timeout, limits=limits, transport=self._transport)
        return self._client

    def cut(self) -> None:
        """The server ends: so do the requests that are open."""
        self._over.set()

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


class Relayed(Answer):
    """An answer of the API, sent on as it arrives."""

    __slots__ = ("_response",)

    def __init__(self, response: httpx.Response) -> None:
        back = [(name, response.headers[name]) for name in _BACK if name in response.headers]
        back += [one for one in _SAFE if one[0] not in _BACK or one[0] not in response.headers]
        super().__init__(response.status_code, headers=back)
        self._response = response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in self.headers]
        try:
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            async for piece in self._response.aiter_bytes():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            await self._response.aclose()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first(work: Coroutine[Any, Any, None], *ends: Coroutine[Any, Any, object]) -> None:
    """Do the work, unless one of these comes before its end. Raises what the work raises."""
    tasks = [asyncio.ensure_future(one) for one in (work, *ends)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks[1:] if tasks[0].done() else tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()
