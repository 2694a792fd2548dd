"""Metrics as Prometheus reads them: the text format 0.0.4, or OpenMetrics 1.0 for whoever asks for it.

Names follow OpenTelemetry's rules for Prometheus: dots become underscores, seconds and bytes stand in the name, what
only grows ends in ``_total``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .instruments import Definition, Point, Reading

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_UNITS = {"s": "seconds", "By": "bytes"}


def family(definition: Definition) -> str:
    """The metric's name without what its samples add."""
    name = definition.name.replace(".", "_")
    unit = unit_of(definition)
    return f"{name}_{unit}" if unit else name


def unit_of(definition: Definition) -> str:
    """The unit as it stands in the name; "" for what is counted."""
    if definition.unit == "1":
        return "ratio" if definition.kind == "gauge" else ""
    return _UNITS.get(definition.unit, "")


def samples(definition: Definition) -> tuple[str, ...]:
    """The names of all samples of a metric: what dashboards and rules may ask for."""
    name = family(definition)
    if definition.kind == "counter":
        return (f"{name}_total",)
    if definition.kind == "histogram":
        return (f"{name}_bucket", f"{name}_sum", f"{name}_count")
    return (name,)


def labels_of(definition: Definition) -> tuple[str, ...]:
    """The names of its labels, the bucket's own not among them."""
    return tuple(label.replace(".", "_") for label in definition.labels)


def wants_openmetrics(accept: str) -> bool:
    """Whether the Accept header likes OpenMetrics at least as well as plain text."""
    best = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for part in accept.split(","):
        kind, *parameters = (word.strip().lower() for word in part.split(";"))
        if kind in best:
            best[kind] = max(best[kind], _quality(parameters))
    return best["application/openmetrics-text"] > 0 and best["application/openmetrics-text"] >= best["text/plain"]


def _quality(parameters: Sequence[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def exposition(readings: Iterable[Reading], *, openmetrics: bool = False) -> str:
    """All readings in one text."""
    lines = [line for reading in readings for line in _family(reading, openmetrics)]
    return "\n".join([*lines, "# EOF"] if openmetrics else lines) + "\n"


def _family(reading: Reading, openmetrics: bool) -> Iterator[str]:
    definition, points = reading
    name = family(definition)
    declared = f"{name}_total" if definition.kind == "counter" and not openmetrics else name
    yield f"# HELP {declared} {_escaped(definition.about, openmetrics)}"
    yield f"# TYPE {declared} {definition.kind}"
    if openmetrics and (unit := unit_of(definition)):
        yield f"# UNIT {declared} {unit}"
    names = labels_of(definition)
    for point in points:
        said = ((label, value) for label, value in zip(names, point.labels, strict=True) if value)
        labels = [f'{label}="{_escaped(value, True)}"' for label, value in said]
        if definition.kind == "histogram":
            yield from _buckets(name, definition, point, labels)
        else:
            yield f"{samples(definition)[0]}{_braced(labels)} {_number(point.value)}"


def _buckets(name: str, definition: Definition, point: Point, labels: list[str]) -> Iterator[str]:
    total = 0
    for bound, count in zip((*definition.bounds, None), point.counts, strict=True):
        total += count
        end = "+Inf" if bound is None else repr(float(bound))
        bucket = [*labels, f'le="{end}"']
        yield f"{name}_bucket{_braced(bucket)} {total}"
    yield f"{name}_sum{_braced(labels)} {_number(point.value)}"
    yield f"{name}_count{_braced(labels)} {total}"


def _braced(labels: list[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))


def _escaped(text: str, quotes: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
