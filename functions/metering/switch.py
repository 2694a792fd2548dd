"""Whether a process counts, and whether it sends what it has counted. Nothing else is imported while it does not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...state.errors import InvalidInput

if TYPE_CHECKING:
    from .measured import Measured
    from .meter import Meter

VARIABLE = "OVERWINTER_METRICS"
_ON, _OFF = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def meter_of(runtime: Measured) -> Meter | None:
    """The meter of a runtime, or None when it is to have none. Raises InvalidInput for a value that says nothing."""
    if not wanted(os.environ):
        return None
    from .meter import Meter

    return Meter(runtime, sends=sends(os.environ))


def wanted(environment: Mapping[str, str]) -> bool:
    """As ``OVERWINTER_METRICS`` says; without it, when OpenTelemetry's variables name where metrics are to go."""
    said = environment.get(VARIABLE, "").strip().lower()
    if said in _ON or said in _OFF:
        return said in _ON
    if said:
        raise InvalidInput(f"{VARIABLE} is {said[:40]!r}; set it to 1 or 0, or leave it out")
    return sends(environment)


def sends(environment: Mapping[str, str]) -> bool:
    """Whether metrics go out by OTLP: an endpoint is named, or the exporter is, and nobody says no."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = {one.strip() for one in environment.get("OTEL_METRICS_EXPORTER", "").split(",")} - {""}
    if exporters:
        return "otlp" in exporters
    return any(environment.get(name, "").strip() for name in _ENDPOINTS)
