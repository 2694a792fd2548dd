"""Endpoints for whoever looks after it all: what changes, who works on the store, how models answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ...orchestrator.answered import Answered
from ...orchestrator.changes import Changes
from ...orchestrator.processes import processes
from ...security.address import shown
from ..invocation.loading import kind_of
from ..messages import oversight as shapes
from ..messages.answer import Answer, json_answer
from . import changing
from .service import Call, Endpoint

if TYPE_CHECKING:
    from ..runtime import Runtime

Json = dict[str, Any]


def routes(runtime: Runtime) -> Iterator[tuple[str, Endpoint]]:
    """The paths, each read by GET, and what answers there for this runtime."""
    answered = Answered()
    if any(kind_of(one) == "agent" for one in runtime.functions.values()):
        runtime.extensions.hear(answered.committed)

    async def models(call: Call) -> Answer:
        """GET /models: those that executions of this process have asked."""
        call.query()
        return json_answer({"models": answered.record()})

    yield changing.PATH, changing.endpoint(Changes(runtime, runtime.extensions))
    yield "/processes", working
    yield "/models", models


async def working(call: Call) -> Answer:
    """GET /processes: who works on the store, and what waits there."""
    call.query()
    runtime = call.runtime
    found = await processes(runtime)
    numbers = runtime.engine.health.numbers()
    mine = runtime.engine.owner
    kind = runtime.store.dsn.partition(":")[0]
    told = [{"owner": owner, "leases": held, "here": owner == mine} for owner, held in sorted(found.leases.items())]
    return json_answer(
        {
            "now": found.now,
            "processes": told,
            "due": {"count": found.due, "more": found.more, "lag": found.lag, "next": found.next},
            "store": {"kind": kind, "address": shown(runtime.store.dsn), "numbers": numbers.get("store", {})},
            "engine": numbers.get("engine", {}),
        }
    )


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes them, made of its parts."""
    return {
        **changing.paths(operation, parameter),
        "/processes": {"get": operation("Who works on the store", {200: ref(shapes.Processes)})},
        "/models": {"get": operation("How models answer", {200: ref(shapes.Models)})},
    }
