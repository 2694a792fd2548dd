"""What nobody has let through is not read by a model later either.

A turn may end because a hook or a person does not want its input to come in or its output to leave, or before they have
said so. Its ``reply`` says which of both (``withheld``): in the turns after it words of ours stand in their place. The
journal keeps them as they were, for people.
"""

from __future__ import annotations

from collections.abc import Collection

from ..protocol.decider import Fact
from .conversation import Message, Weight
from .turn import Phase, Turn

INPUT, OUTPUT = "input", "output"
_STANDS = {
    INPUT: Message("user", "[What was said here was not let through.]"),
    OUTPUT: Message("assistant", "[What was answered here was not let through.]"),
}


def fact(what: Collection[str]) -> Fact:
    """What the reply says of it."""
    return {"withheld": sorted(what)} if what else {}


def withhold(turn: Turn, reply: Fact) -> None:
    """Take it out of the turn that is over."""
    what = reply.get("withheld", ())
    if INPUT in what:
        turn.messages[0] = _STANDS[INPUT]
    if OUTPUT in what and turn.steps:  # with all that belongs to one answer, its calls too
        turn.messages[turn.steps[-1][1] :] = [_STANDS[OUTPUT]]
        turn.calls, turn.notes, turn.phase = {}, [], Phase.THINK
    if what:
        turn.weighed = 0, Weight()
