"""Counters, gauges and histograms of one process: plain numbers by label values, without a lock.

All changes are made on one thread, the event loop's. A label takes at most ``NAMES`` values and a metric at most
``SERIES`` series; what comes beyond counts under "other", so that no name from outside makes a process grow. A value is
text that can be sent, of at most ``LONGEST`` characters, without secrets.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from ...security.redaction import redacted

Kind = Literal["counter", "gauge", "histogram"]
Number = int | float | Decimal
Labels = tuple[str, ...]

NAMES = 100
SERIES = 2000
LONGEST = 200
OTHER = "other"


class Definition(NamedTuple):
    """A metric as OpenTelemetry names it: dotted, with a unit of UCUM ("s", "By", "1", "{thing}"). ``bounds`` are the
    upper ends of a histogram's buckets, each inclusive."""

    name: str
    kind: Kind
    about: str
    labels: tuple[str, ...] = ()
    unit: str = "1"
    bounds: tuple[float, ...] = ()


class Buckets:
    """One series of a histogram: how many observations lie in each bucket, the last one without an upper end."""

    __slots__ = ("counts", "sum")

    def __init__(self, size: int) -> None:
        self.counts = [0] * (size + 1)
        self.sum: float = 0.0


class Point(NamedTuple):
    """One series as it is told. ``counts`` is for histograms, one number a bucket."""

    labels: Labels
    value: float
    counts: tuple[int, ...] = ()


class Reading(NamedTuple):
    """A metric and its series, at one moment."""

    definition: Definition
    points: Sequence[Point]


class _Admission:
    """Which label values a metric tells apart."""

    def __init__(self, labels: int) -> None:
        self._known: tuple[set[str], ...] = tuple(set() for _ in range(labels))

    def admit(self, labels: Labels, series: int) -> Labels:
        """The labels under which a series that is not there yet is counted."""
        if series >= SERIES:
            return (OTHER,) * len(labels)
        return tuple(_bounded(known, value) for known, value in zip(self._known, labels, strict=True))


def _bounded(known: set[str], value: str) -> str:
    value = value[: 4 * LONGEST].encode(errors="replace").decode()  # halves of surrogate pairs can't be sent
    if value in known:
        return value
    value = redacted(value)[:LONGEST]  # not the other way round: half of a secret is not known as one
    if value not in known:
        if len(known) >= NAMES:
            return OTHER
        known.add(value)
    return value


class Counter:
    """Grows. Sums of money are kept as decimals, so that they are exact."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._values: dict[Labels, Number] = {}
        self._admission = _Admission(len(definition.labels))

    def add(self, labels: Labels, more: Number = 1) -> None:
        try:
            self._values[labels] += more  # type: ignore[operator]  # a counter holds one kind of number
        except KeyError:
            labels = self._admission.admit(labels, len(self._values))
            self._values[labels] = self._values.get(labels, 0) + more  # type: ignore[operator]

    def put(self, labels: Labels, value: Number) -> None:
        """What somebody else counts, as it is now."""
        self._values[self._admission.admit(labels, len(self._values) - (labels in self._values))] = value

    def points(self) -> Iterator[Point]:
        for labels, value in self._values.items():
            yield Point(labels, float(value))


class Gauge:
    """What is at this moment: set as a whole each time, so that what is gone is told no more."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._values: dict[Labels, float] = {}

    def set(self, values: Mapping[Labels, float]) -> None:
        """Where more series come than there may be, the largest value of those beyond stands under "other"."""
        admission, told = _Admission(len(self.definition.labels)), dict[Labels, float]()
        for labels, value in values.items():
            known = admission.admit(labels, len(told))
            told[known] = max(told.get(known, value), value)
        self._values = told

    def points(self) -> Iterator[Point]:
        for labels, value in self._values.items():
            yield Point(labels, value)


class Histogram:
    """How often which values were seen, by buckets that are fixed."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        self._bounds = definition.bounds
        self._series: dict[Labels, Buckets] = {}
        self._admission = _Admission(len(definition.labels))

    def observe(self, labels: Labels, value: float, times: int = 1) -> None:
        series = self._series.get(labels) or self._of(labels)
        series.counts[bisect_left(self._bounds, value)] += times
        series.sum += value * times

    def put(self, labels: Labels, counts: Iterable[int], total: float) -> None:
        """Counts that somebody else keeps, as they are now, one a bucket, and the sum of what was observed."""
        series = self._of(labels)
        series.counts, series.sum = list(counts), total

    def _of(self, labels: Labels) -> Buckets:
        found = self._series.get(labels)
        if found is None:
            labels = self._admission.admit(labels, len(self._series))
            found = self._series.get(labels)
        if found is None:
            found = self._series[labels] = Buckets(len(self._bounds))
        return found

    def points(self) -> Iterator[Point]:
        for labels, series in self._series.items():
            yield Point(labels, series.sum, tuple(series.counts))


Instrument = Counter | Gauge | Histogram


def _made(definition: Definition) -> Instrument:
    if definition.kind == "counter":
        return Counter(definition)
    return Gauge(definition) if definition.kind == "gauge" else Histogram(definition)


class Metrics:
    """The instruments of a process, by the names of their definitions."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self._all: dict[str, Instrument] = {}
        for one in definitions:
            self._all[one.name] = _made(one)

    def counter(self, definition: Definition) -> Counter:
        found = self._all[definition.name]
        assert isinstance(found, Counter)
        return found

    def gauge(self, definition: Definition) -> Gauge:
        found = self._all[definition.name]
        assert isinstance(found, Gauge)
        return found

    def histogram(self, definition: Definition) -> Histogram:
        found = self._all[definition.name]
        assert isinstance(found, Histogram)
        return found

    def read(self) -> list[Reading]:
        """All metrics that have anything to tell, in the order of the catalogue."""
        read = (Reading(one.definition, tuple(one.points())) for one in self._all.values())
        return [reading for reading in read if reading.points]
