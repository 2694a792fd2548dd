"""How the inbox, the fleet and the playground look: nothing that an accessibility engine finds wrong, in both themes
and at phone width, nothing wider than the page, and all of it small."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from overwinter.console.files import read

from .browser import PHONE, WIDE
from .conftest import Stage

Play = Callable[..., None]
PAGES = {
    "inbox": ("/console/inbox", 'article[data-key="ledger-1"]'),
    "fleet": ("/console/fleet", "text=every-night"),
    "playground-talk": ("/console/playground?tab=talk&agent=clerk&session=ann", "text=I have looked"),
    "playground-start": ("/console/playground?tab=start&function=send_order", "text=What came of it"),
    "playground-replay": ("/console/playground?tab=replay&id=clerk%2Fann&at=3&stop=t1.m2", "text=Entry 3 of"),
}
LOOKS = {"light": ("light", WIDE), "dark": ("dark", WIDE), "phone": ("light", PHONE), "phone-dark": ("dark", PHONE)}


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wrong_with_a_page(play: Play, name: str, look: str) -> None:
    async def main(stage: Stage) -> None:
        path, shown = PAGES[name]
        theme, size = LOOKS[look]
        seen = await stage.open(path, theme=theme, size=size)
        await seen.page.locator(shown).first.wait_for()
        assert await seen.axe() == []
        wide = await seen.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1]
        await seen.picture(f"{name}-{look}")

    play(main)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_wrong_with_a_dialog(play: Play, theme: str) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox", theme=theme)
        card = seen.page.locator('article[data-key^="back-1 "]')
        for name in ("Approve…", "Edit…", "Delegate…"):
            await card.get_by_role("button", name=name).click()
            await seen.page.locator("dialog[open]").wait_for()
            assert await seen.axe() == []
            await seen.page.keyboard.press("Escape")
        await card.get_by_role("button", name="Edit…").click()
        await seen.page.get_by_label("amount").fill("12.5")
        await seen.page.get_by_role("button", name="Show what changes").click()
        await seen.page.locator(".difference").wait_for()
        assert await seen.axe() == []
        await seen.picture(f"inbox-edit-{theme}")

    play(main)


def test_all_of_it_is_small() -> None:
    files = read()
    assert {"pages/inbox.js", "pages/fleet.js", "pages/playground.js", "desk.css"} <= set(files)
    assert sum(file.smallest for file in files.values()) <= 150_000
