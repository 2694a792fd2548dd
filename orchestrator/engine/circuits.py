"""Circuit breakers: a target that fails and fails is left alone for a while, in this process."""

from __future__ import annotations

from ...state.errors import CircuitOpen
from ...state.quantities import seconds, span
from ..usercode.resilience import Breaker


class Circuit:
    """Breaker state of one target in this process."""

    __slots__ = ("failed", "open_until")

    def __init__(self) -> None:
        self.failed = 0
        self.open_until = 0

    def refusal(self, name: str, now: int) -> CircuitOpen | None:
        if now >= self.open_until:
            return None
        wait = (self.open_until - now) / 1000
        return CircuitOpen(f"the circuit of {name!r} is open for another {span(wait * 1000)}", retry_after=wait)

    def note(self, breaker: Breaker, error: BaseException | None, now: int) -> None:
        if error is None:
            self.failed = 0
            return
        self.failed += 1
        if self.failed >= breaker.failures:
            self.open_until = now + int(seconds(breaker.reset) * 1000)
            self.failed = breaker.failures - 1  # one trial call after the pause
