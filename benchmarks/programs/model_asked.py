"""One answer of one model in a new process, then "done". Arguments: the model's name, and its settings as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

from overwinter.functions.model import Message, Request
from overwinter.functions.models.choosing import choose


async def main() -> None:
    model = choose(sys.argv[1])
    answer = await model.complete(Request(model.name, (Message("user", "?"),), settings=json.loads(sys.argv[2])))
    print("done" if answer.text == "hello" else answer, flush=True)
    sys.stdin.read()


asyncio.run(main())
