"""Small promises of docs/http.md: what is asked for is what is done, or it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .test_deliveries import TOKEN

Run = Callable[..., None]


@pytest.mark.parametrize("path", ["/executions", "/history/t"])
@pytest.mark.parametrize("limit", ["0", "-1", "1001", "", "x", "1e2"])
def test_a_limit_is_a_number_of_things(run: Run, path: str, limit: str) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=t", json={"question": "wait"})
        assert (await shop.client.get(path, params={"limit": limit})).status_code == 400
        assert (await shop.client.get(path, params={"limit": "1"})).status_code == 200

    run(main)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=UTF-8", 200),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=nonsense", 415),
        ("text/plain; charset=utf-8", 200),
        ("text/plain; charset=iso-8859-1", 415),
    ],
)
def test_a_body_is_read_as_what_it_says_it_is(run: Run, kind: str, status: int) -> None:
    async def main(shop: Any) -> None:
        body = b'{"content": "caf\xc3\xa9"}'
        answer = await shop.client.post("/sessions/echo/c", content=body, headers={"content-type": kind})
        assert answer.status_code == status

    run(main)


def test_the_handshake_is_open_where_events_are_taken(run: Run) -> None:
    async def main(shop: Any) -> None:
        asked = {"webhook-request-origin": "eventemitter.example.com"}
        for path in ("/", "/events/ticket"):
            assert (await shop.client.options(path, headers=asked)).headers["webhook-allowed-origin"] == "*"
            assert (await shop.client.post(path)).status_code == 401
        assert (await shop.client.options("/counts", headers=asked)).status_code == 401

    run(main, token=TOKEN)


def test_a_signal_counts_once_by_its_key(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=t", json={"question": "wait"})
        sent = {"name": "some.thing", "data": 1}
        for key in ("a", "a", "b", "a"):
            answer = await shop.client.post("/signal/t", json=sent, headers={"idempotency-key": key})
            assert answer.status_code == 202
        await shop.client.post("/signal/t", json={"name": "customer.reply"})
        await shop.client.get("/results/t", headers={"prefer": "wait=20"})
        entries = (await shop.client.get("/history/t")).json()["entries"]
        assert [entry["name"] for entry in entries if entry["type"] == "event"].count("some.thing") == 2

    run(main)


def test_what_is_said_of_an_error_has_a_bound(run: Run) -> None:
    async def main(shop: Any) -> None:
        for body in ({"approved": True, "x" * 1_000_000: 1}, {"question": "x", "y" * 1_000_000: 1}):
            for path in ("/decide/t", "/workflows/ticket", "/tools/lookup_order", "/cancel/t"):
                answer = await shop.client.post(path, json=body)
                assert answer.status_code in (202, 404, 422) and len(answer.content) < 20_000, path

    run(main)
