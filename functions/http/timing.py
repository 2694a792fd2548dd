"""The endpoint that tells when everything in an execution happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from ...state.errors import UnknownExecution
from ..messages import timelines as shapes
from ..messages.answer import Answer, json_answer
from .paging import fitting
from .service import Call, number

Json = dict[str, Any]
MOST = 10_000
"""Rows of a page."""


async def timeline(call: Call) -> Answer:
    """GET /timeline/{id}: what ran when, by pages of rows."""
    query = call.query("after", "limit")
    id = call.path("id")
    after, limit = number(query, "after", 0, 2**53), number(query, "limit", 1000, MOST, 1)
    if await call.runtime.find(id) is None:
        raise UnknownExecution(f"there is no execution {id[:200]!r}; GET /executions lists them")
    told = await call.runtime.timeline(id)
    page = told.as_json(after, limit)
    if (count := fitting(page["rows"])) < len(page["rows"]):
        page = told.as_json(after, count)
    return json_answer(page)


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes it, made of its parts."""
    after = parameter("after", "query", {"type": "integer", "minimum": 0, "maximum": 2**53})
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST})
    asked = (parameter("id"), after, limit)
    told = operation("What ran when", {200: ref(shapes.Timeline)}, parameters=asked)
    return {"/timeline/{id}": {"get": told}}
