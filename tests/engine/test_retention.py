"""Retention by configuration: what has ended long enough ago goes, once an hour among all processes."""

from __future__ import annotations

import asyncio
from typing import Any

from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Sleep

DAY = 86_400
SLOWLY: dict[str, Any] = {"poll": "10m", "lease": "1h"}  # days pass, and nothing here is in a hurry


def test_what_ended_long_ago_goes_and_the_rest_stays() -> None:
    async def work(bench: Bench) -> None:
        chain = Chain("chain", lambda input: [Sleep(input * 1000)])
        process = await bench.process(chain, retention="2d", **SLOWLY)
        for id, days in (("early", 0), ("later", 3), ("asleep", 100)):
            await bench.start(process, "chain", id, days * DAY)
        await asyncio.sleep(1.9 * DAY)
        assert bench.ledger.head_now("early") is not None
        await asyncio.sleep(0.2 * DAY)
        assert bench.ledger.head_now("early") is None
        await asyncio.sleep(2 * DAY)
        assert {head.id for head in bench.ledger.heads_now()} == {"later", "asleep"}
        await asyncio.sleep(2 * DAY)
        assert {head.id for head in bench.ledger.heads_now()} == {"asleep"}

    at_bench(work, "200d")


def test_without_retention_nothing_ever_goes() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("chain", [Call(lambda _: 1)]), **SLOWLY)
        await bench.start(process, "chain", "e")
        await asyncio.sleep(5 * DAY)
        assert bench.ledger.head_now("e") is not None

    at_bench(work, "200d")


def test_one_process_an_hour_does_it() -> None:
    async def work(bench: Bench) -> None:
        processes = [
            await bench.process(Chain("chain", [Call(lambda _: 1)]), retention="1d", **SLOWLY) for _ in range(3)
        ]
        await bench.start(processes[0], "chain", "e")
        looked: list[str] = []
        read = bench.ledger.executions

        async def counted(*arguments: object, **named: object) -> object:
            looked.append("page")
            return await read(*arguments, **named)  # type: ignore[arg-type]

        bench.ledger.executions = counted  # type: ignore[method-assign, assignment]
        await asyncio.sleep(DAY - 1800)
        assert 22 <= len(looked) <= 24

    at_bench(work, "200d")
