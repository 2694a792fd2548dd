"""GET /metrics, for Prometheus, and how the document describes it. Whoever may use the API may read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..messages.answer import Answer
from ..messages.problem import Refused
from .service import Call

Json = dict[str, Any]
PATH = "/metrics"


async def metrics(call: Call) -> Answer:
    """GET /metrics: what this process has counted, and what its store says."""
    call.query()
    meter = call.runtime.meter
    if meter is None:
        raise Refused(404, "metrics are off; start the process with OVERWINTER_METRICS=1")
    from ...telemetry.metrics import prometheus

    openmetrics = prometheus.wants_openmetrics(call.header("accept"))
    kind = prometheus.OPENMETRICS if openmetrics else prometheus.TEXT
    text = prometheus.exposition(await meter.read(), openmetrics=openmetrics)
    return Answer(200, text.encode(), [("content-type", kind), ("vary", "accept")])


def paths(operation: Callable[..., Json]) -> Json:
    """How the document describes it, made of its parts."""
    made = operation("Metrics for Prometheus", {200: None}, errors=(400, 401, 403, 404, 500))
    made["responses"]["200"]["content"] = {
        "text/plain": {"schema": {"type": "string"}},
        "application/openmetrics-text": {"schema": {"type": "string"}},
    }
    return {PATH: {"get": made}}
