"""Metrics by OTLP: readings as OpenTelemetry's data, sent by its exporter, which knows its own environment variables.

The exporter alone is OpenTelemetry's; the numbers are ours and cumulative, so nothing is counted twice and no provider
is set for the process.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from .instruments import Definition, Point, Reading

_CUMULATIVE = AggregationTemporality.CUMULATIVE
_UNKNOWN: float = None  # type: ignore[assignment]  # the encoder leaves out what is None, and no least or most is kept


class Exporter:
    """One that sends to where the environment says. ``since``: when counting began, in ns since 1970."""

    def __init__(self, since: int) -> None:
        self._since = since
        self._exporter = OTLPMetricExporter()
        self._resource = Resource({"service.name": "overwinter"}).merge(Resource.create())
        self._scope = InstrumentationScope("overwinter", _version())

    def send(self, readings: Iterable[Reading], now: int) -> bool:
        """Send them, with retries of its own; whether they arrived. It blocks."""
        metrics = [_metric(reading, self._since, now) for reading in readings]
        scope = ScopeMetrics(self._scope, metrics, "")
        data = MetricsData([ResourceMetrics(self._resource, [scope], self._resource.schema_url)])
        sent = self._exporter.export(data)  # pyright: ignore[reportUnknownMemberType]  # its **kwargs have no type
        return sent is MetricExportResult.SUCCESS

    def close(self) -> None:
        """End, also a send that is under way and waits to try again."""
        self._exporter.shutdown()  # pyright: ignore[reportUnknownMemberType]  # as above


def _version() -> str:
    try:
        return version("overwinter")
    except PackageNotFoundError:  # a copy of the source
        return ""


def _metric(reading: Reading, since: int, now: int) -> Metric:
    definition, points = reading
    data: Sum | Gauge | Histogram
    if definition.kind == "histogram":
        data = Histogram([_histogram(definition, point, since, now) for point in points], _CUMULATIVE)
    elif definition.kind == "counter":
        data = Sum([_number(definition, point, since, now) for point in points], _CUMULATIVE, True)
    else:
        data = Gauge([_number(definition, point, 0, now) for point in points])
    return Metric(definition.name, definition.about, definition.unit, data)


def _number(definition: Definition, point: Point, since: int, now: int) -> NumberDataPoint:
    value = int(point.value) if point.value == int(point.value) else point.value
    return NumberDataPoint(_attributes(definition, point), since, now, value)


def _histogram(definition: Definition, point: Point, since: int, now: int) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=_attributes(definition, point),
        start_time_unix_nano=since,
        time_unix_nano=now,
        count=sum(point.counts),
        sum=point.value,
        bucket_counts=point.counts,
        explicit_bounds=definition.bounds,
        min=_UNKNOWN,
        max=_UNKNOWN,
    )


def _attributes(definition: Definition, point: Point) -> dict[str, str]:
    return {label: value for label, value in zip(definition.labels, point.labels, strict=True) if value}
