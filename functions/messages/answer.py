"""A finished HTTP answer, independent of any framework: an ASGI application that sends itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from ...state.codec import dumps

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Iterable[tuple[str, str]]


class Answer:
    """Status, headers and body. Header values are ASCII."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Headers = ()) -> None:
        self.status = status
        self.body = body
        self.headers = tuple(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        if self.status != 204:
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(value: Any, status: int = 200, headers: Headers = ()) -> Answer:
    """A JSON document."""
    return Answer(status, dumps(value).encode(), (("content-type", "application/json"), *headers))


def accepted(location: str = "", value: Any = None) -> Answer:
    """202: durable, and still to be done. ``location`` is where to ask for the outcome."""
    headers = [("location", location)] if location else []
    return Answer(202, headers=headers) if value is None else json_answer(value, 202, headers)


NO_CONTENT = Answer(204)
