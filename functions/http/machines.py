"""Endpoints of state machines."""

from __future__ import annotations

from typing import Any

from ..messages.answer import Answer, json_answer
from .paging import fitting
from .service import Call, number

MOST = 1000
"""Events of a page."""


async def execution_history(call: Call) -> Answer:
    """GET /execution-history/{id}: the events of a state machine's execution as AWS tells them, by pages."""
    query = call.query("after", "limit")
    events = await call.runtime.aws_history(call.path("id"))
    after, limit = number(query, "after", 0, 2**53), number(query, "limit", 100, MOST, 1)
    page = events[after : after + limit]
    page = page[: fitting(page)]
    reached = after + len(page)
    return json_answer({"events": page, "next": reached if page and reached < len(events) else None})


async def graph(call: Call) -> Answer:
    """GET /graph/{id}: the states of a state machine's execution as SVG, with the path that it took."""
    from ...orchestrator.machine.drawing.svg import svg

    call.query()
    drawn = await call.runtime.drawn(call.path("id"))
    return Answer(200, svg(drawn.sketch, drawn.title, [drawn.told]).encode(), [("content-type", "image/svg+xml")])


def paths(operation: Any, parameter: Any) -> dict[str, Any]:
    """For the OpenAPI document."""
    get = operation("Its states, and the path that it took", {200: None}, parameters=(parameter("id"),))
    get["responses"]["200"]["content"] = {"image/svg+xml": {"schema": {"type": "string"}}}
    return {"/graph/{id}": {"get": get}}
