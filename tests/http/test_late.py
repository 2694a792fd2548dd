"""Replies that come after their request was answered: durable before the 202, sent once the outcome is there, by
whichever process, and nobody else's to ask for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from overwinter import Agent, Context, workflow
from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import parse, write_binary
from overwinter.functions.http.app import create_app
from overwinter.functions.http.events import reply_of
from overwinter.functions.http.late import NAME, Late, from_environment
from overwinter.functions.models.scripted import Scripted
from overwinter.functions.runtime import Runtime
from overwinter.state.errors import InvalidInput, StoreUnavailable

from .conftest import Shop

ASKED = {"prefer": "reply, wait=0"}
TOKEN, DELIVERY = "a-secret-of-some-length", "another-secret-of-some-length"
slow = Agent("slow", Scripted({".*": "late"}, "late", delay="150ms"))


@workflow
async def parcel(ctx: Context, input: str) -> str:
    if await ctx.wait_for("parcel.arrived") == "broken":
        raise ValueError("it was broken")
    return f"{input} arrived"


class Sink(HTTPServer):
    """A Broker's ingress. It answers with the next of ``statuses``, 202 when there is none."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[CloudEvent] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/shop/desk"

    async def events(self, count: int) -> list[CloudEvent]:
        while len(self.taken) < count:  # noqa: ASYNC110  # it stands in a thread of its own
            await asyncio.sleep(0.01)
        return self.taken


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        sink = cast("Sink", self.server)
        body = self.rfile.read(int(self.headers["content-length"]))
        sink.taken.append(parse([(name, value) for name, value in self.headers.items()], body))
        self.send_response(sink.statuses.pop(0) if sink.statuses else 202)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@asynccontextmanager
async def desk(sink: Sink, store: str = "memory://", **options: Any) -> AsyncGenerator[Shop]:
    late = Late(sink.url, reply_of)
    async with Runtime([slow, parcel], store, unnamed=[late.function]) as runtime:
        given: dict[str, Any] = {"token": None, **options}
        app: Any = create_app(runtime, late=late, **given)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            yield Shop(client, runtime)


def called(function: str, data: Any, **more: Any) -> CloudEvent:
    given: dict[str, Any] = {"id": "1", **more}
    return CloudEvent(source="/shop", type=f"io.overwinter.call.{function}", data=data, **given)


async def deliver(shop: Shop, event: CloudEvent, headers: dict[str, str] = ASKED) -> httpx.Response:
    message = write_binary(event)
    return await shop.client.post("/", content=message.body, headers=[*message.headers, *headers.items()])


async def rest(shop: Shop, count: int = 1) -> list[dict[str, Any]]:
    """The executions that owe replies, when all of them have ended."""
    while True:
        listed = (await shop.client.get("/executions", params={"function": NAME})).json()["executions"]
        if len(listed) == count and all(one["status"] in ("completed", "failed") for one in listed):
            return list(listed)
        await asyncio.sleep(0.01)


def run(main: Any) -> None:
    asyncio.run(asyncio.wait_for(main, 40))


def test_a_reply_that_comes_late_goes_to_the_sink_once(sink: Sink) -> None:
    async def main() -> None:
        async with desk(sink) as shop:
            event = called("slow", "hi", subject="c-1", extensions={"correlationid": "x"})
            for _ in range(3):
                answer = await deliver(shop, event)
                assert (answer.status_code, answer.content) == (202, b"")
            (reply,) = await sink.events(1)
            assert (reply.type, reply.subject, reply.data) == ("io.overwinter.result.slow", "slow/c-1", "late")
            assert (reply.causationid, reply.correlationid) == ("1", "x")
            await rest(shop)
            for headers in (ASKED, {"prefer": "reply"}):
                assert (await deliver(shop, event, headers)).status_code == 202  # it went to the sink already
            assert len(sink.taken) == 1
            assert reply.id == reply_of(event, _taken(), {"status": "completed", "result": 1}).id

    run(main())


def _taken() -> Any:
    from overwinter.functions.events.intake import Fate, Taken

    return Taken(Fate.ACCEPTED, "slow", "slow/c-1", "m")


