"""The decider of schedules. A time comes, what is due is looked up and written down, runs are ordered one by one as the
schedule lets them meet, and what became of each is told by it when it ends.

It promises that each time leads to one run at the most, however often anything is told, repeated or interrupted: which
times are dealt with stands in the journal, and a run is ordered under an id that is made of its time. With "skip",
"queue" and "cancel" two runs are never going on at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile

from ...state.errors import InvalidInput
from ...state.records import PAYLOAD_LIMIT
from ..protocol import keys
from ..protocol.decider import DEAF, Decision, Effect, Fact, Post, Spawn, Verdict
from .calendar import Calendar, latest, times
from .naming import ELSEWHERE, PREFIX, moment
from .spec import Spec
from .state import Due, Run, State

LATE = 15 * 60_000
"""Milliseconds after its time at which a run still counts as in time, where missed ones are not made up for."""
SIDE_BY_SIDE = 100
"""Runs that go on at once, or wait for others, at the most."""
FRESH = 200
"""Entries after which the journal begins anew."""
_OUTSIDE = ("paused", "resumed", "stuck", "terminated")


class ScheduleDecider:
    """Implements ``Decider`` for the schedule ``id``."""

    limit = PAYLOAD_LIMIT  # what it writes was accepted before, or is small

    def __init__(self, id: str) -> None:
        self._id = id
        self._state = State(id.removeprefix(PREFIX))
        self._number = 0  # of the last journal entry
        self._base = 1
        self._pending: list[Fact] = []
        self._handed: set[str] = set()  # effects under way
        self._times: tuple[Spec, Calendar] | None = None
        self._asked: tuple[Spec, int, int | None] | None = None  # the last answer to which time is next

    # -- facts in ------------------------------------------------------------------------------------

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        for entry in entries:
            self._state.apply(entry)
        self._base, self._number = first, first - 1 + len(entries)

    def offer(self, fact: Fact) -> Verdict:
        state = self._state
        if fact["type"] in _OUTSIDE:  # journaled all the same
            self._number += 1
            if fact["type"] != "terminated":
                state.apply(fact)
            return Verdict.IGNORED
        if state.wrong and fact["type"] not in ("changed", "cancel"):
            return Verdict.LATER
        if not state.apply(fact):
            return Verdict.IGNORED
        self._number += 1
        return Verdict.TAKEN

    def refusal(self, fact: Fact) -> str:
        """Why a fact can't be used; empty when it may."""
        return DEAF["schedule"] if fact["type"] == "event" else ""

    def expire(self, now: int) -> list[Fact]:
        upcoming = self._next()
        if upcoming is None or upcoming + self._delay(upcoming) > now:
            return []
        name = self._state.name
        return [{"type": "timer", "op": moment(upcoming), "kind": "schedule", "name": name, "at": now}]

    def close(self) -> None:
        self._handed.clear()

    # -- decisions out -------------------------------------------------------------------------------

    def decide(self) -> Decision:
        decision, state = Decision(), self._state
        if not state.final:
            self._advance()
        decision.entries, self._pending = self._pending, []
        for number, entry in enumerate(decision.entries, self._number - len(decision.entries) + 1):
            if entry["type"] == "checkpoint":
                decision.base = self._base = number
        decision.status = state.final or "waiting"
        if state.final:
            return decision
        if state.wrong:
            decision.status, decision.error = "stuck", state.wrong
            return decision
        decision.perform = list(self._effects())
        upcoming = self._next()
        if upcoming is not None:
            decision.wake, decision.outside = upcoming + self._delay(upcoming), True
        decision.awaits = self._awaits(upcoming)
        decision.state = state.head(upcoming)
        return decision

    def _advance(self) -> None:
        """Draw every consequence of the state."""
        while (entry := self._follows()) is not None:
            self._write(entry)
        old = self._number - self._base >= FRESH
        if old and self._state.spec is not None and not (self._state.paused or self._state.final or self._state.wrong):
            self._write(self._state.checkpoint())

    def _write(self, entry: Fact) -> None:
        entry.setdefault("at", self._state.at)
        self._state.apply(entry)
        self._pending.append(entry)
        self._number += 1

    def _follows(self) -> Fact | None:
        state = self._state
        if state.final or state.wrong:
            return None
        if state.spec is None:
            return {"type": "cancelled", "reason": state.reason} if state.leaving == "cancelled" else None
        if state.tick is not None:
            return self._due(state.spec, state.tick)
        if state.queue:
            return self._meets(state.spec, state.queue[0])
        if state.running:
            return None
        if state.leaving == "cancelled":
            return {"type": "cancelled", "reason": state.reason}
        if state.leaving or (not state.paused and self._next() is None):
            return {"type": "completed", "value": {"runs": state.runs}}
        return None

    def _due(self, spec: Spec, at: int) -> Fact | None:
        """Which times have come by then, and which of them are to be run."""
        state, calendar = self._state, self._calendar(spec)
        if calendar is None:
            return None
        ripe = at - spec.jitter  # what was planned by then is due in any case
        late = times(calendar, max(state.cursor, ripe), at)
        until = max(takewhile(lambda time: time + self._delay(time) <= at, late), default=ripe)
        found, more = latest(calendar, state.cursor, until, spec.most)
        chosen = found if spec.missed == "all" else found[-1:]
        if spec.missed == "none" and chosen and at - chosen[-1] - self._delay(chosen[-1]) > LATE:
            chosen = []
        entry: Fact = {"type": "due", "planned": chosen, "until": found[-1] if found else state.cursor}
        missed = len(found) - len(chosen)
        return entry | ({"missed": missed} if missed else {}) | ({"more": True} if more else {})

    def _meets(self, spec: Spec, due: Due) -> Fact | None:
        """What becomes of the first that waits, with what is going on; None when it waits on."""
        state, policy = self._state, spec.overlap
        if len(state.queue) > 1 and (left := self._surplus(spec)) is not None:
            return left
        if not state.running or (policy == "allow" and len(state.running) < SIDE_BY_SIDE):
            return self._ordered(spec, due)
        if due.planned is None or due.patient or policy in ("queue", "cancel"):
            return None
        going = next(iter(state.running.values()))
        why = f"{going.id} is still going on" if policy == "skip" else f"{SIDE_BY_SIDE} runs are going on"
        return self._skipped(due, why)

    def _surplus(self, spec: Spec) -> Fact | None:
        """One of those that wait and that needs to wait no longer: what comes later has taken its place."""
        planned = [due for due in self._state.queue if due.planned is not None]
        regular = [due for due in planned if not due.patient]
        if spec.overlap == "cancel" and regular and planned[0] is not regular[-1]:
            return self._skipped(planned[0], f"{regular[-1].id} has taken its place")
        if spec.overlap == "skip" and regular and self._state.running:
            return self._skipped(regular[0], "runs before it are still to come")
        if len(regular) > SIDE_BY_SIDE:
            return self._skipped(regular[-1], f"{SIDE_BY_SIDE} runs wait already")
        return None

    def _skipped(self, due: Due, why: str) -> Fact:
        return {"type": "skipped", "name": self._state.name, "id": due.id, "why": why}

    def _ordered(self, spec: Spec, due: Due) -> Fact:
        entry: Fact = {"type": "ordered", "op": str(self._state.runs + 1), "kind": "child", "name": spec.function}
        entry |= {"id": due.id, "detached": False}
        return entry if due.planned is None else entry | {"planned": due.planned}

    # -- effects -------------------------------------------------------------------------------------

    def _effects(self) -> Iterator[Effect]:
        """All that is open and not under way."""
        stopping = self._stopping()
        for op, run in self._state.running.items():
            effect = self._effect(op, run, stopping)
            if effect is not None and effect.op not in self._handed:
                self._handed.add(effect.op)
                yield effect
        self._handed &= {name for op in self._state.running for name in (op, f"{op}.cancel")}

    def _effect(self, op: str, run: Run, stopping: bool) -> Spawn | Post | None:
        state = self._state
        if not run.sent:
            spec = state.spec
            assert spec is not None
            kind = "" if spec.kind == ELSEWHERE else spec.kind
            return Spawn(op, run.id, spec.function, spec.input, False, kind=kind)
        if not stopping or run.told:
            return None
        reason = state.reason if state.leaving else f"{state.queue[0].id} takes its place"
        fact: Fact = {"type": "cancel", "at": state.at, "reason": reason, "by": self._id}
        return Post(f"{op}.cancel", run.id, keys.ending("cancel", self._id), fact)

    def _stopping(self) -> bool:
        """Whether what is going on is to end."""
        state = self._state
        if state.leaving == "cancelled":
            return True
        waiting = any(not due.patient for due in state.queue)
        return waiting and state.spec is not None and state.spec.overlap == "cancel"

    # -- times ---------------------------------------------------------------------------------------

    def _calendar(self, spec: Spec) -> Calendar | None:
        """None when this machine can't tell the times; then it is stuck."""
        if self._times is None or self._times[0] is not spec:
            try:
                self._times = spec, spec.calendar()
            except InvalidInput as error:
                self._state.wrong = str(error)
                return None
        return self._times[1]

    def _next(self) -> int | None:
        """The next time that is not dealt with."""
        state = self._state
        if state.spec is None or state.wrong or state.leaving or state.final:
            return None
        asked = self._asked
        if asked is None or asked[0] is not state.spec or asked[1] != state.cursor:
            calendar = self._calendar(state.spec)
            upcoming = None if calendar is None else calendar.after(state.cursor)
            asked = self._asked = state.spec, state.cursor, upcoming
        return asked[2]

    def _delay(self, planned: int) -> int:
        spec = self._state.spec
        return 0 if spec is None else spec.delay(self._state.name, planned)

    def _awaits(self, upcoming: int | None) -> str:
        going = list(self._state.running.values())
        if going:
            return f"child {going[0].id}" if len(going) == 1 else f"{len(going)} children"
        return "" if upcoming is None else f"next run {moment(upcoming)}"
