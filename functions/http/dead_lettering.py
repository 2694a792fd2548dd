"""Endpoints about dead letters: what subscriptions could not take, and what is done about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ..messages import dead_letters as shapes
from ..messages.answer import Answer, accepted, json_answer
from ..messages.problem import Refused
from .controlling import refusing
from .outcome import result_url
from .paging import fitting
from .service import Call, Endpoint, number, single

if TYPE_CHECKING:
    from ..bus.sorting import Sorting

Json = dict[str, Any]

MOST = 1000
"""Letters that are listed at once."""


async def listed(call: Call) -> Answer:
    """GET /dead-letters: of one subscription, or of all, the latest first."""
    query = call.query("subscription", "limit")
    if "subscription" in query and not single(query, "subscription"):
        raise Refused(400, "subscription is empty; leave it out, or say which one is meant")
    limit = number(query, "limit", 100, MOST, 1)
    found = await _sorting(call).all(single(query, "subscription"))
    page = [letter.as_json() for letter in found[:limit]]
    page = page[: fitting(page)]
    return json_answer({"dead_letters": page, "more": len(found) - len(page)})


async def send(call: Call) -> Answer:
    """POST /dead-letters/send/{id}: give it to its subscription once more. It stays when that can't take it."""
    id = call.path("id")
    call.query()
    sent: list[str] = []

    async def work() -> None:
        sent.append(await _sorting(call).send(id))

    await refusing(409, work())
    return accepted(result_url(sent[0]), {"execution": sent[0]})


async def drop(call: Call) -> Answer:
    """POST /dead-letters/drop/{id}: nobody has to look at it any more."""
    id = call.path("id")
    call.query()
    await refusing(409, _sorting(call).drop(id))
    return accepted()


def _sorting(call: Call) -> Sorting:
    """With the functions that are served here, so that what does not fit is refused here and now."""
    from ..bus.dead_letters import DeadLetters
    from ..bus.sorting import Sorting
    from ..bus.taking import Taking

    store = call.runtime.store
    return Sorting(store, Taking(call.runtime.engine, DeadLetters(store)))


ROUTES: Mapping[str, tuple[Endpoint, list[str]]] = {
    "/dead-letters": (listed, ["GET"]),
    "/dead-letters/send/{id:path}": (send, ["POST"]),
    "/dead-letters/drop/{id:path}": (drop, ["POST"]),
}


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes them, made of its parts."""
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST})
    asked, one = (parameter("subscription", "query", {"type": "string", "minLength": 1}), limit), (parameter("id"),)
    return {
        "/dead-letters": {"get": operation("List dead letters", {200: ref(shapes.DeadLetters)}, parameters=asked)},
        "/dead-letters/send/{id}": {
            "post": operation("Send a dead letter again", {202: ref(shapes.SentAgain)}, parameters=one)
        },
        "/dead-letters/drop/{id}": {"post": operation("Drop a dead letter", {202: None}, parameters=one)},
    }
