"""Who decides over HTTP: listed by what is asked of whom, decided with other arguments, delegated, or refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import httpx
import pytest

from overwinter import Approval, Context, Runtime, tool, workflow
from overwinter.functions.http.app import create_app


@tool(approval=Approval("desk", by=2))
async def transfer(order: str, amount: int) -> str:
    """Move money."""
    return f"{amount} for {order}"


@workflow
async def payout(ctx: Context, input: int) -> str:
    return await ctx.step(transfer, "o-1", amount=input)


@workflow
async def other(ctx: Context) -> str:
    await ctx.approve("sell", role="owner")
    return "sold"


Client = httpx.AsyncClient


async def until(client: Client, path: str, fits: Callable[[list[Any]], bool]) -> list[Any]:
    """The approvals that are listed, once they are what is waited for."""
    while True:
        found: list[Any] = (await client.get(path)).json()["approvals"]
        if fits(found):
            return found
        await asyncio.sleep(0.01)


def over_http(work: Callable[[Client, Runtime], Awaitable[None]]) -> None:
    async def main() -> None:
        async with Runtime([payout, other], "memory://") as runtime:
            transport = httpx.ASGITransport(cast("Any", create_app(runtime, token=None)))
            async with Client(transport=transport, base_url="http://localhost") as client:
                await client.post("/workflows/payout?id=p-1&by=ana", json=60)
                await client.post("/workflows/other?id=o-1")
                await until(client, "/approvals", lambda found: len(found) == 2)
                await work(client, runtime)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("role=desk", ["p-1"]),
        ("function=other", ["o-1"]),
        ("older=1h", []),
        ("approver=dora", []),
        ("role=owner&function=payout", []),
    ],
)
def test_all_approvals_are_listed_by_what_is_asked_of_whom(query: str, found: list[str]) -> None:
    async def work(client: Client, runtime: Runtime) -> None:
        listed = (await client.get(f"/approvals?{query}")).json()
        assert [one["execution"] for one in listed["approvals"]] == found and listed["more"] == 0
        assert (await client.get("/approvals?older=soon")).status_code == 400
        assert (await client.get("/approvals?role=")).status_code == 400

    over_http(work)


def test_arguments_are_edited_and_the_question_is_given_to_somebody_else() -> None:
    async def work(client: Client, runtime: Runtime) -> None:
        given = await client.post("/delegate/p-1", json={"by": "ben", "to": "dora", "reason": "holiday"})
        assert given.status_code == 202
        (one,) = await until(client, "/approvals?approver=dora", bool)
        edited = {"order": "o-1", "amount": 5}
        body = {"approved": True, "by": "dora", "digest": one["digest"], "arguments": edited}
        assert (await client.post("/decide/p-1", json=body)).status_code == 202
        (now,) = await until(client, "/approvals/p-1", lambda found: "votes" in found[0])
        assert (now["data"], now["original"]["amount"], now["edited"]) == (edited, 60, "dora")
        await client.post("/delegate/p-1", json={"by": "dora", "role": "head"})
        await until(client, "/approvals/p-1", lambda found: found[0]["role"] == "head")
        assert (await client.post("/decide/p-1", json={"approved": True, "by": "cleo"})).status_code == 202
        assert await runtime.result("p-1") == "5 for o-1"

    over_http(work)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"by": "ana"}, "ana has asked for it"),
        ({"by": ""}, "who decides"),
        ({"by": "ben", "role": "boss"}, "'boss' does not decide it"),
        ({"by": "ben", "digest": "sha256:0"}, "read it again"),
        ({"by": "ben", "arguments": {"order": "o-1"}}, "amount"),
        ({"by": "ben", "arguments": {"order": "o-1", "amount": 5, "more": 1}}, "more"),
    ],
)
def test_what_counts_for_nothing_is_a_problem_that_says_why(body: Any, why: str) -> None:
    async def work(client: Client, runtime: Runtime) -> None:
        told = await client.post("/decide/p-1", json={"approved": True, **body})
        assert told.status_code in (409, 422) and why in told.json()["detail"], told.text
        assert told.headers["content-type"] == "application/problem+json"
        assert "votes" not in (await client.get("/approvals/p-1")).json()["approvals"][0]

    over_http(work)
