"""The list of executions in a browser: filters in the address, thousands of rows, keys, and what is done to many."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from .browser import PHONE, WIDE
from .conftest import Stage
from .desk import pay_back, until

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

Play = Callable[..., None]
MANY = 10_000
FOCUSED = "document.activeElement.textContent"


async def shown(page: Page) -> list[str]:
    """The ids of the rows that are in the document, in their order."""
    found: list[str] = await page.locator(".tbody .tr .id").all_inner_texts()
    return found


def head(number: int) -> dict[str, Any]:
    given = {"id": f"order-{number:05}", "function": "checkout", "kind": "workflow", "status": "completed"}
    counted = {"version": 1, "length": 9, "created": 1_795_000_000_000 - number, "updated": 1_795_000_001_000}
    rest = {"wake": None, "parent": None, "awaits": "", "takes": "", "note": "", "owner": None, "deaths": 0}
    return {**given, **counted, **rest, "definition": ""}


async def with_many(page: Page) -> None:
    """Ten thousand executions, by pages, in the place of the server's."""

    async def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        if "status" in asked:  # what waits for people is asked for, too
            await route.continue_()
            return
        first, limit = int(asked.get("cursor", ["0"])[0]), int(asked["limit"][0])
        last = min(first + limit, MANY)
        rows = [head(number) for number in range(first, last)]
        await route.fulfill(json={"executions": rows, "cursor": str(last) if last < MANY else None})

    await page.route("**/executions?*", answer)


