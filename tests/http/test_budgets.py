"""``/budgets`` and ``/spending``: accounts are limited, raised, frozen and removed; what was spent is told."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from overwinter import Agent
from overwinter.orchestrator.governance.budgets.account import account_of
from overwinter.orchestrator.governance.budgets.amount import Amount
from overwinter.orchestrator.governance.budgets.purse import Purse

from .conftest import asked_over
from .test_api import problem_of

ACCOUNT = "tenant:x.y/z & co"
PLACE = "/budgets/" + quote(ACCOUNT, safe="")
DAY = {"limits": {"day": {"most": {"tokens": 100, "cost": "1.50"}, "zone": "Europe/Berlin", "warn": 0.5}}, "by": "ops"}


def test_an_account_is_limited_used_raised_and_frozen() -> None:
    async def main(shop: Any) -> None:
        client, runtime = shop.client, shop.runtime
        assert (await client.get("/budgets")).json() == {"budgets": [], "next": None}
        told = (await client.put(PLACE, json=DAY)).json()
        assert told["limits"]["day"] == {
            "most": {"tokens": 100, "cost": "1.50"},
            "zone": "Europe/Berlin",
            "warn": 0.5,
        }
        purse = Purse(runtime.store, "p", runtime.clock, ())
        purse.settle("e/1", await purse.hold("e/1", [account_of(ACCOUNT)], Amount(60)), Amount(60))
        await purse.close()
        raised = await client.post(f"{PLACE}/raise", json={"most": {"tokens": 5}, "by": "ops", "reason": "launch"})
        assert len(raised.json()["windows"]) == 1
        assert (await client.post(f"{PLACE}/freeze", json={"by": "ops", "reason": "a leak"})).status_code == 202
        told = (await client.get(PLACE)).json()
        (day,) = [window for window in told["windows"] if window["window"] == "day"]
        assert (day["spent"], day["most"]) == ({"tokens": 60}, {"tokens": 105, "cost": "1.50"})
        assert (told["frozen"]["by"], told["frozen"]["reason"]) == ("ops", "a leak")
        assert [change["what"] for change in told["changes"]] == ["set", "raise", "freeze"]
        assert (await client.get("/budgets")).json() == {"budgets": [told], "next": None}
        assert (await client.get(f"{PLACE}?past=true")).json() == told | {"past": {}}
        problem_of(await client.get(f"{PLACE}?past=maybe"), 400)
        assert (await client.post(f"{PLACE}/unfreeze")).status_code == 202
        problem_of(await client.post(f"{PLACE}/unfreeze"), 409)

    asked_over(main, [])


def test_they_come_by_pages() -> None:
    async def main(shop: Any) -> None:
        for name in ("c", "a", "b", "*"):
            await shop.client.put(f"/budgets/user:{name}", json=DAY)
        first = (await shop.client.get("/budgets?limit=3")).json()
        assert [one["account"] for one in first["budgets"]] == ["user:*", "user:a", "user:b"]
        rest = (await shop.client.get(f"/budgets?limit=3&after={first['next']}")).json()
        assert [one["account"] for one in rest["budgets"]] == ["user:c"] and rest["next"] is None
        problem_of(await shop.client.get("/budgets?limit=0"), 400)

    asked_over(main, [])


def test_put_says_all_limits_and_delete_forgets() -> None:
    async def main(shop: Any) -> None:
        client = shop.client
        await client.put("/budgets/user:*", json=DAY)
        told = (await client.put("/budgets/user:*", json={"limits": {"": {"most": {"cost": "9"}}}})).json()
        assert list(told["limits"]) == [""] and told["windows"] == []
        assert (await client.get("/budgets/user:ana")).json()["limits"][""]["most"] == {"cost": "9"}
        assert (await client.put("/budgets/user:*", json={"limits": {}})).json()["limits"] == {}
        assert (await client.delete("/budgets/user:*")).status_code == 202
        problem_of(await client.delete("/budgets/user:*"), 404)

    asked_over(main, [])


def test_what_makes_no_sense_is_refused() -> None:
    async def main(shop: Any) -> None:
        client = shop.client
        problem_of(await client.get("/budgets/anna"), 422)
        problem_of(await client.put("/budgets/user:a", json={"limits": {"week": {"most": {"tokens": 1}}}}), 422)
        problem_of(await client.put("/budgets/user:a", json={"limits": {"day": {"most": {"bananas": 1}}}}), 422)
        problem_of(await client.put("/budgets/user:a", json={"limits": {"day": {"most": {}, "zone": "Mars"}}}), 422)
        problem_of(await client.post("/budgets/user:a/raise", json={"most": {"tokens": 1}}), 409)
        problem_of(await client.get("/spending?by=colour"), 400)
        problem_of(await client.get("/spending?since=yesterday"), 400)
        assert (await client.get("/budgets")).json() == {"budgets": [], "next": None}

    asked_over(main, [])


def test_what_was_spent_is_told_by_agent_and_day() -> None:
    async def main(shop: Any) -> None:
        agent = Agent("desk", "scripted:echo")
        await (await shop.runtime.start(agent, "one two three")).result()
        (one,) = (await shop.client.get("/spending")).json()["spending"]
        assert one["of"] == "desk" and one["answers"] == 1 and one["tokens"] > 0
        (day,) = (await shop.client.get("/spending?by=day&since=2020-01-01")).json()["spending"]
        assert day["tokens"] == one["tokens"] and len(day["of"]) == 10
        assert (await shop.client.get("/spending?until=2020-01-01T00:00Z")).json() == {
            "spending": [],
            "scanned": 1,
            "cursor": None,
        }
        problem_of(await shop.client.get("/spending?cursor=x"), 400)

    asked_over(main, [Agent("desk", "scripted:echo")])
