"""The course of an execution, out of its journal: it is gone through once more, with nothing called, and each state
that it is in, and each way that it takes, is noted.

The functions of the machine need not be there: what came of them stands in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ....state.errors import InvalidInput
from ...protocol.decider import Fact, when
from ..decider import MachineDecider
from ..definition.fields import Malformed
from ..definition.machine import Machine, build
from ..definition.plain import members_of
from ..definition.retrying import Catcher, Retrier
from ..definition.states.choice import Choice, Rule
from ..definition.states.fail import Fail
from ..integrations import NONE, Integrations
from ..language.scope import Scope as Seen
from ..resolving import Table
from ..running.compiled import Compiled
from ..running.execution import Execution
from ..running.failure import Failure
from ..running.frame import Frame
from ..running.limits import LIMITS
from ..running.resources import Resources
from ..running.scope import Scope
from .course import Course

_OF_CALLS = frozenset({"begun", "retrying", "doubt", "resolved", "sent", "answered"})
"""What a journal says of calls, which are none here: everything that is called is a child."""


def followed(
    name: str, id: str, entries: Sequence[Fact], status: str, now: int, integrations: Integrations = NONE
) -> tuple[Machine, Course]:
    """The machine that the execution goes by, and its course until ``now``. ``entries``: the journal, whole, from its
    first entry. Raises InvalidInput when there is no definition in it."""
    written = next((entry for entry in entries if entry["type"] in ("machine", "checkpoint")), None)
    if written is None:
        raise InvalidInput("no definition stands in its journal: it is no state machine, or has only just begun")
    if not members_of(written.get("state", written)).get("definition"):
        raise InvalidInput("the definition in its journal is gone: the blob that it lay in is not in the store")
    source = written["definition"] if "definition" in written else written["state"]["definition"]
    served = _Unserved(name, source, {text: text for text in written.get("named", ())}, integrations)
    following = _Following(served, id)
    # What a checkpoint holds follows from what stands before it, and says nothing of how it came to that.
    following.replay("", 1, [one for at, one in enumerate(entries) if not at or one["type"] != "checkpoint"], now)
    course = following.course()
    last = max((when(entry) for entry in entries if isinstance(entry.get("at"), int)), default=now)
    course.status, course.now = status, now if any(stay.inside for stay in course.stays.values()) else last
    return served.compiled.machine, course


class _Unserved:
    """A machine as its journal knows it. Implements ``Served``."""

    def __init__(self, name: str, source: Any, named: Mapping[str, str], integrations: Integrations) -> None:
        try:
            self.compiled = Compiled(build(source))
        except Malformed as error:
            raise InvalidInput(f"the definition in its journal can't be read: {error}") from None
        self.name = name
        self.source = source
        self.resources: Resources = Table((), named, integrations)
        self.limits = LIMITS[""]  # those that it was begun with stand in the journal


class _Watched(Scope):
    """Says which rule was met."""

    __slots__ = ("watcher",)

    def __init__(self, seen: Seen, compiled: Compiled, watcher: _Followed) -> None:
        super().__init__(seen, compiled)
        self.watcher = watcher

    def of(self, data: Any) -> Scope:
        return _Watched(self.seen._replace(data=data), self.compiled, self.watcher)

    def holds(self, rule: Rule, field: str) -> bool:
        met = super().holds(rule, field)
        self.watcher.met = rule if met else None
        return met


class _Followed(Execution):
    """An execution that notes its course."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.course = Course()
        self.met: Rule | None = None  # of the Choice that was looked at last
        self._inside: dict[str, tuple[str, int]] = {}  # where flows are and since when, by their ids
        self._moved: set[str] = set()  # flows that came to their state from another one
        self._catching: Catcher | None = None

    def finished(self) -> Course:
        """With what lasts."""
        for name, since in self._inside.values():
            stay = self.course.stay(name)
            stay.inside += 1
            stay.since = since if stay.since is None else min(stay.since, since)
        for timer in self.timers.values():
            if timer.kind in ("wait", "retry") and timer.frame.id in self._inside:
                stay = self.course.stay(timer.frame.state)
                stay.until = timer.at if stay.until is None else min(stay.until, timer.at)
        return self.course

    def _close(self, frame: Frame) -> bool:
        """The flow is no longer in its state. False when it was in none."""
        name, since = self._inside.pop(frame.id, ("", 0))
        if name:
            self.course.stay(name).lasted += self.now - since
        return bool(name)

    def enter(self, frame: Frame, name: str, input: Any) -> None:
        if frame.id not in self._moved:
            self._moved.add(frame.id)
            self.course.take(name, "start")
        self._inside[frame.id] = (name, self.now)
        self.course.stay(name).entered += 1
        super().enter(frame, name, input)

    def attempt(self, frame: Frame, work: Callable[..., None], *args: Any) -> None:
        if frame.state and frame.id not in self._inside and not frame.gone and self.about.redrives:
            self._reopen(frame)
        super().attempt(frame, work, *args)

    def _reopen(self, frame: Frame) -> None:
        """The state had failed, or was cut off, and somebody has asked for it to go on."""
        stay = self.course.stay(frame.state)
        stay.retries += 1
        if stay.failed:
            stay.failed -= 1
        elif stay.stopped:
            stay.stopped -= 1
        self._inside[frame.id] = (frame.state, self.now)

    def scope(self, frame: Frame, value: Any = None, token: str = "", **states: Any) -> Scope:
        found = super().scope(frame, value, token, **states)
        self.met = None
        state = frame.flow.states.get(frame.state)  # None for an item of a Map, before it begins
        return _Watched(found.seen, found.compiled, self) if isinstance(state, Choice) else found

    def leave(self, frame: Frame, output: Any, next: str | None, *, caught: bool = False) -> None:
        state: Any = frame.here
        catcher, self._catching = self._catching, None
        stay = self.course.stay(frame.state)
        self._close(frame)
        if catcher is not None:
            stay.caught += 1
            self.course.take(frame.state, "catch", _index(state.catch, catcher))
        else:
            stay.succeeded += 1
            if isinstance(state, Choice):
                met = self.met
                kind, number = ("default", 0) if met is None else ("rule", _index(state.rules, met))
                self.course.take(frame.state, "rule" if kind == "rule" else "default", number)
            else:
                self.course.take(frame.state, "end" if next is None else "next")
        super().leave(frame, output, next, caught=caught)

    def fail(self, frame: Frame, failed: Failure) -> None:
        self.course.stay(frame.state).error = failed.error or ""
        super().fail(frame, failed)

    def fall(self, frame: Frame, failed: Failure) -> None:
        self._catching = None
        if self._close(frame):
            stay = self.course.stay(frame.state)
            stay.failed += 1
            stay.error = failed.error or ""
            if isinstance(frame.here, Fail):
                self.course.take(frame.state, "end")
        super().fall(frame, failed)

    def _again(self, frame: Frame, retrier: Retrier, number: int, failed: Failure) -> bool:
        again = super()._again(frame, retrier, number, failed)
        self.course.stay(frame.state).retries += again
        return again

    def _caught(self, frame: Frame, catcher: Catcher, place: str, failed: Failure) -> None:
        self._catching = catcher
        super()._caught(frame, catcher, place, failed)

    def quit(self, frame: Frame) -> None:
        for inner in frame.below():
            self._stop_in(inner)
        super().quit(frame)

    def _stop(self) -> None:
        super()._stop()
        self._stop_in(self.root)

    def _stop_in(self, frame: Frame) -> None:
        if self._close(frame):
            self.course.stay(frame.state).stopped += 1


class _Following(MachineDecider):
    """The decider of an execution that is gone through once more."""

    made_of = _Followed

    def course(self) -> Course:
        run = self._run
        course = run.finished() if isinstance(run, _Followed) else Course()
        course.problem = self._stuck
        return course

    def _apply(self, fact: Fact) -> bool:
        return super()._apply(fact) or fact["type"] in _OF_CALLS


def _index(listed: Sequence[object], one: object) -> int:
    return next(number for number, other in enumerate(listed) if other is one)
