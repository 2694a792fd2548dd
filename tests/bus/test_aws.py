"""AWS as the broker, beyond what every broker promises: how its resources are named, what travels, what is refused."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overwinter import InvalidInput, Runtime, Settings
from overwinter.functions.bus import sqs_reading
from overwinter.functions.bus.aws_broker import AwsBroker
from overwinter.functions.bus.aws_place import LAMBDA, QUEUE, read
from overwinter.functions.bus.aws_publishing import LARGEST, TOGETHER, Publishing, batches, entry_of, size_of, text_of
from overwinter.functions.bus.opening import open_broker
from overwinter.functions.bus.subscription import Subscription
from overwinter.functions.bus.taking import Taking, delivery_id
from overwinter.functions.event import CloudEvent
from overwinter.functions.events.envelopes import event_of, of_text, opened
from overwinter.functions.events.intake import key_of
from overwinter.state.errors import BrokerUnavailable, StoreUnavailable
from overwinter.state.records import Filter
from overwinter.tests.apart.place import on_a_loop, until
from overwinter.tests.bus import aws
from overwinter.tests.servers.moto import Moto

from .shop import SHIPPED, fresh, ship

ARN = "arn:aws-cn:{}:cn-north-1:111122223333:{}"


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh()
    for name in (QUEUE, LAMBDA):
        monkeypatch.delenv(name, raising=False)


def paid(number: int = 1, **changes: Any) -> CloudEvent:
    event = CloudEvent(id=f"e-{number}", source="/shop", type="order.paid", data={"id": f"o-{number}"})
    return event.replace(**changes) if changes else event


# -- names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dsn", "target", "queue"),
    [
        ("sqs://shop", "sqs shop   ", "sqs shop   "),
        ("sqs://shop.fifo?region=eu-west-1", "sqs shop.fifo  eu-west-1 ", "sqs shop.fifo  eu-west-1 "),
        ("sns://orders", "sns orders   ", None),
        ("sns://orders?queue=shop", "sns orders   ", "sqs shop   "),
        (f"sns://{ARN.format('sns', 'Mail')}?queue=shop", "sns Mail 111122223333 cn-north-1 ", "sqs shop  cn-north-1 "),
        (f"events://{ARN.format('events', 'event-bus/main')}", "events main 111122223333 cn-north-1 ", None),
        (
            "events://default?queue=https://sqs.eu-north-1.amazonaws.com/111122223333/shop",
            "events default   ",
            "sqs shop 111122223333 eu-north-1 https://sqs.eu-north-1.amazonaws.com/111122223333/shop",
        ),
    ],
)  # fmt: skip
def test_a_dsn_says_where(dsn: str, target: str, queue: str | None) -> None:
    place = read(dsn)
    assert " ".join(place.target[:5]) == target
    assert (None if place.queue is None else " ".join(place.queue[:5])) == queue
    assert isinstance(open_broker(dsn), AwsBroker)


@pytest.mark.parametrize(
    ("dsn", "why"),
    [
        ("sns://", "no topic of SNS"),
        ("sns://a/b", "no topic of SNS"),
        ("sqs://shop.fifo.fifo", "no queue of SQS"),
        (f"sns://{ARN.format('sqs', 'shop')}", "no topic of SNS"),
        ("sns://orders?queue=a%20b", "no queue of SQS"),
        ("events://a b", "no bus of EventBridge"),
        ("sqs://shop?queue=other", "leave out queue="),
        ("sns://orders?raw=true", "takes no 'raw'"),
        ("sqs://shop?region=eu-central-1.evil.example/", "no region of AWS"),
    ],
)
def test_what_is_wrong_with_a_dsn_is_said(dsn: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        open_broker(dsn)


# -- what travels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", aws.KINDS)
@on_a_loop
async def test_what_lies_in_the_queue(kind: str, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shapes that ``envelopes`` knows, as the services make them."""
    dsn = aws.prepared(kind, moto, monkeypatch)
    event = paid(data={"text": "ü \ufffe\uffff \x00"}, extensions={"partitionkey": "a b"})
    async with Runtime([], "memory://", broker=dsn) as runtime:
        await runtime.publish(event)
    (body,) = aws.bodies(moto, dsn)
    document = json.loads(body)
    if kind == "sns":
        assert document["Type"] == "Notification" and json.loads(document["Message"])["id"] == "e-1"
    elif kind == "events":
        assert (document["source"], document["detail-type"]) == ("/shop", "order.paid")
        assert document["detail"]["specversion"] == "1.0"
    else:
        assert document["specversion"] == "1.0"
    assert event_of(opened(of_text(body))) == event


def test_an_event_of_others_is_one_too() -> None:
    found = event_of({"detail-type": "Object Created", "source": "aws.s3", "id": "1", "detail": {"n": 1}})
    assert found is not None and (found.type, found.source, found.data) == ("Object Created", "aws.s3", {"n": 1})
    assert event_of({"hello": "world"}) is None
    for text in (None, "no json", 7):
        with pytest.raises(InvalidInput):
            of_text(text)


