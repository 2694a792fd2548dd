"""One execution that is tried out: mocks say what comes of its calls, and time passes at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ....state.errors import InvalidInput
from ...protocol.decider import Invoke
from ...usercode.resilience import Policy
from ..definition.flow import Flow
from ..definition.resource import Resource
from ..definition.retrying import Catcher, Retrier
from ..definition.states.map import Map
from ..running.compiled import Compiled
from ..running.context import About
from ..running.execution import AT_ONCE, Execution
from ..running.failure import TOO_MANY, Failure
from ..running.frame import Frame
from ..running.outputs import finish
from ..running.resources import Asking, Call, Export, Reading, Work
from ..running.scope import Scope
from ..running.states import task
from ..running.states.kinds import BEHAVIOURS
from .mocks import Mocks, Outcome, Result
from .observed import Noted, Observed, inspected

NAME = "test"
"""The id and the name of what is tried out."""
LONGEST = 100_000
"""States that one try may enter."""


class Mocked:
    """Whatever a Task calls is a call, whose outcome its mock knows. Implements ``Resources``."""

    def target(self, resource: Resource, arguments: Any, asking: Asking) -> Work:
        return Call(resource.name, dict, False, Policy())

    def shaped(self, resource: Resource, arguments: Any, value: Any) -> Any:
        return value  # a mock is the whole answer, as the integration gives it

    def published(
        self, resource: Resource, arguments: Any, asking: Asking, refused: Mapping[int, str]
    ) -> Any | Failure:
        raise NotImplementedError(resource.text)  # nothing is published: it is a call like any other

    def reads(self, reading: Reading) -> Call:
        return Call(reading.action, dict, False, Policy())

    def writes(self, export: Export) -> Call:
        return Call("s3:putObject", dict, False, Policy())


class Trial(Execution):
    """``context`` overrides parts of the context object. ``path``: the states of the machine's own flow, as they were
    entered."""

    def __init__(self, compiled: Compiled, mocks: Mocks, context: Mapping[str, Any], now: int) -> None:
        super().__init__(compiled, Mocked(), NAME, BEHAVIOURS)
        self.mocks = mocks
        self.given_context = context
        self.now = now
        self.path: list[str] = []
        self.covered: dict[str, Frame] = {}  # Maps and Parallels whose outcome a mock knows, by operation

    # -- going on ------------------------------------------------------------------------------------

    def run_out(self) -> None:
        """Until it has ended. Raises InvalidInput when a mock is missing, or there seems to be no end."""
        for _ in range(LONGEST // AT_ONCE):
            while self.drive():
                if self.ending is not None or not self._happens():
                    return
            self.entered = 0
        raise InvalidInput(f"it entered {LONGEST:,} states and has not ended; look at what its loop waits for")

    def _happens(self) -> bool:
        """Something from outside, as mocks have it: outcomes first, then time."""
        calls, covered = self.calls.take(), list(self.covered.values())
        self.covered.clear()
        for call in calls:
            self._answer(call)
        for frame in covered:
            self._settle_whole(frame)
        if calls or covered:
            return True
        if not self.timers:
            return False
        key = min(self.timers, key=lambda one: (self.timers[one].at, one))
        self.now = max(self.now, self.timers[key].at)
        return self.happened(key)

    def outcome(self, frame: Frame) -> Outcome:
        """What comes of the state that the frame is in. Raises InvalidInput when no mock says so."""
        return self.mocks.take(frame)

    def _answer(self, call: Invoke) -> None:
        frame = self.waiting.get(call.op)
        if frame is None:  # an answer before it ended what it was for
            return
        if isinstance(frame.here, Map):  # its reader or its writer: nothing is read, its mock is what comes of it all
            self._end_whole(frame, self.outcome(frame))
            return
        outcome = self.outcome(frame)
        found = outcome if isinstance(outcome, Failure) else outcome.value
        self.came(call.op, found)
        if call.op in self.tokens:
            self.soon(self._complete, frame, found)

    def _complete(self, frame: Frame, found: Any) -> None:
        """Who has the task token says what came of the task."""
        if self.tokens.pop(frame.op, None) is not None:
            self.attempt(frame, task.completed, self, frame, frame.here, found)

    def _settle_whole(self, frame: Frame) -> None:
        if not frame.gone and frame.state in self.mocks:
            self.soon(self._end_whole, frame, self.outcome(frame))

    def _end_whole(self, frame: Frame, outcome: Outcome) -> None:
        if isinstance(outcome, Failure):
            self.fail(frame, outcome)
            return
        self.quit(frame)
        self.attempt(frame, finish, self, frame, frame.here, outcome.value)

    # -- what an execution does, otherwise here ------------------------------------------------------

    def soon(self, work: Callable[..., None], frame: Frame, *args: Any) -> None:
        outer = frame.parent
        if outer is not None and outer.state in self.mocks:  # what is within it does not begin
            self.covered[outer.op] = outer
        else:
            super().soon(work, frame, *args)

    def enter(self, frame: Frame, name: str, input: Any) -> None:
        if frame is self.root:
            self.path.append(name)
        super().enter(frame, name, input)

    def scope(self, frame: Frame, value: Any = None, token: str = "", **states: Any) -> Scope:
        found = super().scope(frame, value, token, **states)
        if not self.given_context:
            return found
        seen = found.seen
        whole = merged(seen.context, self.given_context)
        return Scope(seen._replace(context=whole, states={**seen.states, "context": whole}), self.compiled)


class StateTrial(Trial):
    """One state of ``flow``, until it is left, fails, or is to be tried again. ``retried``: how often its retrier has
    done so before; ``iterations_failed``: of a Map that has a mock."""

    def __init__(
        self,
        compiled: Compiled,
        mocks: Mocks,
        context: Mapping[str, Any],
        now: int,
        flow: Flow,
        retried: int = 0,
        iterations_failed: int = 0,
    ) -> None:
        super().__init__(compiled, mocks, context, now)
        self.root = Frame("", flow)
        self.retried = retried
        self.iterations_failed = iterations_failed
        self.noted: Noted = {}
        self.result: Noted = {}  # its "value", once there is one
        self._catching = False
        self.said: dict[str, Any] = {}
        self.details: dict[str, int | float] = {}

    def try_out(self, name: str, input: Any, variables: Mapping[str, Any]) -> None:
        """Raises InvalidInput when a mock is missing, or there seems to be no end."""
        self.about = About(NAME, NAME, NAME, "", input, self.now)
        self.root.variables = dict(variables)
        self.soon(self.enter, self.root, name, input)
        self.run_out()
        if "results" in self.root.doing and self.said["status"] == "SUCCEEDED":
            self.result.setdefault("value", self.root.doing["results"])

    def inspection(self) -> dict[str, Any]:
        """AWS's ``inspectionData``."""
        seen = super().scope(self.root, self.root.input)
        told = inspected(self.root.here, seen, self.noted, self.result)
        told |= {"variables": found} if (found := self.root.all_variables()) else {}
        return told | ({"errorDetails": self.details} if self.details else {})

    def _end(self, status: str, **said: Any) -> None:
        self.said = {"status": status, **self.said, **said}
        self.ending = {"type": status, "at": self.now}

    def soon(self, work: Callable[..., None], frame: Frame, *args: Any) -> None:
        outer = frame.parent
        state = outer.here if outer is not None and outer is self.root else None
        if isinstance(state, Map) and state.selector is not None and not frame.visits:  # an item begins
            self.noted.setdefault("ItemSelector", []).append(frame.input)
        super().soon(work, frame, *args)

    def scope(self, frame: Frame, value: Any = None, token: str = "", **states: Any) -> Scope:
        found = super().scope(frame, value, token, **states)
        return Observed(found.seen, self.compiled, self.noted) if frame is self.root else found

    def outcome(self, frame: Frame) -> Outcome:
        found = super().outcome(frame)
        if frame is not self.root or isinstance(found, Failure):
            return found
        if self.iterations_failed and isinstance(exceeded := self._tolerated(found), Failure):
            return exceeded
        self.result["value"] = found.value
        return found

    def _tolerated(self, outcome: Result) -> Outcome:
        """What becomes of a Map of which so many iterations have failed."""
        count, percentage = (self.noted.get(f"ToleratedFailure{what}") for what in ("Count", "Percentage"))
        given: Any = self.noted.get("ItemsPath", self.noted.get("Items", ()))
        items = max(len(given), 1)
        if self.iterations_failed > items:
            raise InvalidInput(f"mapIterationFailureCount is {self.iterations_failed}, and the Map has {items} items")
        share = 100 * self.iterations_failed / items
        if count is None and percentage is None:
            count = 0
        if (count is None or self.iterations_failed <= count) and (percentage is None or share <= percentage):
            return outcome
        return Failure(TOO_MANY, "The specified tolerated failure threshold was exceeded")

    def leave(self, frame: Frame, output: Any, next: str | None, *, caught: bool = False) -> None:
        if frame is self.root:
            self.said = self.said if self._catching else {}
            self._end("CAUGHT_ERROR" if self._catching else "SUCCEEDED", output=output, next=next)
        else:
            super().leave(frame, output, next, caught=caught)

    def fall(self, frame: Frame, failed: Failure) -> None:
        if frame is self.root:
            self.said, self.details = {}, {}
            self._end("FAILED", error=failed.error, cause=failed.cause)
        else:
            super().fall(frame, failed)

    def _again(self, frame: Frame, retrier: Retrier, number: int, failed: Failure) -> bool:
        if frame is self.root:
            frame.attempts.setdefault(str(number), self.retried)
        if not super()._again(frame, retrier, number, failed):
            return False
        if frame is self.root and not self.mocks.left(frame):
            timer = self.timers[f"{frame.op} retry"]
            self.details = {
                "retryIndex": number,
                "retryBackoffIntervalSeconds": whole((timer.at - self.now) / 1000),
            }
            self._end("RETRIABLE")
        return True

    def fail(self, frame: Frame, failed: Failure) -> None:
        if frame is self.root:
            self.said = {"error": failed.error, "cause": failed.cause}
        super().fail(frame, failed)

    def _caught(self, frame: Frame, catcher: Catcher, place: str, failed: Failure) -> None:
        if frame is self.root:
            state: Any = frame.here
            self._catching = True
            self.details = {"catchIndex": list(map(id, state.catch)).index(id(catcher))}
        super()._caught(frame, catcher, place, failed)


def merged(value: Any, over: Any) -> Any:
    """A JSON value with parts of another put over it."""
    if isinstance(value, Mapping) and isinstance(over, Mapping):
        below, above = cast("Mapping[str, Any]", value), cast("Mapping[str, Any]", over)
        return {**below, **{name: merged(below.get(name), part) for name, part in above.items()}}
    return over


def whole(number: float) -> int | float:
    """Without a fraction where there is none."""
    return int(number) if number == int(number) else number
