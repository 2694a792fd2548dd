"""Endpoints about budgets: accounts, their limits and what is used of them, and what was spent by whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from ...orchestrator.governance.budgets import accounts
from ...orchestrator.governance.budgets.account import Limit
from ...orchestrator.protocol.clock import present
from ...orchestrator.reading import Reading
from ...orchestrator.spending import GROUPS, Span, page
from ...state.errors import InvalidInput
from ..messages import budgets as shapes
from ..messages.answer import Answer, accepted, json_answer
from ..messages.models import Reason
from ..messages.problem import Refused
from .controlling import refusing
from .paging import fitting
from .service import Call, Endpoint, number, single

Json = dict[str, Any]
MOST = 1000
"""Accounts of a page."""
SCANNED = 5000
"""Executions and entries that one page of what was spent looks at, but for the last journal, which is read whole."""
_ACCOUNT: Json = {"type": "string", "pattern": "^(tenant|user|agent):.+$", "maxLength": 210}


async def listed(call: Call) -> Answer:
    """GET /budgets: by pages."""
    query, store = call.query("after", "limit"), call.runtime.store
    limit = number(query, "limit", 100, MOST, 1)
    found = await accounts.listed(store, await present(store), after=single(query, "after"), limit=limit + 1)
    told = [one.record() for one in found[:limit]]
    told = told[: fitting(told)]
    return json_answer({"budgets": told, "next": told[-1]["account"] if len(told) < len(found) else None})


async def show(call: Call) -> Answer:
    """GET /budgets/{account}; with ``past``, windows that are over too."""
    account, store, query = call.path("account"), call.runtime.store, call.query("past")
    if (past := single(query, "past")) not in ("", "true", "false"):
        raise Refused(400, f"past is true or false, not {past[:40]!r}")
    told = (await accounts.shown(store, account, await present(store))).record()
    if past == "true":
        told["past"] = {key: one.record() for key, one in (await accounts.past(store, account)).items()}
    return json_answer(told)


async def put(call: Call) -> Answer:
    """PUT /budgets/{account}: its limits are these."""
    account, store = call.path("account"), call.runtime.store
    call.query()
    body = await call.model(shapes.Limits)
    limits = [Limit(window, told.most, told.zone, told.warn) for window, told in body.limits.items()]
    now = await present(store)
    await accounts.set_limits(store, account, limits, now, by=call.by(body.by), whole=True)
    return json_answer((await accounts.shown(store, account, now)).record())


async def remove(call: Call) -> Answer:
    """DELETE /budgets/{account}: its limits and all that it has used."""
    account = call.path("account")
    call.query()
    if not await accounts.remove(call.runtime.store, account, by=call.by("")):
        raise Refused(404, f"nothing is known of {account[:200]}; GET /budgets lists all accounts")
    return accepted()


async def raised(call: Call) -> Answer:
    """POST /budgets/{account}/raise: more, in the window of now."""
    account, store = call.path("account"), call.runtime.store
    call.query()
    body = await call.model(shapes.More)
    windows: list[str] = []

    async def ask() -> None:
        more = accounts.raise_limits(
            store, account, body.most, await present(store), window=body.window, by=call.by(body.by), reason=body.reason
        )
        windows.extend(await more)

    await refusing(409, ask())
    return json_answer({"windows": windows})


async def freeze(call: Call) -> Answer:
    """POST /budgets/{account}/freeze"""
    account, store = call.path("account"), call.runtime.store
    call.query()
    body = await call.model(Reason)
    await accounts.freeze(store, account, await present(store), by=call.by(body.by), reason=body.reason)
    return accepted()


async def unfreeze(call: Call) -> Answer:
    """POST /budgets/{account}/unfreeze"""
    account, store = call.path("account"), call.runtime.store
    call.query()
    body = await call.model(Reason)
    now = await present(store)
    await refusing(409, accounts.unfreeze(store, account, now, by=call.by(body.by), reason=body.reason))
    return accepted()


async def spent(call: Call) -> Answer:
    """GET /spending?by=agent: from the journals' own records, by pages that add up."""
    query = call.query("by", "since", "until", "cursor")
    by = single(query, "by") or "agent"
    if by not in GROUPS:
        raise Refused(400, f"by is one of {', '.join(GROUPS)}, not {by[:40]!r}")
    span = Span(moment(single(query, "since"), "since"), moment(single(query, "until"), "until"))
    try:
        found = await page(Reading(call.runtime.store), by, span, single(query, "cursor") or None, SCANNED)
    except InvalidInput as error:
        raise Refused(400, f"{error}") from error
    told = [one.record() for one in found.spent]
    return json_answer({"spending": told, "scanned": found.scanned, "cursor": found.cursor})


def moment(text: str, what: str) -> int | None:
    """A day or a time, in ms. Raises Refused."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            400, f"{what} is a day or a time like 2026-11-29 or 2026-11-29T08:00Z, not {text[:40]!r}"
        ) from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _of(**endpoints: Endpoint) -> tuple[Endpoint, list[str]]:
    """One endpoint for a path with several methods, and these."""

    async def endpoint(call: Call) -> Answer:
        return await endpoints[call.scope["method"]](call)

    return endpoint, list(endpoints)


ROUTES: Mapping[str, tuple[Endpoint, list[str]]] = {
    "/budgets": _of(GET=listed),
    "/budgets/{account:path}/raise": _of(POST=raised),
    "/budgets/{account:path}/freeze": _of(POST=freeze),
    "/budgets/{account:path}/unfreeze": _of(POST=unfreeze),
    "/budgets/{account:path}": _of(GET=show, PUT=put, DELETE=remove),
    "/spending": _of(GET=spent),
}
"""Names may have slashes, so what is done to an account comes before the account itself."""


def paths(
    operation: Callable[..., Json], parameter: Callable[..., Json], ref: Callable[[type[BaseModel]], Json]
) -> Json:
    """How the document describes them, made of its parts."""
    one, told = (parameter("account", "path", _ACCOUNT),), {200: ref(shapes.Budget)}
    reason = {"body": ref(Reason), "body_needed": False, "parameters": one}
    times = tuple(parameter(name, "query", {"type": "string"}) for name in ("since", "until", "cursor"))
    limit = parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST})
    pages = (parameter("after", "query", {"type": "string"}), limit)
    past = parameter("past", "query", {"enum": ["true", "false"]})
    by = parameter("by", "query", {"enum": list(GROUPS)})
    return {
        "/budgets": {"get": operation("List budgets", {200: ref(shapes.Budgets)}, parameters=pages)},
        "/budgets/{account}": {
            "get": operation("One budget", told, parameters=(*one, past)),
            "put": operation("Set the limits of a budget", told, body=ref(shapes.Limits), parameters=one),
            "delete": operation("Remove a budget and what it has used", {202: None}, parameters=one),
        },
        "/budgets/{account}/raise": {
            "post": operation(
                "Raise a budget in this window", {200: ref(shapes.Raised)}, body=ref(shapes.More), parameters=one
            )
        },
        "/budgets/{account}/freeze": {"post": operation("Freeze a budget", {202: None}, **reason)},
        "/budgets/{account}/unfreeze": {"post": operation("Unfreeze a budget", {202: None}, **reason)},
        "/spending": {"get": operation("What was spent", {200: ref(shapes.Spending)}, parameters=(by, *times))},
    }