def test_an_order_is_kept_by_groups() -> None:
    topic = read("sns://orders.fifo").target
    entry = entry_of(topic, paid(extensions={"partitionkey": "ann"}))
    assert (entry["MessageGroupId"], entry["MessageDeduplicationId"]) == ("ann", key_of(paid()))
    assert entry_of(topic, paid())["MessageGroupId"] == key_of(paid())
    odd = [entry_of(topic, paid(n, extensions={"partitionkey": "a b" * 99}))["MessageGroupId"] for n in (1, 2)]
    assert odd[0] == odd[1] and len(odd[0]) == 32
    assert "MessageGroupId" not in entry_of(read("sns://orders").target, paid(extensions={"partitionkey": "ann"}))
    assert entry_of(read("events://main").target, paid(source="aws.s3"))["Source"] == "/aws.s3"


@pytest.mark.parametrize("dsn", ["sqs://shop", "sns://orders", "events://main"])
@on_a_loop
async def test_what_is_too_large_is_refused_by_its_size(dsn: str) -> None:
    target = read(dsn).target
    room = LARGEST - size_of(entry_of(target, paid(data="")))
    entry_of(target, paid(data="x" * room))
    with pytest.raises(InvalidInput, match="256 KB; keep what is large elsewhere"):
        entry_of(target, paid(data="x" * (room + 1)))


@given(st.lists(st.integers(1, LARGEST), min_size=1, max_size=40))
def test_what_travels_together_fits(sizes: list[int]) -> None:
    entries = [{"Message": "x" * size} for size in sizes]
    numbers, start = batches(entries), 0
    assert sum(numbers) == len(entries)
    for number in numbers:
        batch = sizes[start : start + number]
        assert 1 <= number <= TOGETHER and sum(batch) <= LARGEST
        start += number
        assert number == TOGETHER or start == len(sizes) or sum(batch) + sizes[start] > LARGEST


# -- what is refused -----------------------------------------------------------------------------------


