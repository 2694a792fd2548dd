"""Wait: until so many seconds are over, or until a moment."""

from __future__ import annotations

from ...definition.states.wait import Wait
from ...language.failure import QueryError
from ...language.timestamps import parse_timestamp
from ..execution import Behaviour, Execution
from ..failure import RUNTIME
from ..frame import Frame
from ..outputs import passed


def begin(run: Execution, frame: Frame, state: Wait) -> None:
    scope = run.scope(frame, frame.input)
    if state.language == "JSONPath":
        scope = scope.of(scope.filtered(state.input_path))
    seconds = scope.number(state.seconds, "Seconds")
    if seconds is not None:
        until = run.now + seconds * 1000
    else:
        text = scope.text(state.timestamp, "Timestamp") or ""
        moment = parse_timestamp(text)
        if moment is None:
            raise QueryError(RUNTIME, f"{text[:200]!r} is no timestamp such as 2026-01-31T09:00:00Z")
        until = moment.seconds * 1000 + moment.nanos // 1_000_000
    if until <= run.now:
        passed(run, frame, state, state.next)
    else:
        run.time(frame, "wait", until)


def over(run: Execution, frame: Frame, state: Wait, kind: str) -> None:
    passed(run, frame, state, state.next)


BEHAVIOUR = Behaviour(begin, timer=over)
