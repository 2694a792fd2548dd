"""What answers on the port of ``overwinter dev`` while the file can't be served: 503 with a problem document that says
why, so that no client hangs on a server that waits for its file to be mended. It reads a request and answers it, and
knows nothing else of HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncGenerator

KIND = "not-served"
SOON = 1  # seconds after which a client may ask again
PATIENCE = 5.0
ARRIVING = 0.3  # seconds that a request gets whose client had connected when the standing in ended
MOST = 1024 * 1024  # bytes of a request that are read before it is answered
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,9})[ \t]*\r?$")


@contextlib.asynccontextmanager
async def stand_in(listening: socket.socket, detail: str) -> AsyncGenerator[None]:
    """Answer whatever comes with ``detail`` while the context is open. The socket itself stays open after it."""
    answer = _answer(detail)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                if length is not None:
                    await reader.readexactly(min(int(length[1]), MOST))  # else the answer might be lost on its way
                writer.write(answer)
                await writer.drain()
        writer.close()

    # Not a server of asyncio: that one drops whom it has accepted when it is closed in the same moment.
    own, loop = listening.dup(), asyncio.get_running_loop()
    own.setblocking(False)
    answering: set[asyncio.Task[None]] = set()

    async def attend(connection: socket.socket) -> None:
        await serve(*await asyncio.open_connection(sock=connection))

    def accept() -> None:
        with contextlib.suppress(OSError):  # gone again, or somebody else has taken it
            connection, _ = own.accept()
            connection.setblocking(False)
            task = loop.create_task(attend(connection))
            answering.add(task)
            task.add_done_callback(answering.discard)

    loop.add_reader(own, accept)
    try:
        yield
    finally:
        loop.remove_reader(own)
        own.close()
        if answering:
            await asyncio.wait(answering, timeout=ARRIVING)


def _answer(detail: str) -> bytes:
    from ..functions.messages.problem import document

    made = document(503, KIND, detail, headers=(("retry-after", str(SOON)), ("connection", "close")))
    headers = [*made.headers, ("content-length", str(len(made.body)))]
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 503 Service Unavailable\r\n{lines}\r\n".encode("latin-1") + made.body
