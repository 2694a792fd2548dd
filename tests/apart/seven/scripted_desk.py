"""The model of the desk, scripted: it looks up and asks for the stock, then answers. Each answer is written down."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from notes import note  # type: ignore[import-not-found]  # beside this file

from overwinter.functions.model import Message, call


async def script(messages: Sequence[Message], tools: object) -> Any:
    ticket = next(message.content for message in messages if message.role == "user")
    told = [message.content for message in messages if message.role == "tool"]
    key = f"{ticket}/{len(told)}"
    note("model", key)
    await asyncio.sleep(random.choice((0.0, 0.1, 0.4)))
    note("model", key, "end")
    if not told:
        return [call("lookup", ticket=ticket), call("stock", order=ticket)]
    return f"{ticket}: {told[0]}, {told[1]} there"
