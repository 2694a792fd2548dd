"""Who is charged: an account that executions share, and what it may use. ``tenant:acme``, ``user:u-1``,
``agent:support``; ``user:*`` stands for each user's own, where limits are set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from ....state.errors import InvalidInput
from ....state.ids import check_id
from ....state.quantities import briefly
from .amount import UNITS, Amount
from .windows import WINDOWS, check_zone

KINDS = ("tenant", "user", "agent")
MOST, LEAST = 2**63, Decimal("1e-12")
"""No limit on a number reaches it, none on money is smaller: shares of what is allowed are numbers that can be told."""
EACH = "*"
"""The name that stands for every account of a kind."""


class Limit(NamedTuple):
    """At most that much in one window: ``hour``, ``day``, ``month`` of a time zone, or "" for ever.

    ``most`` are units of ``Amount`` with their bounds (``{"tokens": 100_000, "cost": "5"}``), ``warn`` is the share of
    them at which it is said that they are nearly used up.
    """

    window: str
    most: Mapping[str, Any]
    zone: str = "UTC"
    warn: float | None = None

    def checked(self) -> Limit:
        """With exact bounds. Raises InvalidInput that says what is wrong."""
        if self.window not in WINDOWS:
            raise InvalidInput(f"a limit is for hour, day, month or for ever (''), not {str(self.window)[:40]!r}")
        check_zone(self.zone)
        warn: Any = self.warn
        if warn is not None and (isinstance(warn, bool) or not isinstance(warn, int | float) or not 0 < warn <= 1):
            raise InvalidInput(f"warn is a share between 0 and 1, like 0.8, not {str(warn)[:40]}")
        return self._replace(most=bounds_of(self.most))

    def record(self) -> dict[str, Any]:
        """``{"most", "zone", "warn"?}``, the cost as decimal text."""
        told: dict[str, Any] = {"most": told_bounds(self.most), "zone": self.zone}
        return told if self.warn is None else told | {"warn": self.warn}


class Account(NamedTuple):
    """``limits`` are those that the code declares: they hold for a window of which the book says nothing."""

    kind: str
    name: str
    limits: tuple[Limit, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def checked(self) -> Account:
        """Raises InvalidInput for a name that can't be one, and for limits that can't be held."""
        _check(self.kind, self.name, str(self))
        return self._replace(limits=tuple(limit.checked() for limit in self.limits))


def stricter(one: Sequence[Limit], other: Sequence[Limit]) -> tuple[Limit, ...]:
    """What holds where both are declared for an account: of each window the smaller bounds, in the first one's zone."""
    found = {limit.window: limit for limit in one}
    for limit in other:
        there = found.get(limit.window)
        if there is None:
            found[limit.window] = limit
            continue
        most = {**there.most, **{unit: min(bound, there.most.get(unit, bound)) for unit, bound in limit.most.items()}}
        found[limit.window] = there._replace(most=most, warn=limit.warn if there.warn is None else there.warn)
    return tuple(found.values())


def account_of(text: str, *, pattern: bool = False) -> Account:
    """The account of that name; with ``pattern`` it may be ``user:*``. Raises InvalidInput."""
    kind, colon, name = text.partition(":")
    if not colon:
        raise InvalidInput(f"{text[:80]!r} is no account; write KIND:NAME, with one of the kinds {', '.join(KINDS)}")
    if name == EACH and not pattern:
        raise InvalidInput(f"{text} stands for many accounts; name one of them")
    return Account(_check(kind, name, text, pattern=pattern), name)


def _check(kind: str, name: str, text: str, *, pattern: bool = False) -> str:
    if kind not in KINDS:
        raise InvalidInput(f"{text[:80]!r} is no account: its kind is one of {', '.join(KINDS)}, as in tenant:acme")
    check_id(name, f"the name of a {kind}")
    if name == EACH and not pattern:
        raise InvalidInput(f"a {kind} can't be called '*': that stands for every {kind}")
    return kind


def bounds_of(most: object) -> dict[str, Any]:
    """Units and their bounds, exact. Raises InvalidInput for what is none."""
    if not isinstance(most, Mapping):
        raise InvalidInput(f"limits are units with their bounds, not {type(most).__name__}")
    told: Mapping[Any, Any] = most  # pyright: ignore[reportUnknownVariableType]  # whatever was read
    return {str(name): _bound(str(name), value) for name, value in told.items() if value is not None}


def _bound(name: str, value: object) -> int | Decimal:
    if name not in UNITS:
        raise InvalidInput(f"nothing is counted in {name[:40]!r}; the units are: {', '.join(UNITS)}")
    if name != "cost":
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MOST:
            raise InvalidInput(
                f"the limit on {name} is a whole number that is not negative and less than 2^63, not {briefly(value)}"
            )
        return value
    try:
        cost = Decimal(str(value)) if isinstance(value, str | int | float | Decimal) else Decimal("nan")
    except InvalidOperation:
        cost = Decimal("nan")
    if isinstance(value, bool) or not cost.is_finite() or not (cost == 0 or LEAST <= cost < 10**12):
        raise InvalidInput(f"the limit on cost is an amount of dollars like '12.50', not {str(value)[:40]!r}")
    return cost if cost else Decimal(0)


def told_bounds(most: Mapping[str, Any]) -> dict[str, Any]:
    """Bounds as JSON."""
    return {name: format(Decimal(str(bound)), "f") if name == "cost" else bound for name, bound in most.items()}


def measured(amount: Amount, name: str) -> int | Decimal:
    """How much of one unit an amount is."""
    return amount[UNITS.index(name)]


def fits(name: object) -> bool:
    """Whether it can be the name of an account."""
    try:
        return name != EACH and bool(check_id(name))
    except InvalidInput:
        return False
