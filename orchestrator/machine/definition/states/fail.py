"""Fail: ends its flow with an error."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import Fields
from ..values import Text
from .state import State, described


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(State):
    """Its paths may be calls of intrinsic functions."""

    error: Text | None = None
    cause: Text | None = None


def fail(name: str, fields: Fields) -> Fail:
    made = Fail(**described(name, fields), error=fields.dynamic_text("Error"), cause=fields.dynamic_text("Cause"))
    fields.done()
    return made
