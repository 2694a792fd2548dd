"""The decider of state machines: a definition and a journal in, a decision out.

It promises that the same journal always leads to the same state; that an execution goes by the definition that it was
begun with, which stands in its journal, whatever is served by then; and that what a definition or its data say never
raises: it fails a state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from ...state.codec import dumps
from ...state.records import PAYLOAD_LIMIT
from ..governance.approvals.proposal import STANDING
from ..governance.budgets.lending import Lending
from ..protocol.callers import caller_of
from ..protocol.decider import Decision, Fact, Verdict, when
from .checkpoint import restore, write
from .definition.fields import Malformed
from .definition.machine import build
from .facts import HANDLERS, begun
from .running import approvals
from .running.compiled import Compiled
from .running.context import About
from .running.execution import Execution
from .running.limits import LIMITS, Limits
from .running.recorder import Counter
from .running.redriving import redrive
from .running.resources import Resources
from .running.states.kinds import BEHAVIOURS
from .version import state_of

_OUTSIDE = frozenset({"paused", "resumed", "stuck", "terminated"})
_PEOPLE = ("decided", "delegated")
FRESH = 400
"""Entries after which the journal begins anew."""
_FINAL = frozenset({"completed", "failed", "cancelled", "terminated"})


class Served(Protocol):
    """The state machine as it is served. ``source``: the plain value that its definition was made of."""

    @property
    def name(self) -> str: ...
    @property
    def compiled(self) -> Compiled: ...
    @property
    def source(self) -> Any: ...
    @property
    def resources(self) -> Resources: ...
    @property
    def limits(self) -> Limits: ...


class MachineDecider:
    """Implements ``Decider`` for one execution. ``recorder`` hears what happens, also in a replay; who wants to see
    more of it has ``made_of`` of their own."""

    made_of: type[Execution] = Execution

    def __init__(self, served: Served, id: str, recorder: Counter | None = None) -> None:
        self.limit = PAYLOAD_LIMIT
        self._served = served
        self._id = id
        self._recorder = recorder
        self._run: Execution | None = None
        self._number = 0
        self._first = False  # the start of a new journal, and nothing else, was taken since the last decision
        self._taken = 0
        self._written = False  # the journal says which definition it goes by
        self._going = False  # it goes on without anything from outside
        self._over = ""
        self._stuck = ""
        self._passed: list[Fact] = []  # what was passed over, to be told
        self._since = 0  # entries since the last checkpoint
        self._ahead: Mapping[str, Fact] = {}  # how each operation was begun, as far as that is replayed
        self._rare = 0  # entries that there are before the next one, when more than usual
        self.source: Any = served.source

    @property
    def execution(self) -> Execution | None:
        """Where it stands; None before its start."""
        return self._run

    @property
    def problem(self) -> str:
        """Why it can't go on; empty when it can."""
        return self._stuck

    # -- facts in ------------------------------------------------------------------------------------

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        self._number = first - 1
        written = next((entry for entry in entries if entry["type"] in ("machine", "checkpoint")), None)
        self._written = written is not None
        self._since = len(entries)
        last = max((index for index, entry in enumerate(entries) if entry["type"] == "checkpoint"), default=0)
        self._number += last
        self._ahead = begun(entries[last:])
        for entry in entries[last:]:
            self._number += 1
            kind = entry["type"]
            if kind in _OUTSIDE or kind in ("machine", "skipped"):
                continue
            if kind == "ordered":
                if self._run is not None:
                    self._run.has_ordered(entry)
                continue
            if kind in _FINAL:
                self._over = kind
            elif kind == "retry" and self._run is not None:
                self._over = ""
                redrive(self._run, when(entry))
                self._going = not self._run.drive()
            elif not (self._begin(entry, written) if kind in ("start", "checkpoint") else self._apply(entry)):
                self._stuck = self._stuck or (
                    f"entry {self._number} ({kind}) does not follow from the definition and what is recorded before "
                    "it: another release may have gone by it differently, or the store was changed"
                )
            if self._stuck:
                break
        if self._run is not None:
            self._run.abandoned.clear()

    def offer(self, fact: Fact) -> Verdict:
        kind = fact["type"]
        if kind in _OUTSIDE:  # journaled all the same
            self._number += 1
            return Verdict.IGNORED
        if self._stuck:
            return Verdict.LATER
        began = kind == "start" and self._run is None and not self._number
        if kind == "start":
            if not began or not self._begin(fact, None):
                return Verdict.LATER if self._stuck else Verdict.IGNORED
        elif (kind in _PEOPLE and self._objects(fact)) or not self._apply(fact):
            return Verdict.IGNORED
        self._first = began and not self._taken
        self._taken += 1
        self._number += 1
        return Verdict.TAKEN

    def refusal(self, fact: Fact) -> str:
        """Why a fact can't be used; empty when it may."""
        if fact["type"] == "event":
            return "a state machine waits for no events; complete its task token"
        return approvals.refusal(self._run, fact) if self._run is not None and fact["type"] in _PEOPLE else ""

    def _objects(self, fact: Fact) -> bool:
        """Whether what a person says counts for nothing. Why is to be seen, as long as it is asked."""
        asked = None if self._run is None else approvals.about(self._run, fact)
        why = "" if asked is None else approvals.objection(asked, fact)
        if asked is None or self._run is None or not why:
            return False
        told = {"op": asked.proposal.op, "name": fact["type"], "by": fact.get("by", ""), "why": why}
        self._passed.append({"type": "skipped", "at": max(self._run.now, when(fact)), **told})
        return True

    def expire(self, now: int) -> list[Fact]:
        run = self._run
        if run is None or self._over or run.ending is not None:
            return []
        run.calls.expire(now)
        told: list[Fact] = []
        if self._going:
            told.append({"type": "timer", "op": "on", "kind": "machine", "name": self._served.name, "at": now})
        due = sorted((timer.at, key) for key, timer in run.timers.items() if timer.at <= now)
        for _, key in due:
            timer = run.timers[key]
            fact: Fact = {"type": "timer", "op": key, "kind": timer.kind, "name": timer.frame.state, "at": now}
            asked = approvals.about(run, fact) if timer.kind == STANDING else None
            told.append(fact if asked is None else asked.proposal.passing(fact))
        return told

    def close(self) -> None:
        self._run = None

    def _begin(self, fact: Fact, written: Fact | None) -> bool:
        """From the start, or from a checkpoint."""
        compiled, limits = self._served.compiled, self._served.limits
        self.source = self._served.source
        if written is not None:
            held = written if "definition" in written else written["state"]
            self.source, limited = held["definition"], held.get("limits", "")
            try:
                compiled = Compiled(build(self.source))
            except Malformed as error:
                self._stuck = f"the definition that it was begun with can't be read: {error}"
                return False
            if limited not in LIMITS:
                self._stuck = f"it was begun with limits that are not known here: {str(limited)[:80]!r}"
                return False
            limits = LIMITS[limited]
        resources = self._served.resources
        run = self._run = self.made_of(compiled, resources, self._id, BEHAVIOURS, self._recorder, limits)
        run.limit, run.recorded = self.limit, self._ahead
        if fact["type"] == "checkpoint":
            restore(run, fact)
        else:
            run.now, run.depth, run.caller = when(fact), fact.get("depth", 0), caller_of(fact)
            run.lending = Lending(run.caller.get("budget", {}))
            name = self._served.name
            about = About(self._id, self._id.rpartition("/")[2], name, "", fact.get("input"), fact.get("at", 0))
            run.start(about, str(fact["seed"]))
        self._going = not run.drive()
        return True

    def _apply(self, fact: Fact) -> bool:
        """One fact. False: it changes nothing."""
        run, handler = self._run, HANDLERS.get(fact["type"])
        if run is None or handler is None or (self._over and fact["type"] != "sent"):
            return False
        if run.ending is not None and fact["type"] not in ("sent", "step"):
            return False  # it has come to its end, and only lets go of what it had ordered
        run.now = max(run.now, when(fact))
        run.entered = 0
        if not handler(run, fact):
            return False
        if not self._over:
            self._going = not run.drive()
        return True

    # -- decisions -----------------------------------------------------------------------------------

    def decide(self) -> Decision:
        decision, run = Decision(), self._run
        if self._stuck or run is None:
            decision.status = self._over or ("stuck" if self._stuck else "pending")
            decision.error = decision.awaits = self._stuck
            return decision
        decision.state = state_of(run.machine.digest)
        decision.abandon, run.abandoned = run.abandoned, []
        ready = run.calls.take() if run.ending is None and not self._over else []
        # what is sent to others has to follow from what is recorded; a call may begin before that
        decision.immediate = self._first and self._taken == 1 and bool(ready) and not run.fresh
        taken, self._first, self._taken = self._taken, False, 0
        if not (decision.immediate or self._written or self._over):
            self._written = True
            entry: Fact = {"type": "machine", "at": run.now, "definition": self.source}
            if named := getattr(self._served.resources, "named", ()):
                entry["named"] = list(named)  # what becomes of these resources, the definition alone doesn't tell
            decision.entries.append(entry | ({"limits": run.limits.name} if run.limits.name else {}))
        decision.entries += [*run.orders(), *self._passed]
        self._passed = []
        if not self._over and (ends := run.ends) is not None:
            decision.entries.append(ends | ({"used": run.lending.used()} if run.lending.limited else {}))
            self._over = ends["type"]
        self._number += len(decision.entries)
        self._since += taken + len(decision.entries)
        # whoever looks for approvals that are open reads on from the last checkpoint
        rests = not (self._over or self._going or run.ending or run.asked)
        if self._since >= max(FRESH, self._rare) and rests and not run.looking:
            self._begin_anew(run, decision)
        decision.perform.extend([*ready, *run.take()])
        if self._over:
            decision.status = self._over
            return decision
        decision.status = run.calls.status()
        if run.ending is not None:
            return decision
        retry = run.calls.wake()
        deadlines = [timer.at for timer in run.timers.values()] + ([retry] if retry is not None else [])
        decision.wake = run.now if self._going else min(deadlines, default=None)
        decision.outside = bool(run.waiting or run.tokens or run.asked)
        decision.awaits = _awaits(run)
        return decision

    def _begin_anew(self, run: Execution, decision: Decision) -> None:
        """A checkpoint: nothing before it is read any more. A large one is written the more rarely, and one that is
        larger than a value may be, not at all: then a wake reads everything."""
        entry = write(run, self.source)
        size = len(dumps(entry["state"]))
        if size > self.limit // 2:  # in characters; in bytes it may be more
            self._rare = 2 * self._since
            return
        decision.entries.append(entry)
        self._number += 1
        decision.base, self._since, self._rare = self._number, 1, size // 1024


def _awaits(run: Execution) -> str:
    """For people: what the execution waits for, and what a person is to decide before all else; empty while something
    runs."""
    for asked in run.asked.values():
        return f"approval {asked.entry['name']}"
    if run.calls.running():
        return ""
    if doubts := run.calls.doubts():
        return f"doubt {doubts[0].name}" if len(doubts) == 1 else f"{len(doubts)} doubts"
    if run.tokens:
        frame = next(iter(run.tokens.values()))
        return f"activity {frame.doing['put'][0]}" if "put" in frame.doing else f"task token of {frame.state}"
    if run.children:
        return f"child {next(iter(run.children))}" if len(run.children) == 1 else f"{len(run.children)} children"
    if away := run.calls.away():
        return f"answer of {away[0]}"
    if not run.timers:
        return ""
    at = min(timer.at for timer in run.timers.values())
    return f"timer until {datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec='seconds').replace('+00:00', 'Z')}"