@on_a_loop
async def test_each_event_of_a_batch_has_its_own_fate(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = aws.prepared("sqs", moto, monkeypatch)
    failed = {1: ("InvalidMessageContents", "no"), 2: ("InternalError", "later")}
    monkeypatch.setattr(Publishing, "_sent", lambda self, client, entries: failed)
    async with Runtime([], "memory://", broker=dsn) as runtime:
        told = await asyncio.gather(*(runtime.publish(paid(n)) for n in range(3)), return_exceptions=True)
    assert [type(one) for one in told] == [str, InvalidInput, BrokerUnavailable]


@pytest.mark.parametrize("dsn", ["sqs://nobodys", "sns://nobodys", f"sns://arn:aws:sns:{aws.REGION}:123456789012:none"])
@on_a_loop
async def test_what_is_not_there_may_come(dsn: str, moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.prepared("sqs", moto, monkeypatch)
    async with Runtime([], "memory://", broker=dsn) as runtime:
        with pytest.raises(BrokerUnavailable, match=r"nobodys|NotFound|none"):
            await runtime.publish(paid())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    async with Runtime([], "memory://", broker=dsn) as runtime:
        with pytest.raises(BrokerUnavailable):
            await runtime.publish(paid())


@on_a_loop
async def test_who_has_subscribed_needs_a_queue(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.prepared("sqs", moto, monkeypatch)
    for dsn, why in (("sns://orders", "set OVERWINTER_QUEUE"), ("sqs://nobodys", "no queue 'nobodys'")):
        with pytest.raises(InvalidInput, match=why):
            async with Runtime([ship], "memory://", broker=dsn):
                pass
        monkeypatch.setenv(LAMBDA, "shop")  # Lambda reads it
        async with Runtime([ship], "memory://", broker=dsn):
            pass
        monkeypatch.delenv(LAMBDA)


# -- reading -------------------------------------------------------------------------------------------


@on_a_loop
async def test_a_message_that_is_no_event_stays_and_holds_nothing_up(
    moto: Moto, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    dsn = aws.prepared("sqs", moto, monkeypatch)
    for number, body in enumerate(("no json", '{"hello": "world"}', '{"specversion": "1.0"}')):
        aws.put(moto, dsn, body, str(number))
    async with Runtime([ship], "memory://", broker=dsn) as runtime:
        await runtime.publish(paid())
        await until(lambda: SHIPPED == ["o-1"] and caplog.text.count("is no event, read") >= 3)
        assert not await runtime.bus.letters.all()
        await settled(moto, dsn, 3)


@on_a_loop
async def test_poison_lies_with_the_dead_letters_and_no_longer_in_the_queue(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = aws.prepared("sns", moto, monkeypatch)
    async with Runtime([ship], "memory://", broker=dsn) as runtime:
        await runtime.publish(paid(1, data={"cents": 4}))
        await runtime.publish(paid(2))
        await until(lambda: SHIPPED == ["o-2"])
        await settled(moto, dsn, 0)
        assert [letter.event["id"] for letter in await runtime.bus.letters.all()] == ["e-1"]


async def settled(moto: Moto, dsn: str, left: int) -> None:
    """So many messages are in the queue, seen or hidden."""
    async with asyncio.timeout(20):
        while aws.count(moto, dsn) != left:  # noqa: ASYNC110  # only the queue knows
            await asyncio.sleep(0.02)


@on_a_loop
async def test_a_message_is_hidden_as_long_as_it_is_taken_and_deleted_after_that(
    moto: Moto, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = aws.prepared("sqs", moto, monkeypatch)
    original, go, hung = Taking.take, asyncio.Event(), asyncio.Event()
    hidden: list[int] = []
    change = sqs_reading._change

    async def slow(self: Taking, subscription: Subscription, event: CloudEvent) -> None:
        hung.set()
        await go.wait()
        await original(self, subscription, event)

    def counted(client: Any, url: str, receipts: Any, seconds: int) -> None:
        change(client, url, receipts, seconds)
        hidden.append(seconds)

    monkeypatch.setattr(Taking, "take", slow)
    monkeypatch.setattr(sqs_reading, "HIDDEN", 1)
    monkeypatch.setattr(sqs_reading, "_change", counted)
    async with Runtime([ship], "memory://", broker=dsn) as runtime:
        await runtime.publish(paid())
        await hung.wait()
        await until(lambda: hidden.count(1) >= 4)  # longer than it is hidden by one look
        assert aws.count(moto, dsn) == 1 and not SHIPPED
        go.set()
        await until(lambda: SHIPPED == ["o-1"])
        await settled(moto, dsn, 0)


@on_a_loop
async def test_who_closes_gives_back_what_is_not_taken(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = aws.prepared("sqs", moto, monkeypatch)
    hung = asyncio.Event()

    async def hangs(self: Taking, subscription: Subscription, event: CloudEvent) -> None:
        hung.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Taking, "take", hangs)
    async with Runtime([ship], "memory://", broker=dsn) as runtime:
        await runtime.publish(paid())
        await hung.wait()
    assert len(aws.bodies(moto, dsn)) == 1  # at once, and not in half a minute


@on_a_loop
async def test_one_key_waits_for_nobody_elses(moto: Moto, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store can't take one event for a while: those behind it wait, others do not."""
    dsn = aws.prepared("sqs", moto, monkeypatch)
    original, away = Taking.take, [True]

    async def take(self: Taking, subscription: Subscription, event: CloudEvent) -> None:
        if event.partitionkey == "ann" and away[0]:
            raise StoreUnavailable("away")
        await original(self, subscription, event)

    monkeypatch.setattr(Taking, "take", take)
    async with Runtime([ship], "memory://", broker=dsn) as runtime:
        for number, key in enumerate(("ann", "bob", "ann", "eve")):
            await runtime.publish(paid(number, extensions={"partitionkey": key}))
        await until(lambda: sorted(SHIPPED) == ["o-1", "o-3"])
        away[0] = False
        await until(lambda: len(SHIPPED) == 4)
        assert [id for id in SHIPPED if id in ("o-0", "o-2")] == ["o-0", "o-2"]


def test_an_event_keeps_its_text() -> None:
    event = paid(data={"text": "\uffff\ufffe\\uffff"})
    assert "\uffff" not in text_of(event) and event_of(json.loads(text_of(event))) == event
    assert size_of({"Source": "ü", "Detail": "x", "EventBusName": "main"}) == 3


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize("kind", ["sqs", "sns", "events"])
@on_a_loop
async def test_what_a_killed_process_had_in_hand_is_taken_once(
    kind: str, when: str, moto: Moto, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dsn, store = aws.prepared(kind, moto, monkeypatch), f"sqlite:///{tmp_path}/shop.db"
    async with Runtime([], "memory://", broker=dsn) as elsewhere:
        await elsewhere.publish(paid())
    program = Path(__file__).with_name("stuck.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), dsn, store, when, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(40):
            assert await process.stdout.readline() == b"in hand\n"
    finally:
        process.kill()
        await process.wait()
    id = delivery_id("ship", paid())
    async with asyncio.timeout(60), Runtime([ship], store, Settings(lease="2s"), broker=dsn) as runtime:
        while await runtime.find(id) is None:  # noqa: ASYNC110  # only the store knows
            await asyncio.sleep(0.02)
        assert await runtime.result(id) == "packed o-1"
        await settled(moto, dsn, 0)
        assert [head.id async for head in runtime.all(Filter())] == [id]
