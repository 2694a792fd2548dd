"""Big values go to blobs and come back; too big ones end what carries them, by name; a torn journal is said."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from overwinter.state.errors import ExecutionFailed, ExecutionStuck, PayloadTooLarge, StoreUnavailable
from overwinter.state.records import BLOB_THRESHOLD, PAYLOAD_LIMIT
from overwinter.tests.engine.bench import Bench, at_bench
from overwinter.tests.engine.chain import Call, Chain, Sleep

BIG = "ü" * BLOB_THRESHOLD  # two bytes each


def test_big_values_pass_through_journal_and_mail_as_blobs() -> None:
    async def work(bench: Bench) -> None:
        seen: list[bool] = []

        async def double(_: list[Any]) -> str:
            return BIG

        async def look(values: list[Any]) -> int:
            seen.append(values[0] == BIG)
            return len(values[0])

        chain = Chain("chain", lambda input: [Call(double), Sleep(5000), Call(look), Call(lambda _: input["big"])])
        first = await bench.process(chain, cache=0)
        await bench.start(first, "chain", "e", {"big": BIG})
        await bench.ended("e")
        result = await first.call(lambda runtime: runtime.result("e"))
        assert result == [BIG, None, len(BIG), BIG]
        assert seen == [True]
        texts = await bench.ledger.history("e")
        assert max(len(text.encode()) for text in texts) <= BLOB_THRESHOLD
        assert all('"blob":{' in texts[number] for number in (0, 1))
        first.kill()
        second = await bench.process(chain)  # another process reads them too
        assert await second.call(lambda runtime: runtime.result("e")) == result

    at_bench(work)


def test_a_result_over_the_limit_fails_the_execution_by_name_and_is_not_tried_again() -> None:
    async def work(bench: Bench) -> None:
        made: list[int] = []

        async def huge(_: list[Any]) -> str:
            made.append(1)
            return "x" * (PAYLOAD_LIMIT + 1)

        process = await bench.process(Chain("chain", [Call(huge)]))
        await bench.start(process, "chain", "e")
        await bench.ended("e")
        with pytest.raises(ExecutionFailed) as failed:
            await process.call(lambda runtime: runtime.result("e"))
        assert isinstance(failed.value.cause, PayloadTooLarge)
        assert "'call'" in str(failed.value)
        assert made == [1]

    at_bench(work)


def test_an_output_that_grew_over_the_limit_fails_the_execution() -> None:
    async def work(bench: Bench) -> None:
        third = "x" * (PAYLOAD_LIMIT // 2)
        process = await bench.process(Chain("chain", [Call(lambda _: third), Call(lambda _: third)]))
        await bench.start(process, "chain", "e")
        ending = await bench.ended("e")
        assert ending["type"] == "failed" and ending["error"]["kind"].endswith("PayloadTooLarge")

    at_bench(work)


def test_an_input_over_the_limit_is_refused_before_anything_is_stored() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("chain", []))
        with pytest.raises(PayloadTooLarge):
            await process.call(lambda runtime: runtime.start("chain", "x" * (PAYLOAD_LIMIT + 1), id="e"))
        assert bench.ledger.head_now("e") is None

    at_bench(work)


@pytest.mark.parametrize("torn", ['{"type":"step"', "[]", "7", '{"op":"0"}', "null"])
def test_a_corrupt_journal_row_makes_it_stuck_and_harms_no_other(torn: str) -> None:
    async def work(bench: Bench) -> None:
        chain = Chain("chain", [Call(lambda _: 1), Sleep(60_000), Call(lambda _: 2)])
        first = await bench.process(chain, cache=0)
        for id in ("e", "other"):
            await bench.start(first, "chain", id)
        await bench.status("e", "waiting")
        journal = bench.ledger._executions["e"].journal
        whole, journal[1] = journal[1], torn
        await bench.status("e", "stuck")
        head = bench.ledger.head_now("e")
        assert head is not None and "journal entry" in head.awaits
        with pytest.raises(ExecutionStuck):
            await first.call(lambda runtime: runtime.result("e"))
        assert (await bench.ended("other"))["value"] == [1, None, 2]
        journal[1] = whole  # somebody mended it
        await first.call(lambda runtime: runtime.resume("e"))
        assert (await bench.ended("e"))["value"] == [1, None, 2]

    at_bench(work)


def test_a_missing_blob_makes_it_stuck() -> None:
    async def work(bench: Bench) -> None:
        chain = Chain("chain", [Call(lambda _: BIG), Sleep(60_000)])
        process = await bench.process(chain, cache=0)
        await bench.start(process, "chain", "e")
        await bench.status("e", "waiting")
        for execution in bench.ledger._executions.values():
            execution.blobs.clear()
        await bench.status("e", "stuck")
        head = bench.ledger.head_now("e")
        assert head is not None and "blob sha256:" in head.awaits and "missing" in head.awaits

    at_bench(work)


def test_a_value_without_a_json_form_fails_the_execution_by_name() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("chain", [Call(lambda _: object())]))
        await bench.start(process, "chain", "e")
        ending = await bench.ended("e")
        assert ending["error"]["kind"].endswith("InvalidInput") and "object" in ending["error"]["message"]

    at_bench(work)


def test_a_client_that_goes_away_while_the_store_answers_leaks_no_lease() -> None:
    async def work(bench: Bench) -> None:
        chain = Chain("chain", [Call(lambda _: 1)])
        process = await bench.process(chain, lease="1h")
        held = asyncio.Event()
        accept = bench.ledger.accept

        def slow(*args: Any, **kwargs: Any) -> Any:
            answer = accept(*args, **kwargs)

            async def later() -> Any:
                await held.wait()
                return await answer

            return later()

        bench.ledger.accept = slow  # type: ignore[method-assign]
        client = asyncio.ensure_future(process.call(lambda runtime: runtime.start("chain", id="e")))
        await asyncio.sleep(0.1)
        client.cancel()
        await asyncio.sleep(0.1)
        assert bench.ledger.head_now("e").owner == "p1"  # type: ignore[union-attr]
        held.set()
        assert (await bench.ended("e"))["value"] == [1]
        assert bench.loop.time() < 60

    at_bench(work)


def test_an_unserved_function_is_handed_back_for_another_process() -> None:
    async def work(bench: Bench) -> None:
        mine, other = Chain("mine", [Call(lambda _: 1)]), Chain("other", [Call(lambda _: 2)])
        first = await bench.process(mine, lease="1h")
        second = await bench.process(other, lease="1h")
        await bench.start(first, "mine", "e")

        await bench.start(second, "other", "e2")
        second.kill()
        await first.call(lambda runtime: runtime.signal("e2", "poke"))  # it can't run e2, and keeps the mail
        await asyncio.sleep(60)
        head = bench.ledger.head_now("e2")
        assert head is not None and head.owner != first.name and head.wake is not None
        assert first.engine.taken == 1
        await bench.process(other)
        assert (await bench.ended("e2"))["value"] == [2]
        assert (await bench.ended("e"))["value"] == [1]

    at_bench(work)


def test_a_missing_blob_of_a_mail_makes_it_stuck_and_is_not_asked_for_again_and_again() -> None:
    async def work(bench: Bench) -> None:
        process = await bench.process(Chain("chain", [Call(lambda _: "done")]), cache=0)
        asked: list[str] = []

        async def missing(id: str, digest: str) -> None:
            asked.append(digest)

        bench.ledger.blob = missing  # type: ignore[method-assign]  # a store that has lost its blobs
        await bench.start(process, "chain", "e", {"big": BIG})
        await bench.status("e", "stuck")
        await asyncio.sleep(60)
        assert len(asked) == 1
        del bench.ledger.blob  # found again
        await process.call(lambda runtime: runtime.resume("e"))
        assert (await bench.ended("e"))["value"] == ["done"]

    at_bench(work)


def test_mail_whose_blob_is_still_being_read_waits_for_it_also_through_an_outage() -> None:
    async def work(bench: Bench) -> None:
        read = bench.ledger.blob
        tries: list[str] = []

        async def slow(id: str, digest: str) -> bytes | None:
            tries.append(digest)
            await asyncio.sleep(3)
            if len(tries) == 1:
                raise StoreUnavailable("away for a moment")
            return await read(id, digest)

        bench.ledger.blob = slow  # type: ignore[method-assign]
        process = await bench.process(Chain("chain", lambda input: [Call(lambda _: input["big"] == BIG)]), cache=0)
        await bench.start(process, "chain", "e", {"big": BIG})
        await asyncio.sleep(1)
        await process.call(lambda runtime: runtime.signal("e", "hello"))  # a turn while the start is not whole
        assert (await bench.ended("e"))["value"] == [True]
        assert len(tries) == 2

    at_bench(work)
