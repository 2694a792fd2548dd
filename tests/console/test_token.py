"""The token is asked for once. What can't be one, or is wrong, is asked for again, and keeps nobody out for good."""

from __future__ import annotations

from collections.abc import Callable

from .conftest import Stage
from .desk import pay_back

TOKEN = "a-secret-of-some-length"


def test_a_token_that_was_copied_with_something_around_it_is_asked_for_again(play: Callable[..., None]) -> None:
    async def main(stage: Stage) -> None:
        from playwright.async_api import expect

        page = (await stage.open("/console/")).page
        for given in (f"\u201c{TOKEN}\u201d", "wrong-and-long-enough", f" {TOKEN} "):
            field = page.locator("dialog input[type=password]")
            await expect(field).to_have_value("")  # one that is closing has the last one
            await field.fill(given)
            await page.keyboard.press("Enter")
        await page.wait_for_selector("a[href*='/execution/back-1']")

    play(main, token=TOKEN, expected=("401",))


def test_who_was_asked_and_said_nothing_hears_of_changes_when_a_token_is_given_later(play: Callable[..., None]) -> None:
    async def main(stage: Stage) -> None:
        from playwright.async_api import expect

        page = (await stage.open("/console/")).page
        await page.locator("dialog input[type=password]").wait_for()
        live, dialog = page.locator("#live"), page.locator("dialog")
        while (
            await dialog.count() or "not live" not in await live.inner_text()
        ):  # each thing that was asked for may ask
            await page.keyboard.press("Escape")
            await page.wait_for_timeout(20)
        await page.locator('nav a[data-page="fleet"]').click()
        await page.locator("dialog input[type=password]").fill(TOKEN)
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Fleet").wait_for()
        await expect(live).to_have_text("live")
        await page.locator('nav a[data-page="executions"]').click()
        await page.wait_for_selector("a[href*='/execution/back-1']")
        await stage.runtime.start(pay_back, "A-18", id="back-2")
        await page.get_by_role("button", name="new: show").wait_for()

    play(main, token=TOKEN, expected=("401",))
