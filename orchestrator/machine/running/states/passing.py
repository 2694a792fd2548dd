"""Pass: hands on its input, what it makes of it, or a fixed result."""

from __future__ import annotations

from ...definition.states.passing import Pass
from ..execution import Behaviour, Execution
from ..frame import Frame
from ..outputs import arguments, finish, passed


def begin(run: Execution, frame: Frame, state: Pass) -> None:
    if state.language == "JSONata":
        passed(run, frame, state, state.next)
    elif state.result is not None:
        finish(run, frame, state, state.result.source)
    else:
        finish(run, frame, state, arguments(run.scope(frame), state, state.parameters))


BEHAVIOUR = Behaviour(begin)
