"""``/memories``: everything that agents know of a user, over HTTP."""

from __future__ import annotations

from typing import Any
from unittest import mock
from urllib.parse import quote

import pytest

from overwinter import Memory
from overwinter.functions.http import remembering

from .conftest import asked_over
from .test_api import problem_of

desk, shop_notes = Memory("desk", whose="agent"), Memory("shop/1.%2F", whose="agent")


async def _filled(runtime: Any) -> None:
    for number in range(7):
        await desk.of("ana", store=runtime.store).remember(f"likes tea number {number}")
    await desk.of("ben", tenant="x.y/z", store=runtime.store).remember("likes coffee")
    await shop_notes.of("ana", store=runtime.store).remember("has a cat")


async def _texts(client: Any, query: str) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        page = (await client.get(f"/memories?limit=2{query}{after}")).json()
        assert 0 < len(page["memories"]) <= 2
        found += [one["text"] for one in page["memories"]]
        if page["next"] is None:
            return found
        after = f"&after={quote(page['next'], safe='')}"


def test_they_come_by_pages() -> None:
    async def main(shop: Any) -> None:
        await _filled(shop.runtime)
        teas = [f"likes tea number {number}" for number in range(7)]
        assert sorted(await _texts(shop.client, "")) == sorted([*teas, "likes coffee", "has a cat"])
        assert sorted(await _texts(shop.client, "&user=ana&agent=desk")) == teas
        (one,) = (await shop.client.get("/memories?tenant=x.y/z")).json()["memories"]
        assert (one["agent"], one["tenant"], one["user"], one["text"]) == ("desk", "x.y/z", "ben", "likes coffee")
        assert (await shop.client.get("/memories?user=nobody")).json() == {"memories": [], "next": None}

    asked_over(main, [])


def test_a_page_is_bounded_in_bytes() -> None:
    async def main(shop: Any) -> None:
        await _filled(shop.runtime)
        page = (await shop.client.get("/memories?user=ana")).json()
        assert len(page["memories"]) == 2 and page["next"]

    with mock.patch.object(remembering, "PAGE_BYTES", 320):
        asked_over(main, [])


def test_a_search() -> None:
    async def main(shop: Any) -> None:
        await _filled(shop.runtime)
        found = (await shop.client.get("/memories?search=coffee")).json()
        assert [one["user"] for one in found["memories"]] == ["ben"]
        assert len((await shop.client.get("/memories?search=tea&limit=3")).json()["memories"]) == 3
        assert (await shop.client.get("/memories?search=tea&user=ben")).json()["memories"] == []
        problem_of(await shop.client.get("/memories?search=tea&after=1.a.b"), 400)

    asked_over(main, [])


def test_erase() -> None:
    async def main(shop: Any) -> None:
        await _filled(shop.runtime)
        (cat,) = (await shop.client.get("/memories?user=ana&search=cat")).json()["memories"]
        assert (await shop.client.delete("/memories?id=" + cat["id"])).json() == {"erased": 1}
        assert (await shop.client.delete("/memories?user=ana")).json() == {"erased": 7}
        assert [one["user"] for one in (await shop.client.get("/memories")).json()["memories"]] == ["ben"]
        assert (await shop.client.delete("/memories?user=ana")).json() == {"erased": 0}

    asked_over(main, [])


@pytest.mark.parametrize("query", ["", "?user=", "?id=", "?who=ana", "?user=a&user=b", "?id=x&id="])
def test_what_goes_must_be_said(query: str) -> None:
    async def main(shop: Any) -> None:
        await _filled(shop.runtime)
        problem_of(await shop.client.delete("/memories" + query), 400)
        assert len((await shop.client.get("/memories")).json()["memories"]) == 9

    asked_over(main, [])


@pytest.mark.parametrize(
    "after", ["x", "1", "1.a", "1.a.b", "1.a. kv/overwinter.memory/a", "-1.a.b", "9" * 20 + ".a.b"]
)
def test_after_is_the_next_of_a_page(after: str) -> None:
    async def main(shop: Any) -> None:
        problem_of(await shop.client.get("/memories?after=" + quote(after, safe="")), 400)

    asked_over(main, [])
