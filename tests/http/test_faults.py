"""Every endpoint of the app against every fault, in one table: what it answers, and what a broker of Knative does with
that. A row that is missing for an endpoint, or too many, fails: the list of endpoints is the app's own.

Knative's rules are those of its data plane (knative/specs, specs/eventing/data-plane.md): a sender tries again after
404, 408, 409, 429 and 5xx, and after other 4xx gives the event to the dead letters.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple, cast

import httpx
import pytest
from starlette.routing import Route

from overwinter import Agent, Runtime, subscribe, tool, workflow
from overwinter.functions.event import CloudEvent, parse, write_binary
from overwinter.functions.http.app import create_app
from overwinter.functions.http.room import Stay
from overwinter.functions.models.function import ModelFunction
from overwinter.functions.webhook import Token, webhook
from overwinter.state.errors import EtagMismatch, StoreError, StoreFull
from overwinter.state.memory import MemoryStore

from .test_store_away import TOKENLIKE, go_away

TOKEN, DELIVERY, HOOK = "a-token-of-the-api", "a-token-of-deliveries", "a-token-of-the-hook"
KNOWN = {"authorization": f"Bearer {TOKEN}"}
JSON = {"content-type": "application/json"}
EVENT = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", **JSON}
CALL = EVENT | {"ce-type": "io.overwinter.call.ticket"}
ORDER = EVENT | {"ce-type": "order.placed"}
BOUND = 4000

FAULTS = (
    "malformed", "mistyped", "misfit", "unknown", "large", "busy", "away", "full", "stranger", "deliverer", "method",
)  # fmt: skip
"""The body is no JSON · of another type · does not fit · is about what is not there · too large · there is no room ·
the store is away · full · no token · the token of deliveries · another method."""


class Row(NamedTuple):
    """``url`` and ``body`` of a request that is right, with ``headers``; the url and the body where something is not
    there, and a body that does not fit. ``expected``: a status for each fault; ``-``: it can't be."""

    expected: str
    url: str
    body: Any = None
    headers: dict[str, str] = JSON
    misfit: Any = None
    unknown: str = ""
    strange: dict[str, str] = {}  # headers of the unknown  # never changed


def _looking(url: str, unknown: str = "", expected: str = "-   -   -   404 -   503 503 503 401 403 405") -> Row:
    return Row(expected, url, unknown=unknown, headers={})


