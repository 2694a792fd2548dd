"""``overwinter budget``: accounts are limited, raised, frozen and shown, and what was spent is summed."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from overwinter import Agent, Runtime, Scripted
from overwinter.cli.main import cli
from overwinter.cli.reach import opened
from overwinter.cli.view.budgets import amount, bar
from overwinter.functions.model import Answer, Request, Usage
from overwinter.orchestrator.governance.budgets.account import account_of
from overwinter.orchestrator.governance.budgets.amount import Amount
from overwinter.orchestrator.governance.budgets.archive import archive
from overwinter.orchestrator.governance.budgets.purse import Purse
from overwinter.orchestrator.protocol.clock import wall_clock
from overwinter.state.opening import open_store


class Priced(Scripted):
    async def complete(self, request: Request) -> Answer:
        return Answer("yes", (), Usage(10, 2), "0.25", "m-1")


class Desk:
    """A store in which an agent was asked twice and an account was spent from, by a process that is gone."""

    def __init__(self, folder: Path) -> None:
        self.store = f"sqlite:///{folder}/b.db"
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        agent = Agent("desk", Priced(["unused"]))
        async with Runtime([agent], self.store) as runtime:
            for text in ("a", "b"):
                await (await runtime.start(agent, text)).result()
        store = open_store(self.store)
        await store.open()
        purse = Purse(store, "gone", wall_clock, ())
        slices = await purse.hold("e/1", [account_of("user:anna")], Amount(70))
        purse.settle("e/1", slices, Amount(60, Decimal("0.30")))
        await purse.close()
        await store.close()

    def run(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(cli, ["budget", *arguments, "--store", self.store])
        assert result.exit_code == code, result.output
        return result.output

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_limits_are_set_and_shown_with_a_bar(desk: Desk) -> None:
    assert "no limit" in desk.run("list") and "60 tokens, $0.30" in desk.run("list")
    told = desk.json(
        "set", "user:anna", "--per", "month", "--tokens", "100", "--cost", "0.25", "--warn", "0.5", "--by", "ops"
    )
    (month,) = [window for window in told["windows"] if window["window"] == "month"]
    assert month["most"] == {"tokens": 100, "cost": "0.25"} and month["spent"] == {"tokens": 60, "cost": "0.30"}
    assert told["changes"][-1]["by"] == "ops"
    shown = desk.run("show", "user:anna")
    assert "███████░░░░░ 60%" in shown and "████████████ 120%" in shown and "set by ops" in shown
    desk.run("set", "user:*", "--timezone", "Europe/Berlin", "--tokens", "5")
    assert [one["account"] for one in desk.json("list")] == ["user:*", "user:anna"]
    assert "for each" in desk.run("list")
    desk.run("set", "user:anna", "--per", "month")
    assert list(desk.json("show", "user:anna")["limits"]) == ["day"]


def test_more_for_this_window_and_a_freeze_say_who_and_why(desk: Desk) -> None:
    assert "no limit on cost" in desk.run("raise", "user:anna", "--cost", "10", code=2)
    desk.run("set", "user:anna", "--per", "ever", "--cost", "1")
    done = desk.json("raise", "user:anna", "--cost", "10", "--by", "ops", "--reason", "the launch")
    assert done == {"account": "user:anna", "windows": [""]}
    assert desk.json("freeze", "user:anna", "--reason", "a leak", "--by", "ops")["frozen"] is True
    shown = desk.run("show", "user:anna")
    assert "$11.00" in shown and "raise by ops: $10.00 more in all time (the launch)" in shown
    assert "frozen by ops" in shown and "a leak" in shown
    assert "unfroze user:anna" in desk.run("unfreeze", "user:anna")
    assert "not frozen" in desk.run("unfreeze", "user:anna", code=2)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "anna"),
        ("set", "user:anna", "--timezone", "Mars/Olympus", "--tokens", "1"),
        ("set", "user:anna", "--cost", "much"),
        ("set", "user:anna", "--tokens", "1", "--warn", "7"),
        ("spent", "--since", "yesterday"),
    ],
)
def test_what_makes_no_sense_is_refused_and_says_what_would(desk: Desk, arguments: tuple[str, ...]) -> None:
    desk.run(*arguments, code=2)


def test_past_windows_are_shown_when_asked_for(desk: Desk) -> None:
    async def archives() -> None:
        async with opened(desk.store) as store:
            await archive(store, "user:anna", {"2026-01-31": Amount(7), "2026-01": Amount(9, Decimal(2))})

    asyncio.run(archives())
    assert desk.json("show", "user:anna", "--past")["past"]["2026-01-31"] == {"tokens": 7}
    assert "2026-01: 9 tokens, $2.00" in desk.run("show", "user:anna", "--past")
    assert "2026-01:" not in desk.run("show", "user:anna") and "past" not in desk.json("show", "user:anna")


def test_removing_asks_first_and_recovering_counts(desk: Desk) -> None:
    assert "There is nobody to ask" in desk.run("remove", "user:anna", code=2)
    assert desk.json("recover") == {"recovered": 0}
    assert desk.json("remove", "user:anna", "--yes")["removed"] is True
    assert desk.json("list") == [] and "there are no budgets" in desk.run("list")


def test_what_was_spent_is_summed_from_the_journals(desk: Desk) -> None:
    assert desk.json("spent") == [{"of": "desk", "tokens": 24, "cost": "0.50", "answers": 2, "unpriced": 0}]
    assert [one["of"] for one in desk.json("spent", "--by", "model")] == ["scripted/script"]
    assert desk.json("spent", "--until", "1h") == [] and "nothing was spent" in desk.run("spent", "--until", "1h")
    assert "$0.50" in desk.run("spent", "--by", "day", "--since", "1h")


def test_a_bar_is_full_only_when_all_is_used() -> None:
    assert (bar(0), bar(0.999), bar(1.0)) == ("░" * 12, "█" * 11 + "░", "█" * 12)
    assert [amount(*one) for one in (("cost", "0.0005"), ("cost", "1200"), ("tool_calls", 3), ("time", 1500))] == [
        "$0.0005", "$1,200.00", "3 tool calls", "1.5 s",
    ]  # fmt: skip
