"""Succeed and Fail: the ends of a flow."""

from __future__ import annotations

from ...definition.states.fail import Fail
from ...definition.states.succeed import Succeed
from ..execution import Behaviour, Execution
from ..failure import Failure
from ..frame import Frame
from ..outputs import passed


def succeed(run: Execution, frame: Frame, state: Succeed) -> None:
    passed(run, frame, state, None)


def fail(run: Execution, frame: Frame, state: Fail) -> None:
    scope = run.scope(frame, frame.input)
    run.fall(frame, Failure(scope.text(state.error, "Error"), scope.text(state.cause, "Cause")))


SUCCEED = Behaviour(succeed)
FAIL = Behaviour(fail)
