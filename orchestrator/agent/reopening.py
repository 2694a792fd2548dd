"""A turn that had failed goes on."""

from __future__ import annotations

from .call import Stage
from .marking import UNDONE
from .repeating import Repeats
from .turn import Phase, Turn


def reopen(turn: Turn, at: int) -> None:
    """A person wants the failed turn tried again, with a fresh allowance. Validators and hooks that
    failed are asked again, and the model is told what was wrong with an answer that was one too many."""
    again = turn.verdict is not None or bool(turn.faulted) or turn.ends_at().stopped()
    turn.found, turn.verdict, turn.repairs, turn.faulted = None, None, 0, ""
    turn.allowed, turn.repeats = turn.usage, Repeats()
    turn.holding.renew(turn.usage)
    turn.stock.reopened()
    turn.since, turn.stopped, turn.stopped_at, turn.timed_out = at, 0, None, False
    turn.error = turn.unlisted = None
    turn.declined = 0
    turn.marks = {op: mark for op, mark in turn.marks.items() if mark["type"] in UNDONE}
    for call in turn.calls.values():
        call.stands = None  # what was read then says nothing of now
        if call.stage is Stage.OPEN:
            call.stage = Stage.READY
        if call.verdict is not None and "end" in call.verdict:
            call.verdict = None
    for gate in turn.gates():
        gate.retried()
    if turn.phase is Phase.BROKEN and turn.rerouted:
        turn.rerouted += 1
        turn.model = turn.route = ""
    turn.chosen, turn.shortened = "", False
    if turn.phase is Phase.BROKEN or (turn.phase is Phase.JUDGE and not again):
        turn.phase = Phase.THINK
