"""What operators set and see: whose limit holds, raises of one window, freezes, and what is kept of each change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from overwinter.orchestrator.governance.budgets import accounts
from overwinter.orchestrator.governance.budgets.account import Account, Limit
from overwinter.orchestrator.governance.budgets.amount import Amount
from overwinter.orchestrator.governance.budgets.book import CHANGES, Entry, entry_of, read_entry
from overwinter.orchestrator.governance.budgets.places import BOOK, PLACE
from overwinter.orchestrator.upkeep.archive import export, load
from overwinter.state.errors import InvalidInput, StoreCorrupt
from overwinter.state.memory import MemoryStore
from overwinter.tests.budgets.world import START, World

BY_CODE = Account("user", "ana", (Limit("day", {"tokens": 100}), Limit("month", {"tokens": 1_000}, warn=0.5)))


def run(test: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        await test(World(MemoryStore(), (BY_CODE,)))

    asyncio.run(whole())


async def standing(world: World, account: str = "user:ana") -> dict[str, Any]:
    told = (await accounts.shown(world.store, account, world.now)).record()
    return told | {"by": {window["window"]: window for window in told["windows"]}}


async def spends(world: World, number: int) -> None:
    process = await world.process()
    execution = await world.begin(process)
    hold = await world.hold(process, execution, (BY_CODE,), Amount(number))
    await world.record(process, hold, Amount(number))
    await process.purse.rest()


def test_the_own_entry_wins_then_that_of_the_kind_then_the_code() -> None:
    async def test(world: World) -> None:
        await spends(world, 40)
        told = await standing(world)
        assert told["by"]["day"]["most"] == {"tokens": 100} and told["by"]["day"]["spent"] == {"tokens": 40}
        assert told["by"]["day"]["ends"] == START + 60_000
        await accounts.set_limits(world.store, "user:*", [Limit("day", {"tokens": 50, "cost": "1"})], world.now, by="a")
        assert (await standing(world))["by"]["day"]["most"] == {"tokens": 50, "cost": "1"}
        await accounts.set_limits(world.store, "user:ana", [Limit("day", {"tokens": 70})], world.now, by="b")
        told = await standing(world)
        assert told["by"]["day"]["most"] == {"tokens": 70} and told["by"]["month"]["most"] == {"tokens": 1_000}
        assert told["changes"] == [
            {"at": START, "by": "b", "what": "set", "limits": {"day": {"most": {"tokens": 70}, "zone": "UTC"}}}
        ]
        await accounts.set_limits(world.store, "user:ana", [Limit("day", {})], world.now)
        assert (await standing(world))["by"]["day"]["most"] == {"tokens": 50, "cost": "1"}
        listed = [one.account for one in await accounts.listed(world.store, world.now)]
        assert listed == ["user:*", "user:ana"]

    run(test)


def test_a_window_without_a_limit_goes_by_the_time_zone_of_the_others() -> None:
    async def test(world: World) -> None:
        await accounts.set_limits(world.store, "user:ana", [Limit("day", {"tokens": 1}, "Europe/Berlin")], world.now)
        windows = (await standing(world))["by"]
        assert [window["key"] for window in windows.values()] == [
            "2026-12-03 Europe/Berlin",
            "2026-12 Europe/Berlin",
            "",
        ]
        assert windows["month"]["ends"] == START + 60_000 + 28 * 24 * 3_600_000 + 23 * 3_600_000
        assert "hour" not in windows and windows[""]["ends"] is None

    run(test)


def test_a_raise_is_for_the_window_of_now() -> None:
    async def test(world: World) -> None:
        await spends(world, 40)
        keys = await accounts.raise_limits(
            world.store, "user:ana", {"tokens": 30}, world.now, by="ops", reason="launch"
        )
        assert keys == ["2026-12-02", "2026-12"]
        await accounts.raise_limits(world.store, "user:ana", {"tokens": 5}, world.now, window="day")
        told = await standing(world)
        assert (told["by"]["day"]["most"], told["by"]["month"]["most"]) == ({"tokens": 135}, {"tokens": 1_030})
        assert told["changes"][0]["reason"] == "launch" and told["changes"][0]["amount"] == {"tokens": 30}
        world.now += 120_000
        told = await standing(world)
        assert (told["by"]["day"]["most"], told["by"]["month"]["most"]) == ({"tokens": 100}, {"tokens": 1_030})
        for more, what in (({"cost": "1"}, "no limit on cost"), ({}, "how much more")):
            with pytest.raises(InvalidInput, match=what):
                await accounts.raise_limits(world.store, "user:ana", more, world.now)

    run(test)


def test_a_raise_of_what_nothing_limits_raises_nothing_and_says_what_is_limited() -> None:
    async def test(world: World) -> None:
        limits = [Limit("day", {"cost": "5"}), Limit("", {"tokens": 100, "cost": "9"})]
        await accounts.set_limits(world.store, "user:bea", limits, world.now)
        for more, window, what in (
            (
                {"cost": "1", "model_calls": 3},
                None,
                "no limit on model_calls .* tokens and cost for ever, cost per day",
            ),
            ({"cost": "1", "tokens": 3}, "day", "no limit on tokens per day"),
            ({"cost": "1"}, "month", "no limit on cost per month"),
        ):
            with pytest.raises(InvalidInput, match=what):
                await accounts.raise_limits(world.store, "user:bea", more, world.now, window=window)
        assert (await accounts.shown(world.store, "user:bea", world.now)).changes[-1]["what"] == "set"
        more = {"cost": "1", "tokens": 3}
        assert await accounts.raise_limits(world.store, "user:bea", more, world.now) == ["", "2026-12-02"]
        with pytest.raises(InvalidInput, match="nothing of it is limited"):
            await accounts.raise_limits(world.store, "user:cleo", {"cost": "1"}, world.now)

    run(test)


def test_freezing_says_who_and_why_and_ends() -> None:
    async def test(world: World) -> None:
        await accounts.freeze(world.store, "user:*", world.now, by="ops", reason="a leak")
        assert (await standing(world))["frozen"] == {"by": "ops", "reason": "a leak", "at": START}
        with pytest.raises(InvalidInput, match="not frozen"):
            await accounts.unfreeze(world.store, "user:ana", world.now)
        await accounts.unfreeze(world.store, "user:*", world.now)
        assert (await standing(world))["frozen"] is None

    run(test)


def test_the_last_changes_are_kept() -> None:
    async def test(world: World) -> None:
        for number in range(CHANGES + 5):
            await accounts.set_limits(world.store, "user:ana", [Limit("day", {"tokens": number})], world.now)
        changes = (await standing(world))["changes"]
        assert len(changes) == CHANGES and changes[-1]["limits"]["day"]["most"] == {"tokens": CHANGES + 4}

    run(test)


def test_changes_at_the_same_time_are_all_made() -> None:
    async def test(world: World) -> None:
        limits = [Limit("day", {"tokens": 1}), Limit("month", {"tokens": 2}), Limit("", {"cost": Decimal(3)})]
        works = (accounts.set_limits(world.store, "user:ana", [limit], world.now) for limit in limits)
        await asyncio.gather(*works)
        told = await standing(world)
        assert len(told["limits"]) == 3 and len(told["changes"]) == 3

    run(test)


def test_removed_is_removed() -> None:
    async def test(world: World) -> None:
        await spends(world, 40)
        world.now += 100 * 3_600_000
        await spends(world, 40)
        assert (await accounts.past(world.store, "user:ana"))["2026-12-02"] == Amount(40)
        assert await accounts.remove(world.store, "user:ana") and not await accounts.remove(world.store, "user:ana")
        assert await accounts.listed(world.store, world.now) == []
        assert await accounts.past(world.store, "user:ana") == {}

    run(test)


def test_accounts_go_along_with_an_export() -> None:
    async def test(world: World) -> None:
        await spends(world, 40)
        await accounts.freeze(world.store, "user:ana", world.now)
        lines: list[bytes] = []

        def write(line: bytes) -> None:
            lines.append(line)

        await export(world.store, write, at=world.now, release="0")
        other = MemoryStore()
        await load(other, lines)
        assert await accounts.listed(other, world.now) == await accounts.listed(world.store, world.now)

    run(test)


def test_limits_that_cannot_be_read_are_not_none() -> None:
    async def test(world: World) -> None:
        await world.store.put(PLACE, BOOK + "user:ana", '{"limits": {"day": {"most": {"tokens": "many"}}}}')
        with pytest.raises(StoreCorrupt, match="user:ana"):
            await read_entry(world.store, "user:ana")
        with pytest.raises(StoreCorrupt):
            entry_of("[]", "user:ana")
        assert entry_of(Entry().text(), "user:ana") == Entry()

    run(test)
