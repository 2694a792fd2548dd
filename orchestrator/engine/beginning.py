"""A call that another process is to make is recorded as begun by the commit that orders it, and leaves after that.

So it costs no commit of its own. It may be recorded and never leave, when the process dies just then: whoever comes
next sends it, under the mark that is recorded.
"""

from __future__ import annotations

from typing import Protocol, cast

from ...state.records import Head
from ...state.store import Store
from ..protocol.decider import Decider, Decision, Fact, Heir, Invoke, Verdict
from .transition import Transition


class Beginning(Protocol):
    """Draws the marks of calls."""

    def begun(self, call: Invoke, attempt: int) -> tuple[Fact, Invoke]:
        """The entry that says that an attempt begins, and the call as it is made then."""
        ...


def begin(performer: Beginning, decider: Decider, decision: Decision, pending: Transition) -> bool:
    """Take into the commit that what the decision orders from elsewhere begins. Whether there was such a thing: the
    decider is to be asked once more then."""
    found = False
    for index, effect in enumerate(decision.perform):
        if isinstance(effect, Invoke) and effect.away is not None and not effect.away.mark and not effect.begun:
            fact, marked = performer.begun(effect, effect.attempt + 1)
            if decider.offer(fact) is Verdict.TAKEN:
                pending.take(fact)
                decision.perform[index] = marked
                found = True
    return found


class Unheard(Protocol):
    """Who makes calls."""

    unheard: set[str]


class Granting(Protocol):
    """An engine."""

    @property
    def store(self) -> Store: ...
    @property
    def performer(self) -> Unheard: ...


def prepare(decider: Decider, engine: Granting, head: Head) -> None:
    """It is granted here: how large a value may be, and how often it was left in the middle of what it did, by an owner
    that died or by this process."""
    decider.limit, unheard = engine.store.payload_limit, engine.performer.unheard
    if hasattr(decider, "deaths"):  # an isinstance of a protocol takes longer than all the rest of a grant
        cast("Heir", decider).deaths = head.deaths + (head.id in unheard)
    unheard.discard(head.id)
