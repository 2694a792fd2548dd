"""What becomes of the calls of a turn that ends before they have."""

from __future__ import annotations

from ..protocol import keys
from ..protocol.calls import OpenCalls
from ..protocol.decider import Post
from . import observations
from .call import Stage
from .outbox import Outbox
from .turn import Turn


def drop(turn: Turn, execution: str, calls: OpenCalls, outbox: Outbox, abandoned: list[str], at: int) -> None:
    """Nothing of the turn goes on: running calls are abandoned, children are told to end."""
    hooks = [*(call.hook() for call in turn.calls.values()), *(gate.hook() for gate in turn.gates())]
    ours = (turn.listing(), turn.thinking(), turn.summarizing(), turn.checking())
    for op in (*ours, *turn.calls, *hooks):
        if calls.close(op):
            abandoned.append(op)
    for call in turn.unfinished():
        if call.stage is Stage.CHILD:
            withdraw(call.op, outbox, abandoned)
            fact = {"type": "cancel", "at": at, "reason": "its parent ended the turn", "by": execution}
            op = f"{call.op}.cancel"
            outbox.post(Post(op, call.child, keys.cancel_of(execution, op), fact))
            turn.settle(call, observations.UNFINISHED, at)


def withdraw(op: str, outbox: Outbox, abandoned: list[str]) -> None:
    """A start that is not confirmed need not be any more."""
    if outbox.handed_out(op):
        abandoned.append(op)
    outbox.confirm(op)
