"""What fails for good stands in the log of the process that saw it, once, with the whole traceback and no secret."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

import pytest

from overwinter import Agent, Context, Retry, Runtime, workflow
from overwinter.functions.models.scripted import Scripted, call
from overwinter.orchestrator.protocol import failure_log
from overwinter.orchestrator.protocol.failure_log import log
from overwinter.state.errors import ExecutionFailed
from overwinter.tests.workflow.world import World

SECRET = "tulip-4711-tulip"


def charge(order: str) -> None:
    card_number = "4000-1234"
    look_up(order, card_number)


def look_up(order: str, _card: str) -> None:
    raise OSError(f"{order}: the desk is closed to {SECRET}")


@workflow
async def sells(ctx: Context) -> None:
    await ctx.step(charge, "A-1", name="charge", retry=Retry(attempts=3, first="1ms"))


@workflow
async def forgives(ctx: Context) -> str:
    with suppress(OSError):
        await ctx.step(charge, "A-1", retry=Retry(attempts=1))
    return str(await ctx.wait_for("go", type=str))


@workflow
async def breaks(ctx: Context) -> None:
    raise ValueError("in its own code")


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_log, "_whole", failure_log.Whole())
    monkeypatch.setenv("DESK_TOKEN", SECRET)


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(one.levelno, one.getMessage()) for one in caplog.records if one.name == log.name]


def fails(flow: object, id: str) -> None:
    async def main() -> None:
        async with Runtime([sells, forgives, breaks], "memory://") as runtime:
            with pytest.raises(ExecutionFailed):
                await (await runtime.start(flow, id=id)).result("20s")

    asyncio.run(main())


def test_a_call_and_an_execution_that_failed_for_good(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, log.name)
    fails(sells, "s-1")
    again = "execution s-1: the call of 'charge' (operation 0) is tried again after attempt "
    assert said(caplog) == [
        (logging.DEBUG, f"{again}1"),
        (logging.DEBUG, f"{again}2"),
        (logging.WARNING, "execution s-1: the call of 'charge' (operation 0) failed for good in attempt 3"),
        (logging.ERROR, "execution s-1: failed in operation 0"),
    ]
    assert "look_up(order, card_number)" in caplog.text and "in look_up" in caplog.text
    assert "await ctx.step(charge" in caplog.text, "and where the workflow asked for it"
    assert SECRET not in caplog.text and "closed to ***" in caplog.text
    assert "4000-1234" not in caplog.text.replace('card_number = "4000-1234"', ""), "values are not told"


def test_attempts_are_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    fails(sells, "s-1")
    assert [level for level, _ in said(caplog)] == [logging.WARNING, logging.ERROR]


def test_an_error_of_its_own_code(caplog: pytest.LogCaptureFixture) -> None:
    fails(breaks, "b-1")
    assert said(caplog) == [(logging.ERROR, "execution b-1: failed")]
    assert 'raise ValueError("in its own code")' in caplog.text


def test_a_replay_says_nothing(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    dsn = f"sqlite:///{tmp_path}/s.db"

    async def begin() -> None:
        async with Runtime([forgives, breaks], dsn) as runtime:
            await runtime.start(forgives, id="f-1")
            with pytest.raises(ExecutionFailed):
                await (await runtime.start(breaks, id="b-1")).result("20s")
            for _ in range(4000):
                if (await runtime.show("f-1")).awaits == "event go":
                    break
                await asyncio.sleep(0.005)

    async def go_on() -> None:
        async with Runtime([forgives, breaks], dsn) as runtime:
            await runtime.signal("f-1", "go", "on")
            assert await runtime.result("f-1", "20s") == "on"
            with pytest.raises(ExecutionFailed):
                await runtime.result("b-1", "20s")

    asyncio.run(begin())
    assert sorted(level for level, _ in said(caplog)) == [logging.WARNING, logging.ERROR]
    caplog.clear()
    asyncio.run(go_on())
    assert said(caplog) == []


def test_a_storm_of_failures_leaves_its_tracebacks_out(caplog: pytest.LogCaptureFixture) -> None:
    times = iter([1.0] * 30 + [2.5] * 2)
    whole = failure_log.Whole(lambda: next(times))
    assert [whole.next() for _ in range(32)] == [True] * 20 + [False] * 10 + [True] * 2


def test_a_command_that_tells_by_itself_is_not_doubled(caplog: pytest.LogCaptureFixture) -> None:
    with failure_log.told_elsewhere():
        fails(breaks, "b-1")
    assert said(caplog) == []
    fails(breaks, "b-1")
    assert len(said(caplog)) == 1


def test_an_agent_that_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def broken() -> None:
        raise ValueError("no such order")

    def script(_messages: object, _tools: object) -> str:
        raise ValueError("the model is gone")

    agent, lame = Agent("desk", Scripted([call("broken"), "sorry"]), "Help.", [broken]), Agent("lame", Scripted(script))

    async def main() -> None:
        async with Runtime([agent, lame], "memory://") as runtime:
            await (await runtime.start(agent, "go", id="a-1")).result("20s")
            with pytest.raises(ExecutionFailed):
                await (await runtime.start(lame, "go", id="a-2")).result("20s")

    asyncio.run(main())
    told = said(caplog)
    first = "execution a-1: the call of 'broken' (operation t1.m1.0) failed for good in attempt 1"
    assert told[0] == (logging.WARNING, first)
    assert told[1][1].startswith("execution a-2: the call of 'scripted/")
    assert told[2:] == [(logging.ERROR, "execution a-2: failed in operation t1.m1: ValueError: the model is gone")]


def test_a_failure_that_is_replayed_was_said_before(caplog: pytest.LogCaptureFixture) -> None:
    async def fails_itself(ctx: Context) -> None:
        raise ValueError("in its own code")

    world = World(fails_itself)
    assert said(caplog) == [(logging.ERROR, "execution w-1: failed")]
    caplog.clear()
    World(fails_itself, journal=world.journal)
    assert said(caplog) == []


def test_what_has_no_utf_8_form_costs_no_line(caplog: pytest.LogCaptureFixture) -> None:
    failure_log.execution("s-\ud83d", None, ValueError("half a pair \ud83d"))
    (record,) = [one for one in caplog.records if one.name == log.name]
    line = logging.Formatter().format(record)
    assert "half a pair �" in line and line.encode()


@pytest.mark.parametrize("forged", ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1e", "\x85", "\u2028"])
def test_a_message_can_not_look_like_a_line_of_the_log(forged: str, caplog: pytest.LogCaptureFixture) -> None:
    line = "2026-01-01 ERROR overwinter: all is well"
    error = ValueError(f"no{forged}{line}\x1b[31m\u202e\x07")
    failure_log.execution(f"s{forged}{line}", None, error)
    failure_log.recorded("s", {"kind": "ValueError", "message": f"no{forged}{line}\x1b[31m"})
    for record in caplog.records:
        text = logging.Formatter("%(levelname)s %(message)s").format(record)
        assert line in text
        assert not [one for one in text.splitlines()[1:] if not one.startswith("  ")]
        assert not set("\x1b\u202e\x07\r\x85\u2028") & set(text)
    assert len(caplog.records) == 2


def test_a_secret_of_several_lines_is_taken_out_before_they_are_indented(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_KEY", "tulips\nand\troses")
    failure_log.execution("s", None, ValueError("no tulips\nand\troses here"))
    failure_log.recorded("s", {"kind": "ValueError", "message": "no tulips\nand\troses here"})
    for record in caplog.records:
        text = logging.Formatter().format(record)
        assert "no *** here" in text and "roses" not in text


def test_a_long_message_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    failure_log.execution("s", None, ValueError("first " + "x\n" * 2_500_000 + " last"))
    failure_log.recorded("s" * 5_000_000, {"kind": "ValueError", "message": "no"})
    for record in caplog.records:
        text = logging.Formatter().format(record)
        assert "characters left out" in text
        assert len(text) < 4 * failure_log.LONGEST
    assert "first " in (caplog.records[0].exc_text or "") and "last" in (caplog.records[0].exc_text or "")
