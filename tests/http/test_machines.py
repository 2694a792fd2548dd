"""State machines over HTTP: ``GET /execution-history/ID``, pages of events, and ``GET /graph/ID``, a drawing."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

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


HEAVY = {"Variable": "$.heavy", "BooleanEquals": True, "Next": "Truck"}
WEIGH = {"Type": "Choice", "Choices": [HEAVY], "Default": "Bike"}
BIKE = {"Type": "Fail", "Error": "<b>No.Bike</b>"}
PATHS = StateMachine(
    "paths", {"StartAt": "Weigh", "States": {"Weigh": WEIGH, "Truck": {"Type": "Succeed"}, "Bike": BIKE}}
)


def test_an_execution_is_drawn_with_the_path_that_it_took() -> None:
    async def main(shop: Any) -> None:
        await (await shop.runtime.start("paths", {"heavy": True}, id="a/b")).result()
        answer = await shop.client.get("/graph/a/b")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
        root = ElementTree.fromstring(answer.text)
        described = root.findtext("{*}desc") or ""
        assert "Truck, Succeed (succeeded" in described
        assert "Bike, Fail · <b>No.Bike</b>: then" in described  # it did not come there
        assert "paths · a/b" in (root.findtext("{*}title") or "")

    asked_over(main, [PATHS])


def test_what_stands_in_a_definition_is_no_markup() -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/workflows/paths?id=p", json={"heavy": False}, headers={"Prefer": "wait=10"})
        answer = await shop.client.get("/graph/p")
        ElementTree.fromstring(answer.text)
        assert "<b>" not in answer.text

    asked_over(main, [PATHS])


def test_others_have_no_graph(run: Any) -> None:
    async def main(shop: Any) -> None:
        await shop.client.post("/sessions/echo/c", json={"content": "hi"})
        assert "it is no state machine" in problem_of(await shop.client.get("/graph/echo/c"), 422)["detail"]
        problem_of(await shop.client.get("/graph/nobody"), 404)
        problem_of(await shop.client.get("/graph/echo/c?x=1"), 400)

    run(main)
