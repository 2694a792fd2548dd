"""A Task whose function is the machine's own in one process and an execution of its own in another, as while a release
takes over from the one before: how the journal says that it was begun is how it goes on."""

from __future__ import annotations

from typing import NoReturn

from ...protocol.decider import Invoke
from ...usercode.resilience import ONCE, Policy
from .execution import Execution
from .resources import Call, Child, Work


def as_begun(run: Execution, op: str, work: Work) -> Work:
    """The work in the way in which it was begun already, if it was, whatever it would be here."""
    told = run.recorded.get(op)
    if told is None or not isinstance(work, (Call, Child)):
        return work
    if told["type"] == "ordered":
        return Child(told["name"], work.input, getattr(work, "kind", ""), told["id"], told["detached"])
    if told["type"] in ("begun", "sent") and isinstance(work, Child):
        return Call(work.name, _never, False, _DOUBTED, input=work.input, detached=work.detached)
    return work


def in_doubt(op: str, name: str) -> Invoke:
    """A call that may have been made, for who can't make it; nor would it be made again."""
    return Invoke(op, name, "step", _never, False, _DOUBTED)


_DOUBTED = Policy(ONCE, at_most_once=True)


def _never() -> NoReturn:
    raise AssertionError("a call in doubt is not made")
