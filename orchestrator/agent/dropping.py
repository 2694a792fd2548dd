"""The end of a turn, or of a call, of which something still goes on: running calls are abandoned, children are told to
end."""

from __future__ import annotations

from ..protocol import keys
from ..protocol.calls import OpenCalls
from ..protocol.decider import Post
from . import observations
from .call import Call, Stage
from .outbox import Outbox
from .turn import Turn


def dropped(turn: Turn, calls: OpenCalls, outbox: Outbox, id: str, at: int, lost: object) -> list[str]:
    """Nothing of the turn of the execution ``id`` goes on; the ops that nobody waits for any more. ``lost`` is what
    calls that are open may have taken."""
    turn.used(lost)
    hooks = [*(call.hook() for call in turn.calls.values()), *(gate.hook() for gate in turn.gates())]
    ours = (turn.listing(), turn.thinking(), turn.summarizing(), turn.checking())
    abandoned = [op for op in (*ours, *turn.calls, *hooks) if calls.close(op)]
    for call in turn.unfinished():
        abandoned += withdrawn(outbox, call.looking())
        if call.stage is Stage.CHILD:
            abandoned += withdrawn(outbox, call.op)
            turn.used(call.lent.record())  # nobody will hear what it took
            fact = {"type": "cancel", "at": at, "reason": "its parent ended the turn", "by": id}
            op = f"{call.op}.cancel"
            outbox.post(Post(op, call.child, keys.cancel_of(id, op), fact))
            turn.settle(call, observations.UNFINISHED, at)
    return abandoned


def unasked(calls: OpenCalls, outbox: Outbox, call: Call) -> list[str]:
    """A hook that is being asked about a call which has ended without it need not say anything any more, nor is
    anything read for it."""
    return ([call.hook()] if calls.close(call.hook()) else []) + withdrawn(outbox, call.looking())


def withdrawn(outbox: Outbox, op: str) -> list[str]:
    """What is not confirmed need not be any more."""
    abandoned = [op] if outbox.handed_out(op) else []
    outbox.confirm(op)
    return abandoned
