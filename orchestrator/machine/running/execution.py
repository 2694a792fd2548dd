"""All flows of one execution: what has come is handed to the state that waits for it, and states follow each other
until everything waits or the machine has ended.

Nothing recurses from state to state: what is to be done next lies in a queue, so a flow may be of any length.
"""

from __future__ import annotations

import math
import random
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ....state.errors import StateFailed
from ....state.quantities import LATEST
from ....state.records import PAYLOAD_LIMIT
from ...errors import failures
from ...protocol.decider import Invoke, Spawn
from ..definition.retrying import Catcher, Retrier
from ..definition.states.map import Map
from ..definition.states.parallel import Parallel
from ..definition.states.state import State
from ..definition.states.task import Task
from ..definition.values import Template
from ..language.chance import Chance
from ..language.failure import QUERY, QueryError
from ..language.scope import Scope as Seen
from ..language.variables import assigned
from . import context, cut, failure
from .compiled import Compiled
from .failure import Failure
from .frame import Frame
from .limits import LIMITS, HistoryFull, Limits
from .outgoing import Outgoing
from .recorder import Counter
from .resources import Resources
from .scope import Scope

TIMES = ("wait", "retry", "timeout", "heartbeat")
"""What a state may wait for time for."""
WHOLE = "whole"
"""The timer of the machine itself."""
AT_ONCE = 1000
"""States that may be entered one after another without anything from outside, until the journal takes note of it."""


class Timer(NamedTuple):
    """When something is to happen to the state that a frame is in."""

    at: int
    kind: str
    frame: Frame


class Behaviour(NamedTuple):
    """What one kind of state does: when it is begun, when it is a flow's turn within it, with the result of what it
    waited for, when time has come, when a flow within it has ended, when it is given up or done, and when those that it
    has left go on. ``again``: the call that it has under way, as it was ordered, for what goes on from a checkpoint;
    None when it is no call any more."""

    begin: Callable[[Execution, Frame, Any], None]
    start: Callable[[Execution, Frame], None] | None = None
    result: Callable[[Execution, Frame, Any, Any], None] | None = None
    timer: Callable[[Execution, Frame, Any, str], None] | None = None
    inner: Callable[[Execution, Frame, Any, Frame, Any], None] | None = None
    failed: Callable[[Execution, Frame, Any, Frame, Failure], None] | None = None
    quit: Callable[[Execution, Frame], None] | None = None
    resume: Callable[[Execution, Frame, Any], None] | None = None
    again: Callable[[Execution, Frame, Any], Invoke | None] | None = None


