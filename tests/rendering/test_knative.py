"""Triggers and PingSources: valid to the last key, of names that Kubernetes takes, and they lead where they should."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from overwinter.cli.main import cli
from overwinter.cli.rendering.knative import Target, ping_sources, resource_name, triggers
from overwinter.functions.bus.subscription import Subscription
from overwinter.orchestrator.schedule.spec import made
from overwinter.tests.deploy.manifests import needs_schemas, problems

SHOP = """
from overwinter import Agent, Context, Scripted, schedule, subscribe, tool, workflow


@schedule("0 7 * * MON-FRI", zone="Europe/Berlin", input={})
@schedule(every="90m", name="odd", input={})
@subscribe(type="order.paid", where={"prefix": {"time": "2026"}})
@workflow
async def ship(ctx: Context, order: dict) -> str:
    return "shipped"


desk = subscribe(type=["a", "b"], source="/shop", session="subject", name="The desk")(Agent("desk", Scripted([])))


@schedule("*/10 * * * * *", name="a_tick")
@tool
def tick() -> str:
    return "tick"
"""
BROKER = "knative://shop/default"
TRIGGERS = ["subscriptions", "list", "--render", "knative"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    for name in ("OVERWINTER_BROKER", "OVERWINTER_STATE", "K_SINK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "shop.py").write_text(SHOP, "utf-8")
    return "shop.py"


def ran(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    result = CliRunner().invoke(cli, list(arguments))
    assert result.exit_code == 0, result.output
    return list(yaml.safe_load_all(result.stdout)), result.stderr


@needs_schemas
def test_what_the_commands_print_is_valid_to_the_last_key(shop: str) -> None:
    subscriptions = ("subscriptions", "list", "--file", shop, "--render", "knative", "--service", "shop")
    made, _ = ran(*subscriptions, "--broker", BROKER, "--dead-letters", "letters")
    sources, _ = ran("schedule", "list", "--file", shop, "--render", "knative", "--service", "shop", "--namespace", "n")
    assert [one["kind"] for one in made + sources] == ["Trigger"] * 2 + ["PingSource"] * 2
    assert [problem for one in made + sources for problem in problems(one)] == []


def test_a_trigger_leads_to_its_subscription(shop: str) -> None:
    found, said = ran(
        "subscriptions", "list", "--file", shop, "--render", "knative", "--service", "shop", "--broker", BROKER
    )
    desk, ship = found
    assert desk["metadata"] == {
        "name": resource_name("The desk"),
        "namespace": "shop",
        "annotations": {"kafka.eventing.knative.dev/delivery.order": "ordered"},
    }
    assert desk["spec"]["broker"] == "default"
    assert desk["spec"]["filters"] == [
        {"any": [{"exact": {"type": "a"}}, {"exact": {"type": "b"}}]},
        {"exact": {"source": "/shop"}},
    ]
    subscriber = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "shop"}
    uri = "/subscriptions/The%20desk?access_token=DELIVERY_TOKEN"
    assert desk["spec"]["subscriber"] == {"ref": subscriber, "uri": uri}
    assert "deadLetterSink" not in desk["spec"]["delivery"], "that of the Broker holds"
    assert "annotations" not in ship["metadata"]
    assert ship["spec"]["filters"] == [{"exact": {"type": "order.paid"}}]
    assert "subscription ship: Triggers can't compare dataschema or time" in said


def test_a_ping_source_wakes_at_the_times_of_a_schedule(shop: str) -> None:
    found, said = ran("schedule", "list", "--file", shop, "--render", "knative", "--service", "shop")
    assert [one["metadata"] for one in found] == [
        {"name": resource_name("schedule-a_tick")},
        {"name": "schedule-ship"},
    ]
    assert [one["spec"]["schedule"] for one in found] == ["*/10 * * * * *", "0 7 * * 1-5"]
    assert [one["spec"]["timezone"] for one in found] == ["UTC", "Europe/Berlin"]
    assert {one["spec"]["sink"]["uri"] for one in found} == {"/sweep?access_token=DELIVERY_TOKEN"}
    assert "schedule odd: every 1h30m is nothing that a PingSource could say; the sweep finds it" in said
    assert "a_tick: it has seconds" in said


def test_what_is_in_the_store_is_rendered_too(shop: str) -> None:
    import asyncio

    from overwinter import Runtime
    from overwinter.functions.invocation.loading import functions_of, load

    async def announced() -> None:
        async with Runtime(functions_of(load(Path(shop))), "sqlite:///overwinter.db") as runtime:
            await runtime.schedules.pause("a_tick")

    asyncio.run(announced())
    found, _ = ran("subscriptions", "list", "--render", "knative", "--service", "shop", "--broker", BROKER)
    assert [one["metadata"]["name"] for one in found] == [resource_name("The desk"), "ship"]
    found, _ = ran("schedule", "list", "--render", "knative", "--service", "shop", "--function", "ship")
    assert [one["metadata"]["name"] for one in found] == ["schedule-ship"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (TRIGGERS, "--service"),
        ([*TRIGGERS, "--service", "s"], "--broker"),
        ([*TRIGGERS, "--service", "s", "--broker", "redis://h"], "--broker"),
        ([*TRIGGERS, "--service", "s", "--broker", "http://h/a"], "names no Broker"),
        ([*TRIGGERS, "--service", "s", "--broker", BROKER, "--namespace", "other"], "shop"),
        ([*TRIGGERS, "--service", "s", "--json"], "--json"),
        ([*TRIGGERS, "--service", "a_b", "--broker", BROKER], "--service: nothing in Kubernetes"),
        ([*TRIGGERS, "--service", "s", "--broker", BROKER, "--dead-letters", "a/b"], "--dead-letters: nothing"),
        (["schedule", "list", "--render", "knative", "--service", "s", "--namespace", "A"], "--namespace: nothing"),
        (["subscriptions", "list", "--render", "nothing"], "knative"),
        (["schedule", "list", "--render", "knative"], "--service"),
        (["schedule", "list", "--file", "shop.py"], "--render"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(shop: str, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 and said in result.stderr, result.output


def test_nothing_to_render_is_nothing(shop: str) -> None:
    Path("empty.py").write_text("from overwinter import tool\n\n\n@tool\ndef a() -> str:\n    return ''\n", "utf-8")
    result = CliRunner().invoke(
        cli, ["schedule", "list", "--file", "empty.py", "--render", "knative", "--service", "s"]
    )
    assert (result.exit_code, result.stdout) == (0, "")


def test_a_jitter_is_left_to_the_sweep() -> None:
    """Each of its runs begins at another time than the schedule's."""
    found = ping_sources([("late", made("0 7 * * *", jitter="5m"))], Target("s"))
    assert found.documents == [] and "its jitter" in found.notes[0]


@pytest.mark.parametrize(
    "filter",
    [
        {"exact": {"time": "x"}},
        {"not": {"suffix": {"dataschema": "x"}}},
        {"all": [{"any": [{"prefix": {"time": "x"}}]}]},
    ],
)
def test_what_triggers_compare_otherwise_is_left_out(filter: Any) -> None:
    """More events are brought then, never fewer, also of what is not to match."""
    both = Subscription("s", "f", "tool", [filter, {"exact": {"type": "a"}}])
    (one,) = triggers([both], Target("s")).documents
    assert one["spec"]["filters"] == [{"exact": {"type": "a"}}]
    (one,) = triggers([both._replace(filters=[filter])], Target("s")).documents
    assert "filters" not in one["spec"], "all events are brought"


@given(st.lists(st.text(min_size=1, max_size=120), min_size=2, max_size=2, unique=True))
def test_names_are_ones_that_kubernetes_takes_and_no_two_are_alike(names: list[str]) -> None:
    import re

    one, two = map(resource_name, names)
    assert one != two
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) and len(name) <= 63 for name in (one, two))
