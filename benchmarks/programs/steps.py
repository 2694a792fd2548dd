"""W7: one of several processes on one store, which runs workflows of ten steps, round after round.

Arguments: DSN, workflows in a round, how many at any time. It warms up, prints "ready", and then for every line that
comes in runs a round and prints "done". It ends at once when its input ends, whatever it is doing.
"""

from __future__ import annotations

import asyncio
import os
import sys
from threading import Thread

from overwinter import Runtime
from overwinter.benchmarks.subjects import sequence
from overwinter.benchmarks.w1_steps import WARM_UP, workflows

DSN, COUNT, CONCURRENCY = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def listen(loop: asyncio.AbstractEventLoop, rounds: asyncio.Queue[str]) -> None:
    for line in sys.stdin:
        loop.call_soon_threadsafe(rounds.put_nowait, line)
    os._exit(0)


async def main() -> None:
    rounds: asyncio.Queue[str] = asyncio.Queue()
    Thread(target=listen, args=(asyncio.get_running_loop(), rounds), daemon=True).start()
    async with Runtime([sequence], store=DSN) as runtime:
        await workflows(runtime, WARM_UP, CONCURRENCY)
        print("ready", flush=True)
        while await rounds.get():
            await workflows(runtime, COUNT, CONCURRENCY)
            print("done", flush=True)


asyncio.run(main())
