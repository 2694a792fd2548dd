"""Open a database as a user who owns nothing, and print the error.

Arguments: database.
"""

import asyncio
import os
import sys

from overwinter.state.errors import StoreError
from overwinter.state.sqlite import SqliteStore


async def main(path: str) -> None:
    store = SqliteStore(f"sqlite:///{path}")
    if os.getuid() == 0:
        os.setuid(65534)
    try:
        await store.open()
    except StoreError as error:
        print(type(error).__name__, error)


asyncio.run(main(sys.argv[1]))
