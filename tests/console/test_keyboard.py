"""The whole way without a mouse: begin something, find out that it waits, approve it, and see it done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .browser import Watched
from .conftest import Stage

Play = Callable[..., None]
KEYS = ("Enter", "ArrowRight")
"""What is pressed; all else is typed."""


async def reach(seen: Watched, role: Any, name: str, *then: str) -> None:
    """Go there by Tab, and type or press what follows there. The text is what the control is called."""
    wanted = seen.page.get_by_role(role, name=name, exact=True).first
    await wanted.wait_for()
    for _ in range(200):
        if await wanted.evaluate("(one) => one === document.activeElement"):
            for keys in then:
                await (seen.page.keyboard.press(keys) if keys in KEYS else seen.page.keyboard.type(keys))
            return
        await seen.page.keyboard.press("Tab")
    raise AssertionError(f"{name!r} is not reached by Tab")


def test_start_approve_and_see_it_done(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/fleet")
        page, keys = seen.page, seen.page.keyboard
        await page.get_by_role("heading", name="Fleet").wait_for()
        await keys.press("g")
        await keys.press("p")
        await reach(seen, "tab", "Talk", "ArrowRight")
        await reach(seen, "combobox", "Function", "pay_back")
        await reach(seen, "textbox", "Input", "K-1")
        await reach(seen, "textbox", "Id optional", "by-keys")
        await reach(seen, "button", "Start it", "Enter")
        await reach(seen, "link", "It waits for an approval", "Enter")
        await page.wait_for_url("**/console/inbox?text=by-keys")
        await reach(seen, "button", "Approve…", "Enter")
        await reach(seen, "textbox", "Your name", "ben", "Enter")
        await page.locator("article").wait_for(state="detached")
        await keys.press("g")
        await keys.press("e")
        await page.get_by_role("heading", name="Executions").wait_for()
        await reach(seen, "link", "by-keys", "Enter")
        await page.wait_for_url("**/console/execution/by-keys")
        await page.get_by_text("completed").first.wait_for()
        assert await stage.runtime.result("by-keys") == "40.0 back for K-1"

    play(main)
