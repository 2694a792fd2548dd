"""Append to eight executions as fast as it goes, and print each entry when it is acknowledged, until killed.

Arguments: database, the time to tell the store.
"""

import asyncio
import sys

from overwinter.state import open_store
from overwinter.state.records import Change, NewExecution, NewMail


async def main(path: str, now: int) -> None:
    store = open_store(f"sqlite:///{path}")
    await store.open()
    await store.beat("victim", now, 3_600_000)

    async def write(id: str) -> None:
        await store.accept(
            id, NewMail("start", 1, now, "{}"), now=now, owner="victim", create=NewExecution("f", "workflow")
        )
        for number in range(1_000_000):
            await store.append(
                Change(
                    id=id,
                    owner="victim",
                    version=number,
                    at=now,
                    entries=[f"{id} {number}"],
                    consumed=(),
                    arrivals=1,
                    status="running",
                    wake=None,
                    release=False,
                    base=1,
                    awaits="",
                    note="",
                    state=str(number),
                )
            )
            print(id, number, flush=True)

    await asyncio.gather(*(write(f"x{number}") for number in range(8)))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
