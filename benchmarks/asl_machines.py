"""State machines: transitions a second of a chain of ten states, Pass and Task by turns, 64 executions at a time; a Map
over 1,000 items; how much dearer a transition is after 5,000 of them.

Beside the chain, in the same rounds, the steps a second of a workflow of ten steps (``w1_steps``).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from overwinter import Runtime, StateMachine
from overwinter.benchmarks.measure import Run, main, median
from overwinter.benchmarks.subjects import sequence

STATES = 10
LANES = 64
ITEMS = 1000
TURNS = 5000


async def plus(given: Any) -> Any:
    return {"n": given["n"] + 1}


async def same(given: Any) -> Any:
    return given


def _chain() -> dict[str, Any]:
    states: dict[str, Any] = {}
    for number in range(STATES):
        state: dict[str, Any] = (
            {"Type": "Task", "Resource": "plus"} if number % 2 else {"Type": "Pass", "Parameters": {"n.$": "$.n"}}
        )
        states[f"S{number}"] = state | ({"Next": f"S{number + 1}"} if number + 1 < STATES else {"End": True})
    return {"StartAt": "S0", "States": states}


chain = StateMachine("chain", _chain(), [plus])
_each = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "same", "End": True}}}
mapped = StateMachine(
    "mapped", {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemProcessor": _each, "End": True}}}, [same]
)
_on: dict[str, Any] = {
    "Type": "Choice",
    "Choices": [{"Variable": "$.n", "NumericLessThan": TURNS // 2, "Next": "T"}],
    "Default": "D",
}
turning = StateMachine(
    "turning",
    {
        "StartAt": "T",
        "States": {"T": {"Type": "Task", "Resource": "plus", "Next": "C"}, "C": _on, "D": {"Type": "Succeed"}},
    },
    [plus],
)


async def rate(runtime: Runtime, function: Any, input: Any, count: int) -> float:
    """Steps or states a second."""
    left = iter(range(count))

    async def lane() -> None:
        for _ in left:
            await (await runtime.start(function, input)).result()

    begun = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(LANES)))
    return count * STATES / (time.perf_counter() - begun)


async def later(runtime: Runtime) -> float:
    """Milliseconds of the last fifth of a long execution, as a ratio to those of the second fifth."""
    handle = await runtime.start(turning, {"n": 0})
    await handle.result()
    ats = [entry["at"] async for entry in runtime.entries(handle.id) if entry["type"] == "step"]
    part = len(ats) // 5
    ratio: float = (ats[5 * part - 1] - ats[4 * part]) / max(1, ats[2 * part - 1] - ats[part])
    return ratio


async def rounds(run: Run) -> None:
    steps: list[float] = []
    states: list[float] = []
    maps: list[float] = []
    count = 200 if run.quick else 1000
    async with Runtime([sequence, chain, mapped, turning], run.place.dsn("machines")) as runtime:
        for number in range(3 if run.quick else 6):
            told = (await rate(runtime, sequence, STATES, count), await rate(runtime, chain, {"n": 0}, count))
            begun = time.perf_counter()
            await (await runtime.start(mapped, list(range(ITEMS)))).result()
            took = (time.perf_counter() - begun) * 1000
            if number:  # the first warms everything up
                steps.append(told[0])
                states.append(told[1])
                maps.append(took)
        flat = median([await later(runtime) for _ in range(1 if run.quick else 3)])
    run.report(f"asl.{run.place.name}.c64.transitions_per_s", median(states), "transitions/s", median(steps))
    run.report("asl.map1000.ms", median(maps), "ms")
    run.report("asl.flat", flat, "x")


def measure(run: Run) -> None:
    asyncio.run(rounds(run))


if __name__ == "__main__":
    main(measure)
