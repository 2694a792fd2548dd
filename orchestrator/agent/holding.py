"""Who has the conversation in one turn, as data that entries change (``handing``)."""

from __future__ import annotations

from typing import Any

from ..governance.usage import NOTHING, Usage


class Holding:
    """``began`` is who had it when the turn began, "" the agent that it was begun with; ``content`` what the turn is
    about, as it was sent; ``count`` how often it was handed over since; ``usage`` what was used before who has it now
    got it."""

    __slots__ = ("began", "content", "count", "usage")

    def __init__(self, began: str, content: Any) -> None:
        self.began = began
        self.content = content
        self.count = 0
        self.usage: Usage = NOTHING

    def renew(self, usage: Usage) -> None:
        """The turn has a fresh allowance, with so much used before it."""
        self.count, self.usage = 0, usage
