"""Cases: tests of a definition, in a file beside it. A list, or an object with one under ``cases``; each case is::

    {"name", "state"?, "input"?, "context"?, "variables"?, "mock"?, "mocks"?, "now"?, "stateConfiguration"?, "expect"}

Without a ``state`` it is a case of the whole machine. ``expect`` holds any of ``verdict.EXPECTED``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ....state.errors import InvalidInput
from ..definition.document import Document, Pointer
from ..definition.plain import is_list, is_object
from ..validation.diagnostic import did_you_mean
from .trying import NOW, Configuration, Tested, Trials
from .verdict import EXPECTED, Difference, differences

STATUSES = ("SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR")
_FIELDS = ("name", "state", "input", "context", "variables", "mock", "mocks", "now", "stateConfiguration", "expect")
_CONFIGURATION = {
    "retrierRetryCount": "retrier_retry_count",
    "errorCausedByState": "error_caused_by_state",
    "mapIterationFailureCount": "map_iteration_failure_count",
}
_OBJECTS = ("context", "variables", "mocks")


class Case(NamedTuple):
    """``state`` is empty for the whole machine, ``line`` None where the text is not known."""

    name: str
    state: str
    given: Mapping[str, Any]
    expected: Mapping[str, Any]
    configuration: Configuration
    line: int | None


class Verdict(NamedTuple):
    """``problem``: why the case could not be tried at all."""

    case: Case
    tested: Tested | None
    differences: tuple[Difference, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        return self.tested is not None and not self.differences

    def as_json(self) -> dict[str, Any]:
        told: dict[str, Any] = {"name": self.case.name, "passed": self.passed}
        told |= {"state": self.case.state} if self.case.state else {}
        told |= {"line": self.case.line} if self.case.line is not None else {}
        told |= {"problem": self.problem} if self.problem else {}
        told |= {"differences": [one.as_json() for one in self.differences]} if self.differences else {}
        return told | ({"result": self.tested.as_json()} if self.tested is not None else {})


def read_cases(document: Document) -> list[Case]:
    """Raises InvalidInput for what is no list of cases; it names the case and its line."""
    value: Any = document.value
    at: Pointer = ()
    if document.duplicates:
        twice = document.duplicates[0]
        raise InvalidInput(f"line {twice.mark.line}: the key {twice.pointer[-1]!r} stands twice; leave one of them out")
    if is_object(value) and set(value) == {"cases"}:
        value, at = value["cases"], ("cases",)
    if not is_list(value):
        raise InvalidInput('cases are a list, or an object with a list under "cases"')
    if not value:
        raise InvalidInput("there is no case in it")
    found: list[Case] = []
    names: set[str] = set()
    for index, one in enumerate(value):
        mark = document.mark((*at, index))
        case = _case(one, index, mark.line if mark is not None else None)
        if case.name in names:
            raise InvalidInput(f"{_place(case.name, case.line)}: another case has that name")
        names.add(case.name)
        found.append(case)
    return found


def decide(trials: Trials, case: Case) -> Verdict:
    """What becomes of a case."""
    given: dict[str, Any] = {
        "now": NOW,
        **{name: case.given[name] for name in ("input", "now", *_OBJECTS) if name in case.given},
    }
    try:
        if case.state:
            tested = trials.state(case.state, mock=case.given.get("mock"), configuration=case.configuration, **given)
        else:
            tested = trials.machine(**given)
    except InvalidInput as error:
        return Verdict(case, None, problem=str(error))
    return Verdict(case, tested, tuple(differences(case.expected, tested)))


def _place(name: str, line: int | None) -> str:
    return f"case {name!r}" if line is None else f"case {name!r} (line {line})"


def _case(value: object, index: int, line: int | None) -> Case:
    if not is_object(value):
        raise InvalidInput(f"{_place(str(index), line)}: a case is an object with a name and what is expected")
    name = value.get("name", str(index))
    if not isinstance(name, str) or not name.strip():
        raise InvalidInput(f"{_place(str(index), line)}: its name should be a text")
    place = _place(name, line)
    _known(value, _FIELDS, f"{place}: a case")
    _typed(value, ("now",), str, "a text", place)
    _typed(value, _OBJECTS, dict, "an object", place)
    state = value.get("state", "")
    if not isinstance(state, str) or ("state" in value and not state):
        raise InvalidInput(f"{place}: state should be the name of a state")
    if not state and (extra := [field for field in ("mock", "stateConfiguration") if field in value]):
        raise InvalidInput(f"{place}: {extra[0]} is for a case of one state; name the state, or use mocks")
    return Case(name, state, value, _expected(value, place), _configuration(value, place), line)


def _expected(value: Mapping[str, Any], place: str) -> dict[str, Any]:
    found = value.get("expect")
    if not is_object(found) or not found:
        raise InvalidInput(f"{place}: expect should say what comes out: {', '.join(EXPECTED)}")
    _known(found, EXPECTED, f"{place}: expect")
    if "status" in found and found["status"] not in STATUSES:
        raise InvalidInput(f"{place}: the status should be one of {', '.join(STATUSES)}")
    _typed(found, ("inspectionData",), dict, "an object", f"{place}: expect")
    _typed(found, ("causeContains",), str, "a text", f"{place}: expect")
    own = "path" if value.get("state") else "inspectionData" if "inspectionData" in found else "nextState"
    if own in found:
        whose = "the whole machine" if own == "path" else "one state"
        raise InvalidInput(f"{place}: {own} can be expected of {whose}")
    return found


def _configuration(value: Mapping[str, Any], place: str) -> Configuration:
    found = value.get("stateConfiguration", {})
    if not is_object(found):
        raise InvalidInput(f"{place}: stateConfiguration should be an object")
    place = f"{place}: stateConfiguration"
    if "mapItemReaderData" in found:
        raise InvalidInput(f"{place}: mapItemReaderData is for a Map with an ItemReader, which can't be tested yet")
    _known(found, tuple(_CONFIGURATION), place)
    for name, number in found.items():
        counts = name != "errorCausedByState"
        right: Callable[[Any], bool] = _count if counts else _text
        if not right(number):
            raise InvalidInput(f"{place}: {name} should be {'a whole number from 0 on' if counts else 'a name'}")
    return Configuration(**{_CONFIGURATION[name]: part for name, part in found.items()})


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _typed(value: Mapping[str, Any], fields: tuple[str, ...], kind: type, noun: str, place: str) -> None:
    for field in fields:
        if field in value and not isinstance(value[field], kind):
            raise InvalidInput(f"{place}: {field} should be {noun}")


def _known(value: Mapping[str, Any], fields: tuple[str, ...], place: str) -> None:
    for name in value:
        if name not in fields:
            advice = did_you_mean(name, fields) or f"There are {', '.join(fields)}."
            raise InvalidInput(f"{place} has no field {name!r}. {advice}")
