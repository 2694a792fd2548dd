"""What one process spends: few calls of the store, all accounts or none, and what becomes of lost holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

import pytest

from overwinter.orchestrator.errors.failures import decode, encode
from overwinter.orchestrator.governance.budgets.account import Account, Limit
from overwinter.orchestrator.governance.budgets.amount import NOTHING, Amount
from overwinter.orchestrator.governance.budgets.book import Entry, Frozen, rewrite
from overwinter.orchestrator.governance.budgets.ledger import Ledger, Slice, ledger_of
from overwinter.orchestrator.governance.budgets.places import LEDGER, PLACE
from overwinter.orchestrator.governance.budgets.purse import PurseSettings
from overwinter.orchestrator.governance.budgets.recovery import recover
from overwinter.orchestrator.governance.budgets.till import Till
from overwinter.orchestrator.upkeep.tidying import tidy
from overwinter.state.codec import dumps, loads
from overwinter.state.dynamodb.store import DynamoStore
from overwinter.state.errors import BudgetExceeded, LimitExceeded, StoreCorrupt, StoreUnavailable
from overwinter.state.memory import MemoryStore
from overwinter.state.redis.store import RedisStore
from overwinter.state.sqlite.store import SqliteStore
from overwinter.state.store import Store
from overwinter.tests.budgets.world import LEASE, START, Dead, World
from overwinter.tests.servers.moto import Moto
from overwinter.tests.servers.redis import RedisServer

ACME = Account("tenant", "acme", (Limit("day", {"tokens": 1_000}),))
ANA = Account("user", "ana", (Limit("month", {"cost": Decimal("0.50")}),))
FREE = Account("agent", "support")
WIDE = Account("tenant", "wide", (Limit("", {"tokens": 10**9}),))


def run(
    test: Callable[[World], Awaitable[None]], store: Store | None = None, settings: PurseSettings | None = None
) -> None:
    async def whole() -> None:
        made = store or MemoryStore()
        await made.open()
        try:
            await test(World(made, (ACME, ANA, FREE), settings or PurseSettings(look=3_000)))
        finally:
            await made.close()

    asyncio.run(whole())


def tokens(number: int) -> Amount:
    return Amount(tokens=number)


async def turns(world: World, number: int) -> None:
    """One process spends, another too, and one dies; it comes out even."""
    one, other = await world.process(), await world.process()
    for process in (one, other):
        execution = await world.begin(process)
        for _ in range(number):
            hold = await world.hold(process, execution, (ACME, ANA), Amount(20, Decimal("0.01")))
            await world.record(process, hold, Amount(7, Decimal("0.003"), 1))
        await world.hold(process, execution, (ACME,), tokens(20))
    world.bury(other)
    await world.within()
    await world.end()
    assert await world.spent() == await world.settled()
    assert (await world.spent())[str(ACME)][""].tokens == 2 * number * 7


def test_on_sqlite(tmp_path: Path) -> None:
    run(lambda world: turns(world, 20), SqliteStore(f"sqlite:///{tmp_path / 'ow.db'}"))


def test_on_redis(redis_server: RedisServer) -> None:
    run(lambda world: turns(world, 20), RedisStore(redis_server.dsn(prefix="budgets")))


def test_on_dynamodb(moto: Moto) -> None:
    async def prepared(world: World) -> None:
        await turns(world, 4)

    store = DynamoStore(moto.dsn("budgets"))
    asyncio.run(store.create())
    run(prepared, store)


def test_a_draw_is_one_put_and_a_hold_is_none() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        calls = process.fate.calls
        hold = await world.hold(process, execution, (WIDE,), tokens(10))
        assert calls == ["get", "get", "get", "put"]  # its limits, those of its kind, the ledger
        await world.record(process, hold, tokens(10))
        calls.clear()
        for _ in range(99):
            hold = await world.hold(process, execution, (WIDE,), tokens(10))
            await world.record(process, hold, tokens(10))
        assert [call for call in calls if call != "append"] == ["put"] * 9

    run(test)


def test_what_nothing_limits_is_counted_and_costs_no_draw() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        for _ in range(30):
            hold = await world.hold(process, execution, (WIDE, FREE), Amount(10, Decimal("0.01"), 1))
            await world.record(process, hold, Amount(1, Decimal("0.02"), 1))
        assert process.fate.calls.count("put") == 2
        await process.purse.close()
        for account in (WIDE, FREE):
            assert (await world.ledger(account)).spent[""] == Amount(30, Decimal("0.60"), 30)

    run(test)


def test_holds_at_the_same_time_share_a_draw() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        holds = await asyncio.gather(*(world.hold(process, execution, (FREE,), tokens(10)) for _ in range(30)))
        assert process.fate.calls.count("put") == 1 and len({hold.slices for hold in holds}) == 1
        assert (await world.ledger(FREE)).open("") == tokens(1_200)  # four times what is held at once

    run(test)


def test_a_slice_is_no_more_than_a_part_of_what_is_left_and_the_last_is_used_up() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        await world.hold(process, execution, (ACME,), tokens(60))
        assert (await world.ledger(ACME)).open("") == tokens(250)
        for _ in range(15):
            await world.hold(process, execution, (ACME,), tokens(60))
        with pytest.raises(BudgetExceeded) as refused:
            await world.hold(process, execution, (ACME,), tokens(60))
        error = refused.value
        assert (error.account, error.window, error.limit) == ("tenant:acme", "day", "tokens")
        assert (error.used, error.allowed) == (960, 1_000) and error.ends == START + 60_000
        assert "960 of 1000 tokens" in str(error) and "2026-12-03T00:00:00Z" in str(error)
        await world.hold(process, execution, (ACME,), tokens(40))
        assert (await world.ledger(ACME)).used("2026-12-02") == tokens(1_000)

    run(test)


def test_the_rest_of_another_process_is_there_when_it_has_rested() -> None:
    async def test(world: World) -> None:
        one, other = await world.process(), await world.process()
        mine, theirs = await world.begin(one), await world.begin(other)
        hold = await world.hold(one, mine, (ACME,), tokens(100))
        with pytest.raises(BudgetExceeded):
            await world.hold(other, theirs, (ACME,), tokens(800))
        await world.record(one, hold, tokens(50))
        await one.purse.rest(idle=60_000)
        with pytest.raises(BudgetExceeded):
            await world.hold(other, theirs, (ACME,), tokens(800))
        world.now += 59_000
        await one.purse.rest(idle=59_000)
        ledger = await world.ledger(ACME)
        assert not ledger.slices and ledger.spent["2026-12-02"] == tokens(50)
        await world.hold(other, theirs, (ACME,), tokens(800))

    run(test)


def test_all_accounts_or_none() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        with pytest.raises(BudgetExceeded) as refused:
            await world.hold(process, execution, (ACME, ANA), Amount(10, Decimal("0.51")))
        assert refused.value.account == "user:ana" and refused.value.used == "0"
        await process.purse.rest()
        ledger = await world.ledger(ACME)
        assert not ledger.slices and ledger.used("").tokens == 0

    run(test)


def test_what_is_settled_is_settled_once() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        slices = await process.purse.hold("e/1", [ACME], tokens(10))
        for _ in range(3):
            process.purse.settle("e/1", slices, tokens(9))
        process.purse.release("e/1")
        await process.purse.close()
        assert (await world.ledger(ACME)).spent["2026-12-02"] == tokens(9)

    run(test)


def test_a_hold_under_the_same_key_adds_and_one_settlement_replaces_both() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        await process.purse.hold("e/1", [ACME], tokens(10))
        slices = await process.purse.hold("e/1", [ACME], tokens(20))
        process.purse.settle("e/1", slices, tokens(15))
        await process.purse.close()
        ledger = await world.ledger(ACME)
        assert ledger.spent["2026-12-02"] == tokens(15) and not ledger.slices

    run(test)


def test_a_charge_passes_every_limit_and_what_is_over_is_seen() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        charge = await world.hold(process, execution, (ACME,), tokens(1_500), charge=True)
        assert (await world.ledger(ACME)).used("2026-12-02") == tokens(1_500)
        await world.record(process, charge, tokens(1_500))
        with pytest.raises(BudgetExceeded) as refused:
            await world.hold(process, execution, (ACME,), tokens(1))
        assert refused.value.used == 1_500

    run(test)


def test_what_was_held_before_midnight_counts_there() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        before = await world.hold(process, execution, (ACME,), tokens(10))
        world.now += 120_000
        after = await world.hold(process, execution, (ACME,), tokens(10))
        assert before.slices != after.slices
        await world.record(process, before, tokens(8))
        await world.record(process, after, tokens(5))
        await process.purse.close()
        spent = (await world.ledger(ACME)).spent
        assert (spent["2026-12-02"].tokens, spent["2026-12-03"].tokens, spent["2026-12"].tokens) == (8, 5, 13)

    run(test)


def test_past_windows_leave_the_ledger() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        for _ in range(100):
            hold = await world.hold(process, execution, (ACME,), tokens(10))
            await world.record(process, hold, tokens(3))
            world.now += 24 * 3_600_000
        assert len((await world.ledger(ACME)).spent) <= 7
        await world.end()
        spent = (await world.spent())[str(ACME)]
        assert spent == (await world.settled())[str(ACME)] and len(spent) == 100 + 4 + 1

    run(test)


def test_a_lost_answer_draws_once() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        await world.hold(process, execution, (ACME,), tokens(60))
        process.fate.plan(2, "lose")
        with pytest.raises(StoreUnavailable):
            await world.hold(process, execution, (ACME,), tokens(200))
        drawn = (await world.ledger(ACME)).slices
        assert len(drawn) == 2
        await world.hold(process, execution, (ACME,), tokens(200))
        assert (await world.ledger(ACME)).slices == drawn

    run(test)


def test_a_draw_that_nobody_waits_for_any_more_is_kept_for_the_next() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        work = asyncio.ensure_future(process.purse.hold("e/1", [ACME], tokens(10)))
        await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        await process.purse.close()
        ledger = await world.ledger(ACME)
        assert not ledger.slices and ledger.used("") == NOTHING

    run(test)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_hold_whose_execution_has_gone_elsewhere_is_what_its_journal_says(recorded: bool) -> None:
    async def test(world: World) -> None:
        one, other = await world.process(), await world.process()
        execution = await world.begin(one)
        hold = await world.hold(one, execution, (ACME,), tokens(100))
        if recorded:
            listen, one.purse.committed = one.purse.committed, lambda *_: None  # type: ignore[method-assign]
            await world.record(one, hold, tokens(70))
            one.purse.committed = listen  # type: ignore[method-assign]
        del one.active[execution]
        await one.purse.rest()
        assert (await world.ledger(ACME)).used("2026-12-02") == tokens(100)  # a commit of its own may still arrive
        world.now += 10_000
        await world.store.beat(other.name, world.now, 2_000)
        await world.begin(other, execution)
        await one.purse.rest()
        ledger = await world.ledger(ACME)
        assert not ledger.slices and ledger.used("2026-12-02") == tokens(70 if recorded else 0)

    run(test)


def test_a_slice_of_a_dead_process_is_recovered_by_whoever_needs_it() -> None:
    async def test(world: World) -> None:
        dead, other = await world.process(), await world.process()
        execution = await world.begin(dead)
        hold = await world.hold(dead, execution, (ACME,), tokens(600))
        await world.record(dead, hold, tokens(50))
        await world.hold(dead, execution, (ACME,), tokens(300))
        world.bury(dead)
        mine = await world.begin(other)
        world.now += 10_000
        with pytest.raises(BudgetExceeded):
            await world.hold(other, mine, (ACME,), tokens(900))
        world.now += 30_000
        await world.store.beat(other.name, world.now, LEASE)
        await world.begin(other, execution)
        await world.hold(other, mine, (ACME,), tokens(950))
        with pytest.raises(BudgetExceeded):
            await world.hold(other, mine, (ACME,), tokens(1))

    run(test, settings=PurseSettings(life=20_000))


def test_journals_are_read_before_they_are_removed() -> None:
    async def test(world: World) -> None:
        dead = await world.process()
        execution = await world.begin(dead)
        await world.record(dead, await world.hold(dead, execution, (FREE,), tokens(60)), tokens(50))
        await world.leave(dead, execution, "completed")
        world.bury(dead)
        world.now += 48 * 3_600_000
        assert await tidy(world.store, "1d", world.now) == 1
        ledger = await world.ledger(FREE)
        assert not ledger.slices and ledger.spent[""] == tokens(50)

    run(test)


def test_a_process_recovers_what_others_had_drawn() -> None:
    async def test(world: World) -> None:
        dead, other = await world.process(), await world.process()
        execution = await world.begin(dead)
        await world.record(dead, await world.hold(dead, execution, (FREE, ACME), tokens(60)), tokens(50))
        await world.leave(dead, execution)
        world.bury(dead)
        assert await other.purse.recover() == 0
        world.now += 400_000
        assert await other.purse.recover() == 2 and await other.purse.recover() == 0
        assert (await world.ledger(ACME)).spent[""] == tokens(50)

    run(test)


def test_an_error_that_is_recorded_comes_back_as_it_was() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        with pytest.raises(BudgetExceeded) as refused:
            await process.purse.hold("e/1", [ACME], tokens(2_000))
        again = decode(loads(dumps(encode(refused.value))))
        assert isinstance(again, BudgetExceeded) and isinstance(again, LimitExceeded)
        for name in ("account", "window", "limit", "used", "allowed", "ends"):
            assert getattr(again, name) == getattr(refused.value, name)
        assert str(again) == str(refused.value)

    run(test)


def test_a_slice_that_its_idle_owner_may_still_use_is_not_recovered() -> None:
    async def test(world: World) -> None:
        idle, other = await world.process(), await world.process()
        execution = await world.begin(idle)
        hold = await world.hold(idle, execution, (FREE,), tokens(60))
        await world.record(idle, hold, tokens(50))
        await world.leave(idle, execution)
        world.now += 100_000
        assert await recover(other.store, [str(FREE)], world.now) == 0  # nobody hears of it, as it has nothing to do
        await world.begin(idle, execution)
        hold = await world.hold(idle, execution, (FREE,), tokens(60))
        await world.record(idle, hold, tokens(20))
        await idle.purse.close()
        assert (await world.ledger(FREE)).spent[""] == tokens(70)

    run(test)


def test_a_window_is_archived_as_it_is_not_as_it_was_known() -> None:
    async def test(world: World) -> None:
        one, other = await world.process(), await world.process()
        mine, theirs = await world.begin(one), await world.begin(other)
        await world.hold(one, mine, (ACME,), tokens(10))  # it stays open, in the window before
        world.now += 120_000
        await world.record(one, await world.hold(one, mine, (ACME,), tokens(50)), tokens(30))
        await one.purse.rest()
        await world.record(other, await world.hold(other, theirs, (ACME,), tokens(50)), tokens(40))
        await other.purse.rest()
        world.now += 72 * 3_600_000
        await world.hold(one, mine, (ACME,), tokens(10))
        await world.end()
        assert (await world.spent())[str(ACME)]["2026-12-03"] == tokens(70)

    run(test)


def test_recovery_waits_until_nobody_can_record_any_more_and_happens_once() -> None:
    async def test(world: World) -> None:
        dead, one, other = await world.process(), await world.process(), await world.process()
        execution = await world.begin(dead)
        hold = await world.hold(dead, execution, (FREE,), tokens(60))
        await world.record(dead, hold, tokens(50))
        late = await world.hold(dead, execution, (FREE,), tokens(60))
        never = await world.hold(dead, execution, (FREE,), tokens(60))

        async def recovered() -> list[int]:
            for process in (one, other):
                await world.store.beat(process.name, world.now, 2_000)
            names = [str(FREE)]
            return sorted(await asyncio.gather(*(recover(one.store, names, world.now) for one in (one, other))))

        world.now += 10_000
        assert await recovered() == [0, 0]  # it may take more out of it
        world.now += 400_000
        assert await recovered() == [0, 0]  # it holds the execution, so its commits count
        assert await world.record(dead, late, tokens(7))
        await world.begin(one, execution)
        assert not await world.record(dead, never, tokens(9))
        assert await recovered() == [0, 1]
        ledger = await world.ledger(FREE)
        assert ledger.spent[""] == tokens(57)
        await dead.purse.close()
        assert (await world.ledger(FREE)).spent[""] == tokens(57)

    run(test)


def test_limits_of_the_book_hold_within_the_time_to_look() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        await world.hold(process, execution, (ACME,), tokens(20))
        await rewrite(world.store, "tenant:*", lambda entry: entry._replace(limits=(Limit("day", {"tokens": 30}),)))
        await world.hold(process, execution, (ACME,), tokens(20))
        world.now += 3_000
        with pytest.raises(BudgetExceeded) as refused:
            await world.hold(process, execution, (ACME,), tokens(20))
        assert (refused.value.used, refused.value.allowed) == (40, 30)
        await rewrite(world.store, "tenant:acme", lambda entry: entry._replace(limits=(Limit("day", {"tokens": 90}),)))
        more = {"day": {"2026-12-02": tokens(10)}}
        await rewrite(world.store, "tenant:acme", lambda entry: entry._replace(raises=more))
        world.now += 3_000
        await world.hold(process, execution, (ACME,), tokens(60))
        with pytest.raises(BudgetExceeded):
            await world.hold(process, execution, (ACME,), tokens(1))
        await rewrite(world.store, "tenant:acme", lambda _: Entry(frozen=Frozen("ops", "a leak", START)))
        world.now += 3_000
        with pytest.raises(BudgetExceeded, match="frozen by ops since 2026-12-02T23:59:00Z: a leak") as refused:
            await world.hold(process, execution, (ACME,), NOTHING)
        assert refused.value.limit == "frozen"

    run(test)


def test_a_share_that_is_reached_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    limited = Account("tenant", "acme", (Limit("day", {"tokens": 1_000}, warn=0.8),))

    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        for _ in range(9):
            await world.hold(process, execution, (limited,), tokens(100))

    with caplog.at_level(logging.WARNING):
        run(test)
    assert [record.getMessage() for record in caplog.records if "tenant:acme" in record.getMessage()] == [
        "tenant:acme: 80 % of its tokens are used or held (2026-12-02)"
    ]


def test_books_that_cannot_be_read_pay_for_nothing() -> None:
    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        await world.store.put(PLACE, LEDGER + str(ACME), '{"spent": 3}')
        with pytest.raises(StoreCorrupt, match="tenant:acme"):
            await world.hold(process, execution, (ACME,), tokens(1))

    run(test)


def test_a_process_that_dies_while_it_draws_leaves_nothing_that_is_not_recovered() -> None:
    async def at(moment: int, world: World) -> bool:
        process = await world.process()
        execution = await world.begin(process)
        process.fate.plan(moment, "kill")
        try:
            await world.hold(process, execution, (ACME, ANA), Amount(10, Decimal("0.01")))
            return True
        except Dead:
            return False
        finally:
            await world.end()
            assert all(not used for used in (await world.spent()).values())

    moment, survived = 1, False
    while not survived:

        async def test(world: World, moment: int = moment) -> None:
            nonlocal survived
            survived = await at(moment, world)

        run(test)
        moment += 1
    assert moment > 16


def test_what_was_drawn_for_one_that_is_cancelled_at_that_moment_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(world: World) -> None:
        process = await world.process()
        work = asyncio.ensure_future(process.purse.hold("e/1", [ACME], tokens(10)))
        give = Till.__dict__["_hand_out"]

        def and_cancel(till: Till) -> None:
            give(till)
            if till.drawn:
                work.cancel()  # it has been given its slice, and has not yet woken up

        monkeypatch.setattr(Till, "_hand_out", and_cancel)
        with pytest.raises(asyncio.CancelledError):
            await work
        await process.purse.close()
        ledger = await world.ledger(ACME)
        assert not ledger.slices and ledger.used("") == NOTHING

    run(test)


def test_a_slice_is_drawn_once_and_closed_once() -> None:
    ledger = Ledger()
    slice = Slice("s", tokens(10), "p", 0, 1, ("2026-12", ""))
    for _ in range(2):
        ledger.draw(slice)
    ledger.draw(slice._replace(amount=tokens(99)))
    assert ledger.used("2026-12") == tokens(10)
    assert [ledger.close("s", tokens(7)) for _ in range(2)] == [True, False]
    assert ledger.spent == {"2026-12": tokens(7), "": tokens(7)}
    assert ledger_of(ledger.text(), "x").spent == ledger.spent


def test_where_several_declare_limits_the_smaller_hold() -> None:
    loose = Account("tenant", "acme", (Limit("day", {"tokens": 9_000, "cost": "1"}), Limit("", {"tokens": 9_999})))

    async def test(world: World) -> None:
        process = await world.process()
        execution = await world.begin(process)
        await world.hold(process, execution, (ACME,), tokens(10))
        for refused in (Amount(1_000), Amount(1, Decimal(2))):
            with pytest.raises(BudgetExceeded):
                await world.hold(process, execution, (loose,), refused)
            with pytest.raises(BudgetExceeded):
                await world.hold(process, execution, (ACME,), refused)
        await process.purse.rest()
        assert {limit.window for limit in (await world.ledger(ACME)).declared} == {"day"}
        await world.hold(process, execution, (loose,), tokens(10))
        declared = {limit.window: limit.most for limit in (await world.ledger(ACME)).declared}
        assert declared == {"day": {"tokens": 1_000, "cost": 1}, "": {"tokens": 9_999}}

    run(test)
