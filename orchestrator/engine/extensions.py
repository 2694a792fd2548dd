"""What a runtime tells those who watch it: what has begun and what has ended, of executions, turns, operations and
attempts. For traces, metrics and audit, in this process and others.

It is told after it was stored, by the process that stored it; what a process stored right before it died is told by
nobody. An extension that fails is logged, and harms nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from inspect import iscoroutinefunction
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, cast

from ...state.errors import InvalidInput, StoreCorrupt
from ...state.records import FINAL, Appended, Change
from ..errors.groups import said_in
from ..protocol.decider import Fact, Invoke
from ..protocol.entries import decode
from .deadlines import Deadlines

log = logging.getLogger("overwinter")

T = TypeVar("T")
Committed = Callable[[Change, Appended], None]
Subject = Literal["execution", "turn", "operation", "attempt"]
_BESIDE = frozenset(
    {
        "answered",
        "beat",
        "begun",
        "compacted",
        "doubt",
        "handoff",
        "observed",
        "offered",
        "passed",
        "resolved",
        "retrying",
        "routed",
        "saga",
        "sent",
        "skipped",
        "checkpoint",
        "delegated",
    }
)
"""Entries about an operation that do not end it."""
_MEANWHILE = ("reminder", "escalation")
"""Kinds of timers of an approval that stays open."""
_KINDS = {"timer": "sleep", "decided": "approval"}
"""The kind of operation that an entry ends, where it is called otherwise."""
_DEFECT = "execution %s: one that was told of a commit has failed"


class Notice(NamedTuple):
    """Something has begun or ended.

    ``execution`` is its id, ``function`` the workflow or agent. A *turn* is a session's answer to one message, whose id
    is ``op``. An *operation* has its ``op``, ``name`` and ``kind`` (step, tool, model, check, child, sleep, event,
    approval, callback …); one that waits for time or an event is told of when it ends, a detached child and what is
    published when it begins.
    An *attempt* is one call of a function, told of in the context in which it is called. ``at`` is in milliseconds
    since 1970, ``ms`` how long it took. ``status`` is that of what has ended: succeeded, failed, or the execution's
    own; ``error`` is one text, with known secrets cut out; ``child`` is the id of a child, by which its end is told,
    ``branch`` the name of the branch of a workflow that it lies in.
    """

    subject: Subject
    execution: str
    function: str
    at: int
    op: str = ""
    name: str = ""
    kind: str = ""
    attempt: int = 0
    ms: int | None = None
    status: str = ""
    error: str = ""
    child: str = ""
    branch: str = ""


class Active(Protocol):
    """An execution under way."""

    function: str
    deadlines: Deadlines


class Measuring(Protocol):
    """Who measures commits. It is told of each answer; ``began`` is when the commit was sent, by ``perf_counter``."""

    def stored(self, active: Active, change: Change, answer: Appended, began: float) -> None: ...
    def failed(self, error: BaseException) -> None: ...


class Extension:
    """The base of what watches a runtime: given to it (``Runtime(functions, extensions=[…])``), or lying in the module
    that is served. Both are called on the event loop, so they are quick, and hand over what takes long."""

    def started(self, notice: Notice) -> None:
        """Something has begun."""

    def ended(self, notice: Notice) -> None:
        """Something has ended."""


class Extensions:
    """Those of one engine, whose ``active`` executions they are told of."""

    def __init__(self, all: Iterable[Extension], active: Mapping[str, Active]) -> None:
        self._all = tuple(all)
        for one in self._all:
            if not isinstance(one, Extension):  # pyright: ignore[reportUnnecessaryIsInstance]  # as users may give it
                raise InvalidInput(f"an extension is an object of a class made from Extension, not {one!r}")
            if iscoroutinefunction(one.started) or iscoroutinefunction(one.ended):
                raise InvalidInput(f"{type(one).__name__}: started and ended are plain functions, not async ones")
        self.watching = bool(self._all)
        """Whether there is any to be told of calls. Those that hear commits alone are not."""
        self._active = active
        self._listeners: tuple[Committed, ...] = ()
        self._measuring: list[Measuring] = []
        self.gathered: list[Change] | None = None
        """Whoever is told that a commit is stored puts it in here."""
        self.gathering: Callable[[], object] = str
        """And calls this before, when nothing is in it."""
        self.listens = bool(self._all)
        """Whether there is anybody to be told of commits."""

    def hear(self, committed: Committed) -> None:
        """Call it with each commit that is stored, and the answer: for what belongs to the runtime itself and knows its
        journal."""
        self._listeners = (*self._listeners, committed)
        self._count()

    def gather(self, commits: list[Change], begun: Callable[[], object]) -> None:
        """Put each commit that is stored into ``commits``, and say so when it is the first one there: for who looks at
        many at once, which costs a fraction of a call for each. There is one such, the last that asked for it."""
        self.gathered, self.gathering = commits, begun

    def ignore(self, committed: Committed) -> None:
        """Call it no more."""
        self._listeners = tuple(one for one in self._listeners if one != committed)
        self._count()

    def measure(self, measuring: Measuring) -> None:
        """Tell it of each commit's answer."""
        self._measuring.append(measuring)
        self._count()

    def _count(self) -> None:
        self.listens = bool(self._all or self._listeners or self._measuring)

    def _function_of(self, execution: str) -> str:
        active = self._active.get(execution)
        return "" if active is None else active.function

    def heard(self, active: Active, change: Change, answer: Appended | BaseException, began: float) -> None:
        """A commit was answered: when it is stored, what its entries say is told, before anybody goes on from it.
        Who listens can't keep the execution from that: what one raises is logged."""
        if isinstance(answer, BaseException):
            for measuring in self._measuring:
                measuring.failed(answer)
            return
        if self._all:
            self._committed(active.function, change)
        for committed in self._listeners:  # another tuple, when one stops to listen meanwhile
            try:
                committed(change, answer)
            except Exception:  # the edge to who listens: a defect there must not lose what is stored
                log.exception(_DEFECT, change.id)
        for measuring in self._measuring:
            try:
                measuring.stored(active, change, answer, began)
            except Exception:  # as above
                log.exception(_DEFECT, change.id)

    def _committed(self, function: str, change: Change) -> None:
        for text in change.entries:
            try:
                fact = decode(text)
            except StoreCorrupt:
                continue  # it says so elsewhere
            self._entry(function, change.id, fact)

    def _entry(self, function: str, id: str, fact: Fact) -> None:
        type, at = str(fact["type"]), int(fact.get("at", 0))
        error = _text(fact.get("error"))
        if type == "start":
            self._tell("started", Notice("execution", id, function, at))
        elif type == "message":
            self._tell("started", Notice("turn", id, function, at, str(fact.get("id", ""))))
        elif type == "reply":
            turn = Notice("turn", id, function, at, str(fact.get("to", "")), status=_status(error), error=error)
            self._tell("ended", turn)
        elif type in FINAL:
            self._tell("ended", Notice("execution", id, function, at, status=type, error=error))
        elif type == "ordered":
            self._tell("started", _operation(id, function, fact, str(fact.get("kind", ""))))
        elif type == "child":
            ended = Notice("operation", id, function, at, str(fact.get("op", "")), kind=type, child=str(fact["id"]))
            status = "succeeded" if fact.get("status") == "completed" else "failed"
            self._tell("ended", ended._replace(status=status, error=error))
        elif "op" in fact and type not in _BESIDE and fact.get("kind") not in _MEANWHILE:
            ended = _operation(id, function, fact, _KINDS.get(type, str(fact.get("kind", type))))
            self._tell("ended", ended._replace(ms=fact.get("ms"), status=_status(error), error=error))

    def begins(self, execution: str, call: Invoke, attempt: int, at: int) -> None:
        """An attempt of a call begins; with the first one, the call."""
        function = self._function_of(execution)
        if attempt == 1:
            begun = Notice("operation", execution, function, at, call.op, call.name, call.report)
            self._tell("started", begun._replace(branch=_branch(call.extra)))
        begun = Notice("attempt", execution, function, at, call.op, call.name, call.report, attempt)
        self._tell("started", begun._replace(branch=_branch(call.extra)))

    def ends(self, execution: str, call: Invoke, attempt: int, began: int, at: int, failure: Fact | None) -> None:
        """An attempt has ended, perhaps with an error as it is recorded."""
        error = _text(failure)
        function = self._function_of(execution)
        ended = Notice("attempt", execution, function, at, call.op, call.name, call.report, attempt, max(0, at - began))
        self._tell("ended", ended._replace(status=_status(error), error=error, branch=_branch(call.extra)))

    def _tell(self, what: Literal["started", "ended"], notice: Notice) -> None:
        for one in self._all:
            try:
                getattr(one, what)(notice)
            except KeyboardInterrupt:
                raise
            except BaseException:  # the edge to user code: who watches can't harm what is watched
                log.exception("an extension (%s) failed on what has %s: %s", type(one).__name__, what, notice)


def _operation(id: str, function: str, fact: Fact, kind: str) -> Notice:
    op, name, at = str(fact["op"]), str(fact.get("name", "")), int(fact.get("at", 0))
    child = str(fact["id"]) if kind == "child" else ""
    return Notice("operation", id, function, at, op, name, kind, child=child, branch=_branch(fact))


def _branch(told: Mapping[str, Any]) -> str:
    return str(told.get("branch", ""))


def _status(error: str) -> str:
    return "failed" if error else "succeeded"


def _text(failure: Any) -> str:
    """The recorded error in one text, "" when there is none."""
    if failure is None:
        return ""
    told = cast("Fact", failure) if isinstance(failure, dict) else {"message": failure}
    return said_in(told) or "failed"
