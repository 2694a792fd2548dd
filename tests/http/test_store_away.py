"""A store that is away: every route says 503 and when to come again, never 500 and never that something was done."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_binary, write_structured
from overwinter.state.errors import StoreUnavailable
from overwinter.state.store import Store

Run = Callable[..., None]
TOKENLIKE = "t1.1.AAAAAAAAAAAAAAAAAAAAAA"
WITHOUT = {
    "/",
    "/healthz",
    "/openapi.json",
    "/functions",
    "/stats",
    "/metrics",
    "/models",
}  # need no store, or are asked with events below

BODIES: dict[str, Any] = {
    "/workflows/ticket": {"question": "why"},
    "/agents/echo": "hi",
    "/sessions/echo/c-1": {"content": "hi"},
    "/signal/t-1": {"name": "customer.reply"},
    "/decide/t-1": {"approved": True},
    "/delegate/t-1": {"by": "ana", "to": "ben"},
    "/revoke/t-1": {"standing": "s1", "by": "ana"},
    "/resolve/t-1": {"op": "0", "verdict": "give-up"},
    "/fork/t-1": {"at": 2},
    "/budgets/tenant:acme": {"limits": {"day": {"most": {"tokens": 1}}}},
    "/budgets/tenant:acme/raise": {"most": {"tokens": 1}},
    "/budgets/tenant:acme/freeze": {},
    "/bulk/signal": {"name": "customer.reply", "all": True},
    "/bulk/cancel": {"all": True},
}
ASKED = [
    ("POST", "/workflows/ticket"),
    ("POST", "/workflows/ticket?id=t-1"),
    ("POST", "/agents/echo"),
    ("POST", "/sessions/echo/c-1"),
    ("GET", "/results/t-1"),
    ("GET", "/messages/echo/c-1?id=m"),
    ("GET", "/stream/t-1"),
    ("GET", "/executions"),
    ("GET", "/executions/t-1"),
    ("GET", "/history/t-1"),
    ("GET", "/execution-history/t-1"),
    ("GET", "/graph/t-1"),
    ("GET", "/timeline/t-1"),
    ("GET", "/changes"),
    ("GET", "/processes"),
    ("GET", "/audit"),
    ("GET", "/audit/t-1"),
    ("GET", "/dead-letters"),
    ("POST", "/dead-letters/send/d-1"),
    ("POST", "/dead-letters/drop/d-1"),
    ("GET", "/approvals"),
    ("GET", "/approvals/t-1"),
    ("GET", "/doubts/t-1"),
    ("GET", "/standing"),
    ("GET", "/standing/t-1"),
    ("GET", "/counts"),
    ("GET", "/readyz"),
    ("POST", "/signal/t-1"),
    ("POST", "/decide/t-1"),
    ("POST", "/delegate/t-1"),
    ("POST", "/resolve/t-1"),
    ("POST", "/revoke/t-1"),
    ("POST", "/cancel/t-1"),
    ("POST", "/terminate/t-1"),
    ("POST", "/pause/t-1"),
    ("POST", "/resume/t-1"),
    ("POST", "/retry/t-1"),
    ("POST", "/fork/t-1"),
    ("POST", "/bulk/cancel"),
    ("POST", "/bulk/signal"),
    ("POST", "/activities/weigh"),
    ("POST", "/sweep"),
    ("GET", "/schedules"),
    ("GET", "/budgets"),
    ("GET", "/budgets/tenant:acme"),
    ("PUT", "/budgets/tenant:acme"),
    ("DELETE", "/budgets/tenant:acme"),
    ("POST", "/budgets/tenant:acme/raise"),
    ("POST", "/budgets/tenant:acme/freeze"),
    ("GET", "/spending"),
    ("GET", "/memories"),
    ("DELETE", "/memories?user=ana"),
]
EVENTS = [
    ("/", "io.overwinter.call.ticket", {"question": "why"}, None),
    ("/", "io.overwinter.call.echo", "hi", "c-1"),
    ("/", "io.overwinter.cancel", None, "t-1"),
    ("/", "io.overwinter.decide", {"approved": True}, "t-1"),
    ("/", "io.overwinter.sweep", None, None),
    ("/", "customer.reply", None, "t-1"),
    ("/events/ticket", "customer.reply", {"question": "why"}, "t-1"),
    ("/events/echo", "order.placed", "hi", "c-1"),
    ("/subscriptions/orders", "order.placed", "hi", None),
]


def go_away(store: Any) -> None:
    """From now on nothing that the store is asked comes to an answer."""

    async def away(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the store does not answer; it may be starting")

    def told(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the store does not answer; it may be starting")

    for name, method in inspect.getmembers(Store, inspect.isfunction):
        if not name.startswith("_") and name not in ("close", "retire", "watch"):
            setattr(store, name, away if inspect.iscoroutinefunction(method) else told)


def check(answer: Any) -> None:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["overwinter-error"] == "refused"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("wait", ["", "wait=1", "respond-async"])
@pytest.mark.parametrize(("method", "path"), ASKED, ids=[path for _, path in ASKED])
def test_every_route_says_when_to_come_again(run: Run, method: str, path: str, wait: str) -> None:
    async def main(shop: Any) -> None:
        go_away(shop.runtime.store)
        body = BODIES.get(path.partition("?")[0])
        more = {} if method == "GET" or body is None else {"json": body}
        check(await shop.client.request(method, path, headers={"prefer": wait} if wait else {}, **more))

    run(main)


@pytest.mark.parametrize("prefer", [{}, {"prefer": "reply, wait=1"}])
@pytest.mark.parametrize("write", [write_binary, write_structured])
@pytest.mark.parametrize(("path", "type", "data", "subject"), EVENTS)
def test_every_event_is_to_be_sent_again(
    run: Run, path: str, type: str, data: Any, subject: str | None, write: Any, prefer: dict[str, str]
) -> None:
    async def main(shop: Any) -> None:
        go_away(shop.runtime.store)
        message = write(CloudEvent(id="1", source="/s", type=type, data=data, subject=subject))
        headers = [*message.headers, *prefer.items()]
        check(await shop.client.post(path, content=message.body, headers=headers))

    run(main)


def test_no_route_is_left_out(run: Run) -> None:
    async def main(shop: Any) -> None:
        paths = (await shop.client.get("/openapi.json")).json()["paths"]
        known = {path.split("/")[1] for _, path in ASKED} | {path.split("/")[1] for path, *_ in EVENTS}
        callbacks = {"complete", "fail", "heartbeat"}  # below
        beside = {"tools", "decision"}  # nothing is stored of a direct call; pages of links have tests of their own
        assert {path.split("/")[1] for path in set(paths) - WITHOUT} - known == callbacks | beside

    run(main)
