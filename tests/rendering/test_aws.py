"""What AWS is told of subscriptions and schedules: templates that CloudFormation takes, patterns that let through all
that is wanted."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overwinter import InvalidInput, Runtime, subscribe, tool
from overwinter.cli.main import cli
from overwinter.cli.rendering.aws import LARGEST, queue, schedules
from overwinter.cli.rendering.aws_patterns import alternatives, either, foreign, wanted
from overwinter.functions.bus.aws_place import read
from overwinter.functions.bus.filters import attributes_of
from overwinter.functions.bus.subscription import Subscription
from overwinter.functions.event import CloudEvent
from overwinter.functions.events.envelopes import from_eventbridge
from overwinter.functions.events.http import to_json
from overwinter.orchestrator.schedule.spec import made
from overwinter.tests.apart.place import on_a_loop, until
from overwinter.tests.bus import aws
from overwinter.tests.servers.moto import Moto

TOPIC = "arn:aws:sns:eu-central-1:111122223333:orders"
DESK = """
from overwinter import schedule, subscribe, workflow, Context

@subscribe(type="order.paid", where={"not": {"exact": {"subject": "test"}}})
@schedule("0 7 * * MON-FRI", zone="Europe/Berlin")
@workflow
async def ship(ctx: Context, order: dict) -> str:
    return "shipped"

@subscribe(type=["order.seen", "order.paid"])
@schedule(every="7m")
@workflow
async def watch(ctx: Context, order: dict) -> str:
    return "seen"
