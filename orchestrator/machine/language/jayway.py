"""JSONPath beyond reference paths: python-jsonpath, taught what Jayway does otherwise.

A filter looks at an object itself, not at its values; a member that is null counts as absent where only its presence
is asked (``[?(@.a)]``, ``[?(!@.a)]``), one that is false or 0 does not. Functions at the end of a path (``.length()``)
are computed here. Nothing of the library leaves this file.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .kinds import is_array, is_number, is_object

if TYPE_CHECKING:
    from jsonpath import JSONPathEnvironment

_DOTTED = re.compile(r"(?<!\.)\.\[")


@cache
def _environment() -> JSONPathEnvironment:
    from jsonpath import JSONPathEnvironment, NodeList

    class Jayway(JSONPathEnvironment):
        def is_truthy(self, obj: object) -> bool:
            if isinstance(obj, NodeList):
                return any(node.value is not None for node in obj)
            return super().is_truthy(obj) if obj is not None else False

    return Jayway()


def compile_jsonpath(chain: str) -> Callable[[Any], list[Any]] | None:
    """What evaluates a chain (the path without its root) against a value; None for a text that is no JSONPath."""
    from jsonpath.exceptions import JSONPathError

    try:
        compiled = _environment().compile("$" + _DOTTED.sub("[", chain))
    except (JSONPathError, ValueError, RecursionError, re.error):
        return None
    filters = chain.startswith("[?")

    def evaluate(value: Any) -> list[Any]:
        try:
            return list(compiled.findall([value] if filters and is_object(value) else value))
        except (JSONPathError, TypeError, ValueError, re.error):
            return []  # a comparison that the data does not allow holds for nothing

    return evaluate


def _numbers(value: Any) -> list[float]:
    items = value if is_array(value) else [value]
    numbers = [float(item) for item in items if is_number(item)]
    if not numbers or not math.isfinite(math.fsum(numbers)):
        raise ValueError("no numbers")
    return numbers


def _length(value: Any) -> int:
    return len(value)


def _keys(value: Any) -> list[Any]:
    return list(dict(value))


def _spread(value: Any) -> float:
    return statistics.pstdev(_numbers(value))


FUNCTIONS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "length": _length,
        "keys": _keys,
        "min": lambda value: min(_numbers(value)),
        "max": lambda value: max(_numbers(value)),
        "sum": lambda value: math.fsum(_numbers(value)),
        "avg": lambda value: statistics.fmean(_numbers(value)),
        "stddev": _spread,
    }
)