def test_filters_are_in_the_address_and_are_there_again_when_one_comes_back(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/")).page
        await page.wait_for_selector(".tbody .tr")
        assert {"back-1", "order-1"} <= set(await shown(page))
        await page.locator('[data-chip="waiting"]').click()
        await page.wait_for_selector("text=order-1", state="detached")
        assert {"back-1", "supplier-1"} <= set(await shown(page))
        assert page.url.endswith("/console/?status=waiting")
        await page.get_by_role("link", name="back-1").click()
        await page.wait_for_selector(".execution h1")
        await page.locator("nav").get_by_role("link", name="Executions").click()
        await page.wait_for_selector(".tbody .tr")
        assert page.url.endswith("/console/?status=waiting")
        assert await page.locator('[data-chip="waiting"]').get_attribute("aria-pressed") == "true"
        assert "order-1" not in await shown(page)
        await page.reload()
        await page.wait_for_selector(".tbody .tr")
        assert "order-1" not in await shown(page)
        await page.locator("nav").get_by_role("link", name="Executions").click()  # from the page itself: all again
        await page.wait_for_selector("text=order-1")

    play(main)


def test_the_oldest_come_first_when_that_is_chosen(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/")).page
        await page.wait_for_selector(".tbody .tr")
        newest = await shown(page)
        await page.get_by_label("Order", exact=True).select_option("oldest")
        await page.locator(f'.tbody .tr:first-child:has-text("{newest[-1]}")').wait_for()
        assert await shown(page) == newest[::-1]
        assert page.url.endswith("/console/?order=oldest")
        await page.locator('[data-chip="waiting"]').click()
        await page.wait_for_selector("text=order-1", state="detached")
        assert await shown(page) == [
            one for one in newest[::-1] if one in ("back-1", "supplier-1", "schedule/every-night")
        ]
        await stage.runtime.start(pay_back, "A-18", id="back-2")
        await page.get_by_role("button", name="1 new: show").click()  # the list has been read to its end
        await page.locator('.tbody .tr:last-child:has-text("back-2")').wait_for()

    play(main)


def test_every_filter_is_asked_of_the_server(play: Play) -> None:
    async def main(stage: Stage) -> None:
        asked: list[dict[str, list[str]]] = []

        async def answer(route: Route) -> None:
            asked.append(parse_qs(urlsplit(route.request.url).query))
            await route.fulfill(json={"executions": [], "cursor": None})

        page = (await stage.open("/console/inbox")).page
        await page.route("**/executions?*", answer)
        await page.goto(f"{stage.home}/console/?text=lamp&kind=agent&cost=0.5&status=failed&status=stuck&prefix=a/")
        await page.get_by_text("No execution matches").wait_for()
        wanted = {"text": ["lamp"], "kind": ["agent"], "cost": ["0.5"], "status": ["failed", "stuck"], "prefix": ["a/"]}
        assert any(wanted.items() <= one.items() for one in asked)
        assert await page.get_by_label("Search in ids").input_value() == "lamp"

    play(main)


def test_of_ten_thousand_rows_only_those_in_sight_are_there(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/inbox")).page
        await with_many(page)
        await page.locator("nav").get_by_role("link", name="Executions").click()
        await page.wait_for_selector(".tbody .tr")
        assert await page.locator("[role=table]").get_attribute("aria-rowcount") == "-1"  # nobody knows yet
        while await page.locator("[role=table]").get_attribute("aria-rowcount") != str(MANY + 1):
            await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            await page.evaluate("new Promise(requestAnimationFrame)")
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        await page.wait_for_selector(f"text=order-{MANY - 1:05}")
        there = await shown(page)
        assert len(there) < 100
        assert there == sorted(there)
        assert await page.locator(".tbody .tr").last.get_attribute("aria-rowindex") == str(MANY + 1)
        await page.evaluate("scrollTo(0, 0)")
        await page.wait_for_selector("text=order-00000")

    play(main)


def test_one_goes_through_rows_by_keys_and_the_focus_is_not_lost_out_of_sight(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/inbox")).page
        await with_many(page)
        await page.keyboard.press("g")
        await page.keyboard.press("e")
        await page.wait_for_selector(".tbody .tr")
        for _ in range(60):
            await page.keyboard.press("j")
        assert await page.evaluate(FOCUSED) == "order-00059"
        await page.keyboard.press("k")
        assert await page.evaluate(FOCUSED) == "order-00058"
        assert await page.evaluate("document.activeElement.getBoundingClientRect().bottom <= innerHeight")
        await page.evaluate("scrollTo(0, 0)")
        await page.wait_for_selector("text=order-00000")
        assert await page.evaluate(FOCUSED) == "order-00058"  # it is far below, and still there
        await page.keyboard.press("/")
        assert await page.evaluate("document.activeElement.type") == "search"
        await page.keyboard.type("j")  # here it is a letter
        assert await page.evaluate("document.activeElement.value") == "j"

    play(main)


def test_rows_follow_what_happens_where_they_stand_and_what_is_new_is_offered(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/")).page
        await page.locator('#live[data-state="on"]').wait_for()
        await page.wait_for_selector(".tbody .tr")
        before = await shown(page)
        await stage.runtime.act("pause", "back-1", by="ops", reason="")
        await page.locator('.tr[data-key="back-1"] [data-status="paused"]').wait_for()
        await page.locator('[data-chip="paused"]').wait_for()
        await stage.runtime.start(pay_back, "A-19", id="fresh")
        offer = page.get_by_role("button", name="new: show")
        await offer.wait_for()
        assert await shown(page) == before  # nothing moves under who reads
        await offer.click()
        await page.locator('.tr[data-key="fresh"]').wait_for()
        assert await offer.count() == 0

    play(main)


def test_what_was_chosen_is_shown_first_and_then_done(play: Play) -> None:
    async def main(stage: Stage) -> None:
        for number in range(3):
            await stage.runtime.start(pay_back, "A-18", id=f"more-{number}")
            await until(stage.runtime, f"more-{number}", "waiting")
        page = (await stage.open("/console/")).page
        for name in ("more-0", "more-2", "order-1"):
            await page.get_by_label(f"Choose {name}").check()
        await page.get_by_label("Do to them").select_option("pause")
        told = await page.inner_text("dialog")
        assert "Pause 2 executions" in told and "more-0" in told and "more-1" not in told
        assert "1 of those chosen are left alone" in told  # order-1 is over
        assert (await stage.runtime.show("more-0")).status == "waiting"
        await page.get_by_label("Reason").fill("holiday")
        await page.keyboard.press("Enter")
        await page.get_by_text("2 paused.").wait_for()
        await until(stage.runtime, "more-0", "paused")
        await until(stage.runtime, "more-2", "paused")
        assert (await stage.runtime.show("more-1")).status == "waiting"
        entry = next(one for one in await stage.runtime.history("more-0") if one["type"] == "paused")
        assert entry["reason"] == "holiday"
        await page.wait_for_selector("input[aria-label^='Choose more']:checked", state="detached")

    play(main)


def test_all_that_match_are_counted_by_the_server_before_anything_is_done(play: Play) -> None:
    async def main(stage: Stage) -> None:
        bodies: list[dict[str, Any]] = []

        async def answer(route: Route) -> None:
            bodies.append(json.loads(route.request.post_data or ""))
            seen = {"count": 12_345, "examples": [{"id": "a", "status": "waiting"}, {"id": "b", "status": "idle"}]}
            await route.fulfill(json=seen if bodies[-1].get("preview") else {"count": 12_345})

        page = (await stage.open("/console/?function=pay_back&status=waiting")).page
        await page.route("**/bulk/cancel", answer)
        await page.wait_for_selector(".tbody .tr")
        await page.get_by_label("Do to them").select_option("cancel")
        await page.wait_for_selector("dialog h2")
        told = await page.inner_text("dialog")
        assert "Cancel 12,345 executions" in told and "and 12,343 more" in told
        assert [one.get("preview") for one in bodies] == [True]
        await page.locator("dialog").get_by_role("button", name="Cancel", exact=True).click()
        await page.get_by_text("12,345 asked to end.").wait_for()
        where = {"function": "pay_back", "status": ["waiting"]}
        assert [one["where"] for one in bodies] == [where, where]
        assert not bodies[1].get("preview")

    play(main)


def test_ids_are_texts_and_never_markup(play: Play) -> None:
    async def main(stage: Stage) -> None:
        name = '<img src=x onerror=alert(1)>"&amp;'
        await stage.runtime.start(pay_back, "<b>bold</b>", id=name)
        await until(stage.runtime, name, "waiting")
        page = (await stage.open("/console/")).page
        await page.get_by_role("link", name=name).click()
        await page.wait_for_selector(".execution h1")
        assert await page.inner_text("h1") == name
        await page.get_by_text("<b>bold</b>").first.wait_for()
        assert await page.locator("main img, main b b").count() == 0

    play(main)


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", (360, 740))])
def test_nothing_is_in_the_way_of_anybody(play: Play, theme: str, size: tuple[int, int]) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/", theme=theme, size=size)
        await seen.page.wait_for_selector(".tbody .tr")
        assert await seen.axe() == []
        assert await seen.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        await seen.page.keyboard.press("?")
        await seen.page.wait_for_selector("dialog")
        assert await seen.axe() == []

    play(main)
