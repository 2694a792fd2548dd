"""What the operations of a context share: the run they belong to and the counter that numbers them."""

from __future__ import annotations

from asyncio.events import _get_running_loop  # pyright: ignore[reportPrivateUsage]  # as in loop.py

from ...state.errors import InvalidInput
from .run import Run


class Scope:
    """A run, and a path in it: operation ids are ``<prefix><number>`` in the order of asking."""

    __slots__ = ("_count", "_drawn", "_prefix", "_run")

    def __init__(self, run: Run, prefix: str = "", first: int = 0) -> None:
        self._run = run
        self._prefix = prefix
        self._count = first
        self._drawn = 0

    def _next(self) -> str:
        """The id of the next operation. Raises InvalidInput outside of the workflow's own code: what is asked for there
        would get no number that a replay finds again."""
        if _get_running_loop() is not self._run.loop:
            raise InvalidInput(
                f"the ctx of {self._run.id} is used outside of its workflow's code, in a step or a callback; let "
                "the step return what is needed, and go on in the workflow"
            )
        number = self._count
        self._count = number + 1
        return f"{self._prefix}{number}"
