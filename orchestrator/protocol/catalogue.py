"""Which functions have been served from a store, and of which kind each is, as every process writes down at its start:
so that a child may be ordered here that another process runs, and a name that nobody has ever served is refused at once
instead of waiting for ever.

One key-value entry for each, scope ``overwinter.functions``, key ``workflow NAME``, ``agent NAME`` or ``tool NAME``.
Nothing is taken out: a function that is served no longer may be served again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from ...state.errors import StoreError
from ...state.store import Store
from .decider import Function

log = logging.getLogger("overwinter")

SCOPE = "overwinter.functions"
_KINDS = ("workflow", "agent", "tool")
_MOST = 100_000


async def announce(store: Store, functions: Mapping[str, Function]) -> None:
    """Write down what is served here, unless it is known. Never fails: who needs it is told that it is not there."""
    try:
        known = set(await store.keys(SCOPE, limit=_MOST))
        for name, function in functions.items():
            told = function.kind in _KINDS and not getattr(function, "internal", False)  # those nobody orders by name
            if told and f"{function.kind} {name}" not in known:
                await store.put(SCOPE, f"{function.kind} {name}", "true")
    except StoreError as error:
        log.warning("other processes can't be told which functions are served here (%s)", error)


async def kind_of(store: Store, name: str) -> str:
    """The kind of a function that some process has served; "" when none has. Raises StoreError."""
    for kind in _KINDS:
        if f"{kind} {name}" in await store.keys(SCOPE, f"{kind} {name}", limit=1):  # it sorts before longer ones
            return kind
    return ""
