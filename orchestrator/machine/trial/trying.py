"""``test_state`` and ``test_machine``: what a definition does with an input, with made-up outcomes of what it calls::

    def test_a_refused_card_is_caught():
        tested = test_state(definition, "Pay", {"order": 7}, mock={"error": "Refused"})
        assert (tested.status, tested.next_state) == ("CAUGHT_ERROR", "Apologize")

Statuses, names and values are those of AWS's TestState, as plain JSON instead of texts with JSON in them. Who tests
more than a few states of a large definition reads it once, with ``Trials``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, cast

from ....state.codec import stored
from ....state.errors import InvalidInput
from ..definition.document import Document, Unreadable
from ..definition.flow import Flow
from ..definition.inside import find, inside
from ..definition.plain import is_list, is_object, members_of
from ..definition.reading import read
from ..definition.states.map import Map
from ..definition.states.parallel import Parallel
from ..definition.states.state import State
from ..definition.states.task import Task
from ..language.timestamps import parse_timestamp
from ..running.compiled import Compiled
from ..running.context import About
from ..validation.compiling import InvalidDefinition, compiled
from .mocks import Mock, Mocks, read_mock, read_mocks
from .trial import NAME, StateTrial, Trial

Status = Literal["SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR"]
NOW = "2026-01-01T00:00:00Z"
"""When a test is, if it does not say."""
ALONE = "State"
"""The name of a state that is given without a machine around it."""


class Configuration(NamedTuple):
    """AWS's ``stateConfiguration``: what has happened to the state before the outcome of its mock."""

    retrier_retry_count: int = 0
    error_caused_by_state: str = ""
    map_iteration_failure_count: int = 0


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of it. ``output`` is there when it succeeded or its error was caught, ``error`` when there was one.
    ``inspection`` is AWS's ``inspectionData`` of one state, ``path`` the states that a machine went through."""

    status: Status
    output: Any = None
    error: str | None = None
    cause: str | None = None
    next_state: str | None = None
    inspection: Mapping[str, Any] = field(default_factory=dict[str, Any])
    path: tuple[str, ...] = ()

    __test__: ClassVar[bool] = False  # pytest would take it for a class of tests, by its name

    def as_json(self) -> dict[str, Any]:
        """As AWS names the parts; those that are not there are left out."""
        told: dict[str, Any] = {"status": self.status}
        if self.status in ("SUCCEEDED", "CAUGHT_ERROR"):
            told["output"] = self.output
        found = {"error": self.error, "cause": self.cause, "nextState": self.next_state}
        told |= {name: value for name, value in found.items() if value is not None}
        told |= {"inspectionData": dict(self.inspection)} if self.inspection else {}
        return told | ({"path": list(self.path)} if self.path else {})


class Trials:
    """A definition that is tried out: JSON or YAML text, or its plain value. It is that of a machine, or of one state
    alone. Raises InvalidInput when something is wrong with it."""

    def __init__(self, definition: str | Mapping[str, Any] | Document) -> None:
        try:
            given: Any = read(definition) if isinstance(definition, str) else definition
            value = given.value if isinstance(given, Document) else stored(given)
            self.alone = is_object(value) and "States" not in value and "Type" in value
            if self.alone:
                given = _around(value)
            self._compiled = Compiled(compiled(given if isinstance(given, Document) or self.alone else value))
        except (Unreadable, InvalidDefinition) as error:
            raise InvalidInput(f"the definition can't be tested: {error}") from None
        self.flow = self._compiled.machine.flow

    def state(
        self,
        name: str | None = None,
        input: Any = None,
        *,
        mock: Any = None,
        mocks: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        configuration: Configuration = Configuration(),
        now: str = NOW,
    ) -> Tested:
        """As ``test_state``."""
        flow, state = self._find(ALONE if name is None and self.alone else name)
        known = read_mocks(dict(mocks or {}), self.flow, "mocks")
        if mock is not None:
            known |= _own(state, mock)
        _check(state, mock, configuration)
        trial = StateTrial(
            self._compiled,
            Mocks(known),
            _object(context, "context"),
            _moment(now),
            flow,
            configuration.retrier_retry_count,
            configuration.map_iteration_failure_count,
        )
        trial.try_out(state.name, {} if input is None else stored(input), _object(variables, "variables"))
        said = trial.said
        if not said:
            raise InvalidInput(f"the state {state.name!r} waits for what no mock says")
        return Tested(
            said["status"],
            said.get("output"),
            said.get("error"),
            said.get("cause"),
            said.get("next"),
            trial.inspection(),
        )

    def machine(
        self,
        input: Any = None,
        *,
        mocks: Mapping[str, Any] | None = None,
        context: Mapping[str, Any] | None = None,
        variables: Mapping[str, Any] | None = None,
        now: str = NOW,
    ) -> Tested:
        """As ``test_machine``."""
        if self.alone:
            raise InvalidInput("the definition is that of one state; name it, or give that of a machine")
        known = Mocks(read_mocks(dict(mocks or {}), self.flow, "mocks"))
        trial = Trial(self._compiled, known, _object(context, "context"), _moment(now))
        given: Any = {} if input is None else stored(input)
        trial.root.variables = dict(_object(variables, "variables"))
        trial.start(About(NAME, NAME, NAME, "", given, trial.now), NAME)
        trial.run_out()
        ending, path = trial.ending, tuple(trial.path)
        if ending is None:
            raise InvalidInput(f"the machine waits in {trial.root.state!r} for what no mock says")
        if ending["type"] == "completed":
            return Tested("SUCCEEDED", ending["value"], path=path)
        data = members_of(ending["error"].get("data"))
        return Tested("FAILED", error=data.get("error") or None, cause=data.get("cause") or None, path=path)

    def _find(self, name: str | None) -> tuple[Flow, State]:
        if name is None:
            raise InvalidInput("name the state that is tested; without one, the whole machine can be")
        found = find(self.flow, name)
        if found is None:
            raise InvalidInput(f"there is no state {name!r} in the definition")
        return found


