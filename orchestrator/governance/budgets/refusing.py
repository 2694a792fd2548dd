"""Why an account does not pay, in words and as data."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ....state.errors import BudgetExceeded
from .account import Account, measured
from .amount import Amount
from .book import Frozen
from .ledger import Refusal
from .windows import end_of

_WINDOWS = {"hour": "this hour", "day": "this day", "month": "this month", "": "ever"}


def refused(account: Account, refusal: Refusal, need: Amount, now: int) -> BudgetExceeded:
    bound, unit = refusal.bound, refusal.unit
    ends = end_of(bound.window, bound.zone, now)
    used, allowed, wanted = (_told(value) for value in (refusal.used, refusal.allowed, measured(need, unit)))
    until = "" if ends is None else f"; the next {bound.window} begins at {moment(ends)}"
    message = (
        f"the budget of {account} is used up: {used} of {allowed} {unit} for {_WINDOWS[bound.window]} are used or "
        f"held, and this needs up to {wanted}{until} (overwinter budget raise {account} gives it more)"
    )
    return BudgetExceeded(
        message, limit=unit, account=str(account), window=bound.window, used=used, allowed=allowed, ends=ends
    )


def frozen(account: Account, by: Frozen) -> BudgetExceeded:
    said = f": {by.reason}" if by.reason else ""
    message = (
        f"the account {account} is frozen by {by.by or 'somebody'} since {moment(by.at)}{said} "
        f"(overwinter budget unfreeze {account})"
    )
    return BudgetExceeded(message, limit="frozen", account=str(account))


def unpriced(account: Account, model: str) -> BudgetExceeded:
    message = (
        f"the money of {account} is limited, and nobody knows what {model} costs; say it with prices= of the agent "
        "(Prices(0, 0): nothing), or take the limit on cost away"
    )
    return BudgetExceeded(message, limit="cost", account=str(account))


def moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _told(value: int | Decimal) -> int | str:
    return format(value, "f") if isinstance(value, Decimal) else value
