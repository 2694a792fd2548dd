"""Who is let in: strangers never without the token, web pages never on loopback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from overwinter.functions.http.guard import guard, is_loopback
from overwinter.state.errors import InvalidInput

Run = Callable[..., None]
TOKEN = "a-secret-of-some-length"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost", "app.localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    guard(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "example.com", "localhost.example.com"])
def test_other_addresses_need_one(host: str) -> None:
    with pytest.raises(InvalidInput, match="OVERWINTER_TOKEN"):
        guard(host, None)
    guard(host, TOKEN)
    with pytest.raises(InvalidInput, match="too short"):
        guard(host, "")


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, "", 200),
        ({"authorization": f"bearer {TOKEN}"}, "", 200),
        ({}, f"?access_token={TOKEN}", 200),
        ({}, "", 401),
        ({}, "?access_token=wrong", 401),
        ({"authorization": "Bearer wrong"}, f"?access_token={TOKEN}", 401),
        ({"authorization": f"Basic {TOKEN}"}, "", 401),
        ({"authorization": "Bearer \u00e9".encode("latin-1")}, "", 401),
    ],
)
def test_the_token_opens_the_api(run: Run, headers: dict[str, Any], query: str, status: int) -> None:
    async def main(shop: Any) -> None:
        answer = await shop.client.get(f"/counts{query}", headers=headers)
        assert answer.status_code == status
        if query and status == 200:
            assert answer.headers["cache-control"] == "private"
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["content-type"] == "application/problem+json"
        assert (await shop.client.get("/healthz")).status_code == 200
        assert (await shop.client.get("/readyz")).status_code == 200
        assert (await shop.client.post("/")).status_code == 401

    run(main, token=TOKEN)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8000"}, 200),
        ({"host": "[::1]:8000"}, 200),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "evil.example:127"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_without_a_token_other_sites_stay_out(run: Run, headers: dict[str, str], status: int) -> None:
    async def main(shop: Any) -> None:
        assert (await shop.client.get("/counts", headers=headers)).status_code == status

    run(main)
