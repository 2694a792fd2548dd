"""Whether a turn goes in circles: the same tool, with the same arguments, had the same outcome again and again.

A fact of the loop and nothing that the model is asked to mind: models go on with what they were told not to do. Calls
of one answer count once, since none of them could know what came of another.
"""

from __future__ import annotations

import hashlib

from .call import Call
from .identity import identity


class Repeats:
    """Of one turn. ``most`` is how often the call that was repeated most has had its outcome, ``name`` its tool."""

    __slots__ = ("_seen", "most", "name")

    def __init__(self) -> None:
        self._seen: dict[bytes, tuple[int, str]] = {}  # by call and outcome: how often, and in which answer last
        self.most = 0
        self.name = ""

    def note(self, call: Call, answer: str) -> None:
        """A call of that answer has its outcome."""
        asked = identity(call) if call.arguments is not None else f"{call.name} {call.raw}"
        key = hashlib.sha256(f"{asked}\n{call.content}".encode()).digest()
        count, last = self._seen.get(key, (0, ""))
        if last == answer:
            return
        self._seen[key] = count + 1, answer
        if count + 1 > self.most:
            self.most, self.name = count + 1, call.name
