"""Mocks: what comes of the Tasks, Maps and Parallels of a machine that is tried out, instead of doing them.

A mock is an outcome, ``{"result": …}`` or ``{"error": …, "cause": …}``, which holds each time; or a list of outcomes,
for one time after another; or ``{"items": [mock, …]}``, for the items of the Map around the state. An error may also be
written as AWS's TestState has it (``errorOutput``), and outcomes as Step Functions Local has them (``Return``,
``Throw``, and times as keys: ``{"0-1": …, "2": …}``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ....state.errors import InvalidInput
from ..definition.flow import Flow
from ..definition.inside import find
from ..definition.plain import is_list, is_object
from ..definition.states.map import Map
from ..definition.states.parallel import Parallel
from ..definition.states.task import Task
from ..running.failure import Failure
from ..running.frame import Frame

_TIMES = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_MOST = 10_000
"""Outcomes that one mock may have."""
_FORMS = 'a mock is {"result": …}, {"error": …, "cause": …}, a list of those, or {"items": […]}'


class Result(NamedTuple):
    """It went well."""

    value: Any


Outcome = Result | Failure


class Sequence(NamedTuple):
    """``outcomes`` in turn; without ``ends`` there is one, which holds each time."""

    outcomes: tuple[Outcome, ...]
    ends: bool


class PerItem(NamedTuple):
    """One for each item of a Map."""

    mocks: tuple[Sequence, ...]


Mock = Sequence | PerItem


class Exhausted(InvalidInput):
    """This mock has no further outcome."""


class Mocks:
    """The mocks of one run by the names of their states. Each outcome of a list is given out once."""

    def __init__(self, given: Mapping[str, Mock]) -> None:
        self._mocks = given
        self._taken: dict[tuple[str, int], int] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._mocks

    def take(self, frame: Frame) -> Outcome:
        """What comes of the state that the frame is in. Raises InvalidInput when no outcome is left."""
        name = frame.state
        mock = self._mocks.get(name)
        if mock is None:
            raise InvalidInput(f"the state {name!r} needs a mock that says what comes of it; {_FORMS}")
        index = -1
        if isinstance(mock, PerItem):
            mock, index = _of_item(name, mock, frame)
        number = self._taken.get((name, index), 0)
        if mock.ends and number >= len(mock.outcomes):
            raise Exhausted(
                f"the state {name!r} is begun {number + 1} times, and its mock has {len(mock.outcomes)}: "
                "add an outcome, or give one without a list, which holds each time"
            )
        self._taken[name, index] = number + 1
        return mock.outcomes[number if mock.ends else 0]

    def left(self, frame: Frame) -> bool:
        """Whether there is a list, and more in it."""
        try:
            mock = self._mocks.get(frame.state)
            mock, index = _of_item(frame.state, mock, frame) if isinstance(mock, PerItem) else (mock, -1)
        except InvalidInput:
            return False
        return mock is not None and mock.ends and self._taken.get((frame.state, index), 0) < len(mock.outcomes)


def read_mocks(given: object, flow: Flow, place: str) -> dict[str, Mock]:
    """Mocks by names of states, of this flow or within it. Raises InvalidInput that names the ``place``."""
    if not is_object(given):
        raise InvalidInput(f"{place}: an object should stand, with a mock for each name of a state")
    for name in given:
        found = find(flow, name)
        if found is None:
            raise InvalidInput(f"{place}: there is no state {name!r} in the definition")
        if not isinstance(found[1], Task | Map | Parallel):
            kind = type(found[1]).__name__
            raise InvalidInput(f"{place}: {name!r} is a {kind} state; a mock is for Task, Map and Parallel")
    return {name: read_mock(mock, f"{place}: {name!r}") for name, mock in given.items()}


def read_mock(given: object, place: str) -> Mock:
    """Raises InvalidInput that names the ``place``."""
    if is_object(given) and set(given) == {"items"}:
        if not is_list(given["items"]):
            raise InvalidInput(f"{place}: items should be a list of mocks, one for each item of the Map")
        return PerItem(tuple(_sequence(one, f"{place}: item {at}") for at, one in enumerate(given["items"])))
    return _sequence(given, place)


def _of_item(name: str, mock: PerItem, frame: Frame) -> tuple[Sequence, int]:
    inner: Frame | None = frame
    while inner is not None and not (inner.parent is not None and isinstance(inner.parent.here, Map)):
        inner = inner.parent
    if inner is None:
        raise InvalidInput(f"the mock of {name!r} is for items, and the state is not within a Map")
    index = inner.index
    if index >= len(mock.mocks):
        raise InvalidInput(f"the mock of {name!r} is for {len(mock.mocks)} items, and there is an item {index}")
    return mock.mocks[index], index


def _sequence(given: object, place: str) -> Sequence:
    if is_list(given):
        listed = tuple(_outcome(one, f"{place}: outcome {at}") for at, one in enumerate(given))
    elif is_object(given) and given and all(map(_TIMES.fullmatch, given)):
        listed = _by_times(given, place)
    else:
        return Sequence((_outcome(given, place),), ends=False)
    if not listed:
        raise InvalidInput(f"{place}: the list is empty; {_FORMS}")
    return Sequence(listed, ends=True)


def _by_times(given: Mapping[str, Any], place: str) -> tuple[Outcome, ...]:
    """As Step Functions Local counts: from 0 on, without a gap."""
    listed: list[Outcome] = []
    for key, value in given.items():
        found = _TIMES.fullmatch(key)
        assert found is not None
        first, last = int(found[1]), int(found[2] or found[1])
        if first != len(listed) or last < first or last >= _MOST:
            raise InvalidInput(f"{place}: the times count from 0 on without a gap, and {key!r} does not follow")
        listed += [_outcome(value, f"{place}: {key}")] * (last - first + 1)
    return tuple(listed)


def _outcome(given: object, place: str) -> Outcome:
    if is_object(given):
        mode = given.get("fieldValidationMode", "NONE")
        fields = {name: value for name, value in given.items() if name != "fieldValidationMode"}
        if mode != "NONE":
            raise InvalidInput(
                f"{place}: fieldValidationMode {mode!r} would check results against AWS's interfaces, which is not "
                "done here; leave it out, or say NONE"
            )
        if set(fields) in ({"result"}, {"Return"}):
            return Result(next(iter(fields.values())))
        for nested in ("errorOutput", "Throw"):
            if set(fields) == {nested} and is_object(fields[nested]):
                inner = fields[nested]
                fields = {name.lower(): value for name, value in inner.items()} if nested == "Throw" else dict(inner)
        if "error" in fields and set(fields) <= {"error", "cause"}:
            error, cause = fields["error"], fields.get("cause")
            if isinstance(error, str) and error and (cause is None or isinstance(cause, str)):
                return Failure(error, cause)
    raise InvalidInput(f"{place}: {_FORMS}")
