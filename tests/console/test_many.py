"""Thousands of rows: an inbox and a journal that are long stay as quick as short ones, since only what is in sight is
in the document."""

from __future__ import annotations

from collections.abc import Callable

from overwinter import Context, workflow

from .conftest import Stage
from .desk import NOW, pay_back, until

Play = Callable[..., None]
MANY = 10_000


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


def test_an_inbox_of_hundreds_shows_the_first_and_says_how_many_there_are(play: Play) -> None:
    async def main(stage: Stage) -> None:
        for number in range(120):
            await stage.runtime.start(pay_back, f"A-{number}", id=f"many-{number:03}", by="ana")
        await until(stage.runtime, "many-119", "waiting")
        seen = await stage.open("/console/inbox?kind=approvals")
        page = seen.page
        await page.get_by_role("button", name="Approvals 120").wait_for()
        assert await page.locator("article").count() == 50
        await page.get_by_role("button", name="Show 50 more").click()
        assert await page.locator("article").count() == 100
        await page.get_by_label("Search the inbox").fill("many-119")
        await page.locator('article[data-key^="many-119 "]').wait_for()
        assert await page.locator("article").count() == 1

    play(main, empty=True, functions=NOW)
