"""Open a database as a user who owns nothing, and print the error.

Arguments: database.
"""

import asyncio
import os
import sys

from overwinter.state import open_store
from overwinter.state.errors import StoreError
from overwinter.state.sqlite import SqliteStore  # imported before the privileges are gone

assert SqliteStore
if os.getuid() == 0:
    os.setuid(65534)


async def main(path: str) -> None:
    try:
        store = open_store(f"sqlite:///{path}")
        await store.open()
    except StoreError as error:
        print(type(error).__name__, error)


asyncio.run(main(sys.argv[1]))
