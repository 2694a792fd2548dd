"""Standard input, line by line, while an event loop goes on beside it. A thread that waits for a line never keeps the
process from ending: it reads the descriptor, and holds no lock of Python's own stream."""

from __future__ import annotations

import asyncio
import os
import sys

PIECE = 64 * 1024


class Lines:
    """``next`` gives one line without its end; None when there are no more (Ctrl-D at a terminal)."""

    def __init__(self) -> None:
        self._buffer = b""
        self._over = False
        try:
            self._descriptor: int | None = sys.stdin.fileno()
        except (OSError, ValueError):  # no real file stands behind it
            self._descriptor = None

    async def next(self) -> str | None:
        while b"\n" not in self._buffer and not self._over:
            piece = await asyncio.to_thread(self._read)
            self._buffer += piece
            self._over = not piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        if not line and self._over and not self._buffer:
            return None
        return line.decode("utf-8", "replace").rstrip("\r")

    def _read(self) -> bytes:
        if self._descriptor is None:
            return sys.stdin.readline().encode("utf-8", "replace")
        return os.read(self._descriptor, PIECE)
