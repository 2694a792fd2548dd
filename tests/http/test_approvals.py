"""Approvals and callbacks over HTTP and by event: decided once, by exactly what was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_structured
from overwinter.functions.http.app import create_app
from overwinter.functions.messages.models import Waiting
from overwinter.functions.runtime import Runtime
from overwinter.functions.workflow import workflow
from overwinter.orchestrator.governance import tokens

from .conftest import Shop, asked_over

Run = Callable[..., None]


@workflow
async def payout(ctx: Any, input: str) -> str:
    await ctx.approve(f"pay {input}", role="cashier")
    return f"paid {input}"


@workflow
async def outside(ctx: Any) -> Any:
    callback = ctx.callback()
    ctx.status(callback.token)
    return await callback


async def settled(client: httpx.AsyncClient, id: str) -> Any:
    return (await client.get(f"/results/{id}", headers={"prefer": "wait=5"})).json()


async def posted(client: httpx.AsyncClient, type: str, data: Any, subject: str | None = None) -> int:
    message = write_structured(CloudEvent(source="/test", type=type, data=data, subject=subject))
    return (await client.post("/", content=message.body, headers=message.headers)).status_code


@pytest.mark.parametrize("by_event", [False, True])
def test_an_approval_is_seen_and_decided_once(by_event: bool) -> None:
    async def main() -> None:
        async with Runtime([payout], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))  # as in conftest
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                await client.post("/workflows/payout?id=p1", json="5")
                waiting: list[Any] = []
                while not waiting:
                    await asyncio.sleep(0.01)
                    waiting = (await client.get("/approvals/p1")).json()["approvals"]
                wrong = await client.post("/decide/p1", json={"approved": True, "digest": "other"})
                assert wrong.status_code == 409
                decision = {"approved": True, "op": waiting[0]["op"], "digest": waiting[0]["digest"]}
                unsaid = {**decision, "arguments": None}  # whoever meant others must not have these approved
                if by_event:
                    assert await posted(client, "io.overwinter.decide", unsaid, "p1") == 422
                else:
                    refused = await client.post("/decide/p1", json=unsaid)
                    assert refused.status_code == 422 and "leave the field out" in refused.text
                assert (await client.get("/approvals/p1")).json()["approvals"] == waiting
                if by_event:
                    assert await posted(client, "io.overwinter.decide", decision, "p1") == 202
                else:
                    assert (await client.post("/decide/p1", json=decision)).status_code == 202
                assert (await settled(client, "p1"))["result"] == "paid 5"
                assert (await client.post("/decide/p1", json=decision)).status_code == 409
                assert await posted(client, "io.overwinter.decide", decision, "p1") == 204

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("by_event", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_a_callback_is_completed_from_outside(by_event: bool, fails: bool) -> None:
    async def main() -> None:
        async with Runtime([outside], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))  # as in conftest
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                await client.post("/workflows/outside?id=o/1")
                token = ""
                while not token:
                    await asyncio.sleep(0.01)
                    token = (await client.get("/executions/o/1")).json()["note"]
                wrong = tokens.make(*tokens.parse(token)._replace(secret="0" * 32))
                for path, body in (("complete", 7), ("fail", {"message": "no"}), ("heartbeat", None)):
                    assert (await client.post(f"/{path}/{wrong}", json=body)).status_code == 404
                assert await posted(client, "io.overwinter.heartbeat", {"token": wrong}) == 422
                assert await posted(client, "io.overwinter.callback", {"token": wrong, "value": 8}) == 422
                if by_event:
                    assert await posted(client, "io.overwinter.heartbeat", {"token": token}) == 202
                    data = {"token": token, **({"error": "no"} if fails else {"value": 7})}
                    assert await posted(client, "io.overwinter.callback", data) == 202
                else:
                    assert (await client.post(f"/heartbeat/{token}")).status_code == 202
                    path, body = ("fail", {"message": "no"}) if fails else ("complete", 7)
                    assert (await client.post(f"/{path}/{token}", json=body)).status_code == 202
                end = await settled(client, "o/1")
                assert end["status"] == ("failed" if fails else "completed")
                assert "no" in end["error"]["message"] if fails else end["result"] == 7
                assert (await client.post(f"/complete/{token}", json=9)).status_code == 202  # it had been completed
                assert (await client.post(f"/complete/{wrong}", json=9)).status_code == 404

    asyncio.run(asyncio.wait_for(main(), 60))


async def asks(shop: Shop, id: str) -> None:
    """Wait until it does."""
    while "approval" not in (await shop.runtime.show(id)).awaits:  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.005)


def test_those_of_all_executions_come_by_pages_oldest_executions_first() -> None:
    async def main(shop: Shop) -> None:
        for number in range(7):
            await shop.runtime.start(payout, f"{number} to Äl", id=f"p{number}")
            await asks(shop, f"p{number}")
            await shop.runtime.start(outside, id=f"o{number}")  # waits for something else

        async def read(limit: int, **more: Any) -> tuple[list[str], int]:
            found, pages, cursor = list[str](), 0, dict[str, str]()
            while True:
                answer = await shop.client.get("/approvals", params={"limit": limit, **more, **cursor})
                assert answer.status_code == 200, answer.text
                page = answer.json()
                assert Waiting.model_validate(page).more == 0
                found += [one["execution"] for one in page["approvals"]]
                pages += 1
                if page["cursor"] is None:
                    return found, pages
                cursor = {"cursor": page["cursor"]}

        everything = [f"p{number}" for number in range(7)]
        assert await read(3) == (everything, 3)
        assert await read(200, role="cashier") == (everything, 1) and (await read(200, role="nobody"))[0] == []
        assert (await read(2, text="PAY 5 äl"))[0] == ["p5"] and (await read(2, text="p3"))[0] == ["p3"]
        await shop.runtime.approve("p0", by="ana")
        assert (await read(3))[0] == everything[1:]
        for wrong in ("limit=0", "limit=201", "limit=3&cursor=x", "cursor=x", "text=a", "limit=3&text="):
            assert (await shop.client.get(f"/approvals?{wrong}")).status_code == 400, wrong

    asked_over(main, [payout, outside])


def test_a_page_ends_where_its_bytes_do_and_goes_on_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overwinter.functions.http.paging.PAGE_BYTES", 700)

    @workflow
    async def two(ctx: Any, input: str) -> None:
        await asyncio.gather(ctx.approve("a", data="x" * 400), ctx.approve("b", data="y" * 400))

    async def main(shop: Shop) -> None:
        for number in range(3):
            await shop.runtime.start(payout, "5", id=f"p{number}")
        await shop.runtime.start(two, "5", id="t")
        for id in ("p0", "p1", "p2", "t"):
            await asks(shop, id)
        told, left = list[str](), list[int]()
        cursor: str | None = ""
        while cursor is not None:
            page = (await shop.client.get(f"/approvals?limit=10{cursor}")).json()
            told += [one["execution"] for one in page["approvals"]]
            left.append(page["more"])
            cursor = None if page["cursor"] is None else f"&cursor={page['cursor']}"
        assert told == ["p0", "p1", "p2", "t"] and sum(left) == 1 and len(left) > 1  # one of two of t is not told

    asked_over(main, [payout, two])
