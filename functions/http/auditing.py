"""Endpoints about the audit: who did what, by pages, and of one execution with whether its chain holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from ...orchestrator.audit.acts import Wanted
from ...orchestrator.audit.proving import prove_one
from ...orchestrator.audit.reading import check_cursor, page
from ...orchestrator.audit.readings import reading
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
LONGEST = 200
"""Characters of the name of who reads."""
_TEXTS = ("by", "what", "function", "on")


async def listed(call: Call) -> Answer:
    """GET /audit: acts that fit, by pages."""
    query = call.query(*_TEXTS, "since", "until", "cursor", "limit", "reader")
    by, what, function, on = (single(query, name) for name in _TEXTS)
    since, until = (moment(single(query, name), name) or 0 for name in ("since", "until"))
    wanted = Wanted(by, what, function, on, since, until)
    cursor, limit = single(query, "cursor"), number(query, "limit", 100, MOST, 1)
    await _told(call, "audit.list", on or "store", query, cursor)
    return await _page(call, wanted, cursor, limit)


async def read_by(call: Call, what: str, on: str, query: dict[str, list[str]], **more: Any) -> None:
    """Put in the audit that somebody, whom the query calls ``reader``, is about to read. Raises Refused."""
    reader = single(query, "reader")
    if len(reader) > LONGEST:
        raise Refused(400, f"reader has {len(reader):,} characters; {LONGEST} are enough for a name")
    await reading(call.runtime.store, what, on, by=call.by(reader), **more)


async def _told(call: Call, what: str, on: str, query: dict[str, list[str]], cursor: str = "") -> None:
    """Who reads is in the audit before it is read."""
    try:
        check_cursor(cursor or None)
    except InvalidInput as error:
        raise Refused(400, f"{error}") from error
    await read_by(call, what, on, query)


async def _page(call: Call, wanted: Wanted, cursor: str, limit: int) -> Answer:
    found = await page(call.runtime.store, wanted, cursor or None, limit=limit, scan=SCANNED)
    count = fitting([act.record() for act in found.acts])
    if count < len(found.acts):
        found = await page(call.runtime.store, wanted, cursor or None, limit=count, scan=SCANNED)
    acts = [act.record() for act in found.acts]
    return json_answer({"acts": acts, "scanned": found.scanned, "cursor": found.cursor})


async def of_one(call: Call) -> Answer:
    """GET /audit/{id}: whether the journal of one execution holds. ``GET /audit?on=ID`` lists the acts."""
    id, query = call.path("id"), call.query("reader")
    head = await call.runtime.find(id)
    if head is None:
        raise UnknownExecution(f"there is no execution {id[:200]!r}; GET /executions lists them")
    await _told(call, "audit.verify", id, query)
    proven = await prove_one(call.runtime.store, head)
    findings = [finding._asdict() for finding in proven.findings]
    told = {"id": id, "holds": not findings, "entries": proven.entries, "begins": proven.begins, "link": proven.link}
    return json_answer({**told, "unkeyed": proven.unkeyed, "unchecked": proven.unchecked, "findings": findings})


TAKING: tuple[Json, ...] = tuple(
    {"name": name, "in": "query", "required": False, "schema": schema}
    for name, schema in (
        ("download", {"enum": ["true", "false"]}),
        ("reader", {"type": "string", "maxLength": LONGEST}),
    )
)
"""Parameters of what is read to be taken away."""

ROUTES: Mapping[str, tuple[Endpoint, list[str]]] = {
    "/audit": (listed, ["GET"]),
    "/audit/{id:path}": (of_one, ["GET"]),
}


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes them, made of its parts."""
    texts = tuple(parameter(name, "query", {"type": "string"}) for name in (*_TEXTS, "since", "until", "cursor"))
    reader = TAKING[1]
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST})
    one = (parameter("id"), reader)
    return {
        "/audit": {"get": operation("Who did what", {200: ref(shapes.Acts)}, parameters=(*texts, limit, reader))},
        "/audit/{id}": {"get": operation("Does a journal hold", {200: ref(shapes.Proof)}, parameters=one)},
    }
