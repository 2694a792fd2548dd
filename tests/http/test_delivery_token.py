"""The delivery token: for senders whose configuration others can read. It lets events and sweeps in, and nothing that
only people should do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_batch, write_binary
from overwinter.functions.http.guard import guard
from overwinter.state.errors import InvalidInput

Run = Callable[..., None]
TOKEN, DELIVERY = "a-secret-of-some-length", "another-secret-of-some-length"


def event(type: str, data: Any = None, subject: str | None = None) -> CloudEvent:
    return CloudEvent(id="1", source="/test", type=type, data=data, subject=subject)


async def deliver(shop: Any, one: CloudEvent, path: str = "/", token: str = DELIVERY) -> int:
    message = write_binary(one)
    answer = await shop.client.post(f"{path}?access_token={token}", content=message.body, headers=message.headers)
    return int(answer.status_code)


def tokens(run: Run, main: Any) -> None:
    run(main, token=TOKEN, delivery_token=DELIVERY)


def test_it_lets_events_and_sweeps_in(run: Run) -> None:
    async def main(shop: Any) -> None:
        assert await deliver(shop, event("io.overwinter.call.echo", "hi", "c-1")) == 202
        assert await deliver(shop, event("any.type", "hi"), "/events/echo") == 202
        assert await deliver(shop, event("customer.reply", "hi", "nobody")) == 204
        assert await deliver(shop, event("dev.knative.sources.ping"), "/sweep") == 204
        assert await deliver(shop, event("io.overwinter.sweep")) == 204
        header = {"authorization": f"Bearer {DELIVERY}"}
        assert (await shop.client.post("/sweep", headers=header)).status_code == 200

    tokens(run, main)


@pytest.mark.parametrize(
    ("type", "path"),
    [
        ("io.overwinter.decide", "/"),
        ("io.overwinter.cancel", "/"),
        ("io.overwinter.decide", "/events/echo"),
        ("io.overwinter.call.lookup_order", "/"),
        ("io.overwinter.call.lookup_order", "/events/echo"),
        ("any.type", "/events/lookup_order"),
    ],
)
def test_it_does_not_decide_or_call_tools(run: Run, type: str, path: str) -> None:
    async def main(shop: Any) -> None:
        one = event(type, {"approved": True, "order_id": "A-1"}, "echo/c-1")
        assert await deliver(shop, one, path) == 403
        assert await deliver(shop, one, path, TOKEN) != 403

    tokens(run, main)


def test_a_batch_with_one_such_event_is_refused_whole(run: Run) -> None:
    async def main(shop: Any) -> None:
        message = write_batch([event("io.overwinter.call.echo", "hi"), event("io.overwinter.cancel", None, "echo/c")])
        answer = await shop.client.post(f"/?access_token={DELIVERY}", content=message.body, headers=message.headers)
        assert answer.status_code == 403
        assert (await shop.client.get(f"/executions?access_token={TOKEN}")).json()["executions"] == []

    tokens(run, main)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/executions"),
        ("GET", "/history/echo/c-1"),
        ("POST", "/sessions/echo/c-1"),
        ("POST", "/decide/echo/c-1"),
        ("POST", "/tools/lookup_order"),
        ("POST", "/eventsx"),
        ("GET", "/openapi.json"),
    ],
)
def test_it_opens_nothing_else(run: Run, method: str, path: str) -> None:
    async def main(shop: Any) -> None:
        header = {"authorization": f"Bearer {DELIVERY}"}
        answer = await shop.client.request(method, path, headers=header)
        assert answer.status_code == 403 and answer.headers["content-type"] == "application/problem+json"
        assert (await shop.client.request(method, path)).status_code == 401
        wrong = await shop.client.request(method, path, headers={"authorization": "Bearer wrong"})
        assert wrong.status_code == 401

    tokens(run, main)


def test_the_token_of_the_api_is_not_limited(run: Run) -> None:
    async def main(shop: Any) -> None:
        header = {"authorization": f"Bearer {TOKEN}"}
        assert (await shop.client.get("/executions", headers=header)).status_code == 200
        assert await deliver(shop, event("io.overwinter.call.lookup_order", {"order_id": "A"}), "/", TOKEN) == 204

    tokens(run, main)


def test_it_needs_the_other_token_beside_it() -> None:
    guard("0.0.0.0", TOKEN, DELIVERY)
    for token, delivery in ((None, DELIVERY), (TOKEN, TOKEN), (TOKEN, "short")):
        with pytest.raises(InvalidInput):
            guard("127.0.0.1", token, delivery)
