"""Endpoints that look: executions, their journals, approvals, counts, functions, and the health of the process."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from ...orchestrator.searching import Sought, search, words_of
from ...state.errors import InvalidInput, StoreError, UnknownExecution
from ...state.records import IN_DOUBT, STATUSES, Filter, Head
from ..invocation.loading import kind_of
from ..messages.answer import Answer, json_answer
from ..messages.models import COST, Execution
from ..messages.problem import Refused, Whose, document, settle, without_place
from .auditing import read_by
from .paging import PAGE_BYTES, fitting
from .schemas import input_schema, output_schema
from .service import Call, number, single

PAGE = 200


FILTERS = ("status", "function", "prefix", "parent", "awaits", "kind", "text", "session", "since", "before", "cost")
LONGEST = 2**53


async def executions(call: Call) -> Answer:
    """GET /executions: filtered, newest or oldest first, by pages."""
    query = call.query(*FILTERS, "order", "cursor", "limit")
    sought = _sought(query)
    sought = sought._replace(where=sought.where._replace(oldest=_oldest(query)))
    limit = number(query, "limit", 50, PAGE, 1)
    try:
        cursor = single(query, "cursor") or None
        page = await search(call.runtime, sought, cursor, limit)
        count = fitting(page.heads)
        if count < len(page.heads):
            page = await search(call.runtime, sought, cursor, count)
    except InvalidInput as error:
        raise Refused(400, f"{error}") from error
    told = [Execution.of(head) for head in page.heads]
    return json_answer({"executions": told, "cursor": page.cursor, "scanned": page.looked})


def _oldest(query: dict[str, list[str]]) -> bool:
    """Whether the oldest come first. Raises Refused."""
    order = single(query, "order")
    if order not in ("newest", "oldest") and "order" in query:
        raise Refused(
            400,
            f"order is newest or oldest, not {order[:40]!r}: no store keeps executions in another order, which would "
            "have to be brought up to date at every step; filter by cost, before and since",
        )
    return order == "oldest"


def _sought(query: dict[str, list[str]]) -> Sought:
    """What is asked for. Raises Refused."""
    status = tuple(query.get("status", ()))
    for one in status:
        if one not in STATUSES:
            raise Refused(400, f"unknown status {one[:40]!r}; the statuses are: {', '.join(STATUSES)}")
    said: dict[str, str] = {name: single(query, name) for name in FILTERS[1:] if name in query}
    for name, value in said.items():
        if not value.strip():
            raise Refused(400, f"{name} is empty; leave it out, or say which executions are meant")
    if said.get("kind", "agent") not in ("workflow", "agent"):
        raise Refused(400, f"kind is workflow or agent, not {said['kind'][:40]!r}")
    if not re.fullmatch(COST, said.get("cost", "0")):
        raise Refused(400, f"cost is an amount of dollars like 0.05, not {said['cost'][:40]!r}")
    fields: dict[str, Any] = {
        name: said[name] for name in ("function", "prefix", "parent", "awaits", "kind") if name in said
    }
    where = Filter(status)._replace(
        **fields, since=number(query, "since", 0, LONGEST), until=number(query, "before", 0, LONGEST, 1)
    )
    cost = Decimal(said["cost"]) if "cost" in said else None
    return Sought(where, words_of(said.get("text", "")), cost, said.get("session", ""))


async def execution(call: Call) -> Answer:
    """GET /executions/{id}: its head."""
    call.query()
    return json_answer(Execution.of(await _head(call)))


async def history(call: Call) -> Answer:
    """GET /history/{id}: its journal, by pages; with ``download``, to be taken away."""
    query = call.query("after", "limit", "download", "reader")
    if (download := single(query, "download")) not in ("", "true", "false"):
        raise Refused(400, f"download is true or false, not {download[:40]!r}")
    head = await _head(call)
    after, limit = number(query, "after", 0, 2**53), number(query, "limit", 100, 1000, 1)
    if download == "true":
        await read_by(call, "data.download", head.id, query, entries=head.length)
    entries = await call.runtime.excerpt(head.id, after, limit, PAGE_BYTES)
    reached = after + len(entries)
    return json_answer({"entries": entries, "next": reached if entries and reached < head.length else None})


async def counts(call: Call) -> Answer:
    """GET /counts: number of executions by status."""
    call.query()
    return json_answer(await call.runtime.counts())


async def functions(call: Call) -> Answer:
    """GET /functions: what is served here."""
    call.query()
    return json_answer({"functions": [described(name, one) for name, one in call.runtime.functions.items()]})


def described(name: str, function: Any) -> dict[str, Any]:
    """A function for people and programs."""
    said: object = getattr(function, "description", None)
    if said is None and kind_of(function) == "workflow":
        said = getattr(function, "__doc__", None)
    approval: object = getattr(function, "approval", None)
    shown = {
        "name": name,
        "kind": kind_of(function),
        "description": str(said or "").strip(),
        "input": input_schema(function),
        "output": output_schema(function),
    }
    if kind_of(function) == "tool":
        role = getattr(approval, "role", approval)
        shown |= {"effect": function.effect, "approval": role if isinstance(role, str) else None}
    return shown


async def health(call: Call) -> Answer:
    """GET /healthz: the process answers."""
    return json_answer({"status": "ok"})


async def readiness(call: Call) -> Answer:
    """GET /readyz: nothing speaks against giving work to this process."""
    settled = await settle(call.runtime.engine.health.reasons())
    reasons = settled.value if settled.value is not None else {"defect": f"{type(settled.error).__name__} in a check"}
    if not reasons:
        return json_answer({"status": "ready"})
    reasons = {name: without_place(reason) for name, reason in reasons.items()}  # anybody may ask
    detail = f"{'; '.join(reasons.values())}; try again"
    return document(
        503, "not-ready", detail, {"reasons": reasons}, headers=[("retry-after", "1"), Whose.REFUSED.header]
    )


async def stats(call: Call) -> Answer:
    """GET /stats: what this process has taken in since it started, and what it holds now."""
    call.query()
    try:
        doubts: int | None = (await call.runtime.counts()).get(IN_DOUBT, 0)
    except StoreError:
        doubts = None  # what this process knows by itself is told all the same
    return json_answer(
        {**call.service.counters, **call.runtime.engine.health.numbers(), "doubts": {"executions": doubts}}
    )


async def _head(call: Call) -> Head:
    id = call.path("id")
    head = await call.runtime.find(id)
    if head is None:
        raise UnknownExecution(f"there is no execution {id[:200]!r}; GET /executions lists them")
    return head