"""


# -- how AWS compares ------------------------------------------------------------------------------------


def matches(pattern: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """As EventBridge and SNS (on the body) say that they do: all names must match, one of each list is enough."""
    for name, said in pattern.items():
        if name == "$or":
            assert len(said) >= 2
            if not any(matches(one, document) for one in said):
                return False
        elif isinstance(said, dict):
            if not matches(cast("dict[str, Any]", said), document.get(name) or {}):
                return False
        elif not any(fits(one, name, document) for one in said):
            return False
    return True


def fits(matcher: Any, name: str, document: Mapping[str, Any]) -> bool:
    value = document.get(name)
    if not isinstance(matcher, dict):
        return name in document and type(value) is type(matcher) and value == matcher
    ((how, said),) = matcher.items()
    if how == "exists":
        return bool((name in document) == said)
    if name not in document:
        return False
    if how == "numeric":
        return type(value) is int and value == said[1]
    if how == "anything-but":
        if isinstance(said, list):
            return value not in said
        return not fits(said, name, document)
    return isinstance(value, str) and bool(value.startswith(said) if how == "prefix" else value.endswith(said))


TEXTS = st.sampled_from(["a", "ab", "abc", "b", "true", "e", "7", "71", "-1", "order.paid"])
NAMES = st.sampled_from(["type", "source", "id", "subject", "region", "urgent", "time", "datacontenttype"])
LEAVES = st.tuples(
    st.sampled_from(["exact", "prefix", "suffix"]), st.dictionaries(NAMES, TEXTS, min_size=1, max_size=2)
).map(lambda pair: {pair[0]: pair[1]})
FILTERS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        inner.map(lambda one: {"not": one}),
        st.lists(inner, min_size=1, max_size=3).map(lambda many: {"all": many}),
        st.lists(inner, min_size=1, max_size=3).map(lambda many: {"any": many}),
    ),
    max_leaves=6,
)
EVENTS = st.builds(
    lambda id, source, type, subject, extensions, data: CloudEvent(
        id=id, source=source, type=type, subject=subject, extensions=extensions, data=data
    ),
    *(TEXTS, TEXTS, TEXTS, st.none() | TEXTS),
    st.dictionaries(st.sampled_from(["region", "urgent"]), TEXTS | st.booleans() | st.integers(-1, 80)),
    st.none() | st.just({"type": "a"}),
)


def event(**extensions: Any) -> CloudEvent:
    return CloudEvent(id="a", source="a", type="a", extensions=extensions)


@settings(max_examples=600, deadline=None)
@example([{"prefix": {"region": "7"}}], event(region=71), True)
@example([{"suffix": {"urgent": "e"}}], event(urgent=True), True)
@example([{"exact": {"urgent": "false", "region": "-1"}}], event(urgent=False, region=-1), False)
@given(st.lists(FILTERS, min_size=1, max_size=3), EVENTS, st.booleans())
def test_whatever_is_wanted_is_let_through(filters: list[Any], event: CloudEvent, suffixes: bool) -> None:
    subscription = Subscription("one", "one", "tool", filters)
    if subscription.matches(attributes_of(event)):
        found = wanted(subscription, suffixes=suffixes)
        assert found and matches(either(found), json.loads(json.dumps(to_json(event))))


@settings(max_examples=300, deadline=None)
@given(st.lists(FILTERS, min_size=1, max_size=2), TEXTS, TEXTS, st.lists(TEXTS, max_size=2))
def test_events_that_are_no_cloudevents_are_let_through_too(
    filters: list[Any], type: str, source: str, resources: list[str]
) -> None:
    event = {"version": "0", "id": "a", "detail-type": type, "source": source, "detail": {"n": 1}}
    event |= {"resources": resources, "time": "2026-11-22T08:30:00Z", "region": "b"}
    subscription = Subscription("one", "one", "tool", filters)
    if subscription.matches(attributes_of(from_eventbridge(event))):
        found = alternatives(foreign(subscription))
        assert found and matches(either(found), event)


@pytest.mark.parametrize(
    ("filters", "pattern"),
    [
        ([{"exact": {"type": "a"}}], {"type": ["a"]}),
        ([{"any": [{"exact": {"type": "a"}}, {"exact": {"type": "b"}}]}], {"type": ["a", "b"]}),
        ([{"prefix": {"type": "order."}}, {"suffix": {"source": "/de"}}],
         {"type": [{"prefix": "order."}], "source": [{"suffix": "/de"}]}),
        ([{"not": {"exact": {"type": "a"}}}], {"type": [{"anything-but": ["a"]}]}),
        ([{"not": {"prefix": {"subject": "x"}}}], {"subject": [{"exists": False}, {"anything-but": {"prefix": "x"}}]}),
        ([{"exact": {"urgent": "true", "n": "7"}}], {"urgent": ["true", True], "n": ["7", {"numeric": ["=", 7]}]}),
        ([{"exact": {"type": "ab"}}, {"prefix": {"type": "a"}}], {"type": ["ab"]}),
        ([{"any": [{"exact": {"type": "a"}}, {"exact": {"id": "b"}}]}], {"$or": [{"type": ["a"]}, {"id": ["b"]}]}),
        ([{"exact": {"time": "x"}}], {}),
        ([{"prefix": {"n": "1"}}], {}),
    ],
)  # fmt: skip
def test_what_aws_can_compare_it_compares(filters: list[Any], pattern: dict[str, Any]) -> None:
    assert either(wanted(Subscription("one", "one", "tool", filters), suffixes=True)) == pattern


# -- templates -------------------------------------------------------------------------------------------


def subscription(name: str, *filters: Any) -> Subscription:
    return Subscription(name, name, "tool", filters)


PAID = subscription("ship", {"exact": {"type": "order.paid"}})
SEEN = subscription("watch", {"prefix": {"type": "order."}}, {"not": {"exact": {"subject": "test"}}})
ODD = subscription("odd", {"exact": {"time": "now"}})


def checked(template: dict[str, Any]) -> dict[str, Any]:
    """cfn-lint finds nothing wrong with it. Its resources."""
    from cfnlint.api import (  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]
        ManualArgs,
        lint,
    )

    found = lint(json.dumps(template), config=ManualArgs(regions=["eu-central-1"]))
    assert not [str(one) for one in found]
    resources: dict[str, Any] = template["Resources"]
    return resources


@pytest.mark.parametrize("function", ["", "desk"])
@pytest.mark.parametrize(
    ("dsn", "kinds"),
    [
        ("sqs://shop.fifo", set[str]()),
        (f"sns://{TOPIC}?queue=shop", {"AWS::SNS::Subscription", "AWS::SQS::QueuePolicy"}),
        ("sns://orders.fifo?queue=shop.fifo", {"AWS::SNS::Subscription", "AWS::SQS::QueuePolicy"}),
        ("events://main?queue=shop", {"AWS::Events::Rule", "AWS::SQS::QueuePolicy"}),
    ],
)
def test_a_template_has_all_that_events_come_by(dsn: str, kinds: set[str], function: str) -> None:
    found = queue([PAID, SEEN], read(dsn), function)
    (template,) = found.documents
    resources = checked(template)
    given = {one["Type"] for one in resources.values()}
    assert given == {"AWS::SQS::Queue", *kinds, *(["AWS::Lambda::EventSourceMapping"] if function else [])}
    assert not found.notes
    if "sns" in dsn:
        policy = resources["Subscription"]["Properties"]["FilterPolicy"]
        assert matches(policy, {"type": "order.paid"}) and not matches(policy, {"type": "other"})
    if "events" in dsn:
        pattern = resources["Rule"]["Properties"]["EventPattern"]
        assert matches(pattern, {"source": "x", "detail": {"type": "order.paid"}})
        assert matches(pattern, {"source": "x", "detail-type": "order.paid", "detail": {}})
        assert not matches(pattern, {"source": "x", "detail-type": "other", "detail": {"type": "other"}})


def test_what_can_not_be_compared_is_brought_and_said() -> None:
    for dsn, where in ((f"sns://{TOPIC}?queue=shop", "topic"), ("events://main?queue=shop", "bus")):
        found = queue([PAID, ODD], read(dsn), "")
        assert [note.partition(":")[0] for note in found.notes] == ["subscription odd"] and where in found.notes[0]
        resources = checked(found.documents[0])
        if where == "topic":
            assert "FilterPolicy" not in resources["Subscription"]["Properties"]
        else:
            assert resources["Rule"]["Properties"]["EventPattern"] == {"source": [{"prefix": ""}]}
    many = [subscription(f"s{n}", {"exact": {"type": "x" * 50 + str(n)}}) for n in range(LARGEST // 40)]
    assert queue(many, read("events://main?queue=shop"), "").notes
    assert queue(many * 5, read(f"sns://{TOPIC}?queue=shop"), "").documents


@pytest.mark.parametrize("of_each", [8, 13])
def test_a_filter_of_more_combinations_than_sns_takes_is_left_out(of_each: int) -> None:
    """It multiplies the values of a policy's lists, and takes 150."""
    values = [[{"exact": {name: f"{name}{n}"}} for n in range(count)] for name, count in (("type", of_each), ("source", 4))]  # fmt: skip  # noqa: E501
    known = [subscription("many", {"any": values[0]}, {"any": values[1]})]
    known += [subscription(f"s{n}", {"exact": {"subject": str(n)}}) for n in range(4)]
    found = queue(known, read(f"sns://{TOPIC}?queue=shop"), "")
    policy = checked(found.documents[0])["Subscription"]["Properties"].get("FilterPolicy")
    if of_each == 8:
        assert policy is not None and not found.notes
    else:
        assert policy is None and "every event of the topic" in found.notes[0]


