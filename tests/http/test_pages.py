"""No answer grows with what is stored: pages have a bound in bytes, and reading on finds everything once."""

from __future__ import annotations

import asyncio
from typing import Any

from overwinter.functions.http.paging import PAGE_BYTES
from overwinter.functions.runtime import Runtime
from overwinter.functions.tools.tool import tool
from overwinter.functions.workflow import workflow

from .conftest import Shop, asked_over

LARGE = 200_000


@workflow
async def talker(ctx: Any, input: int) -> int:
    """Records much."""
    for number in range(input):
        await ctx.step(str.ljust, str(number), LARGE)
    return input


@workflow
async def asker(ctx: Any, input: int) -> None:
    """Asks for much."""
    await ctx.parallel(*(ctx.approve(f"number {number}", data="x" * LARGE) for number in range(input)))


@workflow
async def noter(ctx: Any, input: str) -> None:
    """Says much of itself."""
    ctx.status(input)
    await ctx.wait_for("never")


@tool
def copies(count: int) -> str:
    """Answer with much."""
    return "x" * count


def test_a_journal_is_read_in_pages_of_bounded_size() -> None:
    async def main(shop: Shop) -> None:
        await (await shop.runtime.start(talker, 60, id="t")).result(20)
        reads: list[int] = []
        history = shop.runtime.store.history

        async def counted(id: str, after: int = 0, limit: int = 1000) -> Any:
            texts = await history(id, after, limit)
            reads.append(sum(map(len, texts)))
            return texts

        shop.runtime.store.history = counted  # type: ignore[method-assign]  # seen by its limit alone
        after, entries, pages = 0, list[Any](), 0
        while True:
            answer = await shop.client.get("/history/t", params={"limit": "1000", "after": str(after)})
            assert answer.status_code == 200 and len(answer.content) < PAGE_BYTES + 1024
            page = answer.json()
            entries += page["entries"]
            pages += 1
            if page["next"] is None:
                break
            assert page["next"] == len(entries)
            after = page["next"]
        assert pages >= 3
        assert max(reads) <= 64 * 256 * 1024
        head = await shop.runtime.store.head("t")
        assert head is not None and len(entries) == head.length
        recorded = [entry["value"].strip() for entry in entries if entry.get("op") and "value" in entry]
        assert recorded == [str(number) for number in range(60)]

    asked_over(main, [talker])


def test_approvals_are_read_in_pages_of_bounded_size() -> None:
    async def main(shop: Shop) -> None:
        await shop.runtime.start(asker, 50, id="a")
        while len(await shop.runtime.proposals("a")) < 50:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.01)
        found: list[Any] = []
        after = ""
        while True:
            answer = await shop.client.get("/approvals/a", params={"after": after} if after else {})
            assert len(answer.content) < PAGE_BYTES + 1024
            found += answer.json()["approvals"]
            after = answer.json()["next"]
            if after is None:
                break
        assert [one["what"] for one in found] == [f"number {number}" for number in range(50)]
        assert all(len(one["data"]) == LARGE for one in found)
        gone = await shop.client.get("/approvals/a", params={"after": "99"})
        assert gone.status_code == 409

    asked_over(main, [asker])


def test_a_list_is_read_in_pages_of_bounded_size() -> None:
    async def main(shop: Shop) -> None:
        for number in range(30):
            await shop.runtime.start(noter, f"{number} " + "x" * LARGE, id=f"n-{number:02}")
        cursor, ids = "", list[str]()
        while True:
            answer = await shop.client.get(
                "/executions", params={"limit": "200"} | ({"cursor": cursor} if cursor else {})
            )
            assert len(answer.content) < PAGE_BYTES + 1024
            ids += [one["id"] for one in answer.json()["executions"]]
            cursor = answer.json()["cursor"]
            if cursor is None:
                break
        assert sorted(ids) == [f"n-{number:02}" for number in range(30)]

    asked_over(main, [noter])


def test_an_answer_that_is_too_large_is_named() -> None:
    async def main(shop: Shop) -> None:
        limit = Runtime([], "memory://").store.payload_limit
        for count, status in ((limit, 200), (limit + 2 * 1024 * 1024, 500)):
            answer = await shop.client.post("/tools/copies", json={"count": count})
            assert answer.status_code == status
        assert answer.json()["type"].endswith("answer-too-large")

    asked_over(main, [copies])
