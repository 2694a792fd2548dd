"""Spans on their way out: kept in a bounded queue, and exported by a thread of its own, some at a time.

Whoever puts a span in never waits. What does not fit is dropped, counted and logged. Where an exporter has a form of
its own for a span (``Encoder``), that is made when the span is put in, a little at each step: a thread that made those
of many spans at once would keep the event loop from its turn, for as long as that takes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from .cleaning import without_secrets
from .span import Span, Step, whole

log = logging.getLogger("overwinter")


class Exporter(Protocol):
    """Where spans go. It is called by one thread."""

    def export(self, spans: Sequence[Span]) -> bool:
        """Whether they are there now; what is not is dropped."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Encoder(Protocol):
    """An exporter that is given what it has made of each span."""

    def encode(self, span: Span | Step) -> object:
        """Quick, and without I/O."""
        ...

    def send(self, encoded: Sequence[Any]) -> bool:
        """What ``Exporter.export`` does, for what ``encode`` has made."""
        ...


class Limits(NamedTuple):
    """``queue``: spans that wait at the most; ``batch``: those of one export; ``every``: seconds between two."""

    queue: int = 2048
    batch: int = 512
    every: float = 5.0


def limits_of(environment: Mapping[str, str]) -> Limits:
    """As OTEL_BSP_* says; what is no number counts as unsaid."""

    def number(name: str, unsaid: float, unit: float = 1) -> float:
        text = environment.get(name, "").strip()
        return int(text) / unit if text.isdecimal() and int(text) > 0 else unsaid

    queue, batch = number("OTEL_BSP_MAX_QUEUE_SIZE", 2048), number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)
    return Limits(int(queue), int(min(queue, batch)), number("OTEL_BSP_SCHEDULE_DELAY", 5.0, 1000))


class Batch:
    """The queue and its thread, which begins with the first span: a process that is forked before has none."""

    def __init__(self, exporter: Exporter, limits: Limits = Limits()) -> None:
        self._exporter = exporter
        self._encoder = exporter if isinstance(exporter, Encoder) else None
        self._encode = None if self._encoder is None else self._encoder.encode
        self._limits = limits
        self._waiting: deque[tuple[Span | Step, object]] = deque()  # each with what the encoder has made of it
        self._thread: threading.Thread | None = None
        self._moved = threading.Condition()
        self._hurry = self._closed = False
        self._under_way = 0  # spans that are being exported
        self.exported = self.dropped = self.failed = 0

    def put(self, spans: Sequence[Span | Step]) -> None:
        """Have them exported."""
        waiting, encode = self._waiting, self._encode
        if self._closed or len(waiting) + len(spans) > self._limits.queue:
            room = 0 if self._closed else max(0, self._limits.queue - len(waiting))
            self._drop(len(spans) - room)
            spans = spans[:room]
        for span in spans:
            try:
                waiting.append((span, None if encode is None else encode(span)))
            except Exception:  # the edge to exporters, as below: one span is lost, and no step
                log.warning("telemetry: the span %r can't be exported", span.name, exc_info=True)
                self.failed += 1
        if self._thread is None:
            if spans:
                self._thread = threading.Thread(target=self._run, name="overwinter-spans", daemon=True)
                self._thread.start()
        elif len(waiting) >= self._limits.batch:
            self._wake()

    def _drop(self, count: int) -> None:
        before, self.dropped = self.dropped, self.dropped + count
        if before.bit_length() != self.dropped.bit_length():  # said the first time, and each time that it has doubled
            log.warning("telemetry: %d spans were dropped so far: more come than can be exported", self.dropped)

    def _wake(self) -> None:
        if self._moved.acquire(blocking=False):  # else the thread is awake, and looks again by itself
            self._moved.notify_all()
            self._moved.release()

    def flush(self, timeout: float) -> bool:
        """Export what waits, for so many seconds at the most. Whether all is out."""
        deadline = time.monotonic() + timeout
        with self._moved:
            self._hurry = True
            self._moved.notify_all()
            while (self._waiting or self._under_way) and self._thread is not None:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._moved.wait(left)
        return True

    def close(self, timeout: float) -> None:
        """Flush, and take nothing more."""
        if not self.flush(timeout):
            left = len(self._waiting) + self._under_way
            log.warning("telemetry: %d spans were not exported before the process had to end", left)
        self._closed = True
        with self._moved:
            self._moved.notify_all()
        thread = self._thread
        if thread is not None:
            thread.join(0.2)
        if thread is None or not thread.is_alive():
            self._exporter.close()

    def _run(self) -> None:
        while True:
            with self._moved:
                self._under_way = 0
                self._moved.notify_all()
                if not self._waiting:
                    self._hurry = False
                if not (self._hurry or self._closed or len(self._waiting) >= self._limits.batch):
                    self._moved.wait(self._limits.every)
                if self._closed:
                    return
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._limits.batch))]
                self._under_way = len(taken)
            if taken:
                self._export(taken)

    def _sent(self, taken: Sequence[tuple[Span | Step, object]]) -> bool:
        spans = [span for span, _ in taken]
        clean = without_secrets(spans)
        if self._encoder is None:
            return self._exporter.export(list(map(whole, clean)))
        return self._encoder.send(
            [made for _, made in taken] if clean is spans else list(map(self._encoder.encode, clean))
        )

    def _export(self, taken: Sequence[tuple[Span | Step, object]]) -> None:
        try:
            arrived = self._sent(taken)
        except Exception:  # the edge to exporters: whatever one raises, the next batch goes out
            log.warning("telemetry: the exporter failed", exc_info=True)
            arrived = False
        if arrived:
            self.exported += len(taken)
        else:
            self.failed += len(taken)
