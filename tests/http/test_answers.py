"""What an answer says is what happened, in the corners: validators that raise anything, events that come again, texts
that are empty, values that no token is to blame for, batches of what is known not to fit."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

import httpx
import pytest
from pydantic import AfterValidator, BaseModel, GetJsonSchemaHandler

from overwinter import Agent, tool, workflow
from overwinter.functions.http.app import create_app
from overwinter.functions.runtime import Runtime
from overwinter.state.memory import MemoryStore
from overwinter.state.records import FINAL

BATCH = {"content-type": "application/cloudevents-batch+json"}
EVENT = {"content-type": "application/cloudevents+json"}


class OwnBase(BaseException):
    """As extensions in Rust raise."""


RAISED: dict[str, type[BaseException]] = {
    "key": KeyError, "os": OSError, "stop": StopIteration, "exit": SystemExit, "base": OwnBase, "runtime": RuntimeError,
}  # fmt: skip


def raising(given: str) -> str:
    if given in RAISED:
        raise RAISED[given](given)
    return given


class Odd(BaseModel):
    """A type whose schema can't be shown."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> Any:
        raise OwnBase


Checked = Annotated[str, AfterValidator(raising)]


@workflow
async def flow(ctx: Any, given: Checked) -> str:
    return given


@tool
def work(given: Checked) -> str:
    """Work."""
    return given


@workflow
async def odd(ctx: Any, given: Odd) -> None: ...


@workflow
async def bids(ctx: Any) -> list[Any]:
    first = await ctx.wait_for("go", type=int)
    return [first, await ctx.wait_for("go", type=str)]


@workflow
async def called(ctx: Any) -> Any:
    callback = ctx.callback("c", type=float)
    TOKENS.append(callback.token)
    return await callback


@workflow
async def asks(ctx: Any) -> bool:
    return bool(await ctx.approve("pay"))


TOKENS: list[str] = []
talker = Agent("talker", "scripted:echo", input=Checked)


@asynccontextmanager
async def served(*functions: object) -> AsyncGenerator[tuple[Runtime, httpx.AsyncClient]]:
    async with Runtime(functions, MemoryStore()) as runtime:
        app = cast("Any", create_app(runtime, token=None))  # httpx types ASGI with plain dicts
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
            yield runtime, client


def with_client(main: Callable[[Runtime, httpx.AsyncClient], Awaitable[None]], *functions: object) -> None:
    async def run() -> None:
        async with served(*functions) as (runtime, client):
            await main(runtime, client)

    asyncio.run(run())


async def rests(runtime: Runtime, id: str) -> None:
    """Until the execution waits for something and nothing of it is under way."""
    async with asyncio.timeout(20):
        while (head := await runtime.store.head(id)) is None or head.status != "waiting" or runtime.engine.active:  # noqa: ASYNC110  # no event tells
            await asyncio.sleep(0.005)


def event(type: str, data: Any, id: str, subject: str | None = None) -> dict[str, Any]:
    made = {"specversion": "1.0", "source": "/s", "type": type, "id": id, "data": data}
    return made | ({} if subject is None else {"subject": subject})


async def sends(client: httpx.AsyncClient, *events: dict[str, Any]) -> httpx.Response:
    if len(events) == 1:
        return await client.post("/", content=json.dumps(events[0]), headers=EVENT)
    return await client.post("/", content=json.dumps(events), headers=BATCH)


@pytest.mark.parametrize("given", RAISED)
def test_what_a_validator_raises_is_a_wrong_value_at_every_way_in(given: str) -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        answers = [
            await client.post("/workflows/flow", json=given),
            await client.post("/agents/talker", json=given),
            await client.post("/sessions/talker/s", json={"content": given}),
            await sends(client, event("io.overwinter.call.flow", given, "1")),
            await sends(client, event("io.overwinter.call.talker", given, "2", "s")),
            await sends(client, event("io.overwinter.call.flow", given, "3"), event("x", 1, "4")),
            await sends(client, event("io.overwinter.call.work", {"given": given}, "5"), event("x", 1, "6")),
        ]
        for answer in answers:
            assert answer.status_code == 422, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        assert not (await runtime.store.executions()).heads

    with_client(main, flow, talker, work)


@pytest.mark.parametrize("path", ["/functions", "/openapi.json"])
def test_every_answer_is_a_problem_document_whatever_was_raised(path: str) -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        answer = await client.get(path)
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json" and "OwnBase" in answer.json()["detail"]

    with_client(main, odd)


def test_a_batch_whose_signal_is_known_not_to_fit_is_refused_whole() -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        start = event("io.overwinter.call.bids", None, "s", "x6")
        await client.post("/workflows/bids?id=x5")
        await rests(runtime, "x5")
        answer = await sends(client, start, event("go", "str", "1", "x5"), event("go", 7, "2", "x5"))
        assert answer.status_code == 422 and "event 1 of the batch" in answer.json()["detail"]
        assert await runtime.store.head("x6") is None
        # what comes first decides what the next is for
        assert (await sends(client, start, event("go", 7, "3", "x5"), event("go", "str", "4", "x5"))).status_code == 202
        assert await runtime.result("x5", 20) == [7, "str"]

    with_client(main, bids)