_CALLER = {"key": "k", "mark": "m", "execution": "e", "operation": "1"}
_VERB = "400 415 422 404 413 503 503 503 401 403 405"
ROWS: dict[str, Row] = {
    # ---------------------------------- mal mis fit unk big bsy awy ful str del method
    "POST /": Row("400 415 422 204 413 503 503 503 401 202 405", "/", {"q": "w"}, CALL, [1], "/",
                  {"ce-type": "io.overwinter.call.nobody"}),
    "POST /events/{name}": Row("400 415 422 404 413 503 503 503 401 202 405", "/events/ticket", {"q": "w"}, ORDER, [1],
                               "/events/nobody"),
    "POST /subscriptions/{name}": Row("400 415 202 404 413 503 503 503 401 202 405", "/subscriptions/orders",
                                      {"q": "w"}, ORDER, [1], "/subscriptions/nobody"),
    "POST /sweep": Row("200 200 200 -   413 503 503 200 401 200 405", "/sweep", {}),
    "POST /hooks/ticket": Row("400 415 422 404 413 503 503 503 401 401 405", "/hooks/ticket", {"q": "w"},
                              {**JSON, "x-hook": HOOK}, [1], "/hooks/nobody"),
    "POST /workflows/{name}": Row(_VERB, "/workflows/ticket", {"q": "w"}, JSON, [1], "/workflows/nobody"),
    "POST /agents/{name}": Row(_VERB, "/agents/echo", "hi", JSON, 5, "/agents/nobody"),
    "POST /sessions/{agent}/{session}": Row(_VERB,
                                            "/sessions/echo/c", {"content": "hi"}, JSON, [1], "/sessions/nobody/c"),
    "POST /tools/{name}": Row("400 415 422 404 413 503 200 200 401 403 405", "/tools/add", {"a": 1}, JSON, {"b": 1},
                              "/tools/nobody"),
    "POST /models/{name}": Row("400 415 422 404 413 503 200 200 401 403 405", "/models/fast",
                               {"messages": [{"role": "user", "content": "hi"}]}, JSON, {"messages": 5},
                               "/models/nobody"),
    "POST /models/{name}/embeddings": Row("400 415 422 404 413 503 -   -   401 403 405", "/models/fast/embeddings",
                                          {"texts": ["hi"]}, JSON, {"texts": 5}, "/models/nobody/embeddings"),
    "POST /calls/{name}": Row(_VERB, "/calls/ticket", {"call": _CALLER, "input": {"q": "w"}}, JSON, [1],
                              "/calls/nobody"),
    "POST /signal/{id}": Row(_VERB, "/signal/waiting", {"name": "x"}, JSON, [1], "/signal/nobody"),
    "POST /decide/{id}": Row("400 415 422 404 413 503 503 409 401 403 405", "/decide/waiting", {"approved": True}, JSON,
                             [1], "/decide/nobody"),
    "POST /delegate/{id}": Row("400 415 422 404 413 503 503 409 401 403 405", "/delegate/waiting",
                               {"by": "ana", "to": "ben"}, JSON, [1], "/delegate/nobody"),
    "POST /revoke/{id}": Row("400 415 422 404 413 503 503 409 401 403 405", "/revoke/waiting",
                             {"standing": "s1", "by": "ana"}, JSON, [1], "/revoke/nobody"),
    "POST /resolve/{id}": Row("400 415 422 404 413 503 503 409 401 403 405", "/resolve/waiting",
                              {"op": "0", "verdict": "give-up"}, JSON, [1], "/resolve/nobody"),
    "GET /decision/{token}": Row("-   -   -   404 -   503 -   -   404 404 405", f"/decision/{TOKENLIKE}", None, {},
                                 None, "/decision/nothing"),
    "POST /decision/{token}": Row("-   -   -   404 -   503 -   -   404 404 405", f"/decision/{TOKENLIKE}", None, {},
                                  None, "/decision/nothing"),
    "POST /complete/{token}": Row("400 415 -   404 413 503 -   -   401 403 405",
                                  f"/complete/{TOKENLIKE}", {}, JSON, None,
                                  "/complete/nothing"),
    "POST /fail/{token}": Row("400 415 422 404 413 503 -   -   401 403 405",
                              f"/fail/{TOKENLIKE}", {"message": "m"}, JSON,
                              [1], "/fail/nothing"),
    "POST /heartbeat/{token}": Row("-   -   -   404 -   503 -   -   401 403 405",
                                   f"/heartbeat/{TOKENLIKE}", None, {}, None,
                                   "/heartbeat/nothing"),
    "POST /activities/{name}": Row("-   -   -   -   -   503 503 204 401 403 405", "/activities/weigh", None, {}),
    "POST /bulk/{action}": Row("400 415 422 404 413 503 503 503 401 403 405", "/bulk/pause", {"all": True}, JSON, [1],
                               "/bulk/nothing"),
    **{f"POST /{verb}/{{id}}": Row(_VERB, f"/{verb}/waiting", {}, JSON, [1], f"/{verb}/nobody")
       for verb in ("cancel", "terminate", "pause")},
    "POST /fork/{id}": Row(_VERB, "/fork/waiting", {"at": 2}, JSON, [1], "/fork/nobody"),
    "POST /resume/{id}": Row(_VERB, "/resume/paused", {}, JSON, [1], "/resume/nobody"),
    "POST /retry/{id}": Row(_VERB, "/retry/failed", {}, JSON, [1], "/retry/nobody"),
    "POST /schedules": Row("400 415 422 -   413 503 503 503 401 403 405", "/schedules",
                           {"function": "ticket", "name": "day", "every": "1h", "input": {"q": "w"}}, JSON, [1],
                           "/schedules"),
    "PATCH /schedules/{name}": Row(_VERB, "/schedules/night", {"every": "2h"}, JSON, [1], "/schedules/nobody"),
    "DELETE /schedules/{name}": _looking("/schedules/night", "/schedules/nobody"),
    **{f"POST /schedules/{{name}}/{verb}": Row(_VERB, f"/schedules/night/{verb}", {}, JSON, [1],
                                               f"/schedules/nobody/{verb}")
       for verb in ("pause", "resume", "run")},
    "GET /schedules": _looking("/schedules", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /schedules/{name}": _looking("/schedules/night", "/schedules/nobody"),
    "GET /messages/{id}": _looking("/messages/echo/c?id=m", "/messages/nobody?id=m"),
    "GET /results/{id}": _looking("/results/waiting", "/results/nobody"),
    "GET /stream/{id}": _looking("/stream/failed", "/stream/nobody"),
    "GET /executions": _looking("/executions", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /executions/{id}": _looking("/executions/waiting", "/executions/nobody"),
    "GET /history/{id}": _looking("/history/waiting", "/history/nobody"),
    "GET /execution-history/{id}": _looking("/execution-history/waiting", "/execution-history/nobody",
                                              "-   -   -   404 -   503 503 422 401 403 405"),  # it is no machine's
    "GET /graph/{id}": _looking("/graph/waiting", "/graph/nobody", "-   -   -   404 -   503 503 422 401 403 405"),
    "GET /approvals/{id}": _looking("/approvals/waiting", "/approvals/nobody"),
    "GET /approvals": _looking("/approvals", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /standing": _looking("/standing", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /standing/{id}": _looking("/standing/waiting", "/standing/nobody"),
    "GET /doubts/{id}": _looking("/doubts/waiting", "/doubts/nobody"),
    "GET /memories": _looking("/memories", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "DELETE /memories": _looking("/memories?user=ana", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /budgets": _looking("/budgets", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /spending": _looking("/spending", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /budgets/{account}": _looking("/budgets/tenant:acme", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "DELETE /budgets/{account}": _looking("/budgets/tenant:acme", "/budgets/tenant:nobody",
                                           "-   -   -   404 -   503 503 503 401 403 405"),  # it is recorded first
    "PUT /budgets/{account}": Row("400 415 422 -   413 503 503 503 401 403 405", "/budgets/tenant:acme",
                                  {"limits": {"day": {"most": {"tokens": 1}}}}, JSON, [1], "/budgets"),
    "POST /budgets/{account}/raise": Row("400 415 422 -   413 503 503 503 401 403 405", "/budgets/tenant:acme/raise",
                                         {"most": {"tokens": 1}}, JSON, [1], "/budgets"),
    **{f"POST /budgets/{{account}}/{verb}": Row("400 415 422 -   413 503 503 503 401 403 405",
                                                f"/budgets/tenant:acme/{verb}", {}, JSON, [1], "/budgets")
       for verb in ("freeze", "unfreeze")},
    "GET /audit": _looking("/audit", expected="-   -   -   -   -   503 503 503 401 403 405"),  # it is recorded first
    "GET /audit/{id}": _looking("/audit/waiting", "/audit/nobody", "-   -   -   404 -   503 503 503 401 403 405"),
    "GET /timeline/{id}": _looking("/timeline/waiting", "/timeline/nobody"),
    "GET /changes": _looking("/changes", expected="-   -   -   -   -   503 503 -   401 403 405"),  # it has no end
    "GET /processes": _looking("/processes", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /models": _looking("/models", expected="-   -   -   -   -   503 200 200 401 403 405"),
    "GET /dead-letters": _looking("/dead-letters", expected="-   -   -   -   -   503 503 200 401 403 405"),
    **{f"POST /dead-letters/{verb}/{{id}}": Row("-   -   -   404 -   503 503 -   401 403 405",
                                                f"/dead-letters/{verb}/d-1", {}, JSON, None,
                                                f"/dead-letters/{verb}/nobody")
       for verb in ("send", "drop")},
    "GET /counts": _looking("/counts", expected="-   -   -   -   -   503 503 200 401 403 405"),
    "GET /functions": _looking("/functions", expected="-   -   -   -   -   503 200 200 401 403 405"),
    "GET /stats": _looking("/stats", expected="-   -   -   -   -   503 200 200 401 403 405"),
    "GET /metrics": _looking("/metrics", expected="-   -   -   -   -   404 404 404 401 403 405"),  # they are off
    "GET /openapi.json": _looking("/openapi.json", expected="-   -   -   -   -   503 200 200 401 403 405"),
    "GET /healthz": _looking("/healthz", expected="-   -   -   -   -   200 200 200 200 200 405"),
    "GET /readyz": _looking("/readyz", expected="-   -   -   -   -   200 503 503 200 200 405"),
}  # fmt: skip
READING = {"GET /messages/{id}", "GET /results/{id}", "GET /stream/{id}", "GET /executions/{id}", "GET /history/{id}",
           "GET /approvals/{id}", "GET /doubts/{id}", "GET /standing/{id}", "GET /schedules/{name}",
           "GET /timeline/{id}"}  # fmt: skip
"""A full store can be read. Who reads the audit of it could not be written down."""


@workflow
async def ticket(ctx: Any, given: dict[str, str]) -> str:
    if given.get("q") == "fail":
        raise ValueError("no")
    if given.get("q") == "wait":
        await ctx.wait_for("x")
    return "done"


@tool
def add(a: int) -> int:
    """Adds."""
    return a


subscribe(type="order.placed", name="orders")(ticket)
webhook("/hooks/ticket", verify=Token("env:HOOK_TOKEN", header="X-Hook"), id="{digest}")(ticket)
echo = Agent("echo", "scripted:echo")


class Place(NamedTuple):
    client: httpx.AsyncClient
    runtime: Runtime
    app: Any


def at_a_place(main: Callable[[Place], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        functions = [ticket, add, echo, ModelFunction("fast", "scripted:echo")]
        async with Runtime(functions, MemoryStore()) as runtime:
            app: Any = create_app(runtime, token=TOKEN, delivery_token=DELIVERY, max_body=BOUND, longest_wait="1s")
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=KNOWN) as client:
                await asyncio.wait_for(main(Place(client, runtime, app)), 60)

    asyncio.run(whole())


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_TOKEN", HOOK)


def endpoints(app: Any) -> set[str]:
    found: set[str] = set()
    for route in app.routes:
        assert isinstance(route, Route)
        path = re.sub(r":\w+\}", "}", route.path)
        found |= {f"{method} {path}" for method in route.methods or ()} - {f"HEAD {path}"}
    return {one for one in found if not one.startswith("OPTIONS ")}  # the handshake is no delivery


def test_the_table_has_a_row_for_each_endpoint() -> None:
    async def main(place: Place) -> None:
        assert endpoints(place.app) == set(ROWS)

    at_a_place(main)


async def prepared(place: Place) -> None:
    """An execution in each state that the requests are about."""
    await place.client.post("/workflows/ticket?id=waiting", json={"q": "wait"})
    await place.client.post("/workflows/ticket?id=paused", json={"q": "wait"})
    await place.client.post("/pause/paused")
    await place.client.post("/workflows/ticket?id=failed", json={"q": "fail"}, headers={"prefer": "wait=1"})
    hourly = {"function": "ticket", "name": "night", "every": "1h", "input": {"q": "w"}}
    assert (await place.client.post("/schedules", json=hourly)).status_code == 200
    await place.client.put("/budgets/tenant:acme", json={"limits": {"day": {"most": {"tokens": 1}}}})
    await place.client.post("/budgets/tenant:acme/freeze")
    await place.client.post("/sessions/echo/c", json={"content": "hi", "id": "m"})


async def sent(place: Place, name: str, row: Row, body: Any = ..., url: str = "", **headers: str) -> httpx.Response:
    method = name.partition(" ")[0]
    given = row.body if body is ... else body
    content = given if isinstance(given, bytes) else b"" if given is None else json.dumps(given).encode()
    return await place.client.request(method, url or row.url, content=content, headers=row.headers | headers)


async def faulty(place: Place, name: str, row: Row, fault: str) -> httpx.Response:
    match fault:
        case "malformed":
            return await sent(place, name, row, b'{"q": ')
        case "mistyped":
            kind = "application/cloudevents+xml" if "ce-id" in row.headers else "application/x-nothing"
            return await sent(place, name, row, b"<x/>", **{"content-type": kind})
        case "misfit":
            return await sent(place, name, row, row.misfit)
        case "unknown":
            return await sent(place, name, row, url=row.unknown, **row.strange)
        case "large":
            return await large(place, name.partition(" ")[0], row)
        case "busy":
            stays = [Stay(place.app.state.room) for _ in range(place.app.state.room.max_requests)]
            for stay in stays:
                stay.begin()
            return await sent(place, name, row)
        case "away":
            go_away(place.runtime.store)
            return await sent(place, name, row)
        case "full":
            fill(place.runtime.store)
            return await sent(place, name, row)
        case "stranger":
            return await sent(place, name, row, authorization="Bearer nobody", **{"x-hook": "nobody"})
        case "deliverer":
            return await sent(place, name, row, authorization=f"Bearer {DELIVERY}", **{"x-hook": "nobody"})
        case _:
            return await place.client.request("PATCH" if row.url.startswith("/budgets/") else "PUT", row.url)


def fill(store: Any) -> None:
    """From now on the store can be read and takes nothing."""

    async def full(*_: Any, **__: Any) -> Any:
        raise StoreFull("no space is left")

    for name in ("accept", "append", "put", "probe", "restore"):
        setattr(store, name, full)


async def large(place: Place, method: str, row: Row) -> httpx.Response:
    """One that says so, and one that does not, of which little more is read than is allowed."""
    announced = await place.client.request(method, row.url, content=b"x" * (BOUND + 1), headers=row.headers)
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            read.append(500)
            yield b"x" * 500

    counted = await place.client.request(method, row.url, content=endless(), headers=row.headers)
    assert counted.status_code == announced.status_code
    assert sum(read) <= BOUND + 1000
    return announced


CASES = [(name, fault) for name in ROWS for fault in FAULTS]


def expected(name: str, fault: str) -> str:
    found = ROWS[name].expected.split()[FAULTS.index(fault)]
    return "200" if name in READING and fault == "full" else found


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_at_each_endpoint(fault: str) -> None:
    wrong: list[str] = []
    for name, row in ROWS.items():
        wanted = expected(name, fault)
        if wanted == "-":
            continue

        async def main(place: Place, name: str = name, row: Row = row, wanted: str = wanted) -> None:
            await prepared(place)
            answer = await faulty(place, name, row, fault)
            if str(answer.status_code) != wanted and not (wanted == "200" and answer.status_code == 202):
                wrong.append(f"{name}: {fault} is {answer.status_code}, not {wanted}: {answer.text[:150]}")
            if answer.status_code in (429, 503) and int(answer.headers.get("retry-after", 0)) < 1:
                wrong.append(f"{name}: {fault} is {answer.status_code} without Retry-After")
            if answer.status_code >= 400 and answer.headers["content-type"] != "application/problem+json":
                wrong.append(f"{name}: {fault} is no problem document")
            if answer.status_code == 405 and not answer.headers.get("allow"):
                wrong.append(f"{name}: 405 without Allow")
            if answer.status_code == 401 and not answer.headers.get("www-authenticate"):
                wrong.append(f"{name}: 401 without WWW-Authenticate")
            if 300 <= answer.status_code < 400:
                wrong.append(f"{name}: a redirect")

        at_a_place(main)
    assert not wrong, "\n".join(wrong)


# -- what a broker does with it ----------------------------------------------------------------------------------

DELIVERED = ("POST /", "POST /events/{name}", "POST /subscriptions/{name}", "POST /sweep", "POST /hooks/ticket")
PASSING = {"busy", "away", "full"}  # what trying again can help
WRONG_ADDRESS = {
    ("POST /events/{name}", "unknown"),
    ("POST /subscriptions/{name}", "unknown"),
    ("POST /hooks/ticket", "unknown"),
}  # not the event is wrong but the address; it may be served soon


def tries_again(status: int) -> bool:
    return status in (404, 408, 409, 429) or status >= 500


@pytest.mark.parametrize("name", DELIVERED)
def test_a_broker_tries_again_what_may_pass_and_nothing_else(name: str) -> None:
    for fault in FAULTS:
        status = expected(name, fault)
        if status == "-" or status.startswith("2"):
            continue
        again = tries_again(int(status))
        assert again == (fault in PASSING or (name, fault) in WRONG_ADDRESS), (fault, status)


# -- replies -----------------------------------------------------------------------------------------------------

NAMES = ("plain", "a b", "über-größe", "100%", "a#b?c", "[x]")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["return", "raise"])
def test_a_reply_is_an_event_whatever_the_function_is_called(name: str, end: str) -> None:
    """What can't be an event is no reply: a broker takes it for a failure of a delivery that was taken."""

    @workflow(name=name)
    async def flow(ctx: Any, given: Any) -> Any:
        if end == "raise":
            raise ValueError("no \ud83d\ude00 \x00")
        return {"inf": [1.5, None, "ü"]}

    async def main() -> None:
        async with Runtime([flow], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                message = write_binary(CloudEvent(source="/s", type=f"io.overwinter.call.{name}", id="1", data=1))
                asked = [*message.headers, ("prefer", "reply, wait=20")]
                answer = await client.post("/", content=message.body, headers=asked)
                assert answer.status_code == 200, answer.text
                reply = parse(list(answer.headers.items()), answer.content)
                assert reply.type == f"io.overwinter.{'result' if end == 'return' else 'error'}.{name}"
                bare = await client.post("/", content=message.body, headers=message.headers)
                assert (bare.status_code, bare.content) == (202, b"")

    asyncio.run(main())


def test_store_errors_are_all_passing() -> None:
    """Every error of a store that a caller may get makes the sender come again, and says when."""
    from overwinter.functions.messages.problem import problem

    def kinds(of: type[StoreError]) -> list[type[StoreError]]:
        return [of, *(one for child in of.__subclasses__() for one in kinds(child))]

    assert len(kinds(StoreError)) > 5
    for kind in kinds(StoreError):
        if issubclass(kind, EtagMismatch):
            continue  # a function's own, of its key-value entries
        error = kind.__new__(kind)
        Exception.__init__(error, "it is so")
        answer = problem(error)
        assert answer.status == 503, kind
        assert int(dict(answer.headers)["retry-after"]) >= 1
