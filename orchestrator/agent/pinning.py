"""The tools that servers have listed, as the journal pins them for a turn.

What a server offers may change at any time; what an agent offers its model may not change between two transitions. So
the servers are asked once for a turn, as a step of its own (``tn.list``), before the model is, and the entry
``listed`` says what they have: everything with a digest, or ``{"same": digest}`` while it is what an earlier entry
says. That one must be among those that a replay reads: when its turn leaves the window in the middle of another, what
is pinned for that is said once more, and no server is asked. A replay that no longer comes by it has them asked anew.
"""

from __future__ import annotations

from typing import Any, cast

from ..protocol.decider import Fact
from .turn import Turn


class Pins:
    """The last listing that an entry says in whole."""

    __slots__ = ("_at", "_kept", "_value")

    def __init__(self) -> None:
        self._value: dict[str, Any] | None = None
        self._at = 0  # the first entry of the turn that has it
        self._kept: tuple[int, dict[str, Any]] | None = None  # what is pinned for a turn, whose entry is out of reach

    def known(self, first: int) -> dict[str, Any] | None:
        """The listing, if a replay that begins with that entry comes by it."""
        return self._value if self._at >= first else None

    def kept(self, turn: Turn) -> dict[str, Any] | None:
        """What is pinned for the turn and must be said once more."""
        if self._kept is None or self._kept[0] != turn.first:
            return None
        return {name: said for name, said in self._kept[1].items() if name != "changed"}

    def take(self, entry: Fact, turn: Turn, first: int) -> bool:
        """The servers have answered, or can't be asked. False when nobody waits for that."""
        if not turn.lists(str(entry.get("op", ""))):
            return False
        if "error" in entry:
            turn.unlisted = {**entry["error"], "op": entry["op"]}
            return True
        self._kept = None
        said = entry.get("value")
        value = cast("dict[str, Any]", said if isinstance(said, dict) else {})
        if "same" in value:
            turn.tools = self.known(first)
        else:
            self._value, self._at = value, turn.first
            turn.tools = value
        return True

    def shortened(self, turn: Turn | None, first: int) -> None:
        """Turns have left the window. If the listing was in one of them, it is to be said once more, in whole."""
        if turn is not None and (turn.tools is None or self._at < first):
            if turn.tools is not None:
                self._kept = turn.first, turn.tools
            turn.tools = None
            turn.relisted += 1
