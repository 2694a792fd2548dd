"""Messages and entries of state machines are events for whoever has subscribed, once each, and AWS's answer."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from overwinter import ExecutionFailed, InvalidInput, Runtime, StateFailed, StateMachine, subscribe, workflow
from overwinter.functions.events.event import CloudEvent
from overwinter.orchestrator.machine import decider as deciding
from overwinter.testing import crash_everywhere
from overwinter.testing.world import World

TAKEN: list[dict[str, Any]] = []
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:news"


def on_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **named: Any) -> None:
        TAKEN.clear()
        asyncio.run(test(*args, **named))

    return run


@subscribe(type=["orders", "news", "order.placed", "paid"], gives="event")
@workflow
async def note(ctx: Any, event: dict[str, Any]) -> str:
    TAKEN.append(event)
    return "kept"


def one(name: str, parameters: dict[str, Any], **more: Any) -> StateMachine:
    task = {"Type": "Task", "Resource": f"arn:aws:states:::{name}", "Parameters": parameters, "End": True, **more}
    return StateMachine("m", {"StartAt": "A", "States": {"A": task}})


async def result(machine: StateMachine, input: Any = None) -> Any:
    async with Runtime([machine, note], "memory://") as runtime:
        try:
            return await (await runtime.start(machine, input, id="x")).result(timeout=20)
        finally:
            while not all(head.status in ("completed", "failed") for head in await heads(runtime)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def heads(runtime: Runtime) -> Any:
    return (await runtime.store.executions()).heads


@on_a_loop
async def test_a_message_of_a_queue() -> None:
    attributes = {"Trace-Id": {"DataType": "String", "StringValue": "t1"}}
    given = {"QueueUrl": QUEUE, "MessageBody.$": "$", "MessageGroupId": "ann", "MessageAttributes": attributes}
    answer = await result(one("sqs:sendMessage", given), {"id": 7, "of": "bücher"})
    text = '{"id":7,"of":"bücher"}'
    assert answer["MD5OfMessageBody"] == hashlib.md5(text.encode()).hexdigest()
    (event,) = TAKEN
    assert (event["type"], event["data"], event["partitionkey"]) == ("orders", {"id": 7, "of": "bücher"}, "ann")
    assert event["traceid"] == "t1" and event["source"] == "/overwinter/m/x"
    assert answer["MessageId"] == event["id"]
    assert answer["SdkHttpMetadata"]["HttpStatusCode"] == 200 and answer["SdkResponseMetadata"]["RequestId"]


@on_a_loop
async def test_a_message_that_has_an_id_of_its_own_is_taken_once() -> None:
    given = {"QueueUrl": QUEUE, "MessageBody": "hi", "MessageDeduplicationId": "d1"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": given}
    states = {"A": {**task, "Next": "B"}, "B": {**task, "End": True}}
    await result(StateMachine("m", {"StartAt": "A", "States": states}))
    assert [event["id"] for event in TAKEN] == ["d1"]


@on_a_loop
async def test_a_message_of_a_topic_says_to_us_what_it_says_to_others() -> None:
    message = json.dumps({"default": "plain", "sms": "short"})
    given = {"TopicArn": TOPIC, "Message": message, "MessageStructure": "json", "Subject": "Hello"}
    answer = await result(one("sns:publish", given))
    assert "MD5OfMessageBody" not in answer
    assert (TAKEN[0]["type"], TAKEN[0]["data"], TAKEN[0]["subject"]) == ("news", "plain", "Hello")


@on_a_loop
async def test_the_table_says_what_a_queue_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERWINTER_MACHINE", json.dumps({"resources": {"https://sqs.*/orders.fifo": "order.placed"}}))
    await result(one("sqs:sendMessage", {"QueueUrl": QUEUE, "MessageBody": "x"}))
    assert TAKEN[0]["type"] == "order.placed"


@on_a_loop
async def test_entries() -> None:
    entries = [
        {"Source": "shop of ann", "DetailType": "paid", "Detail": {"n": 1}, "EventBusName": "till"},
        {"Source": "some.source", "DetailType": "paid", "Detail": '{"n": 2}'},
    ]
    answer = await result(one("events:putEvents", {"Entries": entries}))
    assert answer["FailedEntryCount"] == 0 and len(answer["Entries"]) == 2
    found = {event["data"]["n"]: event for event in TAKEN}
    assert found[1]["source"] == "shop%20of%20ann" and found[1]["eventbus"] == "till" and "eventbus" not in found[2]
    assert [one["EventId"] for one in answer["Entries"]] == [found[1]["id"], found[2]["id"]]


@on_a_loop
async def test_an_entry_that_is_wrong_fails_the_task_and_the_others_are_published() -> None:
    right = {"Source": "s", "DetailType": "paid", "Detail": {"n": 1}}
    for wrong, code in (
        ({"DetailType": "paid", "Detail": {}}, "InvalidArgument"),
        ({**right, "Detail": '"text"'}, "MalformedDetail"),
    ):
        TAKEN.clear()
        with pytest.raises(ExecutionFailed) as failed:
            await result(one("events:putEvents", {"Entries": [wrong, right]}))
        cause = failed.value.__cause__
        assert isinstance(cause, StateFailed) and cause.error == "EventBridge.FailedEntry"
        told = json.loads(cause.cause)
        assert told["Entries"][0]["ErrorCode"] == code and told["FailedEntryCount"] == 1
        assert told["Entries"][1]["EventId"] == TAKEN[0]["id"]
    with pytest.raises(ExecutionFailed, match=r"EventBridge\.FailedEntry"):
        await result(one("events:putEvents", {"Entries": [{}]}))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("sqs:sendMessage", {"QueueUrl": QUEUE, "MessageBody": "x", "DelaySeconds": 5}, "Wait state"),
        ("sqs:sendMessage", {"QueueUrl": 5, "MessageBody": "x"}, "QueueUrl"),
        ("sns:publish", {"PhoneNumber": "+49", "Message": "x"}, "TopicArn"),
        ("sns:publish", {"TopicArn": TOPIC, "Message": "[]", "MessageStructure": "json"}, "default"),
        ("sns:publish", {"TopicArn": TOPIC, "Message": "", "MessageAttributes": {"id": {}}}, "attribute 'id'"),
        ("events:putEvents", {"Entries": []}, "1 to 10"),
    ],
)
@on_a_loop
async def test_what_can_not_be_published_is_told(name: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises(ExecutionFailed, match=said):
        await result(one(name, given))
    assert not TAKEN


class Refusing:
    """A broker that takes nothing."""

    no_calls = "it takes nothing"

    async def open(self, subscribers: Any) -> None: ...

    async def publish(self, event: CloudEvent) -> None:
        raise InvalidInput("the event is too large")

    async def close(self) -> None: ...


@on_a_loop
async def test_what_the_broker_refuses_for_good_fails_the_task() -> None:
    machine = one("sqs:sendMessage", {"QueueUrl": QUEUE, "MessageBody": "x"})
    async with Runtime([machine], "memory://", broker=Refusing()) as runtime:
        with pytest.raises(ExecutionFailed) as failed:
            await (await runtime.start(machine)).result(timeout=20)
    cause = failed.value.__cause__
    assert isinstance(cause, StateFailed)
    assert (cause.error, cause.cause) == ("SQS.AmazonSQSException", "the event is too large")


@subscribe(type="orders")
@workflow
async def taker(ctx: Any, order: Any) -> Any:
    return order


@pytest.mark.parametrize("fresh", [400, 3, 2])
def test_a_crash_publishes_nothing_twice(fresh: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever operation of the store the process dies at, each message begins one execution of its subscriber."""
    monkeypatch.setattr(deciding, "FRESH", fresh)
    send = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "ResultPath": "$.sent"}
    each = {
        "StartAt": "S",
        "States": {"S": {**send, "Parameters": {"QueueUrl": QUEUE, "MessageBody.$": "$"}, "End": True}},
    }
    states = {
        "M": {"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": each, "Next": "W"},
        "W": {"Type": "Wait", "Seconds": 1, "End": True},
    }
    machine = StateMachine("m", {"StartAt": "M", "States": states})

    async def scenario(world: World) -> Any:
        run = await world.start(machine, {"list": [{"n": 1}, {"n": 2}]}, id="x")
        answer = await run.result()
        ends = await world.until(lambda: all_ended(world))
        return [[one["sent"]["MD5OfMessageBody"] for one in answer], ends]

    def all_ended(world: World) -> list[str] | None:
        found = [head for head in world.ledger.heads_now() if head.function == "taker"]
        return (
            [head.status for head in found] if len(found) >= 2 and all(h.status == "completed" for h in found) else None
        )

    report = crash_everywhere(scenario, functions=[machine, taker])
    assert report.outcome.value[1] == ["completed", "completed"]


@on_a_loop
async def test_who_gets_a_message_with_a_token_completes_the_task() -> None:
    body = {"token.$": "$$.Task.Token", "n.$": "$.n"}
    given = {"QueueUrl": QUEUE, "MessageBody": body}
    machine = one("sqs:sendMessage.waitForTaskToken", given, HeartbeatSeconds=60)
    async with Runtime([machine, note], "memory://") as runtime:
        handle = await runtime.start(machine, {"n": 1}, id="x")
        while not TAKEN:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert TAKEN[0]["data"]["n"] == 1
        await runtime.callback(TAKEN[0]["data"]["token"], value={"done": True})
        assert await handle.result(timeout=20) == {"done": True}
