"""Wait: until so many seconds are over, or until a moment."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import Fields, Malformed
from ..values import Number, Text
from .state import State, led


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """One of both is there."""

    seconds: Number | None = None
    timestamp: Text | None = None


def wait(name: str, fields: Fields) -> Wait:
    made = Wait(
        **led(name, fields), seconds=fields.dynamic_number("Seconds"), timestamp=fields.dynamic_text("Timestamp")
    )
    if (made.seconds is None) == (made.timestamp is None):
        raise Malformed("either seconds or a timestamp should stand", fields.pointer)
    fields.done()
    return made
