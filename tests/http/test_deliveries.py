"""CloudEvents at ``POST /``: each meaning, each answer, and the webhook checklist of the specification."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import parse, write_batch, write_binary, write_structured
from overwinter.functions.http.handshake import Handshake

Run = Callable[..., None]
TARGETS = Path(__file__).parents[3] / "shared" / "targets" / "cloudevents"
REPLY = {"prefer": "reply"}


def event(type: str, data: Any = None, *, id: str = "1", subject: str | None = None, **more: Any) -> CloudEvent:
    return CloudEvent(id=id, source="/test", type=type, subject=subject, data=data, **more)


async def post(client: Any, one: CloudEvent, path: str = "/", headers: Any = None, write: Any = write_binary) -> Any:
    message = write(one)
    return await client.post(path, content=message.body, headers=[*message.headers, *(headers or {}).items()])


@pytest.mark.parametrize("write", [write_binary, write_structured])
def test_a_call_of_a_session_is_answered_with_an_event(run: Run, write: Any) -> None:
    async def main(shop: Any) -> None:
        call = event("io.overwinter.call.echo", "hi", subject="c-42", extensions={"correlationid": "x"})
        answer = await post(shop.client, call, headers=REPLY, write=write)
        assert answer.status_code == 200
        reply = parse(list(answer.headers.items()), answer.content)
        assert (reply.type, reply.data, reply.subject) == ("io.overwinter.result.echo", "hi", "echo/c-42")
        assert (reply.causationid, reply.correlationid, reply.source) == ("1", "x", "/overwinter/echo")
        assert answer.headers["content-type"].startswith(
            "application/json" if write is write_binary else "application/cloudevents+json"
        )

    run(main)


def test_a_call_without_prefer_is_accepted_and_done_once(run: Run) -> None:
    async def main(shop: Any) -> None:
        call = event("io.overwinter.call.echo", "hi", subject="c")
        for _ in range(3):
            answer = await post(shop.client, call)
            assert (answer.status_code, answer.content) == (202, b"")
        await post(shop.client, call, headers=REPLY)
        entries = (await shop.client.get("/history/echo/c")).json()["entries"]
        assert [e["type"] for e in entries].count("message") == 1

    run(main)


def test_an_event_starts_a_workflow_once(run: Run) -> None:
    async def main(shop: Any) -> None:
        call = event("io.overwinter.call.ticket", {"question": "why"})
        replies = [
            parse(list((a := await post(shop.client, call, headers=REPLY)).headers.items()), a.content) for _ in "ab"
        ]
        assert replies[0].data == {"answer": "WHY"}
        assert replies[0].id == replies[1].id
        assert len((await shop.client.get("/executions")).json()["executions"]) == 1
        named = event("io.overwinter.call.ticket", {"question": "who"}, id="2", subject="t-1")
        assert (await post(shop.client, named)).status_code == 202
        assert (await shop.client.get("/executions/t-1")).status_code == 200
        failing = event("io.overwinter.call.ticket", {"question": "fail"}, id="3")
        answer = await post(shop.client, failing, headers=REPLY)
        error = parse(list(answer.headers.items()), answer.content)
        assert (error.type, error.data["message"]) == ("io.overwinter.error.ticket", "no answer")

    run(main)


def test_a_tool_is_called_by_an_event(run: Run) -> None:
    async def main(shop: Any) -> None:
        call = event("io.overwinter.call.lookup_order", {"order_id": "o"})
        assert (await post(shop.client, call)).status_code == 204
        answer = await post(shop.client, call, headers=REPLY)
        assert answer.json() == {"id": "o", "state": "shipped"}
        crash = event("io.overwinter.call.lookup_order", {"order_id": "crash"})
        assert (await post(shop.client, crash)).status_code == 500
        refund = event("io.overwinter.call.refund", {"order_id": "o"})
        assert (await post(shop.client, refund)).status_code == 403

    run(main)


def test_an_ordinary_event_reaches_the_execution_of_its_subject(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=t1", json={"question": "wait"})
        signal = event("customer.reply", {"ok": True}, subject="t1")
        for _ in range(2):
            assert (await post(shop.client, signal)).status_code == 202
        done = await shop.client.get("/results/t1", headers={"prefer": "wait=5"})
        assert done.json()["status"] == "completed"
        assert (await post(shop.client, signal)).status_code == 202  # it had come: what was said of it stands
        late = event("customer.reply", {"ok": True}, id="2", subject="t1")
        assert (await post(shop.client, late)).status_code == 204

    run(main)


@pytest.mark.parametrize(
    "unwanted",
    [
        event("something.else"),
        event("something.else", subject="nobody"),
        event("io.overwinter.call.nobody", {"a": 1}),
        event("io.overwinter.result.echo", "hi"),
        event("io.overwinter.unheard"),
        event("io.overwinter.cancel", subject="nobody"),
    ],
)
def test_a_valid_event_that_nobody_wants_is_2xx_and_counted(run: Run, unwanted: CloudEvent) -> None:
    async def main(shop: Any) -> None:
        assert (await post(shop.client, unwanted)).status_code == 204
        assert (await shop.client.get("/stats")).json()["unwanted"] == 1

    run(main)


def test_commands_come_as_events(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=t1", json={"question": "wait"})
        assert (await post(shop.client, event("io.overwinter.cancel", subject="t1"))).status_code == 202
        done = await shop.client.get("/results/t1", headers={"prefer": "wait=5"})
        assert done.json()["status"] == "cancelled"
        late = event("io.overwinter.decide", {"approved": True}, id="2", subject="t1")
        assert (await post(shop.client, late)).status_code == 204
        for wrong in (
            event("io.overwinter.cancel"),
            event("io.overwinter.decide", {"approved": "yes"}, subject="t1"),
            event("io.overwinter.callback", {"value": 1}),
            event("io.overwinter.call.echo", 5, subject="c"),
            event("io.overwinter.call.ticket", {"nope": 1}),
        ):
            assert (await post(shop.client, wrong)).status_code == 422, wrong

    run(main)


def test_a_foreign_event_sent_to_one_function_calls_it(run: Run) -> None:
    async def main(shop: Any) -> None:
        placed = event("order.placed", {"question": "why"}, subject="order-7")
        answer = await post(shop.client, placed, "/events/ticket", REPLY)
        assert answer.json() == {"answer": "WHY"}
        said = event("chat.message", "hello", subject="c-1")
        assert (await post(shop.client, said, "/events/echo", REPLY)).json() == "hello"

    run(main)


def test_a_batch_is_accepted_whole_and_in_order(run: Run) -> None:
    async def main(shop: Any) -> None:
        calls = [event("io.overwinter.call.echo", str(n), id=str(n), subject=f"c-{n % 2}") for n in range(10)]
        send = shop.runtime.send

        async def hesitant(agent: Any, session: Any, content: str, **more: Any) -> Any:
            await asyncio.sleep((9 - int(content)) * 0.005 if content != "last" else 0)
            return await send(agent, session, content, **more)

        shop.runtime.send = hesitant
        message = write_batch([*calls, event("unwanted", id="x")])
        answer = await shop.client.post("/", content=message.body, headers=message.headers)
        assert answer.status_code == 202
        await shop.client.post("/sessions/echo/c-0", json={"content": "last"})
        entries = (await shop.client.get("/history/echo/c-0")).json()["entries"]
        said = [e["content"] for e in entries if e["type"] == "message"]
        assert said == ["0", "2", "4", "6", "8", "last"]
        assert (await shop.client.get("/stats")).json()["unwanted"] == 1
        empty = write_batch([])
        assert (await shop.client.post("/", content=empty.body, headers=empty.headers)).status_code == 204
        spoiled = json.dumps([{"specversion": "1.0"}]).encode()
        refused = await shop.client.post("/", content=spoiled, headers=message.headers)
        assert (refused.status_code, refused.json()["attribute"]) == (400, "id")

    run(main)


def test_no_refusal_of_an_event_is_one_that_brokers_repeat(run: Run) -> None:
    async def main(shop: Any) -> None:
        await post(shop.client, event("io.overwinter.call.ticket", {"question": "a"}, subject="t"))
        other = event("io.overwinter.call.ticket", {"question": "b"}, id="2", subject="t")
        assert (await post(shop.client, other)).status_code == 422
        await shop.client.post("/sessions/echo/c", json={"content": "x"})
        await shop.client.post("/terminate/echo/c")
        await shop.client.get("/results/echo/c", headers={"prefer": "wait=5"})
        late = event("io.overwinter.call.echo", "b", id="3", subject="c")
        assert (await post(shop.client, late)).status_code == 422

    run(main)


@pytest.mark.skipif(not TARGETS.is_dir(), reason="the CloudEvents checklist is not beside this checkout")
def test_the_webhook_checklist_holds(run: Run) -> None:
    checklist = json.loads((TARGETS / "webhook-and-http-binding-checklist.json").read_text("utf-8"))
    receiver = {case["id"] for case in checklist["cases"] if case["role"] in ("receiver", "both")}
    known: set[str] = set()

    async def main(shop: Any) -> None:
        client = shop.client
        auth = {"authorization": f"Bearer {TOKEN}"}
        one = write_structured(event("io.overwinter.call.lookup_order", {"order_id": "o"}))

        async def deliver(**changes: Any) -> Any:
            given = {"url": "/", "content": one.body, "headers": [*one.headers, *auth.items()], **changes}
            return await client.post(**given)

        delivered = await deliver()
        assert delivered.status_code == 204 and not delivered.content
        known.update({"deliver-post", "no-redirect", "ok-without-payload", "auth-header"})
        for empty in ({}, {**auth, "webhook-request-origin": "x.example", "ce-id": "1"}):
            assert (await client.post("/", headers={**auth, **empty})).status_code in (400, 415)
        known.add("deliver-no-payload-4xx")
        replied = await deliver(headers=[*one.headers, *auth.items(), *REPLY.items()])
        assert replied.status_code == 200 and replied.headers["content-type"]
        known.add("ok-with-payload")
        later = write_structured(event("io.overwinter.call.slow", "x"))
        assert (await deliver(content=later.body)).status_code == 202
        known.add("accepted-async")
        unknown = {**auth, "content-type": "application/x-thing"}
        assert (await client.post("/", content=b"x", headers=unknown)).status_code == 415
        known.add("unsupported-media")
        assert (await deliver(url=f"/?access_token={TOKEN}", headers=one.headers)).status_code == 204
        known.add("auth-query")
        asked = {
            "webhook-request-origin": "eventemitter.example.com",
            "webhook-request-rate": "120",
            "webhook-request-callback": "https://eventemitter.example.com/confirm",
        }
        shaken = await client.options("/", headers=asked)
        assert shaken.headers["webhook-allowed-origin"] in ("*", "eventemitter.example.com")
        assert shaken.headers["webhook-allowed-rate"] == "120"
        assert "POST" in shaken.headers["allow"]
        known.update({"handshake-origin", "handshake-rate", "handshake-callback"})
        assert (await client.options("/", headers={**asked, "webhook-request-rate": "0"})).status_code == 400
        elsewhere = await client.options("/counts", headers={**asked, **auth})
        assert elsewhere.status_code == 405
        assert not any(name.startswith("webhook") for name in elsewhere.headers)
        origin = {"webhook-request-origin": "e.example"}
        statuses = [(await deliver(headers=[*one.headers, *auth.items(), *origin.items()])) for _ in range(121)]
        assert statuses[-1].status_code == 429 and int(statuses[-1].headers["retry-after"]) >= 1
        known.add("rate-limit")
        known.add("handshake-options-not-webhook")

    run(main, token=TOKEN, handshake=Handshake(rate=120))
    assert known == receiver


TOKEN = "a-secret-of-some-length"
