"""Lease the execution "x" for an hour, say so, and stay until killed.

Arguments: database, the time to tell the store.
"""

import asyncio
import sys

from overwinter.state import open_store
from overwinter.state.records import NewExecution, NewMail


async def main(path: str, now: int) -> None:
    store = open_store(f"sqlite:///{path}")
    await store.open()
    await store.beat("victim", now, 3_600_000)
    await store.accept(
        "x", NewMail("start", 1, now, "{}"), now=now, owner="victim", create=NewExecution("f", "workflow")
    )
    print("held", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
