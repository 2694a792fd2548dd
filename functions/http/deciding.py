"""Endpoints for who decides: what waits for a person, decisions and delegations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from ...orchestrator.deciding import Wanted
from ...orchestrator.protocol.entries import resolve
from ...orchestrator.searching import words_of
from ...state.codec import dumps
from ...state.errors import InvalidInput
from ...state.quantities import milliseconds
from ...state.records import FINAL, STATUSES, Filter
from ..messages.answer import Answer, accepted, json_answer
from ..messages.models import Approvals, Decision, Delegation, Revocation, StandingApprovals, Waiting
from ..messages.problem import Refused
from .controlling import refusing
from .paging import fitting
from .service import Call, number, single

Json = dict[str, Any]

MOST = 1000
"""Approvals of all executions that are listed at once."""
PAGE = 200
LOOKED_AT = 20_000
"""Executions with open approvals on a page, and those that are looked at for one."""
_READ = ("execution", "function", "name", "what", "role", "approver", "requester", "data", "why")
_OPEN = tuple(status for status in STATUSES if status not in (*FINAL, "idle"))
_LISTED = (400, 401, 403, 404, 409, 422, 500, 503)
_PAGE = (*_LISTED, 413, 415)


async def approvals(call: Call) -> Answer:
    """GET /approvals/{id}: what waits for a decision, by pages."""
    id, query = call.path("id"), call.query("after")
    waiting = await call.runtime.proposals(id)
    after = single(query, "after")
    if after:
        found = [number for number, one in enumerate(waiting) if one["op"] == after]
        if not found:
            raise Refused(409, f"{after[:100]!r} does not wait any more; read the approvals again from the beginning")
        waiting = waiting[found[0] + 1 :]
    page: list[Any] = []
    for one in waiting:
        await resolve(call.runtime.store, id, [one])
        page.append(one)
        if fitting(page) < len(page):
            page.pop()
            break
    return json_answer({"approvals": page, "next": page[-1]["op"] if len(page) < len(waiting) else None})


async def everything(call: Call) -> Answer:
    """GET /approvals: what waits for a decision anywhere, oldest first; with ``limit`` by pages."""
    query = call.query("role", "function", "older", "approver", "text", "limit", "cursor")
    limit = number(query, "limit", 0, PAGE, 1)
    given = {name: single(query, name) for name in query}
    if empty := [name for name, value in given.items() if not value]:
        raise Refused(400, f"{empty[0]} is empty; leave it out, or say which approvals are meant")
    try:
        before = call.runtime.clock() - milliseconds(given["older"]) if "older" in given else 0
    except ValueError as error:
        raise Refused(400, f"older: {error}") from error
    wanted = Wanted(given.get("role", ""), given.get("function", ""), before, given.get("approver", ""))
    if limit:
        return await _by_pages(call, wanted, words_of(given.get("text", "")), given.get("cursor"), limit)
    if alone := next((name for name in ("text", "cursor") if name in given), ""):
        raise Refused(400, f"{alone} is of pages; say how many executions one has, as limit={PAGE}")
    found = [(head, one) async for head, one in call.runtime.waiting(wanted)]
    found.sort(key=lambda pair: int(pair[1]["at"]))
    page: list[Any] = []
    for head, one in found[:MOST]:
        await resolve(call.runtime.store, head.id, [one])
        page.append({"execution": head.id, "function": head.function, **one})
        if fitting(page) < len(page):
            page.pop()
            break
    return json_answer({"approvals": page, "more": len(found) - len(page)})


def _says(shown: Json, words: tuple[str, ...]) -> bool:
    """Whether all words stand in what people read of it: not in digests, versions and times."""
    said = dumps({name: shown[name] for name in _READ if name in shown}).casefold()
    return all(word in said for word in words)


async def _by_pages(call: Call, wanted: Wanted, words: tuple[str, ...], cursor: str | None, limit: int) -> Answer:
    """Those of so many executions, the oldest executions first. Their journals alone are read."""
    where = Filter(_OPEN, wanted.function, awaits="approval", oldest=True)
    try:
        scan = await call.runtime.store.scan(where, cursor, limit, LOOKED_AT)
    except InvalidInput as error:
        raise Refused(400, f"{error}") from error
    page: list[Any] = []
    for read, head in enumerate(scan.heads):
        found = [one async for _, one in call.runtime.waiting_of(head, wanted)]
        told = len(page)
        for one in found:
            await resolve(call.runtime.store, head.id, [one])
            shown = {"execution": head.id, "function": head.function, **one}
            if not words or _says(shown, words):
                page.append(shown)
        if (fits := fitting(page)) == len(page):
            continue
        if read:  # the cursor stands before this one
            scan = await call.runtime.store.scan(where, cursor, read, LOOKED_AT)
            return json_answer({"approvals": page[:told], "more": 0, "cursor": scan.cursor})
        scan = await call.runtime.store.scan(where, cursor, 1, LOOKED_AT)
        return json_answer({"approvals": page[:fits], "more": len(page) - fits, "cursor": scan.cursor})
    return json_answer({"approvals": page, "more": 0, "cursor": scan.cursor})


async def decide(call: Call) -> Answer:
    """POST /decide/{id}: approve, also with other arguments, or deny."""
    id = call.path("id")
    call.query()
    body = await call.model(Decision)
    decided = call.runtime.decide(
        id,
        body.op,
        body.approved,
        by=call.by(body.by),
        reason=body.reason,
        digest=body.digest,
        role=body.role,
        arguments=body.arguments,
        standing=None if body.standing is None else body.standing.meant(),
    )
    await refusing(409, decided)
    return accepted()


async def delegate(call: Call) -> Answer:
    """POST /delegate/{id}: let another role or person decide."""
    id = call.path("id")
    call.query()
    body = await call.model(Delegation)
    given = call.runtime.delegate(
        id, body.op, by=call.by(body.by), role=body.role, to=body.to, reason=body.reason, digest=body.digest
    )
    await refusing(409, given)
    return accepted()


async def standing(call: Call) -> Answer:
    """GET /standing and /standing/{id}: the standing approvals that are good now."""
    id, query = call.path("id") if "id" in call.scope["path_params"] else None, call.query("role", "function")
    given = {name: single(query, name) for name in query}
    if empty := [name for name, value in given.items() if not value]:
        raise Refused(400, f"{empty[0]} is empty; leave it out, or say which are meant")
    role, function = given.get("role", ""), given.get("function", "")
    page: list[Any] = []
    found = 0
    async for name, terms in call.runtime.standings_for_all(id, role=role, function=function):
        found += 1
        if len(page) < MOST:
            page.append({"function": name, **terms})
    async for head, terms in call.runtime.standings(id, role=role, function=function):
        found += 1
        if len(page) < MOST:
            page.append({"execution": head.id, "function": head.function, **terms})
    page = page[: fitting(page)]
    return json_answer({"standing": page, "more": found - len(page)})


async def revoke(call: Call) -> Answer:
    """POST /revoke/{id}: a standing approval ends."""
    id = call.path("id")
    call.query()
    body = await call.model(Revocation)
    await refusing(409, call.runtime.revoke(id, body.standing, by=call.by(body.by), reason=body.reason))
    return accepted()


ROUTES = (
    ("/standing", "GET", standing),
    ("/standing/{id:path}", "GET", standing),
    ("/revoke/{id:path}", "POST", revoke),
    ("/approvals", "GET", everything),
    ("/approvals/{id:path}", "GET", approvals),
    ("/decide/{id:path}", "POST", decide),
    ("/delegate/{id:path}", "POST", delegate),
)


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json], after: Json
) -> Json:
    """How the document describes them, and the page of a signed link, made of its parts."""
    text, id, token = {"type": "string", "minLength": 1}, (parameter("id"),), (parameter("token"),)
    wanted = tuple(
        parameter(name, "query", text) for name in ("role", "function", "older", "approver", "text", "cursor")
    )
    paged = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": PAGE})
    waiting, one = {200: ref(Waiting)}, {200: ref(Approvals)}
    good = {200: ref(StandingApprovals)}
    form = ("application/x-www-form-urlencoded",)
    return {
        "/approvals": {"get": operation("All open approvals", waiting, parameters=(*wanted, paged))},
        "/approvals/{id}": {"get": operation("Open approvals", one, parameters=(*id, after), errors=_LISTED)},
        "/standing": {"get": operation("All standing approvals", good, parameters=wanted[:2])},
        "/standing/{id}": {"get": operation("Standing approvals", good, parameters=(*id, *wanted[:2]))},
        "/revoke/{id}": {
            "post": operation("End a standing approval", {202: None}, body=ref(Revocation), parameters=id)
        },
        "/decide/{id}": {"post": operation("Approve or deny", {202: None}, body=ref(Decision), parameters=id)},
        "/delegate/{id}": {
            "post": operation("Let somebody else decide", {202: None}, body=ref(Delegation), parameters=id)
        },
        "/decision/{token}": {
            "get": operation("A page that asks", {200: None}, parameters=token, errors=_PAGE),
            "post": operation("Decide", {200: None}, body={}, types=form, parameters=token, errors=_PAGE),
        },
    }
