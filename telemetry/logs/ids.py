"""Which execution a line belongs to. Taken where the line is said, because a handler may write it elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

Ids = Callable[[], Mapping[str, str | int]]
"""What is known of the code that runs: execution, operation, attempt; trace_id and span_id; {} outside of all."""

NAMES = ("execution", "operation", "attempt", "trace_id", "span_id")


class Identified(logging.Filter):
    """Adds ``NAMES`` to records, as far as they are known and the record has none of its own. Lets all through. For a
    handler, or for whatever hands records on to another thread."""

    def __init__(self, sources: Sequence[Ids]) -> None:
        super().__init__()
        self._sources = sources

    def filter(self, record: logging.LogRecord) -> bool:
        own = record.__dict__
        for source in self._sources:
            for name, value in source().items():
                own.setdefault(name, value)
        return True


def ids_of(record: logging.LogRecord) -> dict[str, str | int]:
    """Those that a record has."""
    own = record.__dict__
    return {name: own[name] for name in NAMES if isinstance(own.get(name), str | int) and own[name] != ""}
