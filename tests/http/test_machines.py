"""``GET /execution-history/ID``: pages of a state machine's events."""

from __future__ import annotations

from typing import Any

from overwinter import StateMachine

from .conftest import asked_over
from .test_api import problem_of

PASS = {"Type": "Pass", "Result": "x" * 1000}
LONG = StateMachine("long", {"StartAt": "A", "States": {"A": {**PASS, "Next": "B"}, "B": {**PASS, "End": True}}})


def test_events_come_by_pages() -> None:
    async def main(shop: Any) -> None:
        await (await shop.runtime.start("long", {}, id="a/b")).result()
        whole = (await shop.client.get("/execution-history/a/b")).json()
        assert whole["next"] is None
        assert whole["events"] == await shop.runtime.aws_history("a/b")
        assert [event["id"] for event in whole["events"]] == [1, 2, 3, 4, 5, 6]
        first = (await shop.client.get("/execution-history/a/b?limit=4")).json()
        rest = (await shop.client.get(f"/execution-history/a/b?after={first['next']}")).json()
        assert (first["events"] + rest["events"], rest["next"]) == (whole["events"], None)
        assert (await shop.client.get("/execution-history/a/b?after=99")).json() == {"events": [], "next": None}
        problem_of(await shop.client.get("/execution-history/a/b?limit=9999"), 400)

    asked_over(main, [LONG])


def test_others_have_none(run: Any) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/sessions/echo/c", json={"content": "hi"})
        problem = problem_of(await shop.client.get("/execution-history/echo/c"), 422)
        assert "echo/c is no state machine's execution" in problem["detail"]
        problem_of(await shop.client.get("/execution-history/nobody"), 404)

    run(main)