class Execution(Outgoing):
    """``about`` and ``seed`` are set by the start. ``ending`` is the final entry, once there is one."""

    def __init__(
        self,
        compiled: Compiled,
        resources: Resources,
        id: str,
        behaviours: dict[type[State], Behaviour],
        recorder: Counter | None = None,
        limits: Limits = LIMITS[""],
    ) -> None:
        self.compiled = compiled
        self.limits = limits
        self.machine = compiled.machine
        self.resources = resources
        super().__init__(id)
        self.history = recorder or Counter()
        self.history.most = limits.events
        self.limit = PAYLOAD_LIMIT  # bytes that one value may have in the store
        self.root = Frame("", self.machine.flow)
        self.timers: dict[str, Timer] = {}
        self.tokens: dict[str, Frame] = {}  # whose task token somebody has, by the token's operation
        self.about = context.About(id, id, "", "", None, 0)
        self.seed = ""
        self.caller: Mapping[str, Any] = {}
        self.depth = 0
        self.entered = 0  # states since something came from outside
        self.assigned: Mapping[str, Any] = {}  # by the state that is being left
        self._behaviours = behaviours
        self._ready: deque[tuple[Callable[..., None], Frame, tuple[Any, ...]]] = deque()

    # -- driving -------------------------------------------------------------------------------------

    def soon(self, work: Callable[..., None], frame: Frame, *args: Any) -> None:
        """Do ``work(frame, …)`` when it is its turn, unless the frame has gone by then."""
        self._ready.append((work, frame, args))

    def drive(self) -> bool:
        """Go on until everything waits: each flow as far as it comes, then the next one. False when it goes on and on:
        it is to be driven again then."""
        while self._ready:
            if self.entered >= AT_ONCE:
                return False
            work, frame, args = self._ready.popleft()
            if self.ending is None and not frame.gone:
                rest, self._ready = self._ready, deque()
                try:
                    work(frame, *args)
                except HistoryFull:
                    rest.clear()
                    self._stop()
                    self.fall(self.root, self.limits.full)
                rest.extendleft(reversed(self._ready))
                self._ready = rest
        return True

    def of(self, frame: Frame) -> Behaviour:
        return self._behaviours[type(frame.here)]

    def start(self, about: context.About, seed: str) -> None:
        self.about, self.seed = about, seed
        self.history.add("ExecutionStarted", self.now, self.root, input=about.input)
        self.limit_time()
        self.soon(self.enter, self.root, self.root.flow.start_at, about.input)

    def limit_time(self) -> None:
        """The whole may last so long from now on."""
        lasts = [found for found in (self.machine.timeout_seconds, self.limits.seconds) if found is not None]
        if lasts:
            until = self.now + min(lasts) * 1000
            self.timers[WHOLE] = Timer(min(until, LATEST), WHOLE, self.root)

    def enter(self, frame: Frame, name: str, input: Any) -> None:
        frame.state, frame.input, frame.entered = name, input, self.now
        frame.visits += 1
        frame.tries = 1
        frame.attempts, frame.doing, frame.left = {}, {}, {}
        self.entered += 1
        kind = type(frame.here).__name__
        frame.event = self.history.add(f"{kind}StateEntered", self.now, frame, name=name, input=input)
        self.begin(frame)

    def begin(self, frame: Frame) -> None:
        """The state that the frame is in begins, for the first time or again."""
        self.attempt(frame, self.of(frame).begin, self, frame, frame.here)

    def attempt(self, frame: Frame, work: Callable[..., None], *args: Any) -> None:
        """Do it; what it says about the data that it was given is the state's failure."""
        try:
            work(*args)
        except QueryError as error:
            self.fail(frame, self.told(frame, error))

    def told(self, frame: Frame, error: QueryError) -> Failure:
        """What an expression could not do, as the state's failure."""
        place = f"'{frame.state}' (entered at the event id #{frame.event})"
        cause = f"An error occurred while executing the state {place}. {error.cause}"
        if error.error == QUERY:
            self.history.add("EvaluationFailed", self.now, frame, error=error.error, cause=cause, state=frame.state)
        return Failure(error.error, cause)

    def scope(self, frame: Frame, value: Any = None, token: str = "", **states: Any) -> Scope:
        """What the state's expressions see."""
        whole = context.context(self.about, frame, token)
        told = {"input": frame.input, "context": whole, **states}
        chance = Chance(zlib.crc32(f"{self.seed}/{frame.op}".encode()))
        return Scope(Seen(value, whole, frame.all_variables(), chance, self.now, told), self.compiled)

    def leave(self, frame: Frame, output: Any, next: str | None, *, caught: bool = False) -> None:
        """The state is done. What it hands on may be too large: who was caught with that is not caught again."""
        assigned, self.assigned = self.assigned, {}
        if (large := self.limits.too_large(frame.state, output)) is not None:
            (self.fall if caught else self.fail)(frame, large)
            return
        frame.event = 0
        kind = type(frame.here).__name__
        self.history.add(f"{kind}StateExited", self.now, frame, name=frame.state, output=output, assigned=assigned)
        if next is not None:
            self.soon(self.enter, frame, next, output)
        else:
            self.soon(self.ended, frame, output)

    def ended(self, frame: Frame, output: Any) -> None:
        """A flow is done."""
        outer = frame.parent
        if outer is None:
            self.history.add("ExecutionSucceeded", self.now, frame, output=output)
            self.ending = {"type": "completed", "at": self.now, "value": output}
            return
        del outer.frames[frame.index]
        inner = self.of(outer).inner
        assert inner is not None
        self.attempt(outer, inner, self, outer, outer.here, frame, output)

    # -- failures ------------------------------------------------------------------------------------

    def fail(self, frame: Frame, failed: Failure) -> None:
        """The state that the frame is in has failed: it is tried again, or caught, or its flow fails."""
        if frame.frames and failed.error != failure.RUNTIME:
            cut.tell(self.history, frame, self.now)
        frame.keep()
        self.quit(frame)
        state = frame.here
        for number, retrier in enumerate(getattr(state, "retry", ())):
            if failure.retries(retrier.error_equals, failed):
                if self._again(frame, retrier, number, failed):
                    return
                break
        self._lost(frame, failed)
        for number, catcher in enumerate(getattr(state, "catch", ())):
            if failure.fits(catcher.error_equals, failed):
                self._caught(frame, catcher, f"Catch[{number}]", failed)
                return
        self.fall(frame, failed)

    def _lost(self, frame: Frame, failed: Failure) -> None:
        """The history says of a Parallel or a Map that it has failed, but not of what ends the execution anyway."""
        if isinstance(frame.here, (Parallel, Map)) and failed.error != failure.RUNTIME:
            kind = type(frame.here).__name__
            self.history.add(f"{kind}StateFailed", self.now, frame, error=failed.error, cause=failed.cause)

    def fall(self, frame: Frame, failed: Failure) -> None:
        """A flow has failed. ``States.Runtime`` is the end of the execution wherever it happens, but that an item of a
        distributed Map is an execution of its own."""
        outer = frame.parent
        self.history.note("failed", self.now, frame, error=failed.error, cause=failed.cause)
        if isinstance(frame.here, Task) and frame.top is not frame and failed.error != failure.RUNTIME:
            self.history.add("TaskStateAborted", self.now, frame)
        if outer is None or (failed.error == failure.RUNTIME and not _apart(outer)):
            self._stop()
            self.history.add("ExecutionFailed", self.now, frame, error=failed.error, cause=failed.cause)
            self.ending = {"type": "failed", "at": self.now, "error": recorded(failed)}
            return
        del outer.frames[frame.index]
        inner = self.of(outer).failed
        assert inner is not None
        self.attempt(outer, inner, self, outer, outer.here, frame, failed)

    def _again(self, frame: Frame, retrier: Retrier, number: int, failed: Failure) -> bool:
        tried = frame.attempts.get(str(number), 0)
        if tried >= retrier.max_attempts:
            return False
        try:
            seconds = retrier.interval_seconds * retrier.backoff_rate**tried
        except OverflowError:
            seconds = math.inf
        if retrier.max_delay_seconds is not None:
            seconds = min(seconds, retrier.max_delay_seconds)
        if retrier.jitter:
            seconds *= random.Random(f"{self.seed}/{frame.op}").random()
        frame.attempts[str(number)], frame.left = tried + 1, {}
        at = self.now + round(min(seconds, LATEST / 1000) * 1000)
        self.time(frame, "retry", at)
        self.history.note("again", self.now, frame, error=failed.error, cause=failed.cause, until=at)
        return True

    def _caught(self, frame: Frame, catcher: Catcher, place: str, failed: Failure) -> None:
        error = failed.as_json()
        scope = self.scope(frame, error, errorOutput=error)
        try:
            if frame.here.language == "JSONata":
                output = scope.template(catcher.output, f"{place}/Output") if catcher.output is not None else error
            elif catcher.result_path is None:
                output = frame.input
            else:
                output = scope.placed(catcher.result_path, frame.input, error)
            self.assign(frame, scope, catcher.assign, f"{place}/Assign")
        except QueryError as broken:
            worse = self.told(frame, broken)
            self._lost(frame, worse)
            self.fall(frame, worse)
            return
        self.history.note("caught", self.now, frame, error=failed.error, cause=failed.cause, next=catcher.next)
        self.leave(frame, output, catcher.next, caught=True)

    def assign(self, frame: Frame, scope: Scope, given: Template | None, field: str = "Assign") -> None:
        """Assign: every expression sees the variables as they were before. Raises QueryError."""
        if given is not None:
            outer = frame.around.all_variables() if frame.around is not None else {}
            values = scope.template(given, field)
            frame.variables = assigned(frame.variables, outer, values, self.limits.variables)
            self.assigned = values

    def quit(self, frame: Frame) -> None:
        """Whatever the state has under way is no longer wanted."""
        for inner in [frame, *frame.below()]:
            op = inner.op
            if inner.doing and (ends := self.of(inner).quit) is not None:
                ends(self, inner)
            for called in (op, inner.doing.get("call", "")):
                if called in self.waiting:
                    self.give_up(called)
            self.tokens.pop(op, None)
            self.withdraw(op)
            for kind in TIMES:
                self.timers.pop(f"{op} {kind}", None)
            inner.gone = inner is not frame
        frame.frames.clear()

    # -- what a state waits for ----------------------------------------------------------------------

    def time(self, frame: Frame, kind: str, at: int) -> None:
        self.timers[f"{frame.op} {kind}"] = Timer(min(at, LATEST), kind, frame)

    def withdraw(self, op: str) -> None:
        """Whoever was asked about what is done under ``op`` need not decide any more."""
        for asked in [one for one in self.asked if one.partition(".approval")[0] == op and ".approval" in one]:
            del self.asked[asked]
            self.ordered.discard(asked)
            for key in [key for key in self.timers if key == asked or key.startswith(f"{asked}.")]:
                del self.timers[key]

    def confirmed(self, op: str) -> bool:
        """What was ordered has arrived. False when it was not open."""
        effect = self.arrived(op)
        if isinstance(effect, Spawn) and effect.detached:
            self.came(op, {"id": effect.id})
        return effect is not None

    def clear(self) -> None:
        """Nothing is to be done next."""
        self._ready.clear()

    def _stop(self) -> None:
        self.clear()
        if self.root.state:
            self.root.keep()
            self.quit(self.root)

    def cancel(self, reason: str) -> None:
        """The execution is to end."""
        self._stop()
        self.history.add("ExecutionAborted", self.now, self.root, cause=reason)
        self.ending = {"type": "cancelled", "at": self.now, "reason": reason}

    def happened(self, key: str) -> bool:
        """A timer fires. False when it is none of ours."""
        timer = self.timers.pop(key, None)
        if timer is None:
            return False
        frame = timer.frame
        if timer.kind == WHOLE:
            self._stop()
            self.history.add("ExecutionTimedOut", self.now, self.root, error=failure.TIMEOUT)
            self.ending = {"type": "failed", "at": self.now, "error": recorded(Failure(failure.TIMEOUT))}
            return True
        if timer.kind == "retry":
            frame.tries += 1
            frame.doing = frame.approved()
            self.soon(self.begin, frame)
            return True
        handler = self.of(frame).timer
        assert handler is not None
        self.soon(self.attempt, frame, handler, self, frame, frame.here, timer.kind)
        return True

    def came(self, op: str, result: Any) -> bool:
        """A result has come for an operation: a value, or a Failure."""
        frame = self.settle(op)
        if frame is None:
            return False
        self.confirmed(op)
        handler = self.of(frame).result
        assert handler is not None
        self.soon(self.attempt, frame, handler, self, frame, frame.here, result)
        return True


def _apart(frame: Frame) -> bool:
    """Whether what happens in the frame happens to one item of a distributed Map."""
    return frame.within is not None or (isinstance(frame.here, Map) and frame.here.distributed)


def recorded(failed: Failure) -> dict[str, Any]:
    """A failure as the journal keeps it."""
    return failures.encode(StateFailed(failed.error or "", failed.cause or ""))
