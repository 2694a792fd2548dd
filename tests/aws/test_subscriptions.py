"""Events that Lambda has read from a queue go to the subscriptions that mean them, each once, in whatever envelope."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Runtime, subscribe, tool, workflow
from overwinter.functions.aws.access import access
from overwinter.functions.aws.handler import Handler
from overwinter.functions.bus.taking import Taking
from overwinter.orchestrator.usercode.served import by_name
from overwinter.state.errors import InvalidEvent, StoreUnavailable

from .lambda_events import Context as Invocation
from .lambda_events import cloud_event, eventbridge, sqs

DONE: list[str] = []


@subscribe(type="order.paid")
@workflow
async def ship(ctx: Context, order: dict[str, Any]) -> str:
    return await ctx.step(pack, order["id"])


def pack(id: str) -> str:
    DONE.append(f"ship {id}")
    return id


@subscribe(where={"prefix": {"type": "order."}}, name="ledger")
@tool
def book(id: str) -> str:
    """Write it down."""
    DONE.append(f"book {id}")
    return id


@workflow
async def other(ctx: Context) -> None:
    await ctx.sleep(0)


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[Handler]:
    DONE.clear()
    made = Handler(by_name([ship, book]), access("token"), store=f"sqlite:///{tmp_path}/shop.db")
    yield made
    made.close()


def paid(id: str) -> dict[str, Any]:
    return cloud_event("order.paid", {"id": id}, id=f"e-{id}")


def test_a_batch_goes_to_the_subscriptions_whatever_is_around_its_events(handler: Handler) -> None:
    bodies = [
        paid("raw"),
        {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:…", "Message": json.dumps(paid("topic"))},
        eventbridge("order.paid", paid("bus")),
        eventbridge("order.seen", {"id": "foreign"}),
        cloud_event("other", {"id": "nobody's"}),
    ]
    for _ in range(2):
        assert handler(sqs(*bodies), Invocation()) == {"batchItemFailures": []}
    shipped = [f"ship {id}" for id in ("raw", "topic", "bus")]
    assert sorted(DONE) == sorted([*shipped, *(f"book {id}" for id in ("raw", "topic", "bus", "foreign"))])


def test_the_messages_of_a_batch_open_one_runtime(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another one begins, nobody would wait for at the end of the invocation."""
    opened: list[Runtime] = []
    original = Runtime.__aenter__

    async def counted(self: Runtime) -> Runtime:
        opened.append(self)
        return await original(self)

    monkeypatch.setattr(Runtime, "__aenter__", counted)
    handler(sqs(*(paid(f"{number}") for number in range(10))), Invocation())
    assert len(opened) == 1 and len(DONE) == 20


def test_a_topic_may_invoke_the_function_itself(handler: Handler) -> None:
    notification = {"Type": "Notification", "MessageId": "1", "Message": json.dumps(paid("direct"))}
    event = {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": notification}]}
    assert handler(event, Invocation())["subscriptions"] == 2
    assert sorted(DONE) == ["book direct", "ship direct"]
    with pytest.raises(InvalidEvent, match="not valid JSON"):
        handler(
            {"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": "no"}}]}, Invocation()
        )


def test_only_what_could_not_be_taken_comes_again(handler: Handler, monkeypatch: pytest.MonkeyPatch) -> None:
    original, away = Taking.take, [True]

    async def take(self: Taking, subscription: Any, event: Any) -> None:
        if subscription.name == "ship" and event.id == "e-1" and away[0]:
            raise StoreUnavailable("away")
        await original(self, subscription, event)

    monkeypatch.setattr(Taking, "take", take)
    batch = sqs(paid("0"), paid("1"), "no json", cloud_event("order.paid", ["no order"], id="e-3"))
    failed = handler(batch, Invocation())["batchItemFailures"]
    assert failed == [{"itemIdentifier": "m-1"}, {"itemIdentifier": "m-2"}]
    assert sorted(DONE) == ["book 0", "book 1", "ship 0"]
    away[0] = False
    assert handler(sqs(paid("1")), Invocation()) == {"batchItemFailures": []}
    assert sorted(DONE) == ["book 0", "book 1", "ship 0", "ship 1"]


def test_an_event_that_is_handed_over_says_how_many_took_it(handler: Handler, tmp_path: Path) -> None:
    assert handler(eventbridge("order.paid", paid("7")), Invocation())["subscriptions"] == 2
    elsewhere = Handler(by_name([other]), access("token"), store=f"sqlite:///{tmp_path}/shop.db")
    try:  # it serves none of them: they wait in the store
        assert elsewhere(paid("8"), Invocation()) == {"status": "accepted", "subscriptions": 2}
    finally:
        elsewhere.close()
    assert "ship 8" not in DONE
    handler({"overwinter": "sweep"}, Invocation())
    assert {"ship 8", "book 8"} <= set(DONE)
