"""The playground in a browser: live words, forms of schemas, and a finished execution that is walked through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from overwinter import Agent, Context, Scripted, workflow
from overwinter.functions.model import Answer, Delta, Emit, Request

from .conftest import Stage
from .desk import NOW, until

Play = Callable[..., None]


def test_an_answer_appears_while_it_is_being_said(play: Play) -> None:
    going = asyncio.Event()

    class Halting:
        """A model that stops in the middle of its answer until it may go on."""

        name = "scripted/halting"

        async def complete(self, request: Request) -> Answer:
            return await Scripted(["one two three"]).complete(request)

        async def stream(self, request: Request, emit: Emit) -> Answer:
            emit(Delta("one "))
            await going.wait()
            emit(Delta("two three"))
            return await self.complete(request)

    agent = Agent("halting", Halting())

    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/playground?agent=halting&session=s")
        page = seen.page
        await page.get_by_label("Message").fill("Count")
        await page.keyboard.press("Enter")
        draft = page.locator(".draft")
        await draft.get_by_text("one").wait_for()
        assert "three" not in await draft.inner_text()
        going.set()
        await page.locator(".turn.model:not(.draft)").get_by_text("one two three").wait_for()
        assert await draft.count() == 0

    play(main, empty=True, functions=[agent])


def test_a_conversation_goes_on_with_tools_and_approvals(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/playground?agent=clerk&session=ann")
        page = seen.page
        await page.get_by_text("I have looked: snow in Oslo").first.wait_for()
        await page.get_by_label("Message").fill("I want a refund")
        await page.keyboard.press("Enter")
        await page.get_by_text("waits for approval").wait_for()
        (asked,) = [one for one in await stage.runtime.approvals("clerk/ann")]
        await stage.runtime.approve("clerk/ann", by="ben", digest=asked["digest"])
        await page.get_by_text("I have looked: 25.5 back for A-17").first.wait_for()

    play(main)


def test_a_workflow_is_started_from_a_form_of_its_schema(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/playground?tab=start&function=send_order")
        page = seen.page
        await page.get_by_label("article").fill("lamp")
        await page.get_by_label("pieces").fill("many")
        await page.get_by_label("street").fill("Broad Street 1")
        await page.get_by_label("city").fill("Oslo")
        await page.get_by_label("kind").select_option(label="letter")
        await page.get_by_role("button", name="Add").click()
        await page.get_by_role("textbox", name="notes 1").fill("ring twice")
        await page.get_by_label("Id optional").fill("by-form")
        await page.get_by_role("button", name="Start it").click()
        await page.get_by_text("pieces is to be a number").wait_for()
        await page.get_by_label("pieces").fill("3")
        await page.get_by_role("button", name="Start it").click()
        await page.get_by_text("3 × lamp as a letter: snow in Oslo").wait_for()
        start = (await stage.runtime.history("by-form"))[0]
        address = {"street": "Broad Street 1", "city": "Oslo"}
        assert start["input"] | {"address": {}} == {
            "article": "lamp", "pieces": 3, "kind": "letter", "gift": False, "notes": ["ring twice"], "address": {},
        }  # fmt: skip
        assert {name: value for name, value in start["input"]["address"].items() if value is not None} == address
        await page.get_by_role("link", name="by-form").click()
        await page.wait_for_url("**/console/execution/by-form")

    play(main)


def test_a_tool_is_called_and_refusals_are_told(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/playground?tab=start&function=weather")
        page = seen.page
        await page.get_by_label("city").fill("Bergen")
        await page.get_by_role("button", name="Call it").click()
        await page.get_by_text("snow in Bergen").wait_for()

    play(main)


@workflow
async def three(ctx: Context, name: str) -> str:
    """Does one thing, asks, and does another."""
    first = await ctx.step(len, name)
    decision = await ctx.approve("go on", data={"length": first}, role="desk")
    last = await ctx.step(abs, -first)
    return f"{decision.by}: {last}"


def test_a_finished_execution_is_walked_up_to_a_breakpoint(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await stage.runtime.start(three, "abcd", id="walked")
        await until(stage.runtime, "walked", "waiting")
        await stage.runtime.approve("walked", by="ben")
        assert await stage.runtime.result("walked") == "ben: 4"
        kinds = [one["type"] for one in await stage.runtime.history("walked")]
        assert kinds == ["start", "step", "ordered", "decided", "step", "completed"]

        seen = await stage.open("/console/playground?tab=replay")
        page = seen.page
        await page.get_by_role("button", name="walked").click()
        past, where = page.get_by_role("region", name="As it was"), page.locator(".where")
        await where.get_by_text("Entry 1 of 6").wait_for()
        assert "nothing yet" in await past.inner_text()
        await page.get_by_role("button", name="Step", exact=True).click()
        assert "len" in await past.inner_text()
        await page.get_by_role("button", name="Step", exact=True).click()
        told = await past.inner_text()
        assert "desk is to approve it" in told and "later: decided" in told and "abs" not in told
        stops = page.get_by_role("button", name="Breakpoint at")
        await stops.last.click()
        await page.get_by_role("button", name="Run to the breakpoint").click()
        await where.get_by_text("Entry 5 of 6").wait_for()
        told = await past.inner_text()
        assert "approved by ben" in told and "abs" in told and "is to approve it" not in told
        await page.reload()  # the place is in the address
        await where.get_by_text("Entry 5 of 6").wait_for()
        await page.get_by_role("button", name="Back").click()
        assert "abs" not in await past.inner_text()

    play(main, functions=[*NOW, three])


def test_there_is_none_where_the_server_offers_none(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/playground")
        await seen.page.get_by_text("This server has no playground").wait_for()
        assert await seen.page.get_by_label("Message").count() == 0

    play(main, empty=True, playground=False)
