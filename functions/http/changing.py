"""``GET /changes``: which executions change and how many there are of each status, as server-sent events, for whoever
looks on. Nobody is told more than a few times a second, and who reads slowly is told all of it at once.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...orchestrator.changes import NAMED, Changes
from ...state.codec import dumps
from ...state.records import EVERYTHING
from ..messages.answer import Answer, Receive, Scope, Send
from ..messages.problem import Refused
from .presence import while_there
from .service import Call, Endpoint
from .streaming import AGAIN, ALIVE, MEDIA, block, check_flows

Json = dict[str, Any]
PATH = "/changes"


def endpoint(changes: Changes) -> Endpoint:
    """GET /changes. ``id`` names executions whose changes are told wherever they are made, however old they are."""

    async def listen(call: Call) -> Answer:
        named = call.query("id").get("id", [])
        if len(named) > NAMED or "" in named:
            raise Refused(
                400, f"id names an execution, and up to {NAMED} of them may be named; all others are told of too"
            )
        check_flows(call)
        await call.runtime.page(
            EVERYTHING, limit=1
        )  # a store that is away is said now, while there is a status to say it with
        call.stay.release()
        return ChangeStream(call, changes, named)

    return listen


class ChangeStream(Answer):
    """An answer that goes on until the client goes, or this server does."""

    __slots__ = ("_call", "_changes", "_named")

    def __init__(self, call: Call, changes: Changes, named: list[str]) -> None:
        own = (("content-type", MEDIA), ("cache-control", "no-cache, no-transform"), ("x-accel-buffering", "no"))
        super().__init__(200, headers=own)
        self._call = call
        self._changes = changes
        self._named = named

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        with suppress(TimeoutError):
            await self._call.service.closing.during(while_there(scope, receive, self._tell(send)))
        await send({"type": "http.response.body", "body": b""})

    async def _tell(self, send: Send) -> None:
        await _part(send, f"retry: {AGAIN}\n\n")
        with self._changes.listening(self._named) as listener:
            while True:
                news = await listener.news(ALIVE)
                if news is None:
                    await _part(send, ": still here\n\n")
                    continue
                said: Json = {"ids": list(news.ids), "counts": dict(news.counts)}
                await _part(send, block("changed", dumps(said | ({"more": True} if news.more else {}))))


async def _part(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})


def paths(operation: Callable[..., Json], parameter: Callable[..., Json]) -> Json:
    """How the document describes it, made of its parts."""
    ids = parameter("id", "query", {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": NAMED})
    made = operation("What changes, as events", {200: None}, parameters=(ids,))
    made["responses"]["200"]["content"] = {MEDIA: {}}
    return {PATH: {"get": made}}
