"""How fast a queue goes, and how often it tries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Pace(NamedTuple):
    """At most ``concurrency`` at a time (0: any number), at most ``rate`` begun in ``per`` ms, evenly spread (0: any
    number), one of a key at a time when ``ordered``; ``attempts`` in all, the pause after the first ``first`` ms,
    ``factor`` times as long after each, ``most`` ms at the most."""

    concurrency: int = 0
    rate: int = 0
    per: int = 1000
    ordered: bool = False
    attempts: int = 1
    first: int = 1000
    factor: float = 2.0
    most: int = 3_600_000

    def pause(self, failed: int) -> int:
        """Milliseconds after so many attempts that failed."""
        try:
            return min(self.most, int(self.first * self.factor ** (failed - 1)))
        except OverflowError:
            return self.most

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if value != Pace._field_defaults[name]}


def from_json(told: Mapping[str, Any]) -> Pace:
    return Pace(**{name: told[name] for name in Pace._fields if name in told})
