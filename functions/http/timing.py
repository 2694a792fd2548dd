"""The endpoint that tells when everything in an execution happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from ...state.errors import UnknownExecution
from ..messages import timelines as shapes
from ..messages.answer import Answer, json_answer
from ..messages.problem import Refused
from .paging import fitting
from .service import Call, Endpoint, number, single

if TYPE_CHECKING:
    from ...orchestrator.code_lines import CodeLines
    from ..runtime import Runtime

Json = dict[str, Any]
MOST = 10_000
"""Rows of a page."""


def endpoint(runtime: Runtime) -> Endpoint:
    """GET /timeline/{id} for this runtime: what ran when, by pages of rows."""
    looking: list[CodeLines] = []  # made when somebody asks: most processes are never asked

    async def timeline(call: Call) -> Answer:
        query = call.query("after", "limit", "lines")
        id, lines = call.path("id"), single(query, "lines")
        after, limit = number(query, "after", 0, 2**53), number(query, "limit", 1000, MOST, 1)
        if lines not in ("", "true", "false"):
            raise Refused(400, f"lines must be true or false, not {lines[:40]!r}")
        if await runtime.find(id) is None:
            raise UnknownExecution(f"there is no execution {id[:200]!r}; GET /executions lists them")
        told = await runtime.timeline(id)
        if lines == "true":
            if not looking:
                from ...orchestrator.code_lines import CodeLines

                looking.append(CodeLines(runtime.functions))
            told = await looking[0].told(runtime, told)
        page = told.as_json(after, limit)
        if (count := fitting(page["rows"])) < len(page["rows"]):
            page = told.as_json(after, count)
        return json_answer(page)

    return timeline


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes it, made of its parts."""
    after = parameter("after", "query", {"type": "integer", "minimum": 0, "maximum": 2**53})
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST})
    asked = (parameter("id"), after, limit, parameter("lines", "query", {"type": "boolean"}))
    told = operation("What ran when", {200: ref(shapes.Timeline)}, parameters=asked)
    return {"/timeline/{id}": {"get": told}}
