"""An error says where in the user's code it came from: in the journal, after a replay, and not to who only uses it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from overwinter import Context, Retry, Runtime, workflow
from overwinter.functions.http.outcome import result_of
from overwinter.orchestrator.errors import failures, traces
from overwinter.orchestrator.errors.traces import FIRST, LAST

HERE = Path(__file__).name


def deepest(order: str) -> int:
    raise ValueError(f"no {order}")  # deepest


def refund(order: str) -> int:
    return deepest(order)  # refund


async def refund_later(order: str) -> int:
    await asyncio.sleep(0)
    return deepest(order)  # later


@workflow(retry=Retry(attempts=1))
async def shop(ctx: Context, kind: str) -> int:
    try:
        if kind == "loop":
            return await ctx.step(refund_later, "o-1")  # shop
        return await ctx.step(refund, "o-1")  # shop
    finally:
        await ctx.sleep(0.001)


@workflow
async def own(ctx: Context, _: Any) -> int:
    raise KeyError("own")  # own


def lines(record: dict[str, Any]) -> list[str]:
    """Function and the mark of the line, of each frame."""
    text = Path(__file__).read_text().splitlines()
    found: list[str] = []
    for file, line, function in record["trace"]:
        assert file.endswith(HERE) and not Path(file).is_absolute()
        found.append(f"{function} {text[line - 1].partition('# ')[2]}")
    return found


async def journal(runtime: Runtime, id: str) -> dict[str, dict[str, Any]]:
    return {entry["type"]: entry for entry in map(json.loads, await runtime.store.history(id))}


@pytest.mark.parametrize(
    ("kind", "function", "mark"), [("thread", "refund", "refund"), ("loop", "refund_later", "later")]
)
def test_a_step_and_the_workflow_that_it_fails(kind: str, function: str, mark: str) -> None:
    async def main() -> None:
        async with Runtime([shop], "memory://") as runtime:
            handle = await runtime.start(shop, kind, id="e")
            with pytest.raises(Exception, match="no o-1"):
                await handle.result("20s")
            entries = await journal(runtime, "e")
            within = [f"{function} {mark}", "deepest deepest"]
            assert lines(entries["step"]["error"]) == within
            assert lines(entries["failed"]["error"]) == ["shop shop", *within]  # after a sleep, that is, from the store

    asyncio.run(main())


def test_an_error_of_the_workflow_itself_and_what_others_are_told() -> None:
    async def main() -> None:
        async with Runtime([own], "memory://") as runtime:
            handle = await runtime.start(own, id="e")
            with pytest.raises(Exception, match="own"):
                await handle.result("20s")
            assert lines((await journal(runtime, "e"))["failed"]["error"]) == ["own own"]
            told = await result_of(runtime, "e", 1)
            assert "KeyError" in json.dumps(told) and "trace" not in json.dumps(told)

    asyncio.run(main())


def again(depth: int) -> None:
    if depth:
        again(depth - 1)
    raise OSError("deep")


def alternate(depth: int) -> None:
    if depth:
        other(depth - 1)
    raise OSError("deep")


def other(depth: int) -> None:
    alternate(depth)


@pytest.mark.parametrize(("raising", "most"), [(again, 3), (alternate, FIRST + LAST)])
def test_it_is_bounded(raising: Any, most: int) -> None:
    with pytest.raises(OSError, match="deep") as caught:
        raising(200)
    assert 0 < len(traces.frames(caught.value)) <= most


def test_frames_of_a_library_stand_in_where_there_are_none_of_the_program() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        assert [frame[2] for frame in traces.frames(error)] == [
            "test_frames_of_a_library_stand_in_where_there_are_none_of_the_program"
        ]
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_pydantic())
    except ValueError as error:
        assert traces.frames(error)
    finally:
        loop.close()


async def _pydantic() -> None:
    from pydantic import TypeAdapter

    TypeAdapter(int).validate_python("x")


@pytest.mark.parametrize(
    "odd", [None, 1, "x", [1], [["a", "b", "c"]], [["a", 1]], {"a": 1}, [[1, 1, 1], ["f", 2, "g"]]]
)
def test_an_odd_record_is_read_all_the_same(odd: Any) -> None:
    error = failures.decode({"kind": "builtins.ValueError", "message": "x", "trace": odd})
    again = failures.encode(error)
    assert again.get("trace") == ([["f", 2, "g"]] if isinstance(odd, list) and len(odd) == 2 else None)
