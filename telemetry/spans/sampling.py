"""Which traces are looked at: decided by the parent's flag, else by the trace id alone, so that every process of an
execution comes to the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...state.errors import InvalidInput
from .ids import Context

_BELOW = 1 << 64


class Sampling(NamedTuple):
    """``ratio`` of the traces, as OpenTelemetry's own sampler chooses them. ``by_parent``: who has a parent follows it.
    ``errors``: what fails is kept whatever was decided; ``cost``: so is what costs more US dollars than that (0: is
    not)."""

    ratio: float = 1.0
    by_parent: bool = True
    errors: bool = True
    cost: float = 0.0

    def takes(self, trace_id: str, parent: Context | None) -> bool:
        if parent is not None and self.by_parent:
            return parent.sampled
        return int(trace_id[16:], 16) < self.ratio * _BELOW


_NAMES = {"always_on": 1.0, "always_off": 0.0, "traceidratio": None}


def sampling_of(environment: Mapping[str, str]) -> Sampling:
    """As OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG say, and OVERWINTER_TRACES_ERRORS, OVERWINTER_TRACES_COST.
    Raises InvalidInput."""
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
    by_parent = name.startswith("parentbased_")
    plain = name.removeprefix("parentbased_")
    if plain not in _NAMES:
        known = ", ".join([*_NAMES, *(f"parentbased_{one}" for one in _NAMES)])
        raise InvalidInput(f"OTEL_TRACES_SAMPLER={name!r} is no sampler that is known here; these are: {known}")
    ratio = _NAMES[plain]
    if ratio is None:
        ratio = _number(environment, "OTEL_TRACES_SAMPLER_ARG", 1.0, most=1.0)
    errors = environment.get("OVERWINTER_TRACES_ERRORS", "").strip().lower() not in ("0", "false", "no", "off")
    return Sampling(ratio, by_parent, errors, _number(environment, "OVERWINTER_TRACES_COST", 0.0))


def _number(environment: Mapping[str, str], name: str, unsaid: float, most: float = float("inf")) -> float:
    text = environment.get(name, "").strip()
    if not text:
        return unsaid
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        limit = "" if most == float("inf") else f" of at most {most:g}"
        raise InvalidInput(f"{name}={text!r}: write a number{limit} that is not negative")
    return number
