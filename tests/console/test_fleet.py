"""The fleet in a browser: functions, sessions, budgets with bars, spending, schedules, and what is done to them."""

from __future__ import annotations

from collections.abc import Callable

from overwinter import Runtime

from .conftest import Stage
from .desk import NOW, clerk

Play = Callable[..., None]


def test_functions_with_kinds_and_sessions_by_agent(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/fleet")
        functions = seen.page.get_by_role("region", name="Functions")
        row = functions.get_by_role("row", name="refund")
        assert {"tool", "irreversible", "refund-desk"} <= set((await row.inner_text()).replace("\n", "\t").split("\t"))
        agents = seen.page.get_by_role("region", name="Agents and sessions")
        row = agents.get_by_role("row", name="clerk")
        assert "1 idle" in await row.inner_text()
        await row.get_by_role("link", name="ann").click()
        await seen.page.wait_for_url("**/console/execution/clerk/ann")

    play(main)


def test_a_session_that_another_process_begins_is_counted(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/fleet?part=agents")
        row = seen.page.get_by_role("row", name="clerk")
        await row.get_by_text("1 idle").wait_for()
        async with Runtime(NOW, stage.store) as other:
            await (await other.send(clerk, "zoe", "Good morning")).reply()
            await row.get_by_text("2 idle").wait_for()

    play(main)


def test_budgets_have_a_bar_for_each_limit_and_are_raised_and_frozen(play: Play) -> None:
    async def main(stage: Stage) -> None:
        account = (await stage.client.get("/budgets/tenant:acme")).json()
        (day,) = [window for window in account["windows"] if window["window"] == "day"]
        seen = await stage.open("/console/fleet?part=budgets")
        page, card = seen.page, seen.page.locator('article[data-key="tenant:acme"]')
        text = f"{day['spent']['tokens']} tokens of 20,000 tokens"
        bar = card.get_by_role("img", name=text)
        share = day["spent"]["tokens"] / 20_000 * 100
        assert abs(float(await bar.locator("rect").nth(1).get_attribute("width") or "") - share) < 1e-9
        await card.get_by_text("Day by day").click()
        await card.get_by_role("img", name=day["key"]).wait_for()
        await card.get_by_role("button", name="Raise…").click()
        await page.get_by_label("Which limit").select_option(label="tokens a day")
        await page.get_by_label("By how much").fill("5000")
        await page.locator("dialog").get_by_role("button", name="Raise").click()
        await card.get_by_text("tokens of 25,000 tokens").wait_for()
        await card.get_by_role("button", name="Freeze…").click()
        await page.get_by_label("Reason").fill("a leak")
        await page.locator("dialog").get_by_role("button", name="Freeze").click()
        await card.get_by_text("a leak").wait_for()
        assert (await stage.client.get("/budgets/tenant:acme")).json()["frozen"]["reason"] == "a leak"

    play(main)


def test_spending_is_what_the_journals_say(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/fleet?part=spending")
        page = seen.page
        await page.get_by_role("row", name="clerk").wait_for()
        await page.get_by_label("By whom").select_option("tenant")
        row = page.get_by_role("row", name="acme")
        await row.wait_for()
        told = (await stage.client.get("/spending?by=tenant")).json()["spending"]
        (acme,) = [one for one in told if one["of"] == "acme"]
        assert str(acme["tokens"]) in (await row.inner_text()).split("\t")

    play(main)


def test_schedules_are_paused_resumed_and_run_now(play: Play) -> None:
    async def main(stage: Stage) -> None:
        seen = await stage.open("/console/fleet?part=schedules")
        page = seen.page
        row = page.get_by_role("row", name="every-night")
        assert "0 3 * * *" in await row.inner_text()

        async def press(label: str) -> None:
            await row.get_by_role("button", name=f"{label}: every-night").click()
            await page.locator("dialog").get_by_role("button", name=label).click()

        await press("Run now")
        await page.get_by_text("Begun: ").wait_for()
        await row.get_by_text("completed").wait_for()
        await press("Pause")
        await row.get_by_text("paused").wait_for()
        await press("Resume")
        await row.get_by_text("active").wait_for()
        (told,) = (await stage.client.get("/schedules")).json()["schedules"]
        assert (told["status"], told["runs"]) == ("active", 1)

    play(main)


def test_models_and_processes_are_told_with_their_numbers(play: Play) -> None:
    async def main(stage: Stage) -> None:
        await (await stage.runtime.send(clerk, "max", "Good morning")).reply()
        seen = await stage.open("/console/fleet")
        row = seen.page.get_by_role("region", name="Models").get_by_role("row", name="scripted/script")
        await row.wait_for()
        (model,) = (await stage.client.get("/models")).json()["models"]
        cells = (await row.inner_text()).split("\t")
        assert (cells[1], cells[6]) == (str(model["calls"]), str(model["tokens"]))
        machines = seen.page.get_by_role("region", name="Stores and processes")
        await machines.get_by_text("answers you").wait_for()
        told = await machines.inner_text()
        assert "sqlite" in told and "waiting to be taken" in told

    play(main)
