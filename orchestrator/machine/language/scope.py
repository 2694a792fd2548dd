"""What an expression can see: the data (``$``), the context object (``$$``), variables (``$name``), time and chance."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from .chance import Chance, NoChance

NOTHING: Mapping[str, Any] = MappingProxyType({})


class Scope(NamedTuple):
    """``data`` is what ``$`` means where the expression stands (in JSONata: nothing; it has ``$states``).

    ``now``: milliseconds since 1970, the same for all that is evaluated in one transition.
    """

    data: Any = None
    context: Any = None
    variables: Mapping[str, Any] = NOTHING
    chance: Chance = NoChance()
    now: int = 0
    states: Mapping[str, Any] = NOTHING
