"""When a map or parallel is complete, and the partial results it then has. Shares are counted exactly: 29 of 100 are
0.29 of them, and one of three is 1/3, whatever a float makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Generic, Literal, TypeVar, overload

from ...state.quantities import count as count_of

T = TypeVar("T")
Status = Literal["succeeded", "failed", "cancelled"]
_DIGITS = 10**7
"""Shares with a denominator up to this are told apart in a float: the one that was written is found again."""


class Completion:
    """A completion rule: made by ``all``, ``first``, ``at_least`` or ``tolerate``."""

    __slots__ = ("_kind", "_limit", "_share")

    def __init__(self, kind: Literal["least", "count", "share"], limit: float | Decimal | Fraction) -> None:
        self._kind = kind
        self._limit = limit
        self._share = Fraction(limit).limit_denominator(_DIGITS)

    @classmethod
    def all(cls) -> Completion:
        """Every branch must succeed; the first failure decides."""
        return cls("count", 0)

    @classmethod
    def first(cls) -> Completion:
        """One success is enough; the rest is cancelled."""
        return cls("least", 1)

    @classmethod
    def at_least(cls, n: int) -> Completion:
        """``n`` successes are enough; the rest is cancelled."""
        return cls("least", count_of(n, 1, "n"))

    @classmethod
    def tolerate(cls, *, count: int | None = None, share: float | Decimal | Fraction | None = None) -> Completion:
        """All branches run; up to ``count`` of them, or that ``share`` (0 to 1) of all, may fail: 0.29 of 100 is 29."""
        if (count is None) == (share is None):
            raise ValueError("tolerate takes either a count or a share")
        if share is not None:
            if not 0 <= share <= 1:
                raise ValueError("share is a part of one: between 0 and 1")
            return cls("share", share)
        return cls("count", count_of(count, 0, "count, of failures,"))

    def met(self, total: int, succeeded: int, failed: int) -> bool | None:
        """True: complete, the rest is not needed. False: can't be met any more. None: go on."""
        if self._kind == "least":
            if succeeded >= self._limit:
                return True
            return False if total - failed < self._limit else None
        if failed * self._share.denominator > self._share.numerator * (1 if self._kind == "count" else total):
            return False
        return True if succeeded + failed == total else None

    def __repr__(self) -> str:
        names = {"least": "at_least({})", "count": "tolerate(count={})", "share": "tolerate(share={})"}
        return "Completion." + names[self._kind].format(self._limit)


class Outcome(Generic[T]):
    """What became of one branch. ``value`` when it succeeded, ``error`` when it failed."""

    __slots__ = ("_value", "error", "index", "status")

    def __init__(self, index: int, status: Status, value: Any = None, error: BaseException | None = None) -> None:
        self.index = index
        self.status: Status = status
        self.error = error
        self._value = value

    @property
    def value(self) -> T:
        """Raises the branch's error, or LookupError when it was cancelled."""
        if self.error is not None:
            raise self.error
        if self.status != "succeeded":
            raise LookupError(f"branch {self.index} was cancelled: the others had already met the completion rule")
        return self._value  # type: ignore[no-any-return]  # decoded as annotated

    def __repr__(self) -> str:
        shown = self.error if self.status == "failed" else self._value
        return f"Outcome({self.index}, {self.status!r}, {shown!r})"


class Results(Sequence[Outcome[T]]):
    """Outcomes in the order of the branches."""

    __slots__ = ("_outcomes",)

    def __init__(self, outcomes: Sequence[Outcome[T]]) -> None:
        self._outcomes = outcomes

    @property
    def values(self) -> list[T]:
        """Values of the branches that succeeded."""
        return [outcome.value for outcome in self._outcomes if outcome.status == "succeeded"]

    @property
    def errors(self) -> list[BaseException]:
        """Errors of the branches that failed."""
        return [outcome.error for outcome in self._outcomes if outcome.error is not None]

    @overload
    def __getitem__(self, index: int) -> Outcome[T]: ...
    @overload
    def __getitem__(self, index: slice) -> Results[T]: ...
    def __getitem__(self, index: int | slice) -> Outcome[T] | Results[T]:
        if isinstance(index, slice):
            return Results(self._outcomes[index])
        return self._outcomes[index]

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Outcome[T]]:
        return iter(self._outcomes)

    def __repr__(self) -> str:
        return f"Results({list(self._outcomes)!r})"
