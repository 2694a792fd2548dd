"""A call of a model has failed for good: who is asked in its place, if that may help. A pure function of the state."""

from __future__ import annotations

from ..errors.failures import Failure
from ..errors.groups import kind_in, said_in
from ..protocol.decider import Fact
from .conversation import Thread
from .routing import Choice
from .seeing import READ
from .spec import AgentSpec
from .turn import Turn


def instead(spec: AgentSpec, thread: Thread, turn: Turn, error: Failure) -> Fact | None:
    """The entry by which another one is asked, or the same with less; None: nothing would help."""
    name = spec.model_named(turn.model)
    choice = spec.instead(error, name, turn.route)
    op = turn.thinking(1)
    if (choice is None or choice.shorter) and kind_in(error) in READ and thread.sees():
        why = f"{said_in(error)[:200]} (asked again without the images and files of earlier turns)"
        return Choice(name, turn.route, why).entry(op) | {"unseen": True}
    if choice is None or not choice.shorter:
        return None if choice is None else choice.entry(op)
    kept = None if turn.shortened else thread.half()
    return None if kept is None else choice.entry(op, kept)
