"""Limits of AWS that are not there here, for those who deploy there as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..definition.document import Document
from ..definition.plain import members_of
from .graph import flows
from .place import Place

DEFINITION = 1_048_576  # bytes of the text
PAYLOAD = 262_144  # bytes of what is handed from state to state
WAIT = 31_536_000  # seconds, since an execution lasts a year at most
EXPRESS = 300  # seconds that an EXPRESS execution lasts


def limits(place: Place, document: Document) -> None:
    """Static sizes and times that AWS refuses, or that would make an execution fail there."""
    size = document.size if document.size is not None else _size(document.value)
    if size > DEFINITION:
        place.error("limits", f"the definition has {size:,} bytes, and AWS takes {DEFINITION:,}")
    timeout: Any = members_of(document.value).get("TimeoutSeconds")
    if place.express and isinstance(timeout, (int, float)) and timeout > EXPRESS:
        place.at("TimeoutSeconds").warning("limits", f"an EXPRESS execution ends after {EXPRESS} s", code="AWS_LIMIT")
    for flow in flows(document.value):
        for name, state in flow.states.items():
            _state(place.at(*flow.pointer, "States", name), members_of(state))


def _state(place: Place, state: Mapping[str, Any]) -> None:
    seconds: Any = state.get("Seconds")
    if isinstance(seconds, (int, float)) and seconds > WAIT:
        place.at("Seconds").warning("limits", f"an execution lasts {WAIT:,} s at most on AWS", code="AWS_LIMIT")
    for name in ("Result", "Parameters", "Arguments", "Output"):
        size = _size(state[name]) if name in state else 0
        if size > PAYLOAD:
            what = f"it has {size:,} bytes, and AWS hands on {PAYLOAD:,} at most"
            place.at(name).warning("limits", what, code="AWS_LIMIT")


def _size(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass"))
