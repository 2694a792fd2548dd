"""The inbox in a browser: what waits for people is shown in plain words, and decided there, with the keyboard alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from overwinter import Context, Runtime, tool, workflow

from .browser import Watched
from .conftest import Stage
from .desk import NOW, clerk, pay_back, until

Play = Callable[..., None]


async def reach(seen: Watched, name: str, *, within: str = "") -> None:
    """Go there by Tab, as somebody without a mouse does. The text is what the control is called."""
    scope = seen.page.locator(within) if within else seen.page
    wanted = scope.get_by_role("button", name=name, exact=True).first
    await wanted.wait_for()
    for _ in range(200):
        if await wanted.evaluate("(one) => one === document.activeElement"):
            return
        await seen.page.keyboard.press("Tab")
    raise AssertionError(f"{name!r} is not reached by Tab")


def card(execution: str) -> str:
    return f'article[data-key^="{execution} "]'


def test_an_approval_is_read_in_plain_words_and_approved_by_keyboard_alone(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/")
        page = seen.page
        await page.wait_for_selector("h1")
        await page.keyboard.press("g")
        await page.keyboard.press("i")
        await page.wait_for_selector(card("back-1"))
        assert await page.evaluate("document.activeElement.textContent") == "Inbox"
        told = await page.inner_text(card("back-1"))
        for part in ("May pay_back call refund?", "order id", "A-17", "amount", "40", "refund-desk"):
            assert part in told
        await reach(seen, "Approve…", within=card("back-1"))
        await page.keyboard.press("Enter")
        await page.keyboard.type("seen it")
        await page.keyboard.press("Tab")
        await page.keyboard.type("ben")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(card("back-1"), state="detached")
        assert await stage.runtime.result("back-1") == "40.0 back for A-17"
        decided = [one for one in await stage.runtime.history("back-1") if one["type"] == "decided"]
        assert [(one["approved"], one["by"], one["reason"]) for one in decided] == [(True, "ben", "seen it")]
        # the focus is not lost with the card that it was on
        assert await page.evaluate("document.activeElement !== document.body")

    play(main)


def test_nobody_decides_without_a_name(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox")
        page = seen.page
        await page.locator(card("back-1")).get_by_role("button", name="Approve…").click()
        await page.locator("dialog").get_by_role("button", name="Approve").click()
        assert "Say who you are" in await page.inner_text("dialog [role=alert]")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
        assert (await stage.runtime.show("back-1")).status == "waiting"

    play(main)


def test_two_have_to_approve_and_the_first_is_counted(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox?kind=approvals")
        page = seen.page

        async def approve(by: str) -> None:
            await page.locator(card("supplier-1")).get_by_role("button", name="Approve…").click()
            await page.get_by_label("Your name").fill(by)
            await page.locator("dialog").get_by_role("button", name="Approve").click()

        assert "0 of 2" in await page.inner_text(card("supplier-1"))
        await approve("ana")  # who has asked for it
        await page.wait_for_selector("dialog [role=alert]:not([hidden])")
        await page.keyboard.press("Escape")
        await approve("ben")
        await page.get_by_text("1 of 2: ben").wait_for()
        await approve("cleo")
        await page.wait_for_selector(card("supplier-1"), state="detached")
        assert await stage.runtime.result("supplier-1") == "1200 to DE12"

    play(main, expected=("409",))


def test_an_edit_is_made_in_the_forms_of_the_schema_and_shown_as_a_difference(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox")
        page = seen.page
        await page.locator(card("back-1")).get_by_role("button", name="Edit…").click()
        dialog = page.locator("dialog")
        assert await dialog.get_by_label("amount").input_value() == "40"
        await dialog.get_by_label("amount").fill("much")
        await dialog.get_by_role("button", name="Show what changes").click()
        assert "number" in await dialog.get_by_role("alert").inner_text()
        await dialog.get_by_label("amount").fill("12.5")
        await dialog.get_by_role("button", name="Show what changes").click()
        await page.wait_for_selector("dialog .difference")
        removed, added = page.locator("dialog .removed"), page.locator("dialog .added")
        assert '"amount": 40' in await removed.inner_text() and '"amount": 12.5' in await added.inner_text()
        await page.get_by_label("Your name").fill("ben")
        await dialog.get_by_role("button", name="Approve").click()
        await page.wait_for_selector(card("back-1"), state="detached")
        assert await stage.runtime.result("back-1") == "12.5 back for A-17"

    play(main)


@tool(effect="irreversible", approval="desk")
async def send_to(account: int, most: int, part: float) -> str:
    """Move something."""
    return f"{account} {most} {part}"


@workflow
async def moves(ctx: Context, account: int) -> str:
    return await ctx.step(send_to, account, 5, 1e-13)


def test_a_number_is_shown_sent_and_saved_as_it_is_however_long(play: Play) -> None:
    account, most = 12345678901234567891, 98765432109876543211

    async def main(stage: Stage) -> None:
        await stage.runtime.start(moves, account, id="long-1")
        seen = await stage.open("/console/inbox")
        page = seen.page
        told = (await page.inner_text(card("long-1"))).replace(",", "")
        assert str(account) in told and "1e-13" in told
        await page.locator(card("long-1")).get_by_role("button", name="Edit…").click()
        dialog = page.locator("dialog")
        assert await dialog.get_by_label("account").input_value() == str(account)
        await dialog.get_by_label("most").fill(str(most))
        await dialog.get_by_role("button", name="Show what changes").click()
        assert str(most) in await page.locator("dialog .added").inner_text()
        assert str(account) not in await page.locator("dialog .added").inner_text()
        await page.get_by_label("Your name").fill("ben")
        await dialog.get_by_role("button", name="Approve").click()
        await page.wait_for_selector(card("long-1"), state="detached")
        assert await stage.runtime.result("long-1") == f"{account} {most} 1e-13"
        await page.goto(f"{stage.home}/console/execution/long-1")
        async with page.expect_download() as saved:
            await page.get_by_role("button", name="Download").click()
        path = Path(await (await saved.value).path())
        assert str(account) in await asyncio.to_thread(path.read_text)

    play(main, functions=(send_to, moves), empty=True)


def test_it_is_denied_with_a_reason_and_delegated(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox")
        page = seen.page
        await page.locator(card("supplier-1")).get_by_role("button", name="Delegate…").click()
        await page.get_by_label("It is for").select_option("to")
        await page.get_by_label("Name", exact=True).fill("dora")
        await page.get_by_label("Your name").fill("ben")
        await page.locator("dialog").get_by_role("button", name="Delegate").click()
        await page.get_by_text("dora alone").wait_for()
        await page.locator(card("back-1")).get_by_role("button", name="Deny…").click()
        await page.get_by_label("Reason").fill("not in the last month")
        await page.locator("dialog").get_by_role("button", name="Deny").click()
        await page.wait_for_selector(card("back-1"), state="detached")
        head = await until(stage.runtime, "back-1", "failed")
        decided = [one for one in await stage.runtime.history(head.id) if one["type"] == "decided"]
        assert [(one["approved"], one["by"], one["reason"]) for one in decided] == [
            (False, "ben", "not in the last month")
        ]

    play(main)


def test_a_call_in_doubt_is_resolved_with_its_result(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox?kind=doubts")
        page = seen.page
        told = await page.inner_text(card("checkout-1"))
        for part in ("Did charge of checkout take effect?", "4711", "120", "checkout-1/0", "longer than 50ms"):
            assert part in told
        await page.locator(card("checkout-1")).get_by_role("button", name="It was done…").click()
        await page.get_by_label("What it gave").fill("receipt 4711")
        await page.locator("dialog").get_by_role("button", name="It was done").click()
        await page.wait_for_selector(card("checkout-1"), state="detached")
        assert await stage.runtime.result("checkout-1") == "receipt 4711"

    play(main)


def test_what_is_stuck_names_its_line_and_is_resumed(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox")
        page, stuck = seen.page, seen.page.locator('article[data-key="ledger-1"]')
        assert (await stuck.locator(".codeline").inner_text()).startswith("desk.py:")
        await stuck.get_by_role("button", name="Resume…").click()
        await page.locator("dialog").get_by_role("button", name="Resume").click()
        await page.wait_for_selector("dialog", state="detached")
        while (await stage.runtime.history("ledger-1"))[-1]["type"] != "resumed":  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        assert (await until(stage.runtime, "ledger-1", "stuck")).awaits.startswith("desk.py:")  # the code is as it was

    play(main)


def test_a_dead_letter_that_still_does_not_fit_stays_and_says_so(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox?kind=letters")
        page, letter = seen.page, seen.page.locator('article[data-key^="ship:"]')
        assert "order.paid" in await letter.inner_text()
        await letter.get_by_role("button", name="Send again…").click()
        await page.locator("dialog").get_by_role("button", name="Send again").click()
        await page.locator("dialog [role=alert]").get_by_text("should be an object").wait_for()
        await page.keyboard.press("Escape")
        await letter.get_by_role("button", name="Drop…").click()
        await page.locator("dialog").get_by_role("button", name="Drop").click()
        await letter.wait_for(state="detached")
        assert (await stage.client.get("/dead-letters")).json()["dead_letters"] == []

    play(main, expected=("409",))


def test_what_another_process_asks_appears_by_itself_and_is_counted(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox")
        page = seen.page
        await page.wait_for_selector(card("back-1"))
        count = page.locator('nav a[data-page="inbox"] .badge')
        assert await count.inner_text() == "5"
        async with Runtime(NOW, stage.store) as other:
            await other.start(pay_back, "B-2", id="back-2", by="ana")
            await page.wait_for_selector(card("back-2"))
            assert await count.inner_text() == "6"
            await other.send(clerk, "eve", "I want a refund", by="eve")
            await page.wait_for_selector(card("clerk/eve"))

    play(main)


def test_search_and_role_narrow_it_and_stay_in_the_address(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/inbox")
        page = seen.page
        await page.wait_for_selector(card("back-1"))
        await page.keyboard.press("/")
        await page.keyboard.type("DE12")
        await page.wait_for_selector(card("back-1"), state="detached")
        assert await page.locator("article").count() == 1
        assert page.url.endswith("/console/inbox?text=DE12")
        await page.reload()
        await page.wait_for_selector(card("supplier-1"))
        assert await page.locator("article").count() == 1

    play(main)


def test_what_turns_the_direction_of_text_is_shown_by_its_number(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await stage.runtime.start(pay_back, "A\u202e71\u200b<b>bold</b>", id="odd", by="ana")
        seen = await stage.open("/console/inbox")
        told = await seen.page.inner_text(card("odd"))
        assert "A⟨U+202E⟩71⟨U+200B⟩<b>bold</b>" in told

    play(main)


@workflow
async def asks(ctx: Context, what: str) -> str:
    """Asks in words that somebody else has written."""
    return (await ctx.approve(what)).by


def test_who_decides_reads_each_character_also_in_the_dialog_and_in_what_is_said(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await stage.runtime.start(asks, "pay txt.\u202eexe", id="turned", by="ana")
        page = (await stage.open("/console/inbox")).page
        dialog = page.locator("dialog")
        for button in ("Delegate…", "Deny…"):
            await page.locator(card("turned")).get_by_role("button", name=button).click()
            title = await dialog.locator("h2").inner_text()
            assert "pay txt.⟨U+202E⟩exe" in title and "\u202e" not in title
            if button == "Delegate…":
                await page.keyboard.press("Escape")
                await dialog.wait_for(state="detached")
        await dialog.get_by_label("Your name").fill("ben")
        await dialog.get_by_role("button", name="Deny").click()
        await page.locator(".toast", has_text="pay txt.⟨U+202E⟩exe").wait_for()

    play(main, functions=(*NOW, asks))
