"""Ten that ask for the same at once: what is answered is what happened, to each of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_binary
from overwinter.functions.workflow import workflow

from .conftest import Shop, asked_over

attempts: Counter[str] = Counter()


@workflow
async def failing(ctx: Any, input: str) -> None:
    """Fails each time."""
    attempts[ctx.execution] += 1
    raise ValueError("not yet")


@workflow
async def asking(ctx: Any, input: str) -> bool:
    """Whether it was approved."""
    await ctx.approve("go on")
    return True


async def asked_for(shop: Shop, id: str) -> None:
    while not (await shop.client.get(f"/approvals/{id}")).json()["approvals"]:  # noqa: ASYNC110  # nothing tells of it
        await asyncio.sleep(0.01)


async def ended(shop: Shop, id: str) -> dict[str, Any]:
    answer = await shop.client.get(f"/results/{id}", headers={"prefer": "wait=20"})
    found: dict[str, Any] = answer.json()
    return found


def test_a_failure_is_retried_once_and_one_is_told_so() -> None:
    async def main(shop: Shop) -> None:
        attempts.clear()
        await shop.client.post("/workflows/failing?id=f", json="x")
        await ended(shop, "f")
        for round in range(2, 4):
            answers = await asyncio.gather(*(shop.client.post("/retry/f") for _ in range(10)))
            assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 9}
            assert (await ended(shop, "f"))["status"] == "failed"
            assert attempts["f"] == round
        counts = await asyncio.gather(*(shop.client.post("/bulk/retry", json={"all": True}) for _ in range(10)))
        assert sum(answer.json()["count"] for answer in counts) == 1
        await ended(shop, "f")
        entries = (await shop.client.get("/history/f")).json()["entries"]
        assert [entry["type"] for entry in entries].count("retry") == 3 and attempts["f"] == 4

    asked_over(main, [failing])


def test_an_approval_is_decided_once_and_one_is_told_so() -> None:
    async def main(shop: Shop) -> None:
        for number in range(5):
            id = f"a-{number}"
            await shop.client.post(f"/workflows/asking?id={id}", json="x")
            await asked_for(shop, id)
            asked = [shop.client.post(f"/decide/{id}", json={"approved": turn % 2 == 0}) for turn in range(10)]
            answers = await asyncio.gather(*asked)
            taken = [turn for turn, answer in enumerate(answers) if answer.status_code == 202]
            assert len(taken) == 1 and {answer.status_code for answer in answers} == {202, 409}
            assert ((await ended(shop, id))["status"] == "completed") is (taken[0] % 2 == 0)

    asked_over(main, [asking])


def test_a_decision_that_comes_as_an_event_is_unwanted_when_another_came_first() -> None:
    async def main(shop: Shop) -> None:
        await shop.client.post("/workflows/asking?id=a", json="x")
        await asked_for(shop, "a")

        async def decide(number: int) -> int:
            made = CloudEvent(
                id=str(number), source="/s", type="io.overwinter.decide", subject="a", data={"approved": True}
            )
            message = write_binary(made)
            answer = await shop.client.post("/", content=message.body, headers=message.headers)
            return answer.status_code

        assert Counter(await asyncio.gather(*map(decide, range(10)))) == {202: 1, 204: 9}

    asked_over(main, [asking])
