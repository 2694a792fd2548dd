"""Finding executions: what each filter finds, pages that end at a bound and go on, and what an action would touch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from overwinter import Agent, Context, workflow
from overwinter.orchestrator import searching
from overwinter.orchestrator.searching import Sought, search, words_of
from overwinter.state.records import Filter

from .conftest import Main, Shop, asked_over

Run = Callable[..., None]


@workflow
async def parcel(ctx: Context, input: str) -> str:
    """Waits with a note."""
    ctx.status(f"the Parcel of {input}")
    return str(await ctx.wait_for("customer.reply"))


@workflow
async def broken(ctx: Context, input: str) -> str:
    """Fails."""
    raise ValueError(input)


def asked(main: Main) -> None:
    asked_over(main, [parcel, broken, Agent("echo", "scripted:echo")])


async def begin(shop: Shop) -> None:
    for name in ("ann", "bob", "Eve"):
        await shop.runtime.start(parcel, name, id=f"p-{name}")
    await shop.client.post("/workflows/broken?id=b-1", json="no", headers={"prefer": "wait=10"})
    for session in ("ann/1", "ann/2", "bob/1"):
        await shop.client.post(f"/sessions/echo/{session}", json={"content": "hi"})
    async with asyncio.timeout(20):
        while (await shop.client.get("/counts")).json().get("waiting", 0) < 3:  # noqa: ASYNC110  # they come to rest by themselves
            await asyncio.sleep(0.01)


async def ids(shop: Shop, **query: Any) -> list[str]:
    answer = await shop.client.get("/executions", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.json()["scanned"] >= len(answer.json()["executions"])
    return sorted(one["id"] for one in answer.json()["executions"])


def test_what_each_filter_finds() -> None:
    async def main(shop: Shop) -> None:
        await begin(shop)
        everything = await ids(shop)
        assert len(everything) == 7
        assert await ids(shop, kind="workflow") == ["b-1", "p-Eve", "p-ann", "p-bob"]
        assert await ids(shop, kind="agent") == ["echo/ann/1", "echo/ann/2", "echo/bob/1"]
        assert await ids(shop, session="ann/") == ["echo/ann/1", "echo/ann/2"]
        assert await ids(shop, text="PARCEL p-EVE") == ["p-Eve"]
        assert await ids(shop, text="customer.reply") == ["p-Eve", "p-ann", "p-bob"]
        assert await ids(shop, text="echo BOB") == ["echo/bob/1"]
        assert await ids(shop, text="parcel", status="failed") == []
        assert await ids(shop, status="failed", text="b-") == ["b-1"]
        made = (await shop.client.get("/executions/p-bob")).json()["created"]
        assert "p-bob" in await ids(shop, since=made) and "p-bob" not in await ids(shop, before=made)
        assert sorted(await ids(shop, since=made) + await ids(shop, before=made)) == everything
        assert await ids(shop, since=made, before=made) == []
        assert await ids(shop, cost="0") == ["echo/ann/1", "echo/ann/2", "echo/bob/1"]
        assert await ids(shop, cost="0.0001") == []

    asked(main)


def test_the_oldest_come_first_when_that_is_asked_and_other_orders_are_refused_with_the_reason() -> None:
    async def main(shop: Shop) -> None:
        await begin(shop)
        newest = (await shop.client.get("/executions?order=newest")).json()["executions"]
        assert newest == (await shop.client.get("/executions")).json()["executions"]
        for more in ("", "&text=p-", "&status=waiting", "&kind=agent&cost=0"):
            wanted = [one["id"] for one in (await shop.client.get(f"/executions?limit=50{more}")).json()["executions"]]
            found: list[str] = []
            cursor: str | None = ""
            while cursor is not None:
                page = (await shop.client.get(f"/executions?order=oldest&limit=2{more}{cursor}")).json()
                found += [one["id"] for one in page["executions"]]
                cursor = None if page["cursor"] is None else f"&cursor={page['cursor']}"
            assert found == wanted[::-1] and len(found) > 2
        for order in ("cost", "updated", "oldest&order=newest"):
            refused = await shop.client.get(f"/executions?order={order}")
            assert refused.status_code == 400
        refused = await shop.client.get("/executions?order=cost")
        assert "newest or oldest" in refused.json()["detail"] and "at every step" in refused.json()["detail"]

    asked(main)


def test_what_an_agent_has_cost_is_told_and_found() -> None:
    async def main(shop: Shop) -> None:
        await begin(shop)
        head = await shop.runtime.show("echo/ann/1")
        assert Sought(cost=Decimal("0")).fits(head)
        state = '{"mode":"","turn":1,"usage":{"iterations":1,"input":10,"output":2,"cost":"0.25"}}'
        dear = head._replace(state=state)
        assert Sought(cost=Decimal("0.25")).fits(dear) and not Sought(cost=Decimal("0.26")).fits(dear)
        beside = state[:-2] + ',"beside":{"cost":"1"}}}'
        assert Sought(cost=Decimal("1.25")).fits(head._replace(state=beside))
        assert not Sought(cost=Decimal("1.26")).fits(head._replace(state=beside))
        strange = ("", "{}", '{"usage":1}', '{"usage":{}}', '"usage"', '{"usage":{"cost":"1.2.3"}}')
        for state in (*strange, '{"usage":{"iterations":1,"cost":"x"}}'):
            assert not Sought(cost=Decimal(0)).fits(head._replace(state=state))
        told = (await shop.client.get("/executions/echo/ann/1")).json()
        assert told["cost"] == "0" and told["tokens"] > 0
        assert (await shop.client.get("/executions/p-ann")).json()["cost"] is None

    asked(main)


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "tool"},
        {"kind": ""},
        {"text": ""},
        {"text": " "},
        {"session": ""},
        {"cost": "-1"},
        {"cost": "1e3"},
        {"cost": "NaN"},
        {"since": "yesterday"},
        {"before": "0"},
        {"cursor": "nonsense"},
        {"words": "x"},
        {"order": ""},
        {"order": "dearest"},
    ],
)
def test_what_means_nothing_is_refused(run: Run, query: dict[str, str]) -> None:
    async def main(shop: Any) -> None:
        assert (await shop.client.get("/executions", params=query)).status_code == 400

    run(main)


@pytest.mark.parametrize(("most", "step"), [(1, 1), (2, 2), (3, 2), (5, 500), (1000, 3)])
def test_pages_end_at_a_bound_and_lose_nothing(monkeypatch: pytest.MonkeyPatch, most: int, step: int) -> None:
    monkeypatch.setattr(searching, "MOST_READ", most)
    monkeypatch.setattr(searching, "FIRST", step)

    async def main(shop: Shop) -> None:
        await begin(shop)
        for limit in (1, 2, 50):
            found: list[str] = []
            cursor: str | None = None
            while True:
                page = await search(shop.runtime, Sought(words=words_of("reply")), cursor, limit)
                assert len(page.heads) <= limit and page.looked <= most + step
                found += [head.id for head in page.heads]
                cursor = page.cursor
                if cursor is None:
                    break
            assert sorted(found) == ["p-Eve", "p-ann", "p-bob"]

    asked(main)


def test_what_an_action_would_touch_is_told_and_nothing_is_touched() -> None:
    async def main(shop: Shop) -> None:
        await begin(shop)

        async def bulk(action: str, **body: Any) -> dict[str, Any]:
            answer = await shop.client.post(f"/bulk/{action}", json=body)
            assert answer.status_code == 200, answer.text
            found: dict[str, Any] = answer.json()
            return found

        told = await bulk("cancel", where={"text": "parcel"}, preview=True)
        assert told["count"] == 3 and told["more"] is False
        assert [one["id"] for one in told["examples"]] == ["p-Eve", "p-bob", "p-ann"]
        assert (await bulk("retry", where={"function": "broken"}, preview=True))["count"] == 1
        assert (await bulk("cancel", where={"function": "broken"}, preview=True))["count"] == 0
        assert (await bulk("signal", name="customer.reply", where={"text": "ann p-"}, preview=True))["count"] == 1
        assert (await bulk("pause", all=True, preview=True))["count"] == 6
        assert (await shop.client.get("/counts")).json() == {"waiting": 3, "failed": 1, "idle": 3}
        assert (await shop.client.post("/bulk/cancel", json={"preview": True})).status_code == 422
        assert await bulk("cancel", where={"text": "parcel p-eve"}) == {"count": 1}
        assert await bulk("signal", name="customer.reply", data="yes", where={"text": "ann", "kind": "workflow"}) == {
            "count": 1
        }
        assert await shop.runtime.result("p-ann", 20) == "yes"
        assert (await shop.runtime.show("p-bob")).status == "waiting"

    asked(main)


def test_a_preview_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "MOST", 2)
    monkeypatch.setattr(searching, "STEP", 1)

    async def main(shop: Shop) -> None:
        await begin(shop)
        found = await searching.preview(shop.runtime, Sought(Filter()), searching.takes("pause"))
        assert found.more and found.many <= 2

    asked(main)
