"""Ids of traces and spans, and the context that goes on from one process to another (W3C Trace Context).

An id is a hash of what names the thing: every process that reads the same records comes to the same ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")
_MEMBER = re.compile(
    r"([a-z][_0-9a-z*/-]{0,255}|[a-z0-9][_0-9a-z*/-]{0,240}@[a-z][_0-9a-z*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MEMBERS = 32


class Context(NamedTuple):
    """The place of a span in a trace: what ``traceparent`` and ``tracestate`` say."""

    trace_id: str
    span_id: str
    sampled: bool
    tracestate: str = ""

    @property
    def begun(self) -> int:
        """The second in which the trace began, of a trace of X-Ray."""
        return int(self.trace_id[:8], 16)

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


class Identity(NamedTuple):
    """One life of an execution: another one under the same id, after the first was removed, has another time."""

    execution: str
    created: int

    @property
    def trace_id(self) -> str:
        """Of an execution that belongs to nobody's trace. It begins with the second of creation, as X-Ray has it."""
        digest = blake2b(f"{self.execution}\0{self.created}".encode(), digest_size=12).hexdigest()
        return f"{self.created // 1000 & 0xFFFFFFFF:08x}{digest}"

    def span_id(self, *parts: object) -> str:
        """``parts`` name the span within the execution."""
        text = "\0".join((self.execution, str(self.created), *map(str, parts)))
        return blake2b(text.encode(), digest_size=8).hexdigest()

    def operation(self, op: str, reopened: int) -> str:
        """The span of an operation. All attempts are one; when the execution was opened again, it is another."""
        hashed = self.operations()
        hashed.update(f"{op}\0{reopened}".encode())
        return hashed.hexdigest()

    def operations(self) -> blake2b:
        """What the ids of all operations begin with."""
        return blake2b(f"{self.execution}\0{self.created}\0operation\0".encode(), digest_size=8)


def context_of(said: Mapping[str, Any]) -> Context | None:
    """The context that somebody handed over; None when there is none that can be gone on with."""
    match = _PARENT.fullmatch(str(said.get("traceparent") or ""))
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    return Context(trace_id, span_id, bool(int(flags, 16) & 1), tracestate_of(str(said.get("tracestate") or "")))


@lru_cache(256)
def tracestate_of(text: str) -> str:
    """What can be gone on with; "" for what is no ``tracestate``, which costs nothing else. Without a word: a caller
    could fill the log by it, as it does where OpenTelemetry's own classes read it."""
    members = [member.strip(" \t") for member in text.split(",")]
    matches = [_MEMBER.fullmatch(member) for member in members if member]
    keys = {match[1] for match in matches if match is not None}
    if len(matches) > _MEMBERS or len(keys) < len(matches):  # a key twice, or what is none
        return ""
    return ",".join(match[0] for match in matches if match is not None)
