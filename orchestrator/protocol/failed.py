"""A call that has failed for good, whatever the class of its error says to a policy that would try again."""

from __future__ import annotations


class Failed(Exception):  # who makes a call raises it in the place of ``error``, which alone is recorded
    """What another process makes has failed there, after it has tried again; or it is not to be made any more."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error
