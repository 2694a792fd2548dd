"""What came out otherwise than it was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..definition.document import Pointer, rfc6901
from ..definition.plain import is_list, is_object, members_of
from .trying import Tested

EXPECTED = ("status", "output", "error", "cause", "causeContains", "nextState", "inspectionData", "path")
"""What a case may expect."""
NOTHING: Any = object()
"""Stands where there is no value at all."""


class Difference(NamedTuple):
    """``field`` is one of ``EXPECTED``, ``pointer`` the place in it (RFC 6901); either value may be ``NOTHING``."""

    field: str
    pointer: str
    expected: Any
    actual: Any

    def as_json(self) -> dict[str, Any]:
        """A value that is not there is left out."""
        return {name: value for name, value in self._asdict().items() if value is not NOTHING}


def differences(expected: Mapping[str, Any], tested: Tested) -> Iterator[Difference]:
    """None when all is as expected. Who expects no status and no error expects success. Of ``inspectionData`` only
    those values count that are expected; numbers are equal by their value, booleans are no numbers, and ``null`` stands
    for what is not there in ``error``, ``cause`` and ``nextState``."""
    found = tested.as_json()
    wanted = dict(expected)
    if not {"status", "error", "cause", "causeContains"} & set(wanted):
        wanted = {"status": "SUCCEEDED", **wanted}
    for field, value in wanted.items():
        if field == "causeContains":
            if str(value) not in (tested.cause or ""):
                yield Difference(field, "", value, found.get("cause", NOTHING))
        elif field == "inspectionData":
            inspection = found.get("inspectionData", {})
            for name, part in members_of(value).items():
                yield from _of_values(field, (name,), part, inspection.get(name, NOTHING))
        else:
            absent = None if field in ("error", "cause", "nextState") else NOTHING
            yield from _of_values(field, (), value, found.get(field, absent))


def _of_values(field: str, at: Pointer, expected: Any, actual: Any) -> Iterator[Difference]:
    """Place by place, in the order in which they were expected."""
    if is_object(expected) and is_object(actual):
        for name, value in expected.items():
            yield from _of_values(field, (*at, name), value, actual.get(name, NOTHING))
        for name in (name for name in actual if name not in expected):
            yield Difference(field, rfc6901((*at, name)), NOTHING, actual[name])
    elif is_list(expected) and is_list(actual):
        for index in range(max(len(expected), len(actual))):
            one, other = (values[index] if index < len(values) else NOTHING for values in (expected, actual))
            yield from _of_values(field, (*at, index), one, other)
    elif isinstance(expected, bool) is not isinstance(actual, bool) or expected != actual:
        yield Difference(field, rfc6901(at), expected, actual)
