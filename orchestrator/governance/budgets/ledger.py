"""What an account has used: one value of the store, changed by compare-and-set.

    {"spent": {window: amount}, "slices": {id: {"amount", "owner", "at", "until", "windows"}}, "declared": {window: …}}

A *slice* is what one process has drawn: it counts as spent, in the windows in which it was drawn, until it is closed
with what was used of it. Its id is the key under which it is drawn, closed and recovered once: a slice that is there is
not drawn again, one that is not there has been closed. ``declared`` are the limits that code last gave the account.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple, cast

from ....state.codec import dumps, loads
from ....state.errors import InvalidInput, StoreCorrupt
from .account import Limit, bounds_of, measured
from .amount import EXACT, NOTHING, UNITS, ZERO, Amount, amount_of
from .windows import is_over

_STEP = Decimal("0.000001")


class Slice(NamedTuple):
    """``until`` is when its owner takes no more out of it, in ms; ``windows`` are the keys that it counts in."""

    id: str
    amount: Amount
    owner: str
    at: int
    until: int
    windows: tuple[str, ...]


class Bound(NamedTuple):
    """What a limit comes to in the window of now."""

    window: str
    zone: str
    key: str
    most: Mapping[str, Any]
    warn: float | None = None


class Refusal(NamedTuple):
    """The first bound that an amount would break."""

    bound: Bound
    unit: str
    used: int | Decimal
    allowed: int | Decimal


class Ledger:
    def __init__(
        self,
        spent: Mapping[str, Amount] | None = None,
        slices: Mapping[str, Slice] | None = None,
        declared: Sequence[Limit] = (),
    ) -> None:
        self.spent = dict(spent or {})
        self.slices = dict(slices or {})
        self.declared = tuple(declared)

    def copy(self) -> Ledger:
        return Ledger(self.spent, self.slices, self.declared)

    # -- what changes it -----------------------------------------------------------------------------

    def draw(self, slice: Slice) -> None:
        """It counts from now on. Once: the one that is there stays as it is."""
        self.slices.setdefault(slice.id, slice)

    def bound(self, id: str, amount: Amount) -> None:
        """The rest of a slice is given back, or what went over it is counted."""
        if id in self.slices:
            self.slices[id] = self.slices[id]._replace(amount=amount)

    def close(self, id: str, used: Amount) -> bool:
        """What was used of it is spent, in its windows. Once: one that is not there was closed before."""
        slice = self.slices.pop(id, None)
        if slice is None:
            return False
        for key in slice.windows:
            self.spent[key] = self.spent.get(key, NOTHING).plus(used)
        return True

    def past(self, now: int) -> dict[str, Amount]:
        """Windows that are over and in which nothing is open: nothing adds to them any more."""
        open = {key for slice in self.slices.values() for key in slice.windows}
        return {key: spent for key, spent in self.spent.items() if key not in open and is_over(key, now)}

    def forget(self, keys: Iterable[str]) -> None:
        for key in keys:
            self.spent.pop(key, None)

    # -- what it says --------------------------------------------------------------------------------

    def open(self, key: str) -> Amount:
        """What is drawn in a window and not yet settled."""
        total = NOTHING
        for slice in self.slices.values():
            if key in slice.windows:
                total = total.plus(slice.amount)
        return total

    def used(self, key: str) -> Amount:
        return self.spent.get(key, NOTHING).plus(self.open(key))

    def refusal(self, bounds: Iterable[Bound], need: Amount) -> Refusal | None:
        """Why so much can't be drawn; None: it can. Of a unit that is not needed there may be nothing left."""
        for bound in bounds:
            used = self.used(bound.key)
            total = used.plus(need)
            for unit, allowed in bound.most.items():
                if measured(need, unit) > 0 and measured(total, unit) > allowed:
                    return Refusal(bound, unit, measured(used, unit), allowed)
        return None

    def sized(self, bounds: Sequence[Bound], least: Amount, goal: Amount, part: int) -> Amount:
        """How much to draw: the goal, but of what is limited no more than one ``part``-th of what is left, and the
        least in any case."""
        used = [(bound.most, self.used(bound.key)) for bound in bounds]
        sizes: dict[str, Any] = {}
        for unit in UNITS:
            floor, size = measured(least, unit), measured(goal, unit)
            for most, there in used:
                if unit in most:
                    size = min(size, _share(unit, most[unit], measured(there, unit), part))
            sizes[unit] = max(floor, size)
        return Amount(**sizes)

    # -- as it is stored -----------------------------------------------------------------------------

    def text(self) -> str:
        told: dict[str, Any] = {
            "spent": {key: amount.record() for key, amount in self.spent.items()},
            "slices": {slice.id: _told(slice) for slice in self.slices.values()},
        }
        if self.declared:
            told["declared"] = {limit.window: limit.record() for limit in self.declared}
        return dumps(told)


def _share(unit: str, most: Any, used: Any, part: int) -> int | Decimal:
    if unit != "cost":
        return int(max(0, most - used) // part)
    left = EXACT.divide_int(EXACT.subtract(most, used), EXACT.multiply(_STEP, Decimal(part)))
    return EXACT.multiply(max(ZERO, left), _STEP)


def _told(slice: Slice) -> dict[str, Any]:
    return slice._asdict() | {"amount": slice.amount.record(), "windows": list(slice.windows)}


def ledger_of(text: str, account: str) -> Ledger:
    """Raises StoreCorrupt: an account whose books can't be read pays for nothing."""
    try:
        told = cast("dict[str, Any]", loads(text))
        spent = {str(key): amount_of(record) for key, record in told["spent"].items()}
        slices = {str(id): _slice(str(id), record) for id, record in told["slices"].items()}
        declared = limits_of(told.get("declared", {}))
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput) as error:
        raise StoreCorrupt(
            f"what {account} has used can't be read ({error}); overwinter budget remove {account} begins anew"
        ) from None
    return Ledger(spent, slices, declared)


def _slice(id: str, record: Mapping[str, Any]) -> Slice:
    windows = tuple(str(key) for key in record["windows"])
    return Slice(
        id, amount_of(record["amount"]), str(record["owner"]), int(record["at"]), int(record["until"]), windows
    )


def limits_of(record: Mapping[str, Any]) -> tuple[Limit, ...]:
    """Limits by window, as they were told by ``Limit.record``."""
    return tuple(
        Limit(str(window), bounds_of(told["most"]), str(told.get("zone", "UTC")), told.get("warn"))
        for window, told in record.items()
    )
