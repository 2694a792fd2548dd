"""Who looks after traces, as the engine knows it: it is told what is taken up here, and says in which trace a call is.

The engine knows nothing of spans. A runtime that is traced puts it in (``Performer.tracing``); what is stored it hears
of as others do (``Extensions.hear``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ...state.records import Head
from ..protocol.decider import Fact


class Tracing(Protocol):
    """Quick, and never to blame for a call: it raises nothing."""

    def loaded(self, head: Head, entries: Sequence[Fact]) -> None:
        """An execution is taken up, with the entries from ``head.base`` on."""
        ...

    def caller(self, execution: str, op: str, caller: Mapping[str, Any], report: str = "") -> Mapping[str, Any]:
        """What is said of who orders something by an operation, with the trace that it belongs to. ``report``: it is a
        call, by what its entry is called."""
        ...

    def event(self, execution: str, op: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """An event that is published by an operation, with its trace."""
        ...
