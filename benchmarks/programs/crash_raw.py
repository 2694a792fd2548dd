"""W6's floor: a bare client of the store, with asyncio and pydantic, that does what the lines say is still to be done.

Arguments: DSN, file with the lines, number of workflows. Every step sleeps 20 ms and is committed alone.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pydantic import TypeAdapter

from overwinter.benchmarks.floors import open_floor

DSN, LINES, COUNT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
STEPS = 10


def last_steps() -> list[int]:
    begun = [0] * COUNT
    pair = TypeAdapter(tuple[int, int])
    for line in LINES.read_text().splitlines():
        number, step = pair.validate_python(line.split(":"))
        begun[number] = max(begun[number], step)
    return begun


async def main() -> None:
    begun = last_steps()
    async with open_floor(DSN) as floor:

        async def toil(number: int) -> None:
            for step in range(begun[number], STEPS):
                await asyncio.sleep(0.02)
                await floor.transition(f"again-{number}", step - begun[number], str(step))

        await asyncio.gather(*(toil(number) for number in range(COUNT)))
    print(COUNT, flush=True)


asyncio.run(main())