def test_state(
    definition: str | Mapping[str, Any],
    state: str | None = None,
    input: Any = None,
    *,
    mock: Any = None,
    mocks: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    retrier_retry_count: int = 0,
    map_iteration_failure_count: int = 0,
    error_caused_by_state: str = "",
    now: str = NOW,
) -> Tested:
    """What one state does with an input; ``definition`` is that of a machine, or of the state alone.

    ``mock``: what comes of the state, when it is a Task, Map or Parallel: ``{"result": …}``, ``{"error": …, "cause":
    …}``, or a list of those, for one time after another while it is tried again. ``mocks``: the same by names of
    states, for what is within a Map or Parallel that has none of its own. ``context`` overrides parts of the context
    object, ``variables`` are there before.

    Raises InvalidInput for a definition that can't be read and for mocks that are wrong or missing.
    """
    given = Configuration(retrier_retry_count, error_caused_by_state, map_iteration_failure_count)
    trials = Trials(definition)
    return trials.state(
        state, input, mock=mock, mocks=mocks, context=context, variables=variables, configuration=given, now=now
    )


def test_machine(
    definition: str | Mapping[str, Any],
    input: Any = None,
    *,
    mocks: Mapping[str, Any] | None = None,
    context: Mapping[str, Any] | None = None,
    variables: Mapping[str, Any] | None = None,
    now: str = NOW,
) -> Tested:
    """What a machine comes to. ``mocks``: what comes of its Tasks, and of those Maps and Parallels that are not to be
    gone through, by their names. Retries are not waited for. Raises InvalidInput as ``test_state`` does."""
    return Trials(definition).machine(input, mocks=mocks, context=context, variables=variables, now=now)


for _function in (test_state, test_machine):
    vars(_function)["__test__"] = False  # pytest, which sees them in users' files, is not to take them for tests


def _around(state: dict[str, Any]) -> dict[str, Any]:
    """A machine for a state that was given alone, with an end wherever it leads to."""
    listed = [rule for field in ("Choices", "Catch") if is_list(rules := state.get(field)) for rule in rules]
    targets = [state.get("Next"), state.get("Default"), *(members_of(one).get("Next") for one in listed)]
    ends = {one: {"Type": "Succeed"} for one in targets if isinstance(one, str) and one != ALONE}
    return {"StartAt": ALONE, "States": {ALONE: state, **ends}}


def _own(state: State, mock: object) -> dict[str, Mock]:
    if not isinstance(state, Task | Map | Parallel):
        kind = type(state).__name__
        raise InvalidInput(f"mock: {state.name!r} is a {kind} state; a mock is for Task, Map and Parallel")
    return {state.name: read_mock(mock, "mock")}


def _check(state: State, mock: object, given: Configuration) -> None:
    """Raises InvalidInput for what is said of a state that can't be."""
    if given.retrier_retry_count and not getattr(state, "retry", ()):
        raise InvalidInput(f"retrierRetryCount: the state {state.name!r} has no Retry")
    if given.map_iteration_failure_count and (not isinstance(state, Map) or mock is None):
        raise InvalidInput("mapIterationFailureCount is for a Map that has a mock")
    if given.error_caused_by_state:
        if not isinstance(state, Map | Parallel) or not is_object(mock):
            raise InvalidInput("errorCausedByState is for a Map or Parallel whose mock is an error")
        if not any(find(flow, given.error_caused_by_state) for flow in inside(state)):
            raise InvalidInput(f"errorCausedByState: there is no state {given.error_caused_by_state!r} within it")
    if not isinstance(state, Map):
        return
    if mock is None and any(part is not None for part in (state.reader, state.batcher, state.writer)):
        raise InvalidInput(
            f"{state.name!r} has an ItemReader, an ItemBatcher or a ResultWriter; give it a mock that says what comes "
            "of it, or test the whole machine"
        )
    if state.reader is not None and given.map_iteration_failure_count:
        raise InvalidInput(f"mapIterationFailureCount: nobody knows how many items the reader of {state.name!r} finds")


def _object(given: object, field: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InvalidInput(f"{field} should be an object")
    found: dict[str, Any] = stored(dict(cast("Mapping[str, Any]", given)))
    return found


def _moment(text: str) -> int:
    found = parse_timestamp(text)
    if found is None:
        raise InvalidInput(f"now: {text[:100]!r} is no timestamp such as {NOW}")
    return found.seconds * 1000 + found.nanos // 1_000_000
