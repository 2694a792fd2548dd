"""What budgets have to do with one model call."""

from __future__ import annotations

from typing import NamedTuple

from .account import Account
from .amount import Amount
from .hold import Hold


class Held(NamedTuple):
    """What is set aside for it (None: nothing limits it), the accounts
    that it is charged to, if they are counted, and what calls in its place may have taken before (``lost``). So
    many ``deaths`` may each have cut off one, of which no entry tells."""

    hold: Hold | None = None
    accounts: tuple[Account, ...] = ()
    lost: Amount | None = None
    deaths: int = 0


NO_MEANS = Held()
