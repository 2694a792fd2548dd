"""Thousands of rows: an inbox and a journal that are long stay as quick as short ones, since only what is in sight is
in the document."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from overwinter import Context, workflow

from .conftest import Stage
from .desk import NOW, pay_back, until

Play = Callable[..., None]
MANY = 10_000
SHOWN = """() => ({
  cards: document.querySelectorAll("article").length, nodes: document.querySelectorAll("*").length })"""
READ = """(wanted) => parseInt(document.querySelector('.chip[aria-pressed="true"] b').textContent
  .replaceAll(",", "")) >= wanted"""


@workflow
async def long(ctx: Context, count: int) -> int:
    """Many small steps."""
    for number in range(count):
        await ctx.step(abs, number)
    return count


def test_a_journal_of_ten_thousand_entries_is_walked(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await stage.runtime.start(long, MANY - 2, id="long")
        assert await stage.runtime.result("long") == MANY - 2
        seen = await stage.open("/console/playground?tab=replay&id=long")
        page = seen.page
        await page.get_by_text("Entry 1 of 10,000").wait_for()
        assert await page.locator(".tbody .tr").count() < 100
        await page.get_by_role("button", name="Last").click()
        await page.get_by_text("Entry 10,000 of 10,000").wait_for()
        await page.get_by_text("and 9,958 before them").wait_for()
        await page.get_by_role("button", name="Back").click()
        await page.get_by_text("Entry 9,999 of 10,000").wait_for()
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        await page.get_by_role("button", name=f"Breakpoint at {MANY - 3}", exact=True).wait_for()
        assert await page.locator(".tbody .tr").count() < 100

    play(main, empty=True, functions=[long])


async def asking(stage: Stage, count: int) -> None:
    """So many executions that ask for an approval. The first and the last stand alone in their millisecond."""

    async def begin(number: int) -> None:
        await stage.runtime.start(pay_back, f"A-{number}", id=f"many-{number:05}", by="ana")

    for first, end in (
        (0, 1),
        *((at, min(at + 200, count - 1)) for at in range(1, count - 1, 200)),
        (count - 1, count),
    ):
        await asyncio.gather(*(begin(number) for number in range(first, end)))
        await until(stage.runtime, f"many-{end - 1:05}", "waiting")


def card(number: int) -> str:
    return f'article[data-key^="many-{number:05} "]'


def test_an_inbox_of_ten_thousand_approvals_is_walked_and_decided(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await asking(stage, MANY)
        seen = await stage.open("/console/inbox?kind=approvals")
        page = seen.page
        await page.locator(card(0)).wait_for()
        await page.get_by_role("button", name="Approvals 200+").wait_for()
        shown = await page.evaluate(SHOWN)
        assert shown["cards"] <= 100 and shown["nodes"] < 6_000
        for read in (400, 600, 800):  # pages come as one scrolls
            await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            await page.wait_for_function(READ, arg=read)
        shown = await page.evaluate(SHOWN)
        assert shown["cards"] <= 100 and shown["nodes"] < 6_000  # however many were read
        await page.evaluate("scrollTo(0, 0)")
        await page.locator(card(0)).get_by_role("button", name="Approve…").click()
        await page.get_by_label("Your name").fill("ben")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.locator("dialog").get_by_role("button", name="Approve").click()
        await page.locator(card(0)).wait_for(state="detached")
        assert any(url.endswith("/approvals/many-00000") for url in asked)  # that one alone
        assert await stage.runtime.result("many-00000") == "40.0 back for A-0"
        await page.get_by_label("Search the inbox").fill("many-05000")
        await page.get_by_role("button", name="Look further").click(timeout=30_000)  # after 4,000 that were none
        await page.locator(card(5000)).wait_for(timeout=30_000)
        assert await page.locator("article").count() == 1

    play(main, empty=True, functions=NOW)


def test_an_inbox_asks_for_one_page_and_draws_the_cards_near_what_is_in_sight(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await asking(stage, 300)
        asked: list[str] = []
        seen = await stage.open("/console/")
        page = seen.page
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{stage.home}/console/inbox?kind=approvals")
        await page.locator(card(0)).wait_for()
        assert len([url for url in asked if "/approvals?" in url]) == 1
        await page.get_by_role("button", name="Approvals 200+").wait_for()
        await page.get_by_role("button", name="Show more").focus()
        await page.get_by_role("button", name="Approvals 300").wait_for()
        await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        await page.locator(card(299)).wait_for()
        assert await page.locator(card(0)).count() == 0
        await page.get_by_label("Search the inbox").fill("many-00299")
        await page.locator(card(0)).wait_for(state="detached")
        await page.locator(card(299)).wait_for()
        assert await page.locator("article").count() == 1
        assert page.url.endswith("kind=approvals&text=many-00299")

    play(main, empty=True, functions=NOW)
