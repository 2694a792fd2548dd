"""What a process says of itself: readiness with its reasons, and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from overwinter.orchestrator.engine.health import Health
from overwinter.state.errors import StoreUnavailable

Run = Callable[..., Any]


def test_every_reason_against_work_is_told_by_its_name(run: Run) -> None:
    async def main(shop: Any) -> None:
        health: Health = shop.runtime.engine.health
        assert (await shop.client.get("/readyz")).json() == {"status": "ready"}

        async def refuses() -> str:
            raise StoreUnavailable("nobody is at home")

        health.add_check("plain", lambda: "the cellar is full")
        health.add_check("later", refuses)
        unready = await shop.client.get("/readyz")
        assert unready.status_code == 503 and unready.headers["retry-after"] == "1"
        assert unready.json()["reasons"] == {"plain": "the cellar is full", "later": "nobody is at home"}
        assert unready.json()["detail"] == "the cellar is full; nobody is at home; try again"
        health.add_check("plain", lambda: "")
        health.add_check("later", lambda: "")
        assert (await shop.client.get("/readyz")).status_code == 200

    run(main)


def test_a_check_that_breaks_is_no_readiness(run: Run) -> None:
    async def main(shop: Any) -> None:
        shop.runtime.engine.health.add_check("odd", lambda: str(1 // 0))
        assert "ZeroDivisionError" in (await shop.client.get("/readyz")).json()["detail"]

    run(main)


def test_the_numbers_of_a_process_stand_in_groups(run: Run) -> None:
    async def main(shop: Any) -> None:
        shop.runtime.engine.health.add_numbers("cellar", lambda: {"bottles": 3})
        await shop.client.post("/sessions/echo/c-1", json={"content": "hello"})
        await shop.client.get("/executions/nothing")
        told = (await shop.client.get("/stats")).json()
        assert told["cellar"] == {"bottles": 3}
        assert (told["threads"]["limit"], told["threads"]["spare"], told["threads"]["abandoned"]) == (32, 64, 0)
        assert told["circuits"]["open"] == {} and told["loop"]["stood"] == 0
        assert told["refused"] == 1 and told["unwanted"] == 0
        engine = told["engine"]
        assert (engine["active"], engine["max_active"], engine["cached"], engine["taken"]) == (0, 1000, 1, 1)

    run(main)
