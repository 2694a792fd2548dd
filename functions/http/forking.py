"""The endpoint that has another execution go on from a place in a journal, without effects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from ..messages import forks as shapes
from ..messages.answer import Answer, accepted
from ..messages.message import idempotency_key
from .controlling import refusing
from .outcome import result_url
from .service import Call, Endpoint

Json = dict[str, Any]


async def fork(call: Call) -> Answer:
    """POST /fork/{id}: the id of the fork. Under one Idempotency-Key it is made once."""
    id = call.path("id")
    call.query()
    body = await call.model(shapes.Fork)
    made: list[str] = []

    async def work() -> None:
        at = body.op if body.at is None else body.at
        more = {"model": body.model, "instructions": body.instructions, "by": call.by(body.by)}
        made.append(await call.runtime.fork(id, at, **more, key=idempotency_key(call.headers) or ""))

    await refusing(409, work())
    return accepted(result_url(made[0]), {"id": made[0]})


ROUTES: Mapping[str, tuple[Endpoint, list[str]]] = {"/fork/{id:path}": (fork, ["POST"])}


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes it, made of its parts."""
    done: dict[int, Json | None] = {202: ref(shapes.Forked)}
    made = operation("Fork an execution", done, body=ref(shapes.Fork), parameters=(parameter("id"),))
    return {"/fork/{id}": {"post": made}}
