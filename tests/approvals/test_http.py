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


@tool(approval="desk")
async def refund(order: str, amount: int) -> str:
    """Refund an order."""
    return f"{amount} for {order}"


@workflow
async def refunds(ctx: Context, input: list[int]) -> list[str]:
    return [await ctx.step(refund, "o-1", amount=amount) for amount in input]


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
        async with Runtime([payout, refunds, other], "memory://") as runtime:
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


def test_a_standing_approval_is_given_listed_and_revoked() -> None:
    async def work(client: Client, runtime: Runtime) -> None:
        await client.post("/workflows/refunds?id=r-1&by=ana", json=[60, 60, 61, 60])
        await until(client, "/approvals/r-1", bool)
        decision: dict[str, Any] = {"approved": True, "by": "ben"}
        for wrong in ({"lasts": "soon"}, {"lasts": "1d", "up_to": {"amount": "much"}}, {"lasts": "1d", "more": 1}, 5):
            told = await client.post("/decide/r-1", json=decision | {"standing": wrong})
            assert told.status_code in (400, 422), told.text
        assert (await client.get("/standing")).json() == {"standing": [], "more": 0}
        standing = {"lasts": "session", "exactly": True}
        assert (await client.post("/decide/r-1", json=decision | {"standing": standing})).status_code == 202
        await until(client, "/approvals/r-1", lambda found: [one["data"]["amount"] for one in found] == [61])
        (one,) = (await client.get("/standing/r-1")).json()["standing"]
        assert (one["execution"], one["function"], one["by"], "until" in one) == ("r-1", "refunds", "ben", False)
        assert (await client.get("/standing?role=desk&function=refunds")).json()["standing"] == [one]
        assert (await client.get("/standing?role=boss")).json()["standing"] == []
        assert (await client.get("/standing?role=")).status_code == 400
        revocation = {"standing": one["id"], "by": "cleo"}
        assert (await client.post("/revoke/r-1", json=revocation | {"by": ""})).status_code in (409, 422)
        assert (await client.post("/revoke/r-1", json=revocation)).status_code == 202
        assert (await client.get("/standing/r-1")).json()["standing"] == []
        assert (await client.post("/revoke/r-1", json=revocation)).status_code == 409
        assert (await client.post("/decide/r-1", json=decision)).status_code == 202
        await until(client, "/approvals/r-1", lambda found: [one["data"]["amount"] for one in found] == [60])

    over_http(work)
