"""The one ASGI app: CloudEvents at ``POST /``, the HTTP API, probes. docs/http.md lists the routes.

The caller opens the runtime and checks the address with ``guard``; the app answers. It never redirects, never
answers 2xx before the work is durable, and turns every error into a problem document.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ... import __version__
from ...state.quantities import Duration, seconds, size
from ..events import intake as event_intake
from ..messages.answer import NO_CONTENT, Answer, Receive, Scope, Send, accepted, json_answer
from ..messages.models import ACTIONS
from ..messages.problem import Refused, Whose, answered, document, problem
from . import (
    asking,
    called,
    calling,
    chapters,
    controlling,
    deciding,
    doubting,
    link_deciding,
    machines,
    metrics,
    modelling,
    openapi,
    overseeing,
    streaming,
    timing,
    working,
)
from .closing import Closing, cut_off
from .events import deliver, read_events, reply_event
from .guard import ALONE, DELIVERED, Guard
from .handshake import Handshake
from .handshake import from_environment as handshake_of_environment
from .hooks import Hooks
from .model_calls import Models
from .room import AROUND, MAX_HELD, MAX_REQUESTS, Room, Stay
from .service import Call, Endpoint, Service
from .subscribed import subscribed
from .sweeping import sweep, sweep_for

if TYPE_CHECKING:
    from ..runtime import Runtime
    from .late import Late

log = logging.getLogger("overwinter.http")

MAX_BODY = "4MB"
LONGEST_WAIT: Duration = "60s"
COUNTED = ("events", "unwanted", "refused", "server errors")


def create_app(
    runtime: Runtime,
    *,
    token: str | None,
    delivery_token: str | None = None,
    max_body: str | int = MAX_BODY,
    max_held: str | int = MAX_HELD,
    max_requests: int = MAX_REQUESTS,
    longest_wait: Duration = LONGEST_WAIT,
    late: Late | None = None,
    handshake: Handshake | None = None,
    pages: Mapping[str, Any] = {},
    lifespan: Any = None,
) -> Starlette:
    """The app over an opened runtime.

    ``token`` None means no authentication: only for a loopback address (``guard`` refuses others), and then
    requests from web pages of other sites are refused. ``delivery_token`` lets events and sweeps in and nothing
    else, for senders whose configuration others can read (``guard``). ``max_body`` bounds a request in bytes,
    ``max_held`` all that are open together, ``max_requests`` how many are open, ``longest_wait`` how long one may wait
    for an outcome. ``late`` sends replies that come after that; ``handshake`` says who may deliver events, by default
    as the environment has it. ``pages`` are ASGI applications by the first part of their paths, like ``/console``,
    that are open to anybody: they hold nothing. ``lifespan`` is Starlette's. What a connection may do is the server's:
    ``connection.config``.
    """
    if late is not None:
        late.serve(runtime)
    body = size(max_body)
    room = Room(max_requests, max(body, size(max_held)))
    runtime.engine.health.add_numbers("requests", room.numbers)
    most = runtime.store.payload_limit + AROUND
    closing = Closing()
    counters: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
    models = Models(runtime, runtime.engine.settings.max_active, max(body, size(max_held)))
    runtime.engine.health.add_numbers("model_calls", models.numbers)
    shaking = handshake or handshake_of_environment()
    service = Service(runtime, body, most, seconds(longest_wait), counters, room, closing, models, late, shaking)
    hooks = Hooks(runtime, room, body, reachable=token is not None)
    own = [*_beside(pages), *_routes(service, token)]
    app = Starlette(
        routes=[*(Route(path, _Endpoint(service, one), methods=["POST"]) for path, one in hooks.endpoints(own)), *own],
        middleware=[Middleware(Guard, token, delivery_token, hooks.verified, frozenset(pages))],
        exception_handlers={HTTPException: _refused},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    app.state.health = runtime.engine.health  # for the door, which stands before it (connection)
    app.state.models = models  # for the server too
    app.state.room = room
    app.state.closing = closing  # for the server, which knows when it ends
    return app


async def events(call: Call) -> Answer:
    """POST / and OPTIONS /: CloudEvents, single or in a batch, and the webhook handshake."""
    if call.scope["method"] == "OPTIONS":
        return await call.service.handshake.answer(call.headers)
    return await _receive(call, None)


async def events_for(call: Call) -> Answer:
    """POST /events/{function}: events of any type, for one function."""
    name = call.path("name")
    if call.scope["method"] == "OPTIONS":
        _check_served(call, name)  # who is let deliver there would lose every event
        return await call.service.handshake.answer(call.headers)
    return await _receive(call, name)


async def _receive(call: Call, name: str | None) -> Answer:
    call.service.handshake.admit(call.headers, asyncio.get_running_loop().time())
    mode, arrived = read_events(call.headers, await call.body())
    if name is not None:
        _check_served(call, name)
    if DELIVERED in call.scope:
        for event in arrived:
            event_intake.check_delivery(call.runtime, name, event, alone=call.scope[DELIVERED] == ALONE)
    taken = await deliver(call.runtime, name, arrived)
    counters = call.service.counters
    for event, one in zip(arrived, taken, strict=True):
        counters["events"] += 1
        if one.fate is event_intake.Fate.UNWANTED:
            counters["unwanted"] += 1
            log.info("event %s of type %s is not wanted: nothing here waits for it", event.id, event.type)
    if any(one.fate is event_intake.Fate.SWEPT for one in taken):
        await call.patiently(sweep_for(call.runtime, call.wait(call.service.longest_wait)))
        return NO_CONTENT
    if len(arrived) != 1 or len(taken) != 1:
        return Answer(202 if any(one.fate is event_intake.Fate.ACCEPTED for one in taken) else 204)
    event, what, late = arrived[0], taken[0], call.service.late
    answer = reply_event(call.runtime, event, what, call.headers, mode, call.service.longest_wait, late)
    found = await call.patiently(answer) or accepted()
    if late is not None and found.status == 202 and what.function and call.preference.reply:
        await late.owe(call.runtime, event, what)
    return found


def _check_served(call: Call, name: str) -> None:
    if name not in call.runtime.functions:
        raise Refused(404, f"no function {name[:100]!r} is served here; GET /functions lists all")


def _beside(pages: Mapping[str, Any]) -> Iterator[Route]:
    for prefix, page in pages.items():
        yield Route(prefix, page)
        yield Route(f"{prefix}/{{rest:path}}", page)


def _routes(service: Service, token: str | None) -> Iterator[Route]:
    @lru_cache(maxsize=1)
    def described() -> Answer:
        return json_answer(openapi.document(service.runtime.functions, __version__, token is not None))

    async def description(call: Call) -> Answer:
        """GET /openapi.json"""
        return described()

    def route(path: str, method: str, endpoint: Endpoint, *more: str) -> Route:
        return Route(path, _Endpoint(service, endpoint), methods=[method, *more])

    def probe(path: str, endpoint: Endpoint) -> Route:
        return Route(path, _Probe(service, endpoint), methods=["GET"])

    yield route("/", "POST", events, "OPTIONS")
    yield route("/sessions/{agent}/{session:path}", "POST", calling.send_message)
    yield route("/workflows/{name}", "POST", calling.start_workflow)
    yield route("/agents/{name}", "POST", calling.start_agent)
    yield route("/tools/{name}", "POST", calling.invoke_tool)
    yield route("/calls/{name}", "POST", called.order)
    yield route("/models/{name}", "POST", modelling.ask)
    yield route("/models/{name}/embeddings", "POST", modelling.embed)
    yield route("/events/{name}", "POST", events_for, "OPTIONS")
    yield route("/subscriptions/{name}", "POST", subscribed)
    yield route("/messages/{id:path}", "GET", calling.reply)
    yield route("/results/{id:path}", "GET", calling.result)
    yield route("/stream/{id:path}", "GET", streaming.stream)
    yield route("/executions", "GET", asking.executions)
    yield route("/executions/{id:path}", "GET", asking.execution)
    yield route("/history/{id:path}", "GET", asking.history)
    yield route("/timeline/{id:path}", "GET", timing.endpoint(service.runtime))
    yield route("/execution-history/{id:path}", "GET", machines.execution_history)
    yield route("/graph/{id:path}", "GET", machines.graph)
    for path, method, decides in deciding.ROUTES:
        yield route(path, method, decides)
    yield route("/decision/{token}", "GET", link_deciding.page, "POST")
    yield route("/counts", "GET", asking.counts)
    for path, looks in overseeing.routes(service.runtime):
        yield route(path, "GET", looks)
    yield route("/functions", "GET", asking.functions)
    yield route("/stats", "GET", asking.stats)
    yield route("/sweep", "POST", sweep)
    yield route("/signal/{id:path}", "POST", controlling.signal)
    yield route("/doubts/{id:path}", "GET", doubting.doubts)
    yield route("/resolve/{id:path}", "POST", doubting.resolve)
    yield route("/complete/{token:path}", "POST", controlling.complete)
    yield route("/fail/{token:path}", "POST", controlling.fail)
    yield route("/heartbeat/{token:path}", "POST", controlling.heartbeat)
    yield route("/bulk/{action}", "POST", controlling.bulk)
    for path, endpoint in working.ROUTES.items():
        yield route(path, "POST", endpoint)
    for path, (endpoint, methods) in chapters.ROUTES.items():
        yield route(path, methods[0], endpoint, *methods[1:])
    for action in ACTIONS:
        yield route(f"/{action}/{{id:path}}", "POST", controlling.verb(action))
    yield probe("/healthz", asking.health)
    yield probe("/readyz", asking.readiness)
    yield probe(metrics.PATH, metrics.metrics)
    yield route("/openapi.json", "GET", description)


class _Endpoint:
    """An endpoint as the ASGI application that a route wants. The method check is the route's."""

    def __init__(self, service: Service, endpoint: Endpoint) -> None:
        self._service = service
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stay = Stay(self._service.room)
        try:
            stay.begin()
        except Refused as full:
            await self._answer(problem(full), scope, receive, send)
            return
        try:
            answer = await self._answered(Call(self._service, scope, receive, stay))
            await self._answer(answer, scope, receive, send)
        finally:
            stay.end()

    async def _answered(self, call: Call) -> Answer:
        try:
            return await answered(self._endpoint(call))
        except asyncio.CancelledError:
            if not self._service.closing.cancelled():
                raise
            return problem(cut_off())

    async def _answer(self, answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
        if len(answer.body) > self._service.max_answer:
            detail = (
                f"the answer has {len(answer.body)} bytes, {self._service.max_answer} are allowed; let less be answered"
            )
            answer = document(500, "answer-too-large", detail, headers=[Whose.FAULT.header])
        if answer.status >= 400:
            self._service.counters["server errors" if answer.status >= 500 else "refused"] += 1
        await answer(scope, receive, send)


class _Probe(_Endpoint):
    """An endpoint that finds room in any case."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(self._service, scope, receive, Stay(self._service.room))
        await self._answer(await answered(self._endpoint(call)), scope, receive, send)


async def _refused(request: Request, error: Exception) -> Response:
    """Starlette's own refusals: no such path (404), no such method (405 with Allow)."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    detail = f"{request.method} {request.url.path[:200]} is not served; GET /openapi.json lists what is"
    answer = problem(Refused(status, detail, list(headers.items())))
    return Response(answer.body, answer.status, dict(answer.headers))
