"""What a process says of itself: whether it should be given work (``/readyz``) and its numbers (``/stats``).

Whoever knows something adds it under a name: a check that gives a reason, or "" while all is well, and a group of
numbers. Both are asked only when somebody asks, so that nothing is counted for them on the way of a step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from ...security.redaction import redacted
from ...state.errors import OverwinterError

Check = Callable[[], str | Awaitable[str]]
Numbers = Callable[[], Mapping[str, object]]


class Health:
    """The checks and the numbers of one process. A name that is added again replaces what was there."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}
        self._numbers: dict[str, Numbers] = {}

    def add_check(self, name: str, check: Check) -> None:
        """``check`` answers quickly with the reason why no work should come here, one sentence without a full stop
        that anybody may read, or with "". What it raises of ours is a reason too."""
        self._checks[name] = check

    def add_numbers(self, name: str, numbers: Numbers) -> None:
        """``numbers`` gives plain JSON: counts, limits, seconds. It does no I/O."""
        self._numbers[name] = numbers

    async def reasons(self) -> dict[str, str]:
        """Why this process should be given no work now, by the check that says so; {} when it should."""
        found = {name: await _asked(check) for name, check in list(self._checks.items())}
        return {name: reason for name, reason in found.items() if reason}

    def numbers(self) -> dict[str, dict[str, object]]:
        """All numbers, by group."""
        return {name: dict(numbers()) for name, numbers in self._numbers.items()}


async def _asked(check: Check) -> str:
    try:
        answer = check()
        reason = answer if isinstance(answer, str) else await answer
    except OverwinterError as error:
        reason = str(error) or type(error).__name__
    return redacted(reason)
