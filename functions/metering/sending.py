"""Metrics sent out by OTLP, every ``OTEL_METRIC_EXPORT_INTERVAL`` ms and once at the end. Needs the extra ``otel``.

They are read on the loop and sent in a thread of its own: a receiver that is slow, away or wrong costs nobody anything
but the numbers, and what has happened meanwhile is in the next ones, because all of them are sums since the beginning.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from ...orchestrator.engine.patience import lasting
from ...state.daemons import Daemons
from ...state.errors import InvalidInput
from ...telemetry.metrics.instruments import Reading

if TYPE_CHECKING:
    from ...telemetry.metrics.otlp import Exporter

Read = Callable[[], Awaitable[list[Reading]]]
VARIABLE = "OTEL_METRIC_EXPORT_INTERVAL"
INTERVAL = 60_000
FLUSH = 2.0
"""Seconds that the last send may take. What does not arrive in them is lost; the process ends all the same."""


class Sending:
    """What ``read`` gives goes out until ``end``."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._interval = interval() / 1000
        self._exporter = _exporter()
        self._pool = Daemons(1, "metrics")
        self._sending: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._sending = asyncio.get_running_loop().create_task(lasting(self._keep_on))

    async def end(self) -> None:
        if self._sending is None:
            return
        self._sending.cancel()
        await asyncio.gather(self._sending, return_exceptions=True)
        self._sending = None
        with suppress(TimeoutError):
            async with asyncio.timeout(FLUSH):
                await self.send()
        self._exporter.close()
        self._pool.shutdown(wait=False)

    async def send(self) -> bool:
        """Send what there is now; whether it arrived."""
        readings, now = await self._read(), time.time_ns()
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._exporter.send, readings, now)

    async def _keep_on(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self.send()


def interval() -> int:
    """Milliseconds between two sends. Raises InvalidInput."""
    said = os.environ.get(VARIABLE, "").strip()
    if not said:
        return INTERVAL
    if not (said.isascii() and said.isdecimal() and int(said) > 0):
        raise InvalidInput(f"{VARIABLE} is {said[:40]!r}; it is a number of milliseconds, 60000 for a minute")
    return int(said)


def _exporter() -> Exporter:
    try:
        from ...telemetry.metrics.otlp import Exporter
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise InvalidInput(
            "metrics are to be sent by OTLP, and OpenTelemetry is not installed: pip install 'overwinter[otel]', or "
            "set OTEL_METRICS_EXPORTER=none"
        ) from None
    return Exporter(time.time_ns())
