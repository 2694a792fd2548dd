"""Traced processes in virtual time: a span arrives five seconds after it was handed on, if its process lives then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from overwinter.functions import tracing
from overwinter.telemetry.spans.sampling import Sampling
from overwinter.telemetry.spans.span import Span, whole
from overwinter.telemetry.spans.tracing import Tracing
from overwinter.testing import crash_everywhere

DELAY = 5.0


class Nowhere:
    def export(self, spans: Sequence[Span]) -> bool:
        raise AssertionError("nothing is exported by a thread here")

    def close(self) -> None: ...


class Run:
    """What has arrived, by trace and span."""

    def __init__(self) -> None:
        self.arrived: list[Span] = []
        self.processes: list[Witness] = []

    def tree(self, *, whole: bool = True) -> dict[tuple[str, str], Any]:
        """Each span without its times, by its ids."""
        arrived = [*self.arrived, *(self.processes[-1].waiting if self.processes else ())]
        return {(span.trace_id, span.span_id): _timeless(span) for span in arrived}


def _timeless(span: Span) -> Any:
    said = {
        key: value for key, value in span.attributes.items() if key not in ("faas.coldstart", "overwinter.attempts")
    }
    return span.parent_id, span.name, span.kind, bool(span.error), tuple(span.links), sorted(said.items())


class Witness(Tracing):
    def __init__(self, run: Run, sampling: Sampling) -> None:
        super().__init__(Nowhere(), sampling)
        self.run = run
        self.waiting: list[Span] = []
        self.batch.put = lambda spans: self.put(list(map(whole, spans)))  # type: ignore[method-assign]  # single steps
        run.processes.append(self)

    def heard(self) -> None:
        asyncio.get_running_loop().call_soon(self.settle)  # what one that dies has not told is DELAY's matter here

    def loaded(self, head: Any, entries: Any) -> None:
        super().loaded(head._replace(created=0), entries)  # a time like others, and not the same after a crash

    def put(self, spans: Sequence[Span], *, again: bool = False) -> None:
        self.waiting += spans
        asyncio.get_running_loop().call_later(DELAY, self._arrive, list(spans))

    def _arrive(self, spans: list[Span]) -> None:
        self.run.arrived += spans
        del self.waiting[: len(spans)]


def runs_of(monkeypatch: Any, target: Any, *more: Any, sampling: Sampling = Sampling(), **how: Any) -> list[Run]:
    """Crash it everywhere; the first two runs are without a crash."""
    runs: list[Run] = []
    monkeypatch.setattr(tracing, "from_environment", lambda: Witness(runs[-1], sampling))
    crash_everywhere(target, *more, fresh=lambda: runs.append(Run()), **how)
    return runs
