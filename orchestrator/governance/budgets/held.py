"""What budgets have to do with one model call."""

from __future__ import annotations

from typing import NamedTuple

from .account import Account
from .amount import Amount
from .hold import Hold


class Held(NamedTuple):
    """What is set aside for it (None: nothing limits it), the accounts
    that it is charged to, if they are counted, and what calls in its place may have taken before (``lost``)."""

    hold: Hold | None = None
    accounts: tuple[Account, ...] = ()
    lost: Amount | None = None


NO_MEANS = Held()
