"""The workflow decider: replays a workflow function over its journal, then runs it on with each fact.

It promises that the same journal always leads to the same state, or to *stuck* with an error that names the
recorded and the requested operation and the line; that what is open after replay is ordered again; and that
nothing here has an effect by itself.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from ...state.errors import InvalidInput, StoreCorrupt
from ...state.records import PAYLOAD_LIMIT
from ..protocol.decider import Decision, Fact, Post, Verdict
from ..protocol.journal import KNOWN
from ..protocol.keeping import Kept, keep, kept
from ..usercode.resilience import Policy
from . import approval, mismatch, takes
from .awaiting import awaited, people
from .context import Context
from .facts import HANDLERS, advance, unusable
from .reopening import reopened
from .run import Origin, Run

_OUTSIDE = frozenset({"paused", "resumed", "stuck", "terminated", "forked"})
"""Entries about the execution as a whole. They say nothing to the code and don't move its clock."""
_FINAL = frozenset({"completed", "failed", "cancelled", "terminated"})
_UNNAMED = frozenset(
    {"sent", "answered", "resolved", "child", "decided", "delegated", "revoked", "callback", "beat", "skipped"}
)
"""Entries that need not name the operation they belong to."""
_CHECKPOINTS = 100


class Code(Protocol):
    """The workflow that a decider runs."""

    @property
    def name(self) -> str: ...
    @property
    def policy(self) -> Policy: ...
    @property
    def place(self) -> str: ...
    def body(self, ctx: Context, input: Any) -> Coroutine[Any, Any, Any]: ...
    def accept(self, value: Any, limit: int | None = None) -> Any: ...
    def result(self, value: Any) -> Any: ...


