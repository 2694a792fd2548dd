"""``/dead-letters``: what could not be taken is listed, sent again and dropped."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from overwinter import Context, subscribe, workflow
from overwinter.functions.bus.dead_letters import DeadLetters

from .conftest import asked_over
from .test_api import problem_of


@subscribe(type="order.paid")
@workflow
async def ship(ctx: Context, order: dict[str, str]) -> str:
    return f"shipped {order['id']}"


def test_what_could_not_be_taken_is_listed_and_dropped() -> None:
    async def main(shop: Any) -> None:
        client = shop.client
        assert (await client.get("/dead-letters")).json() == {"dead_letters": [], "more": 0}
        for number in range(3):
            await shop.runtime.publish("order.paid", ["no order"], id=f"e-{number}", source="/till")
        told = (await client.get("/dead-letters?subscription=ship&limit=2")).json()
        assert (len(told["dead_letters"]), told["more"]) == (2, 1)
        one = told["dead_letters"][0]
        assert (one["subscription"], one["event"]["data"], one["attempts"]) == ("ship", ["no order"], 1)
        place = quote(one["id"], safe="")
        assert (await client.post(f"/dead-letters/drop/{place}")).status_code == 202
        problem_of(await client.post(f"/dead-letters/drop/{place}"), 404)
        assert one["id"] not in [left["id"] for left in (await client.get("/dead-letters")).json()["dead_letters"]]
        problem_of(await client.get("/dead-letters?subscription="), 400)
        problem_of(await client.get("/dead-letters?limit=0"), 400)

    asked_over(main, [ship])


def test_it_is_sent_again_and_stays_when_it_does_not_fit_now_either() -> None:
    async def main(shop: Any) -> None:
        client, runtime = shop.client, shop.runtime
        await runtime.publish("order.paid", ["no order"], id="e-1", source="/till")
        (letter,) = (await client.get("/dead-letters")).json()["dead_letters"]
        place = f"/dead-letters/send/{quote(letter['id'], safe='')}"
        problem_of(await client.post(place), 409)
        (kept,) = (await client.get("/dead-letters")).json()["dead_letters"]
        assert (kept["id"], kept["attempts"]) == (letter["id"], 2)
        letters = DeadLetters(runtime.store)
        held = await letters.get(letter["id"])
        assert held is not None
        await letters.put(held._replace(event={**held.event, "data": {"id": "o-7"}}))
        answer = await client.post(place)
        assert (answer.status_code, answer.json()["execution"]) == (202, f"{letter['id']}~3")
        assert await runtime.result(answer.json()["execution"]) == "shipped o-7"
        assert (await client.get("/dead-letters")).json() == {"dead_letters": [], "more": 0}
        problem_of(await client.post("/dead-letters/send/nothing"), 404)

    asked_over(main, [ship])
