"""A process that reads events, and stands still with the first one in hand: before it is durable, or just after.

``python stuck.py BROKER STORE early|late`` says ``in hand`` then. It waits to be killed.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from overwinter import Runtime, Settings
from overwinter.functions.bus import sqs_reading
from overwinter.functions.bus.taking import Taking
from overwinter.tests.bus.shop import ship

original = Taking.take


async def main(broker: str, store: str, when: str) -> None:
    sqs_reading.WAIT, sqs_reading.IDLE, sqs_reading.HIDDEN = 0, 0.05, 2

    async def take(self: Taking, subscription: Any, event: Any) -> None:
        if when == "late":
            await original(self, subscription, event)
        print("in hand", flush=True)
        await asyncio.Event().wait()

    Taking.take = take  # type: ignore[method-assign]
    async with Runtime([ship], store, Settings(lease="2s"), broker=broker):
        await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
