"""No proof at all: for trying things out on one's own machine. A server that others can reach refuses to start with it,
and requests that do not come from this machine are refused.
"""

from __future__ import annotations

from typing import ClassVar

from ..delivery import Delivery
from ..scheme import Scheme


class Unverified(Scheme):
    """Lets in whatever comes from this machine."""

    verifies: ClassVar[bool] = False

    def verify(self, delivery: Delivery, now: float) -> None:
        """It is let in."""
