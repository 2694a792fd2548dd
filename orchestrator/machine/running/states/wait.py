"""Wait: until so many seconds are over, or until a moment."""

from __future__ import annotations

from typing import Any

from ...definition.states.wait import Wait
from ...definition.values import Path
from ...language.failure import QueryError
from ...language.numbers import json_text
from ...language.paths import MISSING
from ...language.timestamps import parse_timestamp
from ..execution import Behaviour, Execution
from ..failure import RUNTIME
from ..frame import Frame
from ..outputs import passed
from ..scope import Scope


def begin(run: Execution, frame: Frame, state: Wait) -> None:
    scope = run.scope(frame, frame.input)
    if state.language == "JSONPath":
        scope = scope.of(scope.filtered(state.input_path))
    until = _until(run, scope, state)
    if until <= run.now:
        passed(run, frame, state, state.next)
    else:
        run.time(frame, "wait", until)


def _until(run: Execution, scope: Scope, state: Wait) -> int:
    if isinstance(state.seconds, Path):
        return run.now + _seconds(scope, state.seconds) * 1000
    seconds = scope.number(state.seconds, "Seconds")
    return run.now + seconds * 1000 if seconds is not None else _moment(scope, state)


def _seconds(scope: Scope, path: Path) -> int:
    found = _read(scope, path, "SecondsPath")
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not found % 1 == 0:
        raise QueryError(RUNTIME, f"The SecondsPath parameter cannot be parsed as a long value: {_equals(path, found)}")
    if found < 0:
        raise QueryError(RUNTIME, f"The SecondsPath parameter references a negative value: {_equals(path, found)}")
    return int(found)


def _moment(scope: Scope, state: Wait) -> int:
    given = state.timestamp
    field = "TimestampPath" if isinstance(given, Path) else "Timestamp"
    found = _read(scope, given, field) if isinstance(given, Path) else scope.text(given, field)
    moment = parse_timestamp(found) if isinstance(found, str) else None
    if moment is None:
        shown = _equals(given, found) if isinstance(given, Path) else found
        what = f"The {field} parameter does not reference a valid ISO-8601 extended offset date-time format string"
        raise QueryError(RUNTIME, f"{what}: {shown}")
    return moment.seconds * 1000 + moment.nanos // 1_000_000


def _read(scope: Scope, path: Path, field: str) -> Any:
    found = scope.found(path)
    if found is MISSING:
        raise QueryError(RUNTIME, f"The {field} parameter does not reference an input value: {path.text}")
    return found


def _equals(path: Path, found: Any) -> str:
    return f"{path.text} == {found if isinstance(found, str) else json_text(found)}"


def over(run: Execution, frame: Frame, state: Wait, kind: str) -> None:
    passed(run, frame, state, state.next)


BEHAVIOUR = Behaviour(begin, timer=over)
