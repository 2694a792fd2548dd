"""How long the images, sounds and files of a conversation are shown. One that a model can't be shown, or can no more
(its address has expired, another model is asked), must not fail all turns that follow. So what may be why a turn has
failed is in words afterwards; the journal says how each turn ended, so every process decides the same.
"""

from __future__ import annotations

from ..errors.failures import Failure
from ..errors.groups import kind_in
from .conversation import Weight, in_words
from .turn import Turn

READ = frozenset({"RequestRefused", "ContextTooLong", "ContentRefused"})
"""Errors of a model that has looked at what it was asked: the same without what earlier turns showed may do."""
_ABOUT_NO_MESSAGE = frozenset({"RateLimited", "KeyRefused", "UnknownModel", "QuotaUsedUp"})
_OUTAGES = frozenset({"ModelUnavailable", "Unreadable", "TimedOut", "TimeoutError", "CircuitOpen", "ConnectionError"})
_UNANSWERED = frozenset({"LimitExceeded", "Refused", "ContentRefused"})


def shows(turn: Turn) -> bool:
    """Whether tools have brought images, sounds or files in it."""
    return any(message.parts for message in turn.messages[1:])


def unsee(turn: Turn) -> None:
    """From now on there are words in the place of what tools have brought. What the turn is about stays."""
    turn.messages[1:] = map(in_words, turn.messages[1:])
    turn.weighed = 0, Weight()


class Seeing:
    """Of one conversation."""

    __slots__ = ("_outages",)

    def __init__(self) -> None:
        self._outages = 0  # turns in a row that have failed because no model was there

    def fails(self, error: Failure | None, *, broken: bool) -> bool:
        """A turn has ended; ``broken``: because the model could not be asked. Whether what it was shown may be why. An
        outage may be chance, two in a row are not taken for it: some servers break on what they can't read."""
        kind = kind_in(error or {})
        reason = broken and kind not in _ABOUT_NO_MESSAGE
        outage = reason and kind in _OUTAGES
        before, self._outages = self._outages, self._outages + 1 if outage else 0
        return bool(before) if outage else reason or kind in _UNANSWERED
