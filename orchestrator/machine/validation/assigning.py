"""Assign: names of variables, and the values that they get."""

from __future__ import annotations

import re
from typing import Any

from . import kinds
from .evaluated import evaluated
from .place import Place

LONGEST_NAME = 80
_NAME = re.compile(r"[^\W\d]\w*")


def assign(place: Place, value: Any) -> None:
    """An object of variables."""
    if not kinds.objects(value, place):
        return
    evaluated(place, value)
    for key in value:
        _name(place.at(key), name_of(key, jsonata=place.jsonata))


def name_of(key: str, *, jsonata: bool) -> str:
    """The variable that a key of Assign means."""
    return key[:-2] if key.endswith(".$") and not jsonata else key


def _name(place: Place, name: str) -> None:
    if name == "states":
        place.error("assign", "states is what the language itself calls $states", advice="Choose another name.")
    elif not _NAME.fullmatch(name):
        place.error("assign", f"{name!r:.80} can't be the name of a variable", advice="Letters, digits and _ make one.")
    elif len(name) > LONGEST_NAME:
        place.error("assign", f"this name has {len(name)} characters, and {LONGEST_NAME} is the most")
