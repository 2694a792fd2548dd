"""A batch says one thing and does it: nothing of it is done when one of its events can't be, and where the state of the
world is in the way of one, the answer says what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from overwinter.functions.events.event import CloudEvent
from overwinter.functions.events.http import write_batch
from overwinter.state.errors import StoreUnavailable

from .test_deliveries import TOKEN, event

Run = Callable[..., None]
GOOD = [
    event("io.overwinter.call.ticket", {"question": "why"}, id="good-1", subject="good"),
    event("io.overwinter.call.echo", "hi", id="good-2", subject="good"),
]


async def post_all(client: Any, events: list[CloudEvent], path: str = "/", **headers: str) -> Any:
    message = write_batch(events)
    return await client.post(path, content=message.body, headers=[*message.headers, *headers.items()])


async def ids(client: Any) -> list[str]:
    return sorted(one["id"] for one in (await client.get("/executions")).json()["executions"])


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (event("io.overwinter.call.ticket", {"nope": 1}), 422),
        (event("io.overwinter.call.ticket", {"question": "why"}, subject="x" * 300), 422),
        (event("io.overwinter.call.echo", 5, subject="c"), 422),
        (event("io.overwinter.call.echo", None, subject="c"), 422),
        (event("io.overwinter.call.lookup_order", {"order": "o"}), 422),
        (event("io.overwinter.call.lookup_order", "o"), 422),
        (event("io.overwinter.call.refund", {"order_id": "o"}), 403),
        (event("io.overwinter.cancel"), 422),
        (event("io.overwinter.cancel", {"reason": 5}, subject="t"), 422),
        (event("io.overwinter.decide", {"approved": "yes"}, subject="t"), 422),
        (event("io.overwinter.callback", {"value": 1}), 422),
        (event("io.overwinter.callback", {"token": "t", "value": 1, "error": "both"}), 422),
        (event("io.overwinter.heartbeat", {"token": "no token"}), 422),
    ],
)
def test_one_bad_event_refuses_all_of_the_batch(run: Run, bad: CloudEvent, status: int, at: int) -> None:
    async def main(shop: Any) -> None:
        batch = list(GOOD)
        batch.insert(at, bad)
        answer = await post_all(shop.client, batch)
        assert answer.status_code == status
        assert f"event {at} of the batch" in answer.json()["detail"]
        assert "events" not in answer.json()
        assert await ids(shop.client) == []
        assert (await shop.client.get("/stats")).json().get("events", 0) == 0
        alone = await post_all(shop.client, [bad])
        assert alone.status_code == status  # as it is by itself

    run(main)


def test_a_batch_for_one_function_is_checked_for_that_function(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=t", json={"question": "wait"})
        placed = event("order.placed", {"question": "why"}, id="1")
        wrong = event("order.placed", {"nope": 1}, id="2")
        reply = event("customer.reply", {"nope": 1}, id="3", subject="t")
        refused = await post_all(shop.client, [placed, reply, wrong], "/events/ticket")
        assert refused.status_code == 422 and "event 2" in refused.json()["detail"]
        assert await ids(shop.client) == ["t"]
        assert (await post_all(shop.client, [placed, reply], "/events/ticket")).status_code == 202
        done = await shop.client.get("/results/t", headers={"prefer": "wait=5"})
        assert done.json()["result"] == {"answer": {"nope": 1}}

    run(main)


def test_what_can_not_be_known_before_is_told_for_each_event(run: Run) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/ticket?id=taken", json={"question": "other"})
        other = event("io.overwinter.call.ticket", {"question": "why"}, id="bad", subject="taken")
        after = event("customer.reply", None, id="late", subject="taken")
        for _ in range(2):
            answer = await post_all(shop.client, [*GOOD, other, after, event("unheard.of", id="x")])
            assert answer.status_code == 422
            told = answer.json()["events"]
            assert [one["fate"] for one in told] == ["accepted", "accepted", "refused", "not tried", "unwanted"]
            assert told[2]["status"] == 422 and "another input" in told[2]["detail"]
            assert told[2]["id"] == "bad"
        assert await ids(shop.client) == ["echo/good", "good", "taken"]
        while (await shop.client.get("/executions/echo/good")).json()["status"] != "idle":  # noqa: ASYNC110  # another process would ask so too
            await asyncio.sleep(0.01)
        entries = (await shop.client.get("/history/echo/good")).json()["entries"]
        assert [entry["type"] for entry in entries].count("message") == 1

    run(main)


def test_after_a_failure_the_batch_is_sent_again_and_happens_once(run: Run) -> None:
    async def main(shop: Any) -> None:
        post, away = shop.runtime.engine.post, {"echo/good"}

        async def faulty(id: str, *args: Any, **more: Any) -> Any:
            if id in away:
                raise StoreUnavailable("the store is away")
            return await post(id, *args, **more)

        shop.runtime.engine.post = faulty
        failing = event("io.overwinter.call.lookup_order", {"order_id": "crash"}, id="tool")
        answer = await post_all(shop.client, [*GOOD, failing])
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert [one["fate"] for one in answer.json()["events"]] == ["accepted", "refused", "refused"]
        away.clear()
        assert (await post_all(shop.client, [*GOOD, failing])).status_code == 500
        assert (await post_all(shop.client, GOOD)).status_code == 202
        assert await ids(shop.client) == ["echo/good", "good"]

    run(main)


def test_a_batch_has_a_bound(run: Run) -> None:
    async def main(shop: Any) -> None:
        events = [event("unheard.of", id=str(number)) for number in range(1001)]
        assert (await post_all(shop.client, events)).status_code == 413
        assert (await post_all(shop.client, events[1:])).status_code == 204

    run(main)


def test_what_a_delivery_token_does_not_allow_refuses_all_of_the_batch(run: Run) -> None:
    delivery = "another-secret-of-some-length"

    async def main(shop: Any) -> None:
        cancel = event("io.overwinter.cancel", subject="t")
        given = {"authorization": f"Bearer {delivery}"}
        assert (await post_all(shop.client, [*GOOD, cancel], **given)).status_code == 403
        listed = await shop.client.get("/executions", headers={"authorization": f"Bearer {TOKEN}"})
        assert listed.json()["executions"] == []

    run(main, token=TOKEN, delivery_token=delivery)