@pytest.mark.parametrize(
    ("dsn", "why"),
    [
        ("sns://orders", "no queue is named"),
        ("events://main?queue=shop.fifo", "no order"),
        ("sns://orders?queue=shop.fifo", "name a topic like orders.fifo"),
    ],
)
def test_what_can_not_be_made_is_said(dsn: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OVERWINTER_QUEUE", raising=False)
    with pytest.raises(InvalidInput, match=why):
        queue([PAID], read(dsn), "")


def test_a_schedule_is_one_that_wakes() -> None:
    declared = [
        ("brief", made("0 7 * * MON-FRI", zone="Europe/Berlin")),
        ("both", made("0 7 1 * MON")),
        ("a/b c", made(at="2026-12-24T18:00Z")),
        ("often", made(every="7m")),
        ("spread", made("0 7 * * *", jitter="5m")),
    ]
    found = schedules(declared, "desk")
    resources = checked(found.documents[0])
    told = {
        (one["Properties"]["ScheduleExpression"], one["Properties"]["ScheduleExpressionTimezone"])
        for one in resources.values()
        if one["Type"] == "AWS::Scheduler::Schedule"
    }
    assert told == {
        ("cron(0 7 ? * 2-6 *)", "Europe/Berlin"),
        ("cron(0 7 1 * ? *)", "UTC"),
        ("cron(0 7 ? * 2 *)", "UTC"),
        ("at(2026-12-24T18:00:00)", "UTC"),
    }
    targets = [one["Properties"]["Target"] for one in resources.values() if "Target" in one["Properties"]]
    assert all(json.loads(target["Input"]) == {"overwinter": "sweep"} for target in targets)
    assert [note.split(":")[0] for note in found.notes] == ["schedule often", "schedule spread"]
    assert not schedules(declared[3:], "desk").documents
    assert len({re.sub(r"\d+$", "", name) for name in resources}) >= 4
    arn = "arn:aws:lambda:eu-central-1:111122223333:function:desk:live"
    checked(schedules(declared, arn).documents[0])


# -- the command line ------------------------------------------------------------------------------------


def ran(*words: str, **env: str) -> Any:
    return CliRunner().invoke(cli, list(words), env={"OVERWINTER_BROKER": "", "OVERWINTER_QUEUE": "", **env})


def test_the_commands_print_templates(tmp_path: Path) -> None:
    desk = tmp_path / "desk_for_aws.py"
    desk.write_text(DESK)
    done = ran("subscriptions", "list", "--file", str(desk), "--render", "aws", "--broker", f"sns://{TOPIC}?queue=shop")
    assert done.exit_code == 0, done.output
    resources = checked(yaml.safe_load(done.stdout))
    policy = resources["Subscription"]["Properties"]["FilterPolicy"]
    assert matches(policy, {"type": "order.seen"}) and not matches(policy, {"type": "order"})
    done = ran("schedule", "list", "--file", str(desk), "--render", "aws", "--service", "desk")
    assert done.exit_code == 0 and "every 7m is nothing that EventBridge Scheduler" in done.stderr
    checked(yaml.safe_load(done.stdout))
    for words, why in (
        (("subscriptions", "list", "--render", "aws", "--file", str(desk)), "sns://TOPIC"),
        (("subscriptions", "list", "--render", "aws", "--file", str(desk), "--broker", "sns://x"), "no queue is named"),
        (("schedule", "list", "--render", "aws", "--file", str(desk)), "--service NAME"),
        (("schedule", "list", "--render", "aws", "--json"), "leave --json out"),
    ):
        done = ran(*words)
        assert done.exit_code != 0 and why in done.output, done.output


# -- on a server -----------------------------------------------------------------------------------------

TAKEN: list[str] = []
UNKNOWN = ("QueuePolicy", "Subscription")
"""What moto does not make of a template."""


@subscribe(type="order.paid", where={"not": {"exact": {"subject": "test"}}})
@tool
def keep(id: str) -> str:
    """Remember it."""
    TAKEN.append(id)
    return id


@pytest.mark.parametrize("kind", ["sns", "events"])
@on_a_loop
async def test_what_is_rendered_brings_events(kind: str, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto makes of the template what CloudFormation would."""
    aws.prepared("sqs", moto, monkeypatch)
    TAKEN.clear()
    if kind == "sns":
        topic = aws.client("sns", moto).create_topic(Name=f"rendered-{kind}")["TopicArn"]
        dsn = f"sns://{topic}?queue=rendered-{kind}"
    else:
        aws.client("events", moto).create_event_bus(Name="rendered")
        dsn = f"events://rendered?queue=rendered-{kind}"
    wants = subscription("keep", {"exact": {"type": "order.paid"}})
    (template,) = queue([wants], read(dsn), "").documents
    stack = aws.client("cloudformation", moto)
    bare = {**template, "Resources": {name: one for name, one in template["Resources"].items() if name not in UNKNOWN}}
    stack.create_stack(StackName=f"rendered-{kind}", TemplateBody=json.dumps(bare))
    assert stack.describe_stacks(StackName=f"rendered-{kind}")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"
    if kind == "sns":
        made: dict[str, Any] = template["Resources"]["Subscription"]["Properties"]
        attributes = {"FilterPolicyScope": made["FilterPolicyScope"], "FilterPolicy": json.dumps(made["FilterPolicy"])}
        endpoint = f"arn:aws:sqs:{aws.REGION}:123456789012:rendered-sns"
        sns = aws.client("sns", moto)
        sns.subscribe(TopicArn=made["TopicArn"], Protocol="sqs", Endpoint=endpoint, Attributes=attributes)
    async with Runtime([keep], "memory://", broker=dsn) as runtime:
        await asyncio.gather(*(runtime.publish("order.paid", {"id": f"o-{n}"}, id=f"e-{n}") for n in range(3)))
        await runtime.publish("other", {"id": "x"})
        await until(lambda: sorted(TAKEN) == ["o-0", "o-1", "o-2"])


@pytest.mark.parametrize("service", ["*", "a b", "a${AWS::Region}", "arn:aws:s3:::shop", "shop\nother"])
@pytest.mark.parametrize("command", ["subscriptions", "schedule"])
def test_what_is_no_function_of_lambda_is_rendered_nowhere(tmp_path: Path, command: str, service: str) -> None:
    """A role that is made for ``*`` could invoke them all."""
    (tmp_path / "desk.py").write_text(DESK)
    arguments = [command, "list", "--file", str(tmp_path / "desk.py"), "--render", "aws", "--service", service]
    if command == "subscriptions":
        arguments += ["--broker", "sqs://shop"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 and "is no function of Lambda" in result.stderr and not result.stdout
