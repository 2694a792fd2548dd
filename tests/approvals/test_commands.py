"""Who decides, at a shell: what is listed, what is edited, who may, and what the exit code says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from overwinter import Approval, Context, Runtime, tool, workflow
from overwinter.cli.main import cli

RULE = Approval("desk", by=2, within="3d")


@tool(approval=RULE)
async def transfer(order: str, amount: int) -> str:
    """Move money."""
    return f"{amount} for {order}"


@workflow
async def payout(ctx: Context, input: int) -> str:
    return await ctx.step(transfer, "o-1", amount=input)


@tool(approval="desk")
async def refund(order: str, amount: int) -> str:
    """Refund an order."""
    return f"{amount} for {order}"


@workflow
async def refunds(ctx: Context, input: list[int]) -> list[str]:
    return [await ctx.step(refund, "o-1", amount=amount) for amount in input]


@tool(approval="desk")
async def charge(amount: int, fee: int) -> str:
    """Charge an amount, and a fee."""
    return f"{amount} and {fee}"


@workflow
async def pair(ctx: Context) -> list[str]:
    return [await ctx.step(charge, 60, 1), await ctx.step(charge, 500, 1)]


@workflow
async def other(ctx: Context) -> str:
    await ctx.approve("sell", role="owner")
    return "sold"


Run = Callable[..., Result]


@pytest.fixture
def dsn(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/x.db"


@pytest.fixture
def shell(dsn: str) -> Run:
    async def begin() -> None:
        async with Runtime([payout, other], dsn) as runtime:
            await runtime.start(payout, 60, id="p-1", by="ana")
            await runtime.start(other, id="o-1")
            while len([found async for found in runtime.waiting()]) < 2:  # noqa: ASYNC110  # another task
                await asyncio.sleep(0.01)

    asyncio.run(begin())
    return lambda *words: CliRunner(env={"COLUMNS": "240"}).invoke(cli, [*words, "--store", dsn])


def listed(shell: Run, *words: str) -> list[Any]:
    found = shell("approvals", *words, "--json")
    assert found.exit_code == 0, found.output
    return list(json.loads(found.output)["approvals"])


def work(dsn: str) -> Any:
    async def go_on() -> Any:
        async with Runtime([payout, other], dsn) as runtime:
            return await runtime.result("p-1")

    return asyncio.run(go_on())


def test_approvals_are_listed_by_role_function_age_and_person(shell: Run) -> None:
    assert {one["execution"] for one in listed(shell)} == {"p-1", "o-1"}
    assert [one["execution"] for one in listed(shell, "--role", "desk")] == ["p-1"]
    assert [one["execution"] for one in listed(shell, "--agent", "other")] == ["o-1"]
    assert listed(shell, "--older", "1h") == [] and listed(shell, "--approver", "dora") == []
    assert shell("approvals", "--older", "soon").exit_code == 2
    shown = shell("approvals").output
    assert "desk (0 of 2)" in shown and "owner" in shown


def test_an_edit_is_shown_as_a_difference_and_what_runs_is_what_was_edited(
    shell: Run, dsn: str, tmp_path: Path
) -> None:
    told = shell("approve", "p-1", "--by", "ben", "--edit", '{"order": "o-1", "amount": 5}')
    assert told.exit_code == 0 and "amount: 60 → 5" in told.output
    (one,) = listed(shell, "p-1")
    assert (one["votes"], one["data"]["amount"], one["original"]["amount"], one["edited"]) == (["ben"], 5, 60, "ben")
    assert "amount: 60 → 5 (by ben)" in shell("approvals", "p-1").output
    again = tmp_path / "edit.json"
    again.write_text('{"order": "o-1", "amount": 5}')
    assert shell("approve", "p-1", "--by", "cleo", "--edit", f"@{again}").exit_code == 0
    assert work(dsn) == "5 for o-1"
    story = shell("show", "p-1").output
    assert "ben has approved transfer with amount: 60 → 5 (1 of 2)" in story
    assert "approved by ben, cleo, with amount: 60 → 5" in story


def test_what_was_changed_since_it_was_read_is_not_approved(shell: Run) -> None:
    (read,) = listed(shell, "p-1")
    edit = ("--edit", '{"order": "o-1", "amount": 5000}')
    assert shell("approve", "p-1", "--by", "ben", *edit, "--digest", read["digest"]).exit_code == 0
    for verb in ("approve", "deny"):
        late = shell(verb, "p-1", "--by", "cleo", "--digest", read["digest"])
        assert late.exit_code == 2 and "read it again" in late.output
    (now,) = listed(shell, "p-1")
    assert now["votes"] == ["ben"]
    assert shell("approve", "p-1", "--by", "cleo", "--digest", now["digest"]).exit_code == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["approve", "p-1", "--by", "ana"], "ana has asked for it"),
        (["approve", "p-1", "--by", "ben", "--role", "boss"], "'boss' does not decide it"),
        (["approve", "p-1", "--by", "ben", "--edit", "5"], "give a JSON object"),
        (["approve", "p-1", "--by", "ben", "--edit", "@nowhere.json"], "can't be read"),
        (["approve", "o-1", "--by", "ben", "--edit", "{}"], "no arguments to edit"),
        (["delegate", "p-1", "--by", "ben"], "say who is to decide"),
        (["delegate", "p-1", "--by", "ben", "--to", "Ana"], "ana has asked for it"),
        (["delegate", "p-1", "--by", "ben", "--to", " "], "that names nobody"),
        (["delegate", "p-1", "--by", "ben", "--role", " "], "that names no role"),
    ],
)
def test_what_counts_for_nothing_says_why_and_changes_nothing(shell: Run, words: list[str], why: str) -> None:
    before = listed(shell)
    told = shell(*words)
    assert told.exit_code == 2 and why in " ".join(told.output.split()), told.output
    assert listed(shell) == before


def test_the_same_person_counts_once_and_another_one_lets_it_go_on(shell: Run, dsn: str) -> None:
    told = shell("approve", "p-1", "--by", "ben")
    assert "1 more has to approve it" in told.output
    assert shell("approve", "p-1", "--by", "BEN").exit_code == 2
    assert "ben has approved it already" in shell("delegate", "p-1", "--by", "cleo", "--to", "ben").output
    assert shell("delegate", "p-1", "--by", "ben", "--to", "dora", "--reason", "holiday").exit_code == 0
    assert [one["execution"] for one in listed(shell, "--approver", "Dora")] == ["p-1"]
    assert shell("approve", "p-1", "--by", "cleo").exit_code == 2
    assert shell("approve", "p-1", "--by", "dora").exit_code == 0
    assert work(dsn) == "60 for o-1"
    assert "ben has left transfer to dora: holiday" in shell("show", "p-1").output
    assert shell("approve", "p-1", "--by", "dora").exit_code == 2


def test_a_standing_approval_is_bounded_by_every_amount_that_was_said(dsn: str) -> None:
    def shell(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "240"}).invoke(cli, [*words, "--store", dsn])

    async def go_on() -> None:
        async with Runtime([pair], dsn) as runtime:
            await runtime.start(pair, id="r-1", by="ana")
            while not await runtime.approvals("r-1"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    asyncio.run(go_on())
    words = ("approve", "r-1", "--by", "ben", "--standing", "1d", "--up-to", "amount=100")
    twice = shell(*words, "--up-to", "amount=900")
    assert twice.exit_code == 2 and "amount is said twice" in twice.output
    told = shell(*words, "--up-to", "fee=5")
    assert told.exit_code == 0, told.output

    async def end() -> Any:
        async with Runtime([pair], dsn) as runtime:
            while [one["data"] for one in await runtime.approvals("r-1")] != [{"amount": 500, "fee": 1}]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            (one,) = await runtime.standing("r-1")
            return one["up_to"]

    assert asyncio.run(end()) == {"amount": "100", "fee": "5"}


def test_a_standing_approval_is_given_listed_shown_and_revoked(dsn: str) -> None:
    def shell(*words: str) -> Result:
        return CliRunner(env={"COLUMNS": "240"}).invoke(cli, [*words, "--store", dsn])

    async def go_on(amount: int) -> None:
        async with Runtime([refunds], dsn) as runtime:
            await runtime.start(refunds, [60, 80, 500, 90], id="r-1", by="ana")
            while [one["data"]["amount"] for one in await runtime.approvals("r-1")] != [amount]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    asyncio.run(go_on(60))
    assert shell("approve", "r-1", "--up-to", "amount=100").exit_code == 2
    assert shell("approve", "r-1", "--standing", "1d", "--up-to", "amount=much").exit_code == 2
    assert shell("approve", "r-1", "--standing", "1d", "--up-to", "amount=100", "--exactly").exit_code == 2
    assert "not within it" in shell("approve", "r-1", "--by", "ben", "--standing", "1d", "--up-to", "amount=50").output
    assert "no standing approvals" in shell("approvals", "--standing").output
    told = shell("approve", "r-1", "--by", "ben", "--standing", "1d", "--up-to", "amount=100")
    assert told.exit_code == 0, told.output
    asyncio.run(go_on(500))
    (one,) = json.loads(shell("approvals", "--standing", "--json").output)["standing"]
    assert (one["execution"], one["what"], one["by"], one["role"]) == ("r-1", "refund", "ben", "desk")
    assert (one["up_to"], one["until"] - one["at"]) == ({"amount": "100"}, 86_400_000)
    assert "amount up to 100" in shell("approvals", "--standing", "--agent", "refunds").output
    assert "no standing" in shell("approvals", "--standing", "--role", "boss").output
    assert shell("approvals", "--standing", "--older", "1h").exit_code == 2
    assert "r-1 has no standing approval" in shell("revoke", "r-1", "s0", "--by", "cleo").output
    ended = shell("revoke", "r-1", one["id"], "--by", "cleo", "--reason", "enough", "--json")
    assert json.loads(ended.output)["standing"] == one["id"]
    assert shell("revoke", "r-1", one["id"], "--by", "cleo").exit_code == 2
    assert shell("approve", "r-1", "--by", "ben").exit_code == 0
    asyncio.run(go_on(90))
    story = " ".join(shell("show", "r-1").output.split())
    assert f"standing approval {one['id']} of refund (amount up to 100)" in story
    assert f"approved by ben: standing approval {one['id']}" in story
    assert f"cleo has revoked {one['id']}: enough" in story
