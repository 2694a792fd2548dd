"""Standing approvals in the inbox: given with an approval, after it was said in plain words what nobody is asked any
more; shown, and revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from overwinter import Context, tool, workflow

from .browser import PHONE, WIDE
from .conftest import Stage
from .desk import NOW, refund, until

if TYPE_CHECKING:
    from playwright.async_api import Locator, Page

Play = Callable[..., None]


@workflow
async def returns(ctx: Context, shop: str) -> str:
    """Gives money back for what comes back."""
    while (order := await ctx.wait_for("returned", type=str)) != "end":
        await ctx.step(refund, order, float(len(order)), shop)
    return shop


MORE = (*NOW, returns)


def card(page: Page, id: str) -> Locator:
    return page.locator(f'article[data-key^="{id} "]')


async def begun(stage: Stage, id: str) -> Page:
    """An execution that waits for the approval of a refund of 4."""
    await stage.runtime.start(returns, "shop", id=id, by="ana")
    await stage.runtime.signal(id, "returned", "A-17")
    page = (await stage.open("/console/inbox?kind=approvals")).page
    await card(page, id).get_by_role("button", name="Later calls too…").click()
    return page


async def decided(stage: Stage, id: str) -> list[tuple[str, bool]]:
    entries = await stage.runtime.history(id)
    return [(one["by"], bool(one.get("under"))) for one in entries if one["type"] == "decided"]


def test_it_is_given_up_to_an_amount_and_says_what_is_not_asked_any_more(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = await begun(stage, "r-1")
        dialog = page.locator("dialog")
        await dialog.get_by_label("Where it is good").select_option("here")
        await dialog.get_by_label("How long").fill("8")
        await dialog.get_by_label("Unit").select_option("h")
        await dialog.get_by_label("For which calls").select_option("most")
        await dialog.get_by_role("button", name="Show what that means").click()
        assert "at least one argument" in await dialog.get_by_role("alert").inner_text()
        await dialog.get_by_role("textbox", name="amount").fill("3")
        await dialog.get_by_role("button", name="Show what that means").click()
        assert "the call itself has to be within it" in await dialog.get_by_role("alert").inner_text()
        await dialog.get_by_role("textbox", name="amount").fill("6.5")
        await dialog.get_by_role("button", name="Show what that means").click()
        said = await dialog.locator(".notice.warn").inner_text()
        assert said.startswith("refund is called in r-1 without asking refund-desk until ")
        assert said.endswith(", when amount is a number from 0 up to 6.5.")
        await dialog.get_by_role("button", name="Back").click()
        assert await dialog.get_by_role("textbox", name="amount").input_value() == "6.5"  # nothing was lost
        await dialog.get_by_role("button", name="Show what that means").click()
        await dialog.get_by_label("Your name").fill("ben")
        await dialog.get_by_role("button", name="Approve this and later calls").click()
        await card(page, "r-1").wait_for(state="detached")
        await until(stage.runtime, "r-1", "waiting")
        while not (found := await stage.runtime.standing("r-1")):  # noqa: ASYNC110  # it is accepted, and taken up soon
            await asyncio.sleep(0.01)
        (terms,) = found
        assert (terms["up_to"], terms["by"], terms["role"]) == ({"amount": "6.5"}, "ben", "refund-desk")
        assert terms["until"] - terms["at"] == 8 * 3_600_000 and "for_all" not in terms
        await stage.runtime.signal("r-1", "returned", "A-1800")  # 6 of them
        await stage.runtime.signal("r-1", "returned", "A-190000")  # 8
        await card(page, "r-1").wait_for()  # the one of 8
        assert await decided(stage, "r-1") == [("ben", False), ("ben", True)]

    play(main, functions=MORE)


def test_nothing_is_given_before_it_was_confirmed_and_signed(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = await begun(stage, "r-1")
        dialog = page.locator("dialog")
        await dialog.get_by_role("button", name="Show what that means").click()
        assert "whatever its arguments" in await dialog.locator(".notice.warn").inner_text()
        await dialog.get_by_role("button", name="Approve this and later calls").click()
        assert "Say who you are" in await dialog.get_by_role("alert").inner_text()
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="detached")
        assert (await stage.runtime.show("r-1")).status == "waiting" and not await stage.runtime.standing("r-1")

    play(main, functions=MORE)


def test_it_is_given_for_all_executions_and_revoked(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = await begun(stage, "r-1")
        dialog = page.locator("dialog")
        await dialog.get_by_label("Where it is good").select_option("all")
        await dialog.get_by_label("For which calls").select_option("exactly")
        await dialog.get_by_role("button", name="Show what that means").click()
        said = await dialog.locator(".notice.warn").inner_text()
        assert "every execution of returns, also those that have yet to begin" in said
        assert "exactly these arguments" in said and "A-17" in await dialog.locator(".worded").inner_text()
        await dialog.get_by_label("Your name").fill("ben")
        await dialog.get_by_role("button", name="Approve this and later calls").click()
        await card(page, "r-1").wait_for(state="detached")
        await stage.runtime.start(returns, "shop", id="r-2", by="ana")
        await stage.runtime.signal("r-2", "returned", "A-17")
        await until(stage.runtime, "r-2", "waiting")
        while not await decided(stage, "r-2"):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.01)
        assert await decided(stage, "r-2") == [("ben", True)]
        await page.get_by_text("Standing approvals", exact=True).click()
        line = page.locator(".standing li")
        assert "refund in all of returns, with exactly the same arguments" in await line.inner_text()
        await line.get_by_role("button", name="Revoke…").click()
        await dialog.get_by_role("button", name="Revoke").click()
        await page.get_by_text("There is none").wait_for()
        assert [one async for one in stage.runtime.standings_for_all()] == []

    play(main, functions=MORE)


def test_what_is_no_call_of_a_tool_has_no_later_ones(play: Play) -> None:
    @workflow
    async def asks(ctx: Context) -> None:
        await ctx.approve("the budget")

    async def main(stage: Stage) -> None:
        await stage.runtime.start(asks, id="a-1")
        page = (await stage.open("/console/inbox?kind=approvals")).page
        await card(page, "a-1").get_by_role("button", name="Approve…").wait_for()
        assert await card(page, "a-1").get_by_role("button", name="Later calls too…").count() == 0

    play(main, functions=(*NOW, asks))


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", PHONE)])
def test_nothing_is_in_the_way_of_anybody(play: Play, theme: str, size: tuple[int, int]) -> None:
    async def main(stage: Stage) -> None:
        name = f"inbox-standing-{theme}{'-phone' if size == PHONE else ''}"
        seen = await stage.open("/console/inbox?kind=approvals", theme=theme, size=size)
        page, dialog = seen.page, seen.page.locator("dialog")
        await card(page, "back-1").get_by_role("button", name="Later calls too…").click()
        await dialog.get_by_label("For which calls").select_option("most")
        await dialog.get_by_role("textbox", name="amount").fill("100")
        await dialog.get_by_label("Where it is good").select_option("all")
        assert await seen.axe() == []
        await seen.picture(f"{name}-form")
        await dialog.get_by_role("button", name="Show what that means").click()
        await dialog.get_by_label("Your name").fill("ben")
        assert await seen.axe() == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
        await seen.picture(name)
        await dialog.get_by_role("button", name="Approve this and later calls").click()
        await card(page, "back-1").wait_for(state="detached")
        await page.get_by_text("Standing approvals", exact=True).click()
        await page.locator(".standing li").wait_for()
        assert await seen.axe() == []
        await seen.picture(f"{name}-list")

    play(main)


@tool(effect="irreversible", approval="builders")
async def build(constructor: float, to_string: str = "") -> str:
    """Build something."""
    return f"{constructor}{to_string}"


@workflow
async def builds(ctx: Context) -> str:
    """A call with an argument that every object of the page has by itself."""
    return await ctx.step(build, 4.0)


def test_an_argument_may_be_called_as_anything_that_an_object_has(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await stage.runtime.start(builds, id="b-1", by="ana")
        page = (await stage.open("/console/inbox?kind=approvals")).page
        await card(page, "b-1").get_by_role("button", name="Later calls too…").click()
        dialog = page.locator("dialog")
        await dialog.get_by_label("For which calls").select_option("most")
        amount = dialog.get_by_role("textbox", name="constructor")
        assert await amount.input_value() == ""
        await dialog.get_by_role("button", name="Show what that means").click()
        assert "at least one argument" in await dialog.get_by_role("alert").inner_text()
        await amount.fill("9")
        await dialog.get_by_role("button", name="Show what that means").click()
        assert "constructor is a number from 0 up to 9" in await dialog.locator(".notice.warn").inner_text()

    play(main, functions=(*NOW, builds))
