"""What servers refuse of a streamed request: to count while they stream, or to stream at all. And answers that came at
once, told all the same."""

from __future__ import annotations

import re
from typing import Any

from .port import Answer, Delta, Emit

STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
"""What is added to a request for a streamed answer."""
_WORDS = {"stream_options": re.compile(r"(?i)stream_options|include_usage"), "stream": re.compile(r"(?i)\bstream")}
"""What is left out, in this order, and how servers say so."""
_REFUSING = (400, 403, 404, 405, 415, 422, 501)

Without = frozenset[str]
"""Names of STREAMED that a server refuses."""


def refused(status: int | None, told: str, without: Without) -> str:
    """What the server refuses of what was still in the request; "" when it refuses something else."""
    if status not in _REFUSING:
        return ""
    return next((name for name, words in _WORDS.items() if name not in without and words.search(told)), "")


def unwanted(settings: Any) -> bool:
    """Whether the user wants no stream."""
    return settings.get("stream") is False


def told(answer: Answer, emit: Emit) -> Answer:
    """The answer that came at once, told in one piece."""
    if answer.reasoning:
        emit(Delta(reasoning=answer.reasoning))
    if answer.text and answer.finish != "malformed":
        emit(Delta(answer.text))
    return answer
