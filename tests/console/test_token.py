"""The token is asked for once. What can't be one, or is wrong, is asked for again, and keeps nobody out for good."""

from __future__ import annotations

from collections.abc import Callable

from .conftest import Stage

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
