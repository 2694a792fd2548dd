"""An execution is forked from its page: from an entry of its journal, with other words, in a few clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from overwinter import Agent, Scripted, call, tool

from .browser import PHONE, WIDE
from .conftest import Stage
from .desk import NOW

if TYPE_CHECKING:
    from overwinter.functions.models.port import Message

Play = Callable[..., None]
DONE: list[int] = []


@tool(effect="irreversible")
async def pay_back(amount: int) -> str:
    """Give money back."""
    DONE.append(amount)
    return f"{amount} given back"


def says(messages: Sequence[Message], tools: object) -> Any:
    if messages[-1].role == "user":
        return call("pay_back", amount=30 if "stingy" in messages[0].content else 80)
    return f"So: {messages[-1].content}"


cashier = Agent("cashier", Scripted(says), instructions="Be kind.", tools=[pay_back])
MORE = (*NOW, cashier)


def test_it_is_forked_from_an_entry_of_its_journal(play: Play) -> None:
    async def main(stage: Stage) -> None:
        DONE.clear()
        await (await stage.runtime.start(cashier, "the lamp is broken", id="c-1")).result()
        tab = await stage.open("/console/execution/c-1?tab=journal")
        page = tab.page
        await page.get_by_role("button", name="Entry 2").click()
        await page.locator("dialog").get_by_role("button", name="Fork from here").click()
        form = page.locator("dialog")
        await form.get_by_text("It has no effects").wait_for()  # the entry's own dialog closes first
        assert await tab.axe() == []
        await tab.picture("fork-light")
        assert await form.get_by_label("From entry").input_value() == "2"
        await form.get_by_label("From entry").fill("99")
        await form.get_by_role("button", name="Fork", exact=True).click()
        assert "2 to" in await form.get_by_role("alert").inner_text()
        await form.get_by_label("From entry").fill("2")
        await form.get_by_label("Instructions").fill("Be stingy.")
        await form.get_by_role("button", name="Fork", exact=True).click()
        await page.wait_for_url("**/console/execution/cashier/fork*")
        await page.locator(".strip", has_text="fork of c-1 from entry 2").wait_for()  # c-1 had one as well
        await page.locator(".strip [data-status=completed]").wait_for()
        await page.locator("#panel").get_by_text("EffectBlocked").first.wait_for()
        assert await page.locator(".composer").count() == 0, "it is no session"
        await page.get_by_role("tab", name="Journal").click()
        await page.locator(".entry-type", has_text="forked").wait_for()
        assert DONE == [80], "the money is given back once"

    play(main, functions=MORE)


def test_it_can_be_read_in_the_dark_and_on_a_phone(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await (await stage.runtime.start(cashier, "the lamp is broken", id="c-3")).result()
        for theme, size, name in (("dark", WIDE, "fork-dark"), ("light", PHONE, "fork-phone")):
            tab = await stage.open("/console/execution/c-3?tab=journal", theme=theme, size=size)
            await tab.page.locator(".actions").get_by_role("button", name="Fork").click()
            await tab.page.locator("dialog").get_by_label("Instructions").fill("Be stingy.")
            assert await tab.axe() == []
            await tab.picture(name)

    play(main, functions=MORE)


def test_by_the_button_above_and_not_where_it_can_not_be(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await (await stage.runtime.start(cashier, "the lamp is broken", id="c-2")).result()
        page = (await stage.open("/console/execution/c-2")).page
        await page.locator(".actions").get_by_role("button", name="Fork").click()
        await page.locator("dialog").get_by_role("button", name="Fork", exact=True).click()
        await page.wait_for_url("**/console/execution/cashier/fork*")
        await page.get_by_text("So: 80 given back").first.wait_for()

    play(main, functions=MORE)
