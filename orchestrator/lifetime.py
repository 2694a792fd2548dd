"""The one life of a runtime: made, opened, closed. What is asked of it at another time is refused in words that say
what to do, instead of being accepted and done by nobody.
"""

from __future__ import annotations


class Lifetime:
    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = "new"

    @property
    def begun(self) -> bool:
        return self._state != "new"

    def begin(self) -> None:
        """Raises RuntimeError when it is open, or was."""
        if self._state == "open":
            raise RuntimeError("this Runtime is open already; use it as it is, or make another one")
        if self._state == "closed":
            raise RuntimeError("this Runtime has been closed; make another one for each `async with`")
        self._state = "open"

    def fail(self) -> None:
        """It could not be opened; that may be tried again."""
        self._state = "new"

    def end(self) -> None:
        self._state = "closed"

    def check(self) -> None:
        """Raises RuntimeError unless it is open."""
        if self._state == "new":
            raise RuntimeError("this Runtime is not open; use it inside of `async with Runtime(…) as runtime:`")
        if self._state == "closed":
            raise RuntimeError("this Runtime has been closed; make another one and open it with `async with`")
