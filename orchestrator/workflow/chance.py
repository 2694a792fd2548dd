"""Time, randomness and identifiers that replay: drawn from the journal's clock and the execution's seed."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime
from uuid import UUID

from .scope import Scope


class Drawing(Scope):
    """The part of a context that stands in for the clock and for chance. Nothing is journaled."""

    __slots__ = ()

    def now(self) -> datetime:
        """The time of the last thing that happened to this execution, in UTC."""
        return datetime.fromtimestamp(self._run.timers.now / 1000, UTC)

    def random(self) -> random.Random:
        """A random generator; each call gives another one, the same ones on replay."""
        return random.Random(self._draw("random"))

    def uuid(self) -> UUID:
        """A random UUID (version 4), the same on replay."""
        return UUID(bytes=self._draw("uuid")[:16], version=4)

    def _draw(self, purpose: str) -> bytes:
        origin = self._run.origin
        seed = "" if origin is None else origin.seed
        self._drawn += 1
        return hashlib.sha256(f"{purpose}\n{seed}\n{self._prefix}\n{self._drawn}".encode()).digest()