def test_a_batch_whose_completion_is_known_not_to_fit_is_refused_whole() -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        TOKENS.clear()
        await client.post("/workflows/called?id=c")
        await rests(runtime, "c")
        completion = event("io.overwinter.callback", {"token": TOKENS[0], "value": "no number"}, "1")
        start = event("io.overwinter.call.called", None, "s", "d")
        assert (await sends(client, start, completion)).status_code == 422
        assert await runtime.store.head("d") is None

    with_client(main, called)


@pytest.mark.parametrize("value", ["1e400", "-1e400"])
def test_a_value_that_can_not_be_one_is_not_the_fault_of_the_token(value: str) -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        TOKENS.clear()
        await client.post("/workflows/called?id=c")
        await rests(runtime, "c")
        headers = {"content-type": "application/json"}
        answer = await client.post(f"/complete/{TOKENS[0]}", content=value, headers=headers)
        assert answer.status_code == 422, answer.text
        assert (await client.post(f"/complete/{TOKENS[0]}x", content="1", headers=headers)).status_code == 404

    with_client(main, called)


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("kind", ["decide", "cancel", "callback", "heartbeat", "go", "call.asks"])
def test_an_event_that_was_taken_is_taken_when_it_comes_again(kind: str, ended: bool) -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        TOKENS.clear()
        name = {"callback": "called", "heartbeat": "called", "go": "bids"}.get(kind, "asks")
        await client.post(f"/workflows/{name}?id=x")
        await rests(runtime, "x")
        data: dict[str, Any] = {
            "decide": {"approved": True}, "go": 7, "callback": {"token": "".join(TOKENS), "value": 1},
            "heartbeat": {"token": "".join(TOKENS)},
        }  # fmt: skip
        sent = event(
            kind if kind == "go" else f"io.overwinter.{kind}",
            data.get(kind),
            "1",
            None if "token" in str(data.get(kind)) else "x",
        )
        assert (await sends(client, sent)).status_code == 202
        if ended:
            if kind in ("heartbeat", "go", "call.asks"):
                await runtime.terminate("x")
            async with asyncio.timeout(20):
                while (await runtime.show("x")).status not in FINAL:  # noqa: ASYNC110  # no event tells
                    await asyncio.sleep(0.005)
        assert (await sends(client, sent)).status_code == 202
        assert (await sends(client, sent, event("nobody", 1, "n"))).status_code == 202
        other = {**sent, "id": "2"}
        if kind in ("decide", "cancel") and ended:
            assert (await sends(client, other)).status_code == 204  # new, and nobody wants it
        assert (await client.get("/stats")).json()["unwanted"] == 1 + (kind in ("decide", "cancel") and ended)

    with_client(main, asks, called, bids)


def test_a_decision_that_comes_again_before_it_was_taken_up_was_taken() -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        await client.post("/workflows/asks?id=x")
        await rests(runtime, "x")
        real, lost = runtime._post, []

        async def elsewhere(id: str, mail: Any, *, reopen: bool = False) -> Any:
            lost.append(id)
            return await runtime.store.accept(id, mail, now=runtime.clock(), reopen=reopen)

        runtime._post = elsewhere  # type: ignore[method-assign]  # nobody takes it up
        sent = event("io.overwinter.decide", {"approved": True}, "1", "x")
        assert [(await sends(client, one)).status_code for one in (sent, sent, {**sent, "id": "2"})] == [202, 202, 204]
        assert await runtime.approvals("x") == []
        assert lost == ["x"]
        runtime._post = real  # type: ignore[method-assign]

    with_client(main, asks)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/decide/x", {"approved": True, "digest": ""}),
        ("/decide/x", {"approved": True, "op": ""}),
        ("/signal/x", {"name": "go", "id": ""}),
        ("/bulk/signal", {"name": "go", "id": "", "all": True}),
        ("/bulk/cancel", {"where": {"prefix": ""}, "all": True}),
        ("/sessions/talker/s", {"content": "hi", "id": ""}),
        ("/workflows/asks?id=", None),
    ],
)
def test_what_is_sent_empty_is_refused_and_does_not_mean_none(path: str, body: Any) -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        await client.post("/workflows/asks?id=x")
        await rests(runtime, "x")
        assert (await client.post(path, json=body)).status_code == 422
        assert len(await runtime.approvals("x")) == 1

    with_client(main, asks, talker)


def test_the_numbers_are_there_from_the_beginning() -> None:
    async def main(runtime: Runtime, client: httpx.AsyncClient) -> None:
        found = (await client.get("/stats")).json()
        assert {name: found[name] for name in ("events", "unwanted", "refused", "server errors")} == dict.fromkeys(
            ("events", "unwanted", "refused", "server errors"), 0
        )

    with_client(main, asks)
