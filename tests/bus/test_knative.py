"""What is Knative's own: what an ingress answers, what Triggers do with what is answered here, and what goes wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from overwinter import Runtime, subscribe, workflow
from overwinter.functions.bus.knative_broker import KnativeBroker
from overwinter.functions.bus.knative_place import INGRESS, read
from overwinter.functions.bus.opening import open_broker
from overwinter.functions.bus.subscription import Subscription
from overwinter.functions.bus.taking import Taking
from overwinter.functions.event import CloudEvent, write_binary
from overwinter.functions.http.app import create_app
from overwinter.functions.http.capability import capability
from overwinter.state.errors import BrokerUnavailable, InvalidInput, StoreUnavailable
from overwinter.tests.apart.place import on_a_loop, until
from overwinter.tests.servers.knative import KnativeServer

from .pods import DELIVERY, TOKEN, applied, pod, serving
from .shop import SHIPPED, book, checkout, fresh, ship

GIVEN: list[Any] = []


@subscribe(type="order.paid", gives="event")
@workflow
async def seen(ctx: Any, event: dict[str, Any]) -> str:
    GIVEN.append(event)
    return "seen"


@subscribe(type="order.paid", name="again and again")
@workflow
async def echoing(ctx: Any, order: Any) -> str:
    """Publishes what it has subscribed to."""
    if order["id"] == "first":
        await ctx.publish("order.paid", {"id": "second"})
    return "done"


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[KnativeServer]:
    fresh()
    GIVEN.clear()
    for name in ("K_SINK", "K_CE_OVERRIDES", "K_CA_CERTS", "OVERWINTER_BROKER_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with KnativeServer() as server:
        yield server


# -- addresses -----------------------------------------------------------------------------------------------


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("knative://shop/default")[:3] == (f"{INGRESS}/shop/default", "shop", "default")
    assert read("https://kafka-ingress.ns.svc/shop/default")[1:3] == ("shop", "default")
    assert read("http://h:8080/a/path/of/its/own")[:3] == ("http://h:8080/a/path/of/its/own", "", "")
    monkeypatch.setenv("K_SINK", "http://channel.shop.svc")
    assert read("knative://")[:3] == ("http://channel.shop.svc", "", "")
    monkeypatch.setenv("K_SINK", f"{INGRESS}/shop/default")
    monkeypatch.setenv("K_CE_OVERRIDES", '{"extensions": {"region": "eu"}}')
    assert read("knative://")[:4] == (f"{INGRESS}/shop/default", "shop", "default", {"region": "eu"})
    assert read("knative://shop/default").extensions == {}, "they are those of the binding"
    assert isinstance(open_broker("knative://shop/default"), KnativeBroker)


@pytest.mark.parametrize(
    "dsn",
    ["knative://shop", "knative://shop/a/b", "knative://shop:80/a", "knative://Shöp/a", "knative://a_b/c", "http://h",
     "http://h/", "http://user:pass@h/a/b", "http://h/a/b?token=x", "http://h:99999/a/b", "http:///a/b",
     "http://h/a b"],
)  # fmt: skip
def test_addresses_that_can_not_be(dsn: str) -> None:
    with pytest.raises(InvalidInput, match=r"knative://NAMESPACE/BROKER") as caught:
        KnativeBroker(dsn)
    assert "pass" not in str(caught.value).partition("write")[0]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "K_SINK"),
        ({"K_SINK": "broker.svc"}, "K_SINK"),
        ({"K_SINK": "http://h/a/b", "K_CE_OVERRIDES": "{"}, "K_CE_OVERRIDES"),
        ({"K_SINK": "http://h/a/b", "K_CE_OVERRIDES": '{"extensions": {"region": 5}}'}, "K_CE_OVERRIDES"),
        ({"K_SINK": "http://h/a/b", "K_CE_OVERRIDES": '{"extensions": ["x"]}'}, "K_CE_OVERRIDES"),
        ({"K_SINK": "http://h/a/b", "K_CE_OVERRIDES": '{"extensions": {"Not An Attribute": "x"}}'}, "Not An Attribute"),
        ({"K_SINK": "http://h/a/b", "K_CE_OVERRIDES": '{"extensions": {"id": "x"}}'}, "K_CE_OVERRIDES can't be put on"),
        ({"K_SINK": "http://h/a/b", "OVERWINTER_BROKER_TOKEN": "the-token-itself"}, "env:NAME or file:PATH"),
        ({"K_SINK": "http://far.example/a/b", "OVERWINTER_BROKER_TOKEN": "env:T"}, "unencrypted"),
    ],
)
def test_a_binding_that_can_not_be(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str) -> None:
    for name in ("K_SINK", "K_CE_OVERRIDES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput, match=said) as caught:
        KnativeBroker("knative://")
    assert "the-token-itself" not in str(caught.value)


# -- publishing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 405, 406, 413, 422, 302])
@on_a_loop
async def test_what_is_refused_for_good_is_said(broker: KnativeServer, status: int) -> None:
    async with Runtime([], "memory://", broker=broker.url) as runtime:
        broker.refuses.append((status, {"location": "http://127.0.0.1:1/"}, "the EventPolicy says no"))
        with pytest.raises(InvalidInput, match=f"answered {status} the EventPolicy says no"):
            await runtime.publish("order.paid")
        await runtime.publish("order.paid")
    assert len(broker.taken) == 1


@pytest.mark.parametrize("status", [404, 408, 409, 425, 429, 500, 502, 503, 599])
@on_a_loop
async def test_what_may_pass_is_sent_again_until_it_is_taken(broker: KnativeServer, status: int) -> None:
    async with asyncio.timeout(60), Runtime([checkout], "memory://", broker=broker.url) as runtime:
        broker.refuses.append((status, {"retry-after": "7"}, "busy"))
        with pytest.raises(BrokerUnavailable, match=f"answered {status} busy") as caught:
            await runtime.publish("order.paid")
        assert caught.value.retry_after == 7
        broker.refuses += [(status, {}, "")] * 2
        handle = await runtime.start(checkout, {"id": "o-1"})
        assert await handle.result() == "o-1"
    assert [event.data for event in broker.taken] == [{"id": "o-1", "cents": 0}]


def test_a_broker_that_asks_for_time_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from overwinter.orchestrator.engine import delivery

    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    asks = [BrokerUnavailable("busy", retry_after=wanted) for wanted in (40.0, None, 1e9, 0.0)]

    async def work() -> str:
        if asks:
            raise asks.pop(0)
        return "done"

    monkeypatch.setattr("overwinter.orchestrator.engine.patience.asyncio.sleep", sleep)
    office: Any = delivery.Delivery.__new__(delivery.Delivery)
    assert asyncio.run(office.patiently(work, "e")) == "done"
    assert pauses == [40.0, 0.1, 300.0, 0.4]


@on_a_loop
async def test_nobody_answers_and_nothing_is_open(broker: KnativeServer) -> None:
    runtime = Runtime([], "memory://", broker="http://127.0.0.1:1/shop/default")
    async with runtime:
        with pytest.raises(BrokerUnavailable, match=r"127\.0\.0\.1:1"):
            await runtime.publish("order.paid")
    closed = KnativeBroker(broker.url)
    with pytest.raises(BrokerUnavailable, match="closed"):
        await closed.publish(CloudEvent(type="a", source="/s"))


@on_a_loop
async def test_an_event_arrives_as_it_was_published(broker: KnativeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its attributes are, with what the binding puts onto it, and with the token as it is now."""
    monkeypatch.setenv("K_SINK", broker.url)
    monkeypatch.setenv("K_CE_OVERRIDES", '{"extensions": {"region": "eu", "tier": "gold"}}')
    monkeypatch.setenv("OVERWINTER_BROKER_TOKEN", "env:BROKER_TOKEN")
    monkeypatch.setenv("BROKER_TOKEN", "the-first-token")
    async with (
        asyncio.timeout(60),
        Runtime([seen], "memory://", broker="knative://") as runtime,
        pod(broker, runtime),
    ):
        event = CloudEvent(
            type="order.paid", source="/shop/%C3%A4", id='a "b" ü', subject="Größe 5%", data={"ü": [1, None, "€"]},
            extensions={"count": 7, "urgent": True, "region": "us"},
        )  # fmt: skip
        await runtime.publish(event)
        monkeypatch.setenv("BROKER_TOKEN", "the-second-token")
        await runtime.publish(event.replace(id="2"))
        await until(lambda: len(GIVEN) == 2)
        monkeypatch.delenv("BROKER_TOKEN")
        with pytest.raises(BrokerUnavailable, match="BROKER_TOKEN"):
            await runtime.publish(event)
    given = next(one for one in GIVEN if one["id"] == event.id)
    assert (given["source"], given["subject"], given["data"]) == (event.source, event.subject, event.data)
    assert (given["count"], given["urgent"], given["region"], given["tier"]) == ("7", "true", "eu", "gold")
    bearers = [one["authorization"] for one in broker.headers]
    assert bearers == ["Bearer the-first-token", "Bearer the-second-token"]


