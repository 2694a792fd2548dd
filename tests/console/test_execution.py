"""The page of one execution in a browser: timeline, conversation, graph and journal, and what can be done to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from overwinter import Agent, Context, Scripted, StateMachine, workflow

from .browser import PHONE, WIDE
from .conftest import Stage
from .desk import NOW, until

if TYPE_CHECKING:
    from playwright.async_api import Page

Play = Callable[..., None]
DESK = Path(__file__).with_name("desk.py")

CHOICE: dict[str, Any] = {
    "Type": "Choice",
    "Choices": [{"Variable": "$.heavy", "BooleanEquals": True, "Next": "Truck"}],
    "Default": "Bike",
}
STATES = {"Weigh": CHOICE, "Truck": {"Type": "Succeed"}, "Bike": {"Type": "Succeed"}}
parcels = StateMachine("parcels", {"StartAt": "Weigh", "States": STATES})


@workflow
async def waits(ctx: Context) -> str:
    """Waits for an event."""
    return str(await ctx.wait_for("parcel"))


@workflow
async def counts(ctx: Context, most: int) -> int:
    """Many small steps."""
    for number in range(most):
        await ctx.step(abs, number, name=f"count {number}")
    return most


slow = Agent("slow", Scripted(lambda messages, tools: "one two three four five " * 40, pace="20ms"))
MORE = (*NOW, parcels, waits, counts, slow)


def line_in(file: Path, what: str) -> int:
    """The number of the first line with this in it."""
    return next(at for at, text in enumerate(file.read_text().splitlines(), 1) if what in text)


async def rows(page: Page) -> list[str]:
    found: list[str] = await page.locator(".tbody .tr .row-name").all_inner_texts()
    return found


def test_the_timeline_and_its_twin_say_the_same(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/execution/order-1?tab=timeline")).page
        await page.wait_for_selector(".bars rect")
        told = (await stage.client.get("/timeline/order-1")).json()["rows"]
        chart = await rows(page)
        assert len(chart) == len(told) and any("weather" in one for one in chart)
        assert await page.locator(".bars .wait").count() == 1  # its sleep
        await page.get_by_role("button", name="Table").click()
        assert await rows(page) == chart
        name = page.get_by_role("button", name="weather").first
        await name.focus()
        await page.keyboard.press("Enter")
        await page.get_by_text("Journal entry").first.wait_for()
        assert '"type": "' in await page.inner_text("dialog pre")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("dialog", state="detached")
        assert "weather" in await page.evaluate("document.activeElement.textContent")

    play(main)


def test_each_operation_of_a_workflow_shows_the_line_that_asked_for_it(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/execution/order-1?tab=timeline")).page
        asks = line_in(DESK, "(weather, order.")
        row = page.locator(".tbody .tr", has_text="weather")
        await row.locator(".code", has_text=f"desk.py:{asks}").wait_for()
        await row.get_by_role("button", name="weather").click()
        facts = page.locator("dialog dl.facts")
        assert f"desk.py:{asks}" in await facts.inner_text()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Table").click()
        assert f"desk.py:{asks}" in await page.locator(".tbody .tr", has_text="weather").inner_text()
        page = (await stage.open("/console/execution/ledger-1?tab=timeline")).page
        told = await page.get_by_text("Not every code line is known").inner_text()
        assert "desk.py" in told and "asked for step 'charge'" in told

    play(main)


def test_what_is_waited_for_has_its_line(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await stage.runtime.start(waits, id="w")
        await until(stage.runtime, "w", "waiting")
        page = (await stage.open("/console/execution/w?tab=timeline")).page
        asks = line_in(Path(__file__), '("parcel"))')
        await page.locator(".code", has_text=f"test_execution.py:{asks}").wait_for()

    play(main, functions=MORE)


def test_input_and_output_are_shown(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/execution/order-1?tab=timeline")).page
        await page.get_by_role("heading", name="Output").wait_for()
        told = await page.inner_text(".values")
        assert "Broad Street 1" in told and "lamp as a parcel" in told

    play(main)


def test_stretches_of_nothing_are_as_wide_as_a_fold_and_the_rest_keeps_its_order(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/inbox")).page
        day = 86_400_000
        found = await page.evaluate(
            """async (day) => {
              const { scale, ticks } = await import("/console/pages/execution/scale.js");
              const axis = scale(0, 3 * day + 2000, [{ begin: 1000, end: 1000 + 3 * day }]);
              const xs = [0, 500, 1000, 1000 + day, 1000 + 3 * day, 3 * day + 1500, 3 * day + 2000].map(axis.at);
              const whole = scale(0, 100, []);
              const many = scale(0, 1000, Array.from({ length: 40 }, (_, n) => ({ begin: n * 20, end: n * 20 + 10 })));
              return { xs, fold: axis.folds[0].width, ticks: ticks(axis, 6).map((one) => one.x),
                half: whole.at(50), before: whole.at(-5), after: whole.at(500),
                folded: many.folds.reduce((sum, one) => sum + one.width, 0), end: many.at(1000) };
            }""",
            day,
        )
        xs = found["xs"]
        assert xs == sorted(xs) and xs[0] == 0 and xs[-1] == pytest.approx(1)
        assert xs[4] - xs[2] == pytest.approx(found["fold"]) and found["fold"] < 0.05
        assert xs[1] == pytest.approx((1 - found["fold"]) / 4)  # a second on each side of it
        assert found["half"] == pytest.approx(0.5)
        assert (found["before"], found["after"]) == (0, 1)
        assert found["folded"] < 0.4 and found["end"] == pytest.approx(1)
        assert found["ticks"] == sorted(found["ticks"]) and len(found["ticks"]) >= 2

    play(main)


def test_a_conversation_is_told_with_calls_arguments_and_results(play: Play) -> None:
    async def main(stage: Stage) -> None:
        sent = await stage.runtime.send("clerk", "ann", "<img src=x onerror=alert(1)>")
        await sent.reply()
        page = (await stage.open("/console/execution/clerk/ann")).page
        await page.wait_for_selector(".call")
        talk = await page.inner_text(".talk:not(.drafts)")
        for part in ("How is the weather?", "weather", "Oslo", "snow in Oslo", "Take a coat"):
            assert part in talk
        assert talk.index("How is") < talk.index("snow in Oslo") < talk.index("Take a coat")
        assert "You said: <img src=x onerror=alert(1)>" in talk
        assert await page.locator("main img").count() == 0

    play(main)


def test_words_are_shown_while_they_are_said_and_then_once(play: Play) -> None:
    async def main(stage: Stage) -> None:
        sent = await stage.runtime.send(slow, "ann", "Count", stream=True)
        await until(stage.runtime, "slow/ann", "running", "idle")
        page = (await stage.open("/console/execution/slow/ann")).page
        await page.locator(".drafts .said", has_text="one two three").wait_for()
        await sent.reply()
        await page.locator(".talk:not(.drafts) .said", has_text="one two three").wait_for()
        await page.wait_for_selector(".drafts li", state="detached")
        assert await page.locator(".turn.model").count() == 1

    play(main, functions=MORE)


def test_a_message_is_sent_and_answered_on_the_page(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/execution/echo/ben")).page
        await page.get_by_label("A message to this session").fill("And good night")
        await page.keyboard.press("Control+Enter")
        await page.locator(".turn.model .said", has_text="And good night").wait_for()
        assert await page.locator(".turn.user", has_text="And good night").count() == 1

    play(main)


def test_the_graph_shows_the_path_and_says_it_in_words(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await (await stage.runtime.start("parcels", {"heavy": True}, id="p/1")).result()
        page = (await stage.open("/console/execution/p/1")).page
        await page.get_by_role("tab", name="Graph").click()
        image = page.get_by_role("img", name="States of parcels")
        await image.wait_for()
        assert await image.evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 100
        assert "Truck, Succeed (succeeded" in (await page.locator("details pre").text_content() or "")

    play(main, functions=MORE)


def test_a_long_journal_is_searched_and_only_what_is_in_sight_is_there(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await (await stage.runtime.start(counts, 700, id="long")).result()
        page = (await stage.open("/console/execution/long?tab=journal")).page
        await page.wait_for_selector(".tbody .tr")
        assert await page.locator(".tbody .tr").count() < 100
        await page.get_by_label("Search in the entries").fill("count 699")
        await page.wait_for_selector('.tbody .tr:has-text("count 699")')
        assert await page.locator(".tbody .tr").count() == 1
        await page.locator(".tbody .row-name").click()
        assert json.loads(await page.inner_text("dialog pre"))["value"] == 699

    play(main, functions=MORE)


def test_it_is_paused_resumed_and_signalled(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await stage.runtime.start(waits, id="w")
        await until(stage.runtime, "w", "waiting")
        page = (await stage.open("/console/execution/w")).page
        await page.get_by_role("button", name="Pause").click()
        await page.locator("dialog").get_by_role("button", name="Pause").click()
        await until(stage.runtime, "w", "paused")
        await page.get_by_role("button", name="Resume").click()
        await page.locator("dialog").get_by_role("button", name="Resume").click()
        await until(stage.runtime, "w", "waiting")
        await page.get_by_role("button", name="Signal").click()
        assert await page.get_by_label("Name").input_value() == "parcel"  # what it waits for
        data = page.locator("dialog").get_by_label("Data")
        await data.fill("{not JSON")
        await page.locator("dialog").get_by_role("button", name="Send").click()
        assert "not JSON" in await page.inner_text("dialog [role=alert]")
        await data.fill('"at the door"')
        await page.locator("dialog").get_by_role("button", name="Send").click()
        assert await stage.runtime.result("w") == "at the door"
        await page.locator(".strip [data-status=completed]").wait_for()
        assert await page.get_by_role("button", name="Pause", exact=True).count() == 0

    play(main, functions=MORE)


def test_the_journal_is_saved_as_json_lines(play: Play, tmp_path: Path) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/execution/order-1")).page
        async with page.expect_download() as saving:
            await page.get_by_role("button", name="Download").click()
        saved = await saving.value
        await saved.save_as(tmp_path / "saved")
        lines = [json.loads(line) for line in (tmp_path / "saved").read_text().splitlines()]
        assert saved.suggested_filename == "order-1.jsonl"
        assert lines == (await stage.client.get("/history/order-1?limit=1000")).json()["entries"]

    play(main)


def test_tabs_are_changed_by_arrows_and_stand_in_the_address(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/execution/clerk/ann")).page
        await page.get_by_role("tab", name="Conversation").focus()
        await page.keyboard.press("ArrowRight")
        assert page.url.endswith("?tab=journal")
        await page.wait_for_selector(".journal .tbody .tr")
        await page.keyboard.press("ArrowRight")  # around
        assert page.url.endswith("?tab=timeline")
        assert await page.get_by_role("tab", selected=True).inner_text() == "Timeline"

    play(main)


def test_what_is_not_there_is_said(play: Play) -> None:
    async def main(stage: Stage) -> None:
        page = (await stage.open("/console/execution/nobody")).page
        await page.get_by_text("there is no execution 'nobody'").wait_for()

    play(main, expected=("404",))


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", (360, 740))])
def test_nothing_is_in_the_way_of_anybody(play: Play, theme: str, size: tuple[int, int]) -> None:
    async def main(stage: Stage) -> None:
        await (await stage.runtime.start("parcels", {"heavy": True}, id="p")).result()
        for path, there in (
            ("order-1?tab=timeline", ".bars rect"),
            ("back-1?tab=timeline", ".bars rect"),
            ("order-1?tab=journal", ".tbody .tr"),
            ("clerk/ann?tab=conversation", ".call"),
            ("p?tab=graph", "main img"),
        ):
            seen = await stage.open(f"/console/execution/{path}", theme=theme, size=size)
            await seen.page.wait_for_selector(there)
            assert await seen.axe() == [], path
            assert await seen.page.evaluate("document.documentElement.scrollWidth") <= size[0], path

    play(main, functions=MORE)


@workflow
async def says(ctx: Context, what: str) -> None:
    """Says it, and waits for an event of that name."""
    ctx.status(what)
    await ctx.step(abs, 1, name=what)
    await ctx.wait_for(what)


def test_what_differs_looks_different_and_what_turns_the_direction_is_shown_by_its_number(play: Play) -> None:
    async def main(stage: Stage) -> None:
        for id in ("a b", "a  b"):
            await stage.runtime.start(says, "txt.\u202eexe", id=id)
            await until(stage.runtime, id, "waiting")
        page = (await stage.open("/console/")).page
        await page.wait_for_selector(".tbody .tr")
        ids = await page.locator(".tbody .td.id").all_inner_texts()
        assert {"a b", "a⟨2 spaces⟩b"} <= set(ids)
        spelled = await page.evaluate(
            """async () => (await import("/console/parts/seen.js")).spelled(" a\u2003b\tc  ")"""
        )  # older releases let such in
        assert spelled == "⟨1 space⟩a⟨U+2003⟩b⟨U+0009⟩c⟨2 spaces⟩"
        told = await page.inner_text("main")
        assert "txt.⟨U+202E⟩exe" in told and "\u202e" not in told
        await page.get_by_role("link", name="a⟨2 spaces⟩b").click()
        await page.locator("h1", has_text="a⟨2 spaces⟩b").wait_for()
        await page.locator(".tbody .row-name", has_text="txt.⟨U+202E⟩exe").first.wait_for()
        assert "\u202e" not in await page.inner_text("main")
        await page.get_by_role("tab", name="Journal").click()
        await page.locator(".journal .tbody .tr", has_text="txt.⟨U+202E⟩exe").first.wait_for()
        assert "\u202e" not in await page.inner_text("main")

    play(main, functions=(*NOW, says))


def test_a_saved_journal_is_named_after_its_id_in_any_script(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await (await stage.runtime.start(counts, 1, id="größe/日本: 1")).result()
        page = (await stage.open("/console/execution/gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC%3A%201")).page
        async with page.expect_download() as saving:
            await page.get_by_role("button", name="Download").click()
        assert (await saving.value).suggested_filename == "größe_日本_1.jsonl"

    play(main, functions=MORE)
