"""Where what is known of accounts lies among the store's key-value entries: one scope, one key for each account's
limits (``book/``), what it has used (``ledger/``), and past windows by month (``past/``).
"""

from __future__ import annotations

from ...protocol.shared import place_of

PLACE = place_of("overwinter.budgets")
BOOK, LEDGER, PAST = "book/", "ledger/", "past/"


def past_of(account: str) -> str:
    """How the keys of an account's past windows begin."""
    return PAST + account.replace("%", "%25").replace("/", "%2F") + "/"