class WorkflowDecider:
    """Implements ``Decider`` for one execution of a workflow."""

    kinds = KNOWN
    __slots__ = (
        "_closed", "_first", "_id", "_kept", "_length", "_limit", "_over", "_run", "_state", "_taken", "_workflow",
    )  # fmt: skip

    def __init__(self, workflow: Code, id: str) -> None:
        self._limit = PAYLOAD_LIMIT
        self._workflow = workflow
        self._id = id
        self._run = self._new_run(0)
        self._length = 0  # entries in the journal, as far as they are known here
        self._taken = 0  # facts since the last decision
        self._first = False  # the first of them was the start of a new journal
        self._over = ""  # final status, once its entry is written
        self._closed = False
        self._state = ""  # of the head: what somebody outside may send
        self._kept: list[Kept] = []  # the events that go on with the checkpoint that a replay begins from

    @property
    def limit(self) -> int:
        """Bytes that one value may have in the store."""
        return self._limit

    @limit.setter
    def limit(self, bytes_: int) -> None:
        self._limit = self._run.limit = bytes_

    def _new_run(self, at: int) -> Run:
        run = Run(self._id, self._workflow.name, self._workflow.policy, at)
        run.accept, run.result, run.limit = self._workflow.accept, self._workflow.result, self._limit
        return run

    # -- the protocol --------------------------------------------------------------------------------

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        self._length, self._state = first - 1 + len(entries), state
        if not entries:
            return
        journal = reopened(entries)
        run, facts = self._run, journal.entries
        begun = max((index for index, entry in enumerate(facts) if entry["type"] == "checkpoint"), default=-1)
        try:
            self._kept = kept(facts[begun], first, entries) if begun >= 0 else []
        except StoreCorrupt as error:
            run.stuck = str(error)
        run.renewed, run.reopened, run.seen = journal.renewed, journal.reopened, journal.seen
        for index in range(begun + 1, len(facts)):
            if (op := _tells_of(facts[index])) is not None and index in journal.loose:
                run.loose.setdefault(op, []).append(facts[index])
            elif op is not None:
                run.recorded.setdefault(op, facts[index])
        run.skipped = {str(entry.get("id", "")) for entry in entries if entry["type"] == "skipped"}
        run.retried = _retried(entries)
        run.replaying = True
        run.loop.quiet = True
        self._over = next((entry["type"] for entry in reversed(facts) if entry["type"] in _FINAL), "")
        for index in range(max(begun, 0), len(facts)):
            entry = facts[index]
            if entry["type"] in _OUTSIDE:
                continue
            run.number = first + (index if journal.positions is None else journal.positions[index])
            if index in journal.loose:
                if (ahead := run.loose.get(str(entry.get("op")))) and ahead[0] is entry:
                    del ahead[0]
                if self._fits(entry):
                    self._apply(entry)
            elif not self._apply(entry) and not run.stuck:
                run.stuck = mismatch.unasked(self._id, entry, run.main, run.ending)
            if run.stuck:
                break
        run.recorded, run.loose = {}, {}
        run.abandoned.clear()
        run.loop.forget()
        run.loop.quiet = run.replaying = False
        if run.stuck:
            run.halt()
            run.turn()

    def offer(self, fact: Fact) -> Verdict:
        run, kind = self._run, fact["type"]
        if kind in _OUTSIDE:  # journaled all the same
            self._length += 1
            return Verdict.IGNORED
        if self._closed or run.stuck:
            return Verdict.LATER
        run.number = self._length + 1
        if run.following is not None and kind == "cancel":
            return Verdict.LATER
        if kind == "decided" and not fact.get("digest"):
            return Verdict.IGNORED  # it does not say what was decided; older journals hold such, and stay readable
        if kind == "child" and run.children.get(fact["id"]) in run.own:
            return Verdict.LATER  # it ended before it was asked for again; the journal tells the asking first
        began = kind == "start" and self._length == 0 and self._taken == 0
        if kind == "event" and "failed" in (self._over, self._ending()):
            return Verdict.LATER  # it may be opened again, and wait for this
        if (self._over and kind != "sent") or not self._accept(fact):
            return Verdict.LATER if run.stuck and not self._over else Verdict.IGNORED
        self._first = began
        self._taken += 1
        self._length += 1
        return Verdict.TAKEN

    def _ending(self) -> str:
        ending = self._run.ending
        return "" if ending is None else str(ending["type"])

    def expire(self, now: int) -> list[Fact]:
        self._run.calls.expire(now)
        return _in_branches(self._run, approval.passing(self._run, self._run.timers.due(now)))

    def decide(self) -> Decision:
        decision = Decision()
        if self._over:
            decision.status = self._over
            decision.note = self._run.note
            decision.perform.extend(self._posts())
            return decision
        if self._run.stuck:
            return self._stuck(decision)
        for _ in range(_CHECKPOINTS):
            self._collect(decision)
            if self._run.following is None or not self._begin_anew(decision):
                break
        else:
            self._run.stuck = "the code goes from checkpoint to checkpoint without waiting for anything"
        run = self._run
        if run.ending is not None:
            if run.ready_to_end():
                self._end(decision)
        elif run.main is not None and run.following is None and not run.ops and run.never():
            run.stuck = f"the code waits for nothing that can arrive{mismatch.place(run.main)}"
        if run.stuck:
            return self._stuck(decision)
        decision.immediate = self._first and self._taken == 1 and not decision.entries
        self._length += len(decision.entries)
        self._taken, self._first = 0, False
        decision.note = run.note
        if not self._over:
            decision.wake, decision.outside = _earliest(run)
            decision.awaits = awaited(run)
            if decision.awaits and (run.people or self._state):
                self._state = takes.state_of(people(run)) or (self._state and takes.NOTHING)
            decision.state = self._state
            decision.status = "pending" if run.main is None else run.calls.status()
        return decision

    def refusal(self, fact: Fact) -> str:
        """Why the execution, as it rests here, can't use what comes from outside: an event or a completion whose data
        has another type than all of those who wait for it. Empty when it may."""
        run = self._run
        if self._closed or self._over or run.stuck or run.halted:
            return ""
        return unusable(run, fact)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._run.loop.quiet = True
            self._run.halt()
            self._run.turn()
            self._run.ops.clear()
            self._run.main = None

    # -- facts ---------------------------------------------------------------------------------------

    def _apply(self, entry: Fact) -> bool:
        """One journal entry. False: the code disagrees with it."""
        kind, run = entry["type"], self._run
        if kind == "checkpoint":
            self._begin(Origin(entry), self._kept, kind)
            return True
        if kind in ("ordered", "saga"):
            return self._ordered(entry)
        if kind == "skipped":
            run.own.pop(f"skipped {entry.get('id', '')}", None)
            return True  # the code has passed it over too, or it is stuck by now
        if kind == "retry":
            advance(run, entry)
            return True
        if kind in _FINAL:
            return True  # what is recorded as ended has ended, whatever the code says now
        if kind not in HANDLERS and kind != "start":
            run.stuck = f"the journal holds a {kind!r} entry, which this release does not know; upgrade this process"
            return False
        return self._accept(entry)

    def _fits(self, entry: Fact) -> bool:
        """Whether an entry that only a failure may have led to is what the code asks for without it."""
        op = self._run.ops.get(entry.get("op", ""))
        if op is None:
            timer = self._run.timers.open.get(entry.get("op", ""))
            fires = entry["type"] == "timer" and timer is not None and timer.deadline <= entry["at"]
            return fires or "op" not in entry or entry["op"] in self._run.unsent
        same = mismatch.identity(entry) == (op.kind, op.name) and not mismatch.differ(op.args, entry)
        return same or entry["type"] in _UNNAMED

    def _accept(self, fact: Fact) -> bool:
        kind, run = fact["type"], self._run
        if kind == "start":
            if run.origin is not None or run.ending is not None:
                return False
            self._begin(Origin(fact), (), kind)
            return True
        if kind == "cancel" and run.main is None and run.ending is None:
            advance(run, fact)
            run.ending = {
                "type": "cancelled",
                "at": run.timers.now,
                "reason": str(fact.get("reason", "")) or "cancelled",
            }
            return True
        handler = HANDLERS.get(kind)
        if handler is None or (run.ending is not None and kind not in ("sent", "child")):
            return False
        if not handler(run, fact):
            return False
        run.turn()
        return True  # it happened, also when the code got stuck on it

    def _ordered(self, entry: Fact) -> bool:
        """An own entry of this decider's: the code must have asked for it by now."""
        own = self._run.own.get(entry["op"])
        if own is None or mismatch.identity(own) != mismatch.identity(entry):
            return False
        if mismatch.differ(mismatch.args_of(own), entry):
            return False
        del self._run.own[entry["op"]]
        return True

    def _begin(self, origin: Origin, events: Sequence[Kept], kind: str) -> None:
        run = self._run
        run.timers.now = max(run.timers.now, origin.at)
        for event in events:
            run.events.setdefault(str(event.fact["name"]), []).append(event)
        run.origin = origin
        try:
            body = self._workflow.body(Context(run, first=origin.first), origin.input)
        except InvalidInput as error:
            if not run.refuse(error):  # it was valid when it was accepted
                run.disagree(mismatch.unfit_input(self._id, self._workflow.place, kind, origin.input, error))
            return
        run.begin(origin, body)
        run.turn()

    # -- decisions -----------------------------------------------------------------------------------

    def _collect(self, decision: Decision) -> None:
        """What the code has ordered since the last decision."""
        run = self._run
        run.lending.settle(run.own, run.fresh, run.unsent)
        if run.own:
            decision.entries.extend(_in_branches(run, list(run.own.values())))
            run.own.clear()
        decision.perform.extend(run.calls.take())
        if run.fresh:
            decision.perform.extend(run.fresh.values())
            run.fresh.clear()
        if run.abandoned:
            decision.abandon = [*decision.abandon, *run.abandoned]
            run.abandoned.clear()

    def _begin_anew(self, decision: Decision) -> bool:
        """A checkpoint that was asked for is written when everything before it is settled."""
        run = self._run
        if run.following is None or run.unsent or run.stuck:
            return False
        entry = run.following
        events = [event for name in run.events for event in run.events[name]]
        keep(entry, events)
        entry["at"] = run.timers.now
        decision.entries.append(entry)
        decision.base = self._length + len(decision.entries)
        self._run = self._new_run(run.timers.now)
        self._begin(Origin(entry), events, "checkpoint")
        return True

    def _end(self, decision: Decision) -> None:
        entry = self._run.ending
        assert entry is not None
        decision.entries.append(entry)
        decision.status = self._over = entry["type"]
        handed = {effect.op for effect in decision.perform}
        decision.perform.extend(post for post in self._posts() if post.op not in handed)

    def _posts(self) -> list[Post]:
        return [effect for effect in self._run.unsent.values() if isinstance(effect, Post)]

    def _stuck(self, decision: Decision) -> Decision:
        noted = [*decision.entries, *self._run.own.values()]
        decision = Decision()
        decision.entries = [entry for entry in noted if entry["type"] == "skipped"]  # it has happened all the same
        decision.status = "stuck"
        decision.error = decision.awaits = self._run.stuck
        decision.note = self._run.note
        return decision


