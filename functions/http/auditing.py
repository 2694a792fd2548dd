"""Endpoints about the audit: who did what, by pages, and of one execution with whether its chain holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from ...orchestrator.audit.acts import Wanted
from ...orchestrator.audit.proving import prove_one
from ...orchestrator.audit.reading import page
from ...state.errors import InvalidInput, UnknownExecution
from ..messages import audits as shapes
from ..messages.answer import Answer, json_answer
from ..messages.problem import Refused
from .budgeting import moment
from .paging import fitting
from .service import Call, Endpoint, number, single

Json = dict[str, Any]
MOST = 500
SCANNED = 5000
"""Entries that one page looks at, at the most."""
_TEXTS = ("by", "what", "function", "on")


async def listed(call: Call) -> Answer:
    """GET /audit: acts that fit, by pages."""
    query = call.query(*_TEXTS, "since", "until", "cursor", "limit")
    by, what, function, on = (single(query, name) for name in _TEXTS)
    since, until = (moment(single(query, name), name) or 0 for name in ("since", "until"))
    wanted = Wanted(by, what, function, on, since, until)
    return await _page(call, wanted, single(query, "cursor"), number(query, "limit", 100, MOST, 1))


async def _page(call: Call, wanted: Wanted, cursor: str, limit: int) -> Answer:
    try:
        found = await page(call.runtime.store, wanted, cursor or None, limit=limit, scan=SCANNED)
        count = fitting([act.record() for act in found.acts])
        if count < len(found.acts):
            found = await page(call.runtime.store, wanted, cursor or None, limit=count, scan=SCANNED)
    except InvalidInput as error:
        raise Refused(400, f"{error}") from error
    acts = [act.record() for act in found.acts]
    return json_answer({"acts": acts, "scanned": found.scanned, "cursor": found.cursor})


async def of_one(call: Call) -> Answer:
    """GET /audit/{id}: whether the journal of one execution holds. ``GET /audit?on=ID`` lists the acts."""
    id = call.path("id")
    call.query()
    head = await call.runtime.find(id)
    if head is None:
        raise UnknownExecution(f"there is no execution {id[:200]!r}; GET /executions lists them")
    proven = await prove_one(call.runtime.store, head)
    findings = [finding._asdict() for finding in proven.findings]
    told = {"id": id, "holds": not findings, "entries": proven.entries, "begins": proven.begins, "link": proven.link}
    return json_answer({**told, "findings": findings})


ROUTES: Mapping[str, tuple[Endpoint, list[str]]] = {
    "/audit": (listed, ["GET"]),
    "/audit/{id:path}": (of_one, ["GET"]),
}


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes them, made of its parts."""
    texts = tuple(parameter(name, "query", {"type": "string"}) for name in (*_TEXTS, "since", "until", "cursor"))
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST})
    one = (parameter("id"),)
    return {
        "/audit": {"get": operation("Who did what", {200: ref(shapes.Acts)}, parameters=(*texts, limit))},
        "/audit/{id}": {"get": operation("Does a journal hold", {200: ref(shapes.Proof)}, parameters=one)},
    }
