"""Succeed: ends its flow well."""

from __future__ import annotations

from dataclasses import dataclass

from ..fields import Fields
from .state import State, shaped


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(State):
    """It has no ``next``."""


def succeed(name: str, fields: Fields) -> Succeed:
    made = Succeed(**shaped(name, fields))
    fields.done()
    return made