@on_a_loop
async def test_authorities_of_a_binding_are_trusted_and_odd_ones_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("K_CA_CERTS", "no certificate")
    with pytest.raises(InvalidInput, match="K_CA_CERTS"):
        async with Runtime([], "memory://", broker="https://broker.svc/shop/default") as runtime:
            await runtime.publish("a")
    own = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not own:
        pytest.skip("this machine trusts nobody")
    monkeypatch.setenv("K_CA_CERTS", ssl.DER_cert_to_PEM_cert(own[0]))
    async with Runtime([], "memory://", broker="https://127.0.0.1:1/shop/default") as runtime:
        with pytest.raises(BrokerUnavailable):
            await runtime.publish("a")


# -- deliveries ----------------------------------------------------------------------------------------------


@on_a_loop
async def test_a_fault_of_one_subscription_is_repeated_for_that_one_alone(
    broker: KnativeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, fails = Taking.take, [4]

    async def take(self: Taking, subscription: Subscription, event: CloudEvent) -> None:
        if subscription.name == "ship" and fails[0]:
            fails[0] -= 1
            raise StoreUnavailable("away")
        await original(self, subscription, event)

    monkeypatch.setattr(Taking, "take", take)
    async with (
        asyncio.timeout(60),
        Runtime([ship, book], "memory://", broker=broker.url) as runtime,
        pod(broker, runtime),
    ):
        await runtime.publish("order.paid", {"id": "o-1"}, id="e")
        await until(lambda: SHIPPED == ["o-1"] and len(broker.deliveries) == 6)
    assert [status for name, _, status in broker.deliveries if name == "ledger"] == [202]
    assert [status for name, _, status in broker.deliveries if name == "ship"] == [503] * 4 + [202]
    assert broker.lost == []


@on_a_loop
async def test_no_answer_is_taken_for_a_reply(broker: KnativeServer) -> None:
    """Also where a function publishes what it has subscribed to: it comes back once, and ends there."""
    async with (
        asyncio.timeout(60),
        Runtime([echoing, seen], "memory://", broker=broker.url) as runtime,
        pod(broker, runtime),
    ):
        await runtime.publish("order.paid", {"id": "first"})
        await until(lambda: len(broker.deliveries) == 4)
    assert {status for _, _, status in broker.deliveries} == {202}
    assert broker.replies == [] and len(broker.taken) == 2


@on_a_loop
async def test_a_trigger_that_filters_otherwise_does_no_harm(broker: KnativeServer) -> None:
    async with (
        asyncio.timeout(60),
        Runtime([ship], "memory://", broker=broker.url) as runtime,
        pod(broker, runtime) as url,
    ):
        message = write_binary(CloudEvent(type="order.seen", source="/s"))
        async with httpx.AsyncClient(headers={"authorization": f"Bearer {TOKEN}", "prefer": "reply"}) as client:
            answer = await client.post(f"{url}/subscriptions/ship", content=message.body, headers=message.headers)
            assert (answer.status_code, answer.content) == (204, b"")
            answer = await client.post(f"{url}/subscriptions/none", content=message.body, headers=message.headers)
            assert answer.status_code == 404 and "none" in answer.json()["detail"]
        assert await runtime.list() == []


@on_a_loop
async def test_what_can_not_be_delivered_goes_to_the_dead_letters(broker: KnativeServer) -> None:
    """Whoever has no right to deliver, or posts what no release understands, is refused once."""
    async with (
        asyncio.timeout(60),
        Runtime([ship], "memory://", broker=broker.url) as runtime,
        pod(broker, runtime),
    ):
        applied(broker, runtime, dead_letters="letters")
        trigger = broker._triggers["ship"]
        trigger["spec"]["subscriber"]["uri"] = "/subscriptions/ship?access_token=a-token-of-nobody"
        letters: list[dict[str, str]] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            letters.append({key.decode(): value.decode() for key, value in scope["headers"]})
            await send({"type": "http.response.start", "status": 202, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async with serving(broker, "letters", app):
            await runtime.publish("order.paid", {"id": "o-1"}, id="e")
            await until(lambda: letters)
    (lost,) = broker.lost
    assert (lost.trigger, lost.event.id, lost.status) == ("ship", "e", 401)
    assert letters[0]["ce-knativeerrorcode"] == "401"
    assert letters[0]["ce-knativeerrordest"].partition("?")[0].endswith("/subscriptions/ship")


@on_a_loop
async def test_what_comes_without_a_name_goes_to_all_who_want_it() -> None:
    """One Trigger for the whole Service: each subscription takes it once, and a signal is one all the same."""
    fresh()
    async with asyncio.timeout(60), Runtime([ship, book], "memory://") as runtime:
        app: Any = create_app(runtime, token=None)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for type, status in (("order.paid", 202), ("order.paid", 202), ("order.seen", 202), ("other", 204)):
                event = CloudEvent(type=type, source="/s", id=type, data={"id": "o-1"}, subject="nobody")
                message = write_binary(event)
                headers = [*message.headers, ("prefer", "reply")]
                answer = await client.post("/", content=message.body, headers=headers)
                assert (answer.status_code, answer.content) == (status, b""), type
            await until(lambda: SHIPPED == ["o-1"])
            assert len(await runtime.list(function="book")) == 2
            assert len(await runtime.list(function="ship")) == 1


@on_a_loop
async def test_a_subscription_of_another_process_on_the_store_is_known(tmp_path: Path) -> None:
    """It lies in the store until somebody serves the function."""
    fresh()
    store = f"sqlite:///{tmp_path}/shop.db"
    async with Runtime([ship], store):
        pass
    event = write_binary(CloudEvent(type="order.paid", source="/s", data={"id": "o-1"}))
    async with Runtime([checkout], store) as elsewhere:
        app: Any = create_app(elsewhere, token=TOKEN, delivery_token=DELIVERY)
        transport = httpx.ASGITransport(app)
        token = capability(DELIVERY, "/subscriptions/ship")
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for path, status in (("ship", 202), ("ledger", 401)):
                url = f"/subscriptions/{path}?access_token={token}"
                answer = await client.post(url, content=event.body, headers=event.headers)
                assert answer.status_code == status
            assert (await client.post(f"/events/ship?access_token={token}", content=b"")).status_code == 401
        assert SHIPPED == []
    async with asyncio.timeout(60), Runtime([ship], store):
        await until(lambda: SHIPPED == ["o-1"])
