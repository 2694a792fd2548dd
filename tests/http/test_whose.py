"""Whose error an answer tells of, and that what was begun before is answered with what has come of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import parse, write_batch, write_binary
from overwinter.state.errors import StoreUnavailable

from .test_contract import running

Run = Callable[..., None]
LATER = {"prefer": "respond-async"}


async def ended(shop: Any, id: str) -> None:
    await shop.client.get(f"/results/{id}", headers={"prefer": "wait=10"})


def test_what_was_begun_before_is_answered_with_its_outcome(run: Run) -> None:
    async def main(shop: Any) -> None:
        for id, question, status in (("t-1", "why", "completed"), ("t-2", "fail", "failed")):
            first = await shop.client.post(f"/workflows/ticket?id={id}", json={"question": question}, headers=LATER)
            assert first.status_code == 202
            await ended(shop, id)
            for headers in ({}, LATER):
                again = await shop.client.post(
                    f"/workflows/ticket?id={id}", json={"question": question}, headers=headers
                )
                assert (again.status_code, again.json()["status"]) == (200, status)
                assert again.headers["idempotent-replay"] == "true"
                assert again.headers.get("overwinter-error") == ("outcome" if status == "failed" else None)
        waiting = {"question": "wait"}
        await shop.client.post("/workflows/ticket?id=t-3", json=waiting)
        assert (await shop.client.post("/workflows/ticket?id=t-3", json=waiting)).json()["status"] == "running"

    run(main)


def test_a_message_that_comes_again_is_answered_with_its_reply(run: Run) -> None:
    async def main(shop: Any) -> None:
        said = {"content": "hi", "id": "m-1"}
        assert (await shop.client.post("/sessions/echo/c", json=said)).json()["result"] == "hi"
        again = await shop.client.post("/sessions/echo/c", json=said, headers=LATER)
        assert (again.status_code, again.json()["result"]) == (200, "hi")

    run(main)


@pytest.mark.parametrize(
    ("order", "status"), [("crash", 500), ("never", 422), ("long", 503), ("exit", 500), ("panic", 500)]
)
def test_what_a_tool_raises_is_an_outcome(run: Run, order: str, status: int) -> None:
    async def main(shop: Any) -> None:
        arguments = {"order_id": order}
        answer = await shop.client.post("/tools/lookup_order", json=arguments)
        assert (answer.status_code, answer.headers["overwinter-error"]) == (status, "outcome")
        call = write_binary(CloudEvent(source="/s", type="io.overwinter.call.lookup_order", data=arguments))
        delivered = await shop.client.post("/", content=call.body, headers=call.headers)
        assert (delivered.status_code, delivered.headers["overwinter-error"]) == (status, "outcome")

    run(main)


def test_what_is_refused_was_not_taken(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(shop: Any) -> None:
        bad = write_binary(CloudEvent(source="/s", type="io.overwinter.call.ticket", data={"nope": 1}))
        for answer in (
            await shop.client.post("/tools/lookup_order", json={"order": "o"}),
            await shop.client.post("/tools/refund", json={"order_id": "o"}),
            await shop.client.post("/workflows/ticket", json={"nope": 1}),
            await shop.client.post("/workflows/nobody", json={}),
            await shop.client.get("/results/nobody"),
            await shop.client.get("/nowhere"),
            await shop.client.get("/executions", headers={"host": "elsewhere.example"}),
            await shop.client.post("/", content=bad.body, headers=bad.headers),
        ):
            assert 400 <= answer.status_code < 500
            assert answer.headers["overwinter-error"] == "refused", answer.request.url

        async def defect(*_: Any) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr(shop.runtime.store, "counts", defect)
        broken = await shop.client.get("/counts")
        assert (broken.status_code, broken.headers["overwinter-error"]) == (500, "fault")

    run(main)


def test_of_a_batch_some_may_have_been_taken(run: Run) -> None:
    async def main(shop: Any) -> None:
        async def away(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("away")

        shop.runtime.engine.post = away
        message = write_batch(
            [
                CloudEvent(source="/s", type="io.overwinter.call.lookup_order", data={"order_id": "o"}),
                CloudEvent(source="/s", type="io.overwinter.call.ticket", data={"question": "why"}),
            ]
        )
        answer = await shop.client.post("/", content=message.body, headers=message.headers)
        assert (answer.status_code, answer.headers["overwinter-error"]) == (503, "partly")

    run(main)


def test_an_error_event_says_that_it_is_an_outcome(run: Run) -> None:
    async def main(shop: Any) -> None:
        call = write_binary(CloudEvent(source="/s", type="io.overwinter.call.ticket", data={"question": "fail"}))
        answer = await shop.client.post("/", content=call.body, headers=[*call.headers, ("prefer", "reply")])
        assert answer.headers["overwinter-error"] == "outcome"
        assert parse(list(answer.headers.items()), answer.content).type == "io.overwinter.error.ticket"

    run(main)


def test_nobody_is_let_deliver_where_nothing_is_served(run: Run) -> None:
    asked = {"webhook-request-origin": "sender.example"}

    async def main(shop: Any) -> None:
        assert (await shop.client.options("/events/ticket", headers=asked)).headers["webhook-allowed-origin"] == "*"
        refused = await shop.client.options("/events/tickets", headers=asked)
        assert refused.status_code == 404
        assert not any(name.startswith("webhook") for name in refused.headers)

    run(main)


def test_a_broker_s_own_way_of_writing_arrives_over_the_wire(shop: Any) -> None:
    """As Knative's filter sends it: raw UTF-8, a lone %, no content type, long names, an odd trace."""
    sent = [
        (b"ce-specversion", b"1.0"),
        (b"ce-id", b"7\xe2\x82\xac"),
        (b"ce-source", b"/apis/v1/namespaces/shop/kafkasources/orders#orders"),
        (b"ce-type", b"io.overwinter.call.echo"),
        (b"ce-subject", "Müller 100%".encode()),
        (b"ce-kafkaheaderxcorrelationidentifier", b"5"),
        (b"ce-traceparent", b"none"),
        (b"prefer", b"reply"),
    ]
    with running(shop) as address:
        answer = httpx.post(address, headers=sent, content=b'"Where is my order?"')
        assert answer.status_code == 200, answer.text
        reply = parse(answer.headers.raw, answer.content)
        assert (reply.data, reply.subject) == ("Where is my order?", "echo/Müller 100%")
        assert (reply.causationid, reply.traceparent) == ("7€", None)
        assert all(value.isascii() for _, value in answer.headers.raw)


def test_a_trace_is_gone_on_with_whole(run: Run) -> None:
    async def main(shop: Any) -> None:
        trace = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "tracestate": "v=1"}
        call = CloudEvent(source="/s", type="io.overwinter.call.echo", data="hi", extensions=trace)
        message = write_binary(call)
        answer = await shop.client.post("/", content=message.body, headers=[*message.headers, ("prefer", "reply")])
        reply = parse(list(answer.headers.items()), answer.content)
        assert {name: reply.extensions[name] for name in trace} == trace

    run(main)
