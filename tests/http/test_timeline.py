"""``GET /timeline/ID``: as its schema says, by pages, and refused like everything else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from overwinter.functions.messages.timelines import Timeline
from overwinter.functions.workflow import workflow

from .conftest import Shop, asked_over


async def work(number: int) -> int:
    return number


ASKS = Path(__file__).read_text().splitlines().index("    await ctx.map(work, range(input))") + 1
"""Where that is in this file."""


@workflow
async def many(ctx: Any, input: int) -> int:
    """Does much."""
    await ctx.map(work, range(input))
    return input


def test_the_rows_come_by_pages_as_the_schema_says() -> None:
    async def main(shop: Shop) -> None:
        await shop.client.post("/workflows/many?id=a/b", json=5, headers={"prefer": "wait=20"})
        whole = (await shop.client.get("/timeline/a/b")).json()
        assert Timeline.model_validate(whole).count == 8 and whole["next"] is None
        assert [row["kind"] for row in whole["rows"]] == ["start", "group", *["step"] * 5, "completed"]
        assert set(whole) == {"from" if name == "from_" else name for name in Timeline.model_fields}
        rows: list[Any] = []
        after: int | None = 0
        while after is not None:
            page = (await shop.client.get(f"/timeline/a/b?limit=3&after={after}")).json()
            rows, after = rows + page["rows"], page["next"]
        assert rows == whole["rows"]

    asked_over(main, [many])


def test_code_lines_are_looked_for_when_they_are_asked_for() -> None:
    async def main(shop: Shop) -> None:
        await shop.client.post("/workflows/many?id=x", json=2, headers={"prefer": "wait=20"})
        plain = (await shop.client.get("/timeline/x?lines=false")).json()
        assert plain["lines"] is None and not any(row["code"] for row in plain["rows"])
        found = (await shop.client.get("/timeline/x?lines=true")).json()
        assert found["lines"] == ""
        codes = {row["kind"]: row["code"] for row in found["rows"]}
        assert codes["step"] == codes["group"] and codes["step"].endswith(f"test_timeline.py:{ASKS}")
        assert not codes["step"].startswith("/") and codes["start"] == ""
        assert (await shop.client.get("/timeline/x?lines=1")).status_code == 400

    asked_over(main, [many])


def test_what_is_not_there_and_what_is_not_known_is_refused() -> None:
    async def main(shop: Shop) -> None:
        missing = await shop.client.get("/timeline/none")
        assert missing.status_code == 404 and "GET /executions" in missing.json()["detail"]
        assert (await shop.client.get("/timeline/none?rows=3")).status_code == 400
        assert (await shop.client.get("/timeline/none?limit=0")).status_code == 400

    asked_over(main, [many])
