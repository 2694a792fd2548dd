"""Endpoints about long-term memory: all that is known of a user, to be read, searched and erased."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ...state.codec import dumps
from ..messages import memories as shapes
from ..messages.answer import Answer, json_answer
from ..messages.problem import Refused
from .paging import PAGE_BYTES, fitting
from .service import Call, Endpoint, number, single

if TYPE_CHECKING:
    from ..memory.looking import Last, Wanted

Json = dict[str, Any]

MOST = 1000
"""Memories of a page."""
_WHOSE = ("agent", "user", "tenant")


async def listed(call: Call) -> Answer:
    """GET /memories: of whom the query names, by pages; with ``search``, those with any of its words."""
    from ..memory.looking import as_json, memories, search

    query = call.query(*_WHOSE, "search", "after", "limit")
    wanted, limit = _wanted(query), number(query, "limit", 100, MOST, 1)
    store = call.runtime.store
    if question := single(query, "search"):
        if "after" in query:
            raise Refused(400, "after: what is searched for comes on one page; raise limit instead")
        best = [as_json(*found) for found in await search(store, wanted, question, limit)][:limit]
        return json_answer({"memories": best[: fitting(best)], "next": None})
    page: list[Json] = []
    size, reached = 0, ""
    async with aclosing(memories(store, wanted, _after(single(query, "after")))) as found:
        async for scope, entry in found:
            told = as_json(scope, entry)
            size += len(dumps(told).encode())
            if len(page) == limit or (page and size > PAGE_BYTES):
                return json_answer({"memories": page, "next": reached})
            page.append(told)
            reached = f"{entry.at}.{entry.id}.{scope.place}"
    return json_answer({"memories": page, "next": None})


async def erase(call: Call) -> Answer:
    """DELETE /memories: of whom the query names, at least one of them."""
    from ..memory.looking import erase as erase_all

    query = call.query(*_WHOSE, "id")
    wanted = _wanted(query)
    if not any(wanted) and "id" not in query:
        raise Refused(400, "say whose memories go: user, tenant or agent, or an id")
    if "" in query.get("id", ()):
        raise Refused(400, "id is empty; leave it out, or say which memory is meant")
    return json_answer({"erased": await erase_all(call.runtime.store, wanted, query.get("id", ()))})


def _wanted(query: dict[str, list[str]]) -> Wanted:
    from ..memory.looking import Wanted

    return Wanted(*(single(query, name) if name in query else None for name in _WHOSE))


def _after(text: str) -> Last | None:
    from ..memory.looking import Last
    from ..memory.scope import scope_at

    if not text:
        return None
    at, _, rest = text.partition(".")
    id, _, place = rest.partition(".")
    scope = scope_at(place)
    if scope is None or not (at.isascii() and at.isdecimal() and len(at) < 16):
        raise Refused(400, "after is the `next` of the page before")
    return Last(scope, int(at), id)


async def _endpoint(call: Call) -> Answer:
    return await (erase if call.scope["method"] == "DELETE" else listed)(call)


ROUTES: Mapping[str, tuple[Endpoint, list[str]]] = {"/memories": (_endpoint, ["GET", "DELETE"])}


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes them, made of its parts."""
    text: Json = {"type": "string", "maxLength": 200}
    whose = tuple(parameter(name, "query", text) for name in _WHOSE)
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST})
    asked = (parameter("search", "query", {"type": "string"}), parameter("after", "query", {"type": "string"}), limit)
    ids = parameter("id", "query", {"type": "array", "items": {"type": "string", "minLength": 1}})
    return {
        "/memories": {
            "get": operation("What is remembered", {200: ref(shapes.Memories)}, parameters=(*whose, *asked)),
            "delete": operation("Erase memories", {200: ref(shapes.Erased)}, parameters=(*whose, ids)),
        }
    }
