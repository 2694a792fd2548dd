"""What people may write of a schedule, and what they are told when it can't be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from overwinter import Agent, InvalidInput, schedule, tool, workflow
from overwinter.functions.schedule import declared_by
from overwinter.orchestrator.schedule.naming import check_name
from overwinter.orchestrator.schedule.spec import Spec, changed, made, read
from overwinter.orchestrator.usercode.served import by_name

WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "no time is given"),
    ({"cron": "* * * * *", "every": "5m"}, "cron and every are given"),
    ({"cron": ""}, "cron is a text"),
    ({"cron": 5}, "cron is a text"),
    ({"cron": "1," * 500 + "1 * * * *"}, "it may have 1000"),
    ({"cron": "* * * *"}, "is no cron expression"),
    ({"cron": "0 0 30 2 *"}, "is no cron expression"),
    ({"cron": "* * * * *", "zone": "Mars"}, "no time zone 'Mars'"),
    ({"cron": "* * * * *", "zone": ""}, "zone is a text"),
    ({"every": "0s"}, "too often"),
    ({"every": "10ms"}, "too often"),
    ({"every": "soon"}, "is not a duration"),
    ({"every": -5}, "every"),
    ({"every": "5m", "zone": "Europe/Berlin"}, "takes no zone"),
    ({"at": "2026-12-24T18:00"}, "says no time zone"),
    ({"at": datetime(2026, 12, 24)}, "says no time zone"),  # that is the fault
    ({"at": "2026-12-24T18:00Z", "zone": "Europe/Berlin"}, "has an offset already"),
    ({"at": "at noon"}, "is no time"),
    ({"at": 5}, "at is a text"),
    ({"at": "0001-01-01T00:00Z"}, "between 1970 and 9999"),
    ({"every": "5m", "overlap": "maybe"}, "overlap='maybe' is unknown"),
    ({"every": "5m", "missed": "some"}, "missed='some' is unknown"),
    ({"every": "5m", "most": 0}, "most must be a whole number"),
    ({"every": "5m", "most": True}, "most must be a whole number"),
    ({"every": "5m", "most": 5000}, "is too many"),
    ({"every": "5m", "jitter": "6m"}, "jitter is 6m00s; here it is 5m00s at the most"),
    ({"cron": "0 7 * * *", "jitter": "3d"}, "24h00m at the most"),
    ({"every": "5m", "input": object()}, "JSON"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_what_can_not_be_is_said(given: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        made(**given)


def test_what_is_written_is_read() -> None:
    for spec in (
        made("0 7 * * MON-FRI", zone="Europe/Berlin", input={"a": [1]}, overlap="queue", jitter="5m"),
        made(every="15m", missed="all", most=7),
        made(at="2026-12-24T18:00+01:00"),
        made(at="2026-12-24T18:00", zone="Europe/Berlin"),
        made(every=timedelta(hours=2)),
    ):
        assert read(spec.written(), spec.input) == spec
    assert made(at="2026-12-24T18:00", zone="Europe/Berlin").at == made(at=datetime(2026, 12, 24, 17, tzinfo=UTC)).at
    assert made("  0   7 * * *").cron == "0 7 * * *"


def test_a_digest_tells_of_everything() -> None:
    specs = [made("0 7 * * *"), made("0 8 * * *"), made("0 7 * * *", input=1), made("0 7 * * *", overlap="queue")]
    specs += [made("0 7 * * *", zone="Europe/Berlin"), made("0 7 * * *", jitter="1s"), made(every="5m")]
    assert len({spec.digest() for spec in specs}) == len(specs)


def test_a_change_leaves_the_rest() -> None:
    spec = made("0 7 * * *", zone="Europe/Berlin", input=1, jitter="5m")._replace(function="f", kind="tool")
    assert changed(spec, {"cron": "0 8 * * *"}) == spec._replace(cron="0 8 * * *")
    assert changed(spec, {"overlap": "allow"}) == spec._replace(overlap="allow")
    assert changed(spec, {"every": "1h"}) == spec._replace(cron="", zone="UTC", every=3_600_000)
    assert changed(made(every="1.5s"), {"missed": "all"}) == made(every="1.5s", missed="all")
    with pytest.raises(InvalidInput):
        changed(spec, {"every": "1m"})  # its jitter is longer


@pytest.mark.parametrize("name", ["", "a/b", " x", "x" * 101, "a\nb", 7])
def test_what_is_no_name(name: Any) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)


def declared(*functions: object) -> dict[str, Spec]:
    found = declared_by(by_name(functions), lambda name, value: ("workflow", value))
    return {one.name: one.spec for one in found}


def test_it_is_written_above_and_below_and_around() -> None:
    @schedule("0 7 * * *")
    @workflow
    async def above(ctx: Any) -> None: ...

    @workflow
    @schedule("0 8 * * *", name="eight")
    @schedule("0 9 * * *", name="nine")
    async def below(ctx: Any) -> None: ...

    @schedule(every="1h")
    @tool
    def sweep() -> str:
        return ""

    agent = schedule(every="1d", input="What is new?", name="news")(Agent("desk", "scripted/none"))
    found = declared(above, below, sweep, agent)
    assert sorted(found) == ["above", "eight", "news", "nine", "sweep"]
    assert found["nine"].function == "below" and found["eight"].cron == "0 8 * * *"
    assert found["news"].input == "What is new?"


def test_two_of_one_name_are_refused() -> None:
    @schedule("0 7 * * *")
    @schedule("0 8 * * *")
    @workflow
    async def twice(ctx: Any) -> None: ...

    with pytest.raises(InvalidInput, match="two schedules are named 'twice'"):
        declared(twice)


@pytest.mark.parametrize("thing", [5, "text", dict])
def test_what_can_not_be_scheduled(thing: Any) -> None:
    with pytest.raises(InvalidInput, match="can't be scheduled"):
        schedule(every="1h")(thing)
