"""When a map or parallel is complete, and the partial results it then has. Shares are counted exactly: 29 of 100 are
0.29 of them, and one of three is 1/3, whatever a float makes of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Generic, Literal, TypeVar, overload

from ...state.quantities import count as count_of

T = TypeVar("T")
Status = Literal["succeeded", "failed", "cancelled", "not_started"]
"""``cancelled``: it had begun when the rule was decided. ``not_started``: its turn had not come."""
Reason = Literal["all_ended", "enough_succeeded", "too_many_failed"]
_DIGITS = 10**7
"""Shares with a denominator up to this are told apart in a float: the one that was written is found again."""


class Completion(ABC):
    """A completion rule: made by ``all``, ``first``, ``at_least`` or ``tolerate``, or of two rules: ``a & b`` is met
    when both are, ``a | b`` when one of them is."""

    __slots__ = ()

    @classmethod
    def all(cls) -> Completion:
        """Every branch must succeed; the first failure decides."""
        return _Tolerate("count", 0)

    @classmethod
    def first(cls) -> Completion:
        """One success is enough; the rest is cancelled."""
        return _Least(1)

    @classmethod
    def at_least(cls, n: int) -> Completion:
        """``n`` successes are enough; the rest is cancelled."""
        return _Least(count_of(n, 1, "n"))

    @classmethod
    def tolerate(cls, *, count: int | None = None, share: float | Decimal | Fraction | None = None) -> Completion:
        """All branches run; up to ``count`` of them, or that ``share`` (0 to 1) of all, may fail: 0.29 of 100 is 29."""
        if (count is None) == (share is None):
            raise ValueError("tolerate takes either a count or a share")
        if share is not None:
            number = isinstance(share, (int, float, Decimal, Fraction)) and share == share  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
            if not number or not 0 <= share <= 1:
                raise ValueError("share is a part of one: between 0 and 1")
            return _Tolerate("share", share)
        return _Tolerate("count", count_of(count, 0, "count, of failures,"))

    def unless(self, *, failures: int | None = None, share: float | Decimal | Fraction | None = None) -> Completion:
        """This rule, given up as soon as more than so many ``failures``, or than that ``share`` of all, are there:
        ``Completion.at_least(3).unless(failures=2)``."""
        if (failures is None) == (share is None):
            raise ValueError("unless takes either failures or a share")
        return _Unless(self, Completion.tolerate(count=failures, share=share))

    @abstractmethod
    def met(self, total: int, succeeded: int, failed: int) -> bool | None:
        """True: complete, the rest is not needed. False: can't be met any more. None: go on."""

    def __and__(self, other: Completion) -> Completion:
        return _Both(self, other) if isinstance(other, Completion) else NotImplemented  # pyright: ignore[reportUnnecessaryIsInstance]

    def __or__(self, other: Completion) -> Completion:
        return _Either(self, other) if isinstance(other, Completion) else NotImplemented  # pyright: ignore[reportUnnecessaryIsInstance]


class _Least(Completion):
    __slots__ = ("_n",)

    def __init__(self, n: int) -> None:
        self._n = n

    def met(self, total: int, succeeded: int, failed: int) -> bool | None:
        if succeeded >= self._n:
            return True
        return False if total - failed < self._n else None

    def __repr__(self) -> str:
        return f"Completion.at_least({self._n})"


class _Tolerate(Completion):
    __slots__ = ("_kind", "_limit", "_share")

    def __init__(self, kind: Literal["count", "share"], limit: float | Decimal | Fraction) -> None:
        self._kind = kind
        self._limit = limit
        self._share = Fraction(limit).limit_denominator(_DIGITS)

    def met(self, total: int, succeeded: int, failed: int) -> bool | None:
        if failed * self._share.denominator > self._share.numerator * (1 if self._kind == "count" else total):
            return False
        return True if succeeded + failed == total else None

    def __repr__(self) -> str:
        return f"Completion.tolerate({self._kind}={self._limit})"


class _Pair(Completion):
    __slots__ = ("_one", "_other")

    def __init__(self, one: Completion, other: Completion) -> None:
        self._one = one
        self._other = other

    def _said(self, total: int, succeeded: int, failed: int) -> tuple[bool | None, bool | None]:
        return self._one.met(total, succeeded, failed), self._other.met(total, succeeded, failed)


class _Both(_Pair):
    def met(self, total: int, succeeded: int, failed: int) -> bool | None:
        said = self._said(total, succeeded, failed)
        return False if False in said else None if None in said else True

    def __repr__(self) -> str:
        return f"({self._one!r} & {self._other!r})"


class _Either(_Pair):
    def met(self, total: int, succeeded: int, failed: int) -> bool | None:
        said = self._said(total, succeeded, failed)
        return True if True in said else None if None in said else False

    def __repr__(self) -> str:
        return f"({self._one!r} | {self._other!r})"


class _Unless(_Pair):
    def met(self, total: int, succeeded: int, failed: int) -> bool | None:
        said, tolerated = self._said(total, succeeded, failed)
        return False if tolerated is False else said

    def __repr__(self) -> str:
        tolerated = repr(self._other).removeprefix("Completion.tolerate(").replace("count=", "failures=")
        return f"{self._one!r}.unless({tolerated}"


class Outcome(Generic[T]):
    """What became of one branch. ``value`` when it succeeded, ``error`` when it failed; ``name``, if it has one."""

    __slots__ = ("_value", "error", "index", "name", "status")

    def __init__(
        self, index: int, status: Status, value: Any = None, error: BaseException | None = None, name: str = ""
    ) -> None:
        self.index = index
        self.name = name
        self.status: Status = status
        self.error = error
        self._value = value

    @property
    def value(self) -> T:
        """Raises the branch's error, or LookupError when it was cancelled or never started."""
        if self.error is not None:
            raise self.error
        if self.status != "succeeded":
            became = "was cancelled" if self.status == "cancelled" else "was not started"
            raise LookupError(f"branch {self._called()} {became}: the others had already decided the completion rule")
        return self._value  # type: ignore[no-any-return]  # decoded as annotated

    def __repr__(self) -> str:
        shown = self.error if self.status == "failed" else self._value
        return f"Outcome({self._called()}, {self.status!r}, {shown!r})"

    def _called(self) -> str:
        return repr(self.name) if self.name else str(self.index)


class Results(Sequence[Outcome[T]]):
    """Outcomes in the order of the branches. ``reason`` is why there are no more: all_ended, enough_succeeded (the
    rest was not needed) or too_many_failed (the rule can't be met any more)."""

    __slots__ = ("_outcomes", "reason")

    def __init__(self, outcomes: Sequence[Outcome[T]], reason: Reason = "all_ended") -> None:
        self._outcomes = outcomes
        self.reason: Reason = reason

    @property
    def value(self) -> T:
        """The value of the branch that succeeded, the first in their order when several did. Raises LookupError when
        none has."""
        for outcome in self._outcomes:
            if outcome.status == "succeeded":
                return outcome.value
        raise LookupError(f"none of {len(self._outcomes)} branches succeeded")

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
            return Results(self._outcomes[index], self.reason)
        return self._outcomes[index]

    def __len__(self) -> int:
        return len(self._outcomes)

    def __iter__(self) -> Iterator[Outcome[T]]:
        return iter(self._outcomes)

    def __repr__(self) -> str:
        return f"Results({list(self._outcomes)!r}, {self.reason!r})"