def _in_branches(run: Run, facts: list[Fact]) -> list[Fact]:
    """With the names of the branches that they belong to."""
    if run.branches:
        for fact in facts:
            if branch := run.branch_of(str(fact.get("op", ""))):
                fact["branch"] = branch
    return facts


def _earliest(run: Run) -> tuple[int | None, bool]:
    """The earliest deadline, and whether what somebody outside is to do may come before it."""
    retry, timer = run.calls.wake(), run.timers.wake() if run.timers.open else None
    if timer is None or (retry is not None and retry < timer):
        return retry, bool(run.calls.doubts())
    return timer, bool(run.people or run.children)


def _retried(entries: Sequence[Fact]) -> set[str]:
    """The operations that ``retry`` was to begin again at."""
    ops: set[str] = set()
    failed: Fact = {}
    for entry in entries:
        if entry["type"] == "failed":
            failed = entry
        elif entry["type"] == "retry":
            ops.add(str(entry.get("op") or failed.get("error", {}).get("op") or ""))
    return ops


def _tells_of(entry: Fact) -> str | None:
    """The operation that an entry says the code has asked for; None: it is about something else."""
    known = entry["type"] in ("step", "begun", "retrying", "ordered", "timer", "doubt")
    return str(entry["op"]) if known or (entry["type"] == "sent" and "until" in entry) else None
