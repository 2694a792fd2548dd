"""Streams over HTTP: what is told, to whom, and how it is gone on with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, cast

import httpx
import pytest

from overwinter import Agent, Context, Runtime, tool, workflow
from overwinter.functions.http.app import create_app
from overwinter.functions.models.scripted import Scripted, call

EVENTS = {"accept": "text/event-stream"}


@tool
async def note(text: str) -> str:
    """Note something down."""
    return text


@tool(effect="irreversible", approval="desk")
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@workflow
async def sale(ctx: Context, item: str) -> str:
    return await ctx.step(note, item)


@workflow
async def broken(ctx: Context) -> None:
    raise ValueError("no stock")


def script(*said: Any) -> Scripted:
    return Scripted(list(said), pace="1ms")


AGENTS = [
    Agent("desk", script(call("note", text="x"), "It snows in Oslo."), tools=[note]),
    Agent("payer", script([call("pay", amount=3), call("pay", amount=4)], "Both are paid."), tools=[pay]),
    Agent("fails", script(ValueError("no such thing"))),
]
AGENTS.append(Agent("boss", script(call("desk", input="go"), "Done."), tools=[AGENTS[0]]))


class Block(NamedTuple):
    id: str
    event: str
    data: dict[str, Any]


def blocks(text: str) -> list[Block]:
    """What a client makes of the answer."""
    found: list[Block] = []
    for part in text.split("\n\n"):
        fields: dict[str, str] = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "data" in fields:
            found.append(Block(fields.get("id", ""), fields.get("event", ""), json.loads(fields["data"])))
    return found


def served(main: Callable[[httpx.AsyncClient, Runtime], Awaitable[None]], **options: Any) -> None:
    async def whole() -> None:
        async with Runtime([*AGENTS, sale, broken], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None, **options)))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client:
                await asyncio.wait_for(main(client, runtime), 60)

    asyncio.run(whole())


def kinds(found: Sequence[Block]) -> list[str]:
    """Event types, pieces of text as one."""
    return [block.event for number, block in enumerate(found) if number == 0 or block.event != found[number - 1].event]


def test_a_message_is_answered_by_events() -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        answer = await client.post("/sessions/desk/k", json={"content": "hi", "id": "m"}, headers=EVENTS)
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["location"] == "/messages/desk/k?id=m"
        assert "no-transform" in answer.headers["cache-control"] and answer.text.startswith("retry: 1000\n\n")
        found = blocks(answer.text)
        assert kinds(found) == ["tool_call", "answer", "observation", "text", "answer", "reply"]
        assert "".join(block.data["text"] for block in found if block.event == "text") == "It snows in Oslo."
        assert found[-1].data == {"message": "m", "result": "It snows in Oslo."}
        assert len({block.id for block in found}) == len(found)

    served(main)


def test_it_is_gone_on_with_from_every_event() -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        first = await client.post("/sessions/desk/k", json={"content": "hi", "id": "m"}, headers=EVENTS)
        told = blocks(first.text)
        for number, block in enumerate(told):
            headers = {**EVENTS, "last-event-id": block.id}
            asked = [client.get("/messages/desk/k?id=m", headers=headers),
                     client.post("/sessions/desk/k", json={"content": "hi", "id": "m"}, headers=headers)]  # fmt: skip
            for answer in await asyncio.gather(*asked):
                if number == len(told) - 1:
                    assert answer.status_code == 204
                    continue
                rest = blocks(answer.text)
                text = "".join(one.data["text"] for one in told[number + 1 :] if one.event == "text")
                assert "".join(one.data["text"] for one in rest if one.event == "text") == text
                others = [(one.event, one.data) for one in told[number + 1 :] if one.event != "text"]
                assert [(one.event, one.data) for one in rest if one.event != "text"] == others

    served(main)


def test_a_recorded_answer_that_was_streamed_is_gone_on_with_from_every_event() -> None:
    """Whoever loses the connection after each event comes to the end all the same."""

    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        await client.post("/agents/desk?id=r", json="lamp", headers=EVENTS)
        told = blocks((await client.get("/stream/r")).text)
        found = told[:1]
        while len(found) < len(told):
            answer = await client.get("/stream/r", headers={"last-event-id": found[-1].id})
            found.append(blocks(answer.text)[0])
            assert found[-1].event != "reset"
        assert found == told

    served(main)


@pytest.mark.parametrize("place", ["/agents/desk?id=r", "/workflows/sale?id=r"])
def test_a_run_is_told_to_its_end(place: str) -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        found = blocks((await client.post(place, json="lamp", headers=EVENTS)).text)
        assert found[0].data == {"message": "", "content": "lamp"} and found[-1].event == "end"
        assert found[-1].data["status"] == "completed"
        again = blocks((await client.get("/results/r", headers=EVENTS)).text)
        assert again[-1][1:] == found[-1][1:]
        followed = blocks((await client.get("/stream/r")).text)
        assert kinds(followed) == kinds(again)
        assert (await client.get("/stream/r", headers={"last-event-id": found[-1].id})).status_code == 204

    served(main)


def test_what_fails_is_told_without_its_place() -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        found = blocks((await client.post("/workflows/broken", json=None, headers=EVENTS)).text)
        assert found[-1].data["status"] == "failed" and found[-1].data["error"]["message"] == "no stock"
        assert "trace" not in found[-1].data["error"]
        found = blocks((await client.post("/sessions/fails/k", json={"content": "hi"}, headers=EVENTS)).text)
        assert found[-1].event == "reply" and "no such thing" in found[-1].data["error"]["message"]

    served(main)


@pytest.mark.parametrize(
    ("method", "place", "headers", "status"),
    [
        ("GET", "/messages/desk/k?id=other", {}, 404),
        ("GET", "/messages/desk/nobody?id=m", {}, 404),
        ("GET", "/stream/nobody", {}, 404),
        ("GET", "/messages/desk/k", {}, 422),
        ("GET", "/stream/desk/k", {"last-event-id": "what"}, 422),
        ("GET", "/stream/desk/k", {"last-event-id": "999.0"}, 422),
        ("GET", "/stream/desk/k?protocol=smoke", {}, 400),
        ("GET", "/stream/desk/k?after=3", {}, 400),
        ("POST", "/sessions/nobody/k", {}, 404),
        ("POST", "/sessions/desk/k", {"content-type": "text/csv"}, 415),
    ],
)
def test_what_can_not_be_told_is_said_before(method: str, place: str, headers: dict[str, str], status: int) -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        await client.post("/sessions/desk/k", json={"content": "hi", "id": "m"})
        answer = await client.request(method, place, headers={**EVENTS, **headers}, content=b'{"content": "x"}')
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"

    served(main)


@pytest.mark.parametrize(
    ("accept", "streams"),
    [("text/event-stream", True), ("application/json, text/event-stream;q=0.5", True), ("TEXT/Event-Stream", True),
     ("text/event-stream;q=0", False), ("text/event-stream; q=0.00", False), ("text/event-stream;q=0.01", True),
     ("*/*", False), ("text/*", False), ("", False)],
)  # fmt: skip
def test_who_wants_events_says_so(accept: str, streams: bool) -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        answer = await client.post("/sessions/desk/k", json={"content": "hi"}, headers={"accept": accept})
        assert (answer.headers["content-type"] == "text/event-stream") is streams

    served(main)


def test_what_is_refused_is_not_taken() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        bad = {**EVENTS, "last-event-id": "abc"}
        for place, body in (("/agents/desk", "hi"), ("/workflows/sale", "x"), ("/sessions/desk/k", {"content": "hi"}),
                            ("/agents/desk?protocol=ag-ui", {}), ("/agents/desk?protocol=smoke", "hi")):  # fmt: skip
            assert (await client.post(place, json=body, headers=bad)).status_code in (400, 422)
        assert not await runtime.list()
        late = {**EVENTS, "last-event-id": "99.0"}
        found = blocks((await client.post("/sessions/desk/k", json={"content": "hi"}, headers=late)).text)
        assert found[-1].event == "reply", "what was taken is told, whatever was asked for"
        plain = await client.post(
            "/sessions/desk/k", json={"content": "x", "id": "p"}, headers={"last-event-id": "abc"}
        )
        assert plain.status_code == 200, "it says something to who wants events only"

    served(main)


def test_a_start_says_where_it_is_told_on() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        first = await client.post("/workflows/sale", json="lamp", headers=EVENTS)
        assert first.headers["location"].startswith("/results/sale-") and "idempotent-replay" not in first.headers
        headers = {**EVENTS, "last-event-id": blocks(first.text)[0].id}
        rest = await client.get(first.headers["location"], headers=headers)
        assert kinds(blocks(rest.text)) == kinds(blocks(first.text)[1:])
        assert len(await runtime.list()) == 1
        await client.post("/workflows/sale?id=once", json="lamp", headers=EVENTS)
        again = await client.post("/workflows/sale?id=once", json="lamp", headers=EVENTS)
        assert again.headers["idempotent-replay"] == "true" and blocks(again.text)[-1].event == "end"

    served(main)


def test_a_message_is_told_of_itself_alone() -> None:
    async def main(client: httpx.AsyncClient, _: Runtime) -> None:
        ids: list[str] = []
        for id in ("m1", "m2"):
            answer = await client.post("/sessions/desk/k", json={"content": "hi", "id": id}, headers=EVENTS)
            ids += [block.id for block in blocks(answer.text)]
        for id in ids:
            for message in ("m1", "m2"):
                place = f"/messages/desk/k?id={message}"
                answer = await client.get(place, headers={**EVENTS, "last-event-id": id})
                assert answer.status_code in (200, 204)
                if answer.status_code == 200:
                    assert blocks(answer.text)[-1].data["message"] == message
        answer = await client.get("/messages/desk/k?id=never", headers={**EVENTS, "last-event-id": "1.0"})
        assert answer.status_code == 404

    served(main)


def test_a_token_is_needed_as_ever() -> None:
    async def main(client: httpx.AsyncClient, runtime: Runtime) -> None:
        transport = httpx.ASGITransport(cast("Any", create_app(runtime, token="0123456789abcdef")))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as outside:
            assert (await outside.get("/stream/desk/k", headers=EVENTS)).status_code == 401
            place = "/stream/nobody?access_token=0123456789abcdef"
            assert (await outside.get(place, headers=EVENTS)).status_code == 404

    served(main)