def test_what_is_answered_in_time_is_not_owed(sink: Sink) -> None:
    async def main() -> None:
        async with desk(sink) as shop:
            assert (await deliver(shop, called("slow", "hi", subject="c-1"), {"prefer": "reply"})).status_code == 200
            assert (await deliver(shop, called("slow", "hi", subject="c-2", id="2"), {})).status_code == 202
            assert (await shop.client.get("/executions", params={"function": NAME})).json()["executions"] == []

    run(main())


@pytest.mark.parametrize(("said", "type"), [("whole", "result"), ("broken", "error")])
def test_another_process_sends_what_this_one_owed(sink: Sink, tmp_path: Path, said: str, type: str) -> None:
    store = f"sqlite:///{tmp_path}/shop.db"

    async def main() -> None:
        async with desk(sink, store) as shop:
            assert (await deliver(shop, called("parcel", "a book", subject="p-1"))).status_code == 202
        async with desk(sink, store) as shop:
            assert sink.taken == []
            await shop.client.post("/signal/p-1", json={"name": "parcel.arrived", "data": said})
            (reply,) = await sink.events(1)
            assert (reply.type, reply.subject) == (f"io.overwinter.{type}.parcel", "p-1")
            await rest(shop)

    run(main())
    assert len(sink.taken) == 1


def test_a_sink_that_is_away_is_tried_again_with_the_same_event(sink: Sink) -> None:
    sink.statuses = [503, 429]

    async def main() -> None:
        async with desk(sink) as shop:
            await deliver(shop, called("slow", "hi"))
            first, second, third = await sink.events(3)
            assert first.id == second.id == third.id and first == third
            assert [one["status"] for one in await rest(shop)] == ["completed"]

    run(main())


def test_a_sink_that_refuses_is_seen(sink: Sink) -> None:
    sink.statuses = [400]

    async def main() -> None:
        async with desk(sink) as shop:
            await deliver(shop, called("slow", "hi"))
            assert [one["status"] for one in await rest(shop)] == ["failed"]

    run(main())
    assert len(sink.taken) == 1


def test_nothing_is_acknowledged_before_the_reply_is_owed(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with desk(sink) as shop:
            post = shop.runtime.engine.post

            async def faulty(id: str, *args: Any, **more: Any) -> Any:
                if id.startswith("reply-"):
                    raise StoreUnavailable("away")
                return await post(id, *args, **more)

            monkeypatch.setattr(shop.runtime.engine, "post", faulty)
            assert (await deliver(shop, called("slow", "hi"))).status_code == 503
            monkeypatch.undo()
            assert (await deliver(shop, called("slow", "hi"))).status_code in (200, 202)

    run(main())


def test_nobody_can_ask_for_what_is_owed_to_others(sink: Sink) -> None:
    async def main() -> None:
        async with desk(sink, token=TOKEN, delivery_token=DELIVERY) as shop:
            owed = {"event": {}, "function": "slow", "execution": "slow/c", "message": "m"}
            for token in (TOKEN, DELIVERY):
                shop.client.headers["authorization"] = f"Bearer {token}"
                assert (await deliver(shop, called(NAME, owed))).status_code == 204
                event = write_binary(called("slow", owed))
                answer = await shop.client.post(f"/events/{NAME}", content=event.body, headers=event.headers)
                assert answer.status_code == 404
            shop.client.headers["authorization"] = f"Bearer {TOKEN}"
            assert (await shop.client.post(f"/workflows/{NAME}", json=owed)).status_code == 404
            for path in ("/functions", "/openapi.json"):
                assert NAME not in (await shop.client.get(path)).text
            assert (await shop.client.get("/executions")).json()["executions"] == []

    run(main())
    assert sink.taken == []


def test_the_sink_is_what_the_platform_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("K_SINK", raising=False)
    assert from_environment(reply_of) is None
    monkeypatch.setenv("K_SINK", "http://broker.svc/shop/desk")
    assert from_environment(reply_of) is not None
    monkeypatch.setenv("K_SINK", "broker")
    with pytest.raises(InvalidInput, match="K_SINK"):
        from_environment(reply_of)
