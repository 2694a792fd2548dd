"""The decider of agents: think -> act* -> observe -> … -> done, for one run or for a session that lives on.

A run begins with ``start`` and ends ``completed`` or ``failed``. A session takes one ``message`` at a time, in
order, and answers each with exactly one ``reply``; between messages it is idle. Whatever a model answers, the
loop goes on: what can't be carried out becomes an ``observed`` entry that the model reads. Only the agent's
limits, or a model that can't be reached, end a turn with an error; a session stays usable after that.

An agent's code may change between any two transitions: the journal says what has happened, never the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...state.codec import clean
from ...state.errors import ExecutionCancelled, InvalidInput
from ...state.records import PAYLOAD_LIMIT
from ..errors import failures
from ..errors.failures import Failure
from ..governance.usage import failure, overtime
from ..protocol import failure_log
from ..protocol.callers import trace_in
from ..protocol.calls import OpenCalls
from ..protocol.decider import NO_EVENTS, Away, Decision, Fact, Invoke, Verdict, when
from . import deciding, handing, observations
from .admitting import Admitting
from .awaiting import awaited
from .budgeting import Budgeting
from .call import Call, Stage
from .choosing import Choosing
from .compaction import Compaction
from .gating import Gates
from .hooking import Hooking
from .invoking import invocation
from .judging import Failed, Judge, Judged, Taken
from .mode import Mode
from .run import Run
from .selecting import Selecting
from .spec import AgentSpec, Listing, ToolSpec
from .turn import Phase, Turn

_BEGINNINGS = ("start", "message")
"""What a model call may follow before it is committed."""


class AgentLoop:
    """The Decider of one agent execution. ``id`` is the execution's, ``spec`` the agent."""

    limit = PAYLOAD_LIMIT  # what it writes is a part of what the model said, or an outcome
    deaths = 0

    def __init__(self, id: str, spec: AgentSpec) -> None:
        self._first = spec
        self._run = Run(id, spec)
        self._seat(spec)
        self._told: int | None = None  # the base that the engine knows
        self._pending: list[Fact] = []  # own entries applied and not yet handed out
        self._taken: list[str] = []  # types of the facts taken since the last decision

    def _seat(self, spec: AgentSpec) -> None:
        """That agent has the conversation. The limits of the first one hold all the same."""
        self._spec = spec
        self._judge = Judge(spec, self._first)
        self._compaction = Compaction(spec)
        self._hooking = Hooking(spec)
        self._gates = Gates(spec, self._judge, self._run.kept.shown)
        self._choosing = Choosing(spec)
        self._budgeting = Budgeting(spec, self._first)
        self._admitting = Admitting(self._run, self._first, self._judge, self._hooking, self._budgeting)

    # -- facts in ------------------------------------------------------------------------------------

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        run = self._run = Run(self._run.id, self._first, state, first)
        run.clock = now
        self._told = first
        for entry in entries:
            run.apply(entry)
            run.sequence += 1
            run.numbered(entry, run.sequence)
        run.replayed()
        self._seat(run.seat.agent)
        self._advance()

    def offer(self, fact: Fact) -> Verdict:
        run = self._run
        if fact["type"] in ("paused", "resumed"):  # journaled all the same
            run.sequence += 1
            return Verdict.IGNORED
        if run.seat.lost and not run.final:
            return Verdict.LATER
        if fact["type"] == "event":
            self._pass_over(fact)
            return Verdict.IGNORED
        if fact["type"] in deciding.FACTS and not self._decides(fact):
            return Verdict.IGNORED
        if fact["type"] == "message" and (run.turn is not None or self._pending) and not run.final:
            repeated = run.mode is Mode.ONCE or (run.turn is not None and run.turn.id == fact.get("id"))
            return Verdict.IGNORED if repeated else Verdict.LATER
        if not run.apply(fact):
            return Verdict.IGNORED
        run.sequence += 1
        self._taken.append(fact["type"])
        return Verdict.TAKEN

    def refusal(self, fact: Fact) -> str:
        """Why a fact can't be used; empty when it may."""
        if fact["type"] == "event":
            return NO_EVENTS
        return deciding.refusal(self._run.turn, self._offered, fact) if fact["type"] in deciding.FACTS else ""

    def _decides(self, fact: Fact) -> bool:
        """Whether what somebody says about a call counts. Why it does not is to be seen."""
        counts, told = deciding.heard(self._run.turn, self._offered, fact, self._run.now())
        self._pending += told
        return counts

    def _pass_over(self, event: Fact) -> None:
        """Nobody here would ever read it, and whoever sent it was told that it was taken. So it is to be seen."""
        run = self._run
        if not run.final:
            at, name = max(run.at, run.clock, when(event)), clean(str(event.get("name", "")))
            self._pending.append(
                {"type": "skipped", "at": at, "name": name, "id": event.get("id", ""), "why": NO_EVENTS}
            )

    def expire(self, now: int) -> list[Fact]:
        run = self._run
        run.clock = max(run.clock, now)
        run.calls.expire(now)
        turn = run.turn
        if turn is None or run.final or run.seat.lost:
            return []
        due = deciding.due(turn, now)
        deadline = turn.deadline(self._first.limits.time)
        if deadline is not None and deadline <= now:
            due.append({"type": "timer", "op": turn.timer(), "at": now})
        return due

    def close(self) -> None:
        self._run.calls = OpenCalls()

    # -- decisions out -------------------------------------------------------------------------------

    def decide(self) -> Decision:
        self._advance()
        run = self._run
        decision = Decision()
        if run.seat.lost and not run.final:
            decision.status, decision.error = "stuck", handing.lost(self._first.name, run.seat.holder)
            return decision
        decision.note = run.seat.note
        decision.entries, self._pending = self._pending, []
        for entry in decision.entries:
            run.sequence += 1
            run.numbered(entry, run.sequence)
        decision.abandon, run.abandoned = run.abandoned, []
        decision.perform = [*run.outbox.take(), *run.calls.take()]
        self.deaths = 0 if decision.perform else self.deaths  # it goes on here, and what comes is known
        taken, self._taken = self._taken, []
        decision.immediate = len(taken) == 1 and taken[0] in _BEGINNINGS and not decision.entries
        decision.status = self._status()
        if run.turn is not None:
            decision.wake = self._wake(run.turn)
            decision.outside = run.turn.outside()
            decision.awaits = "" if run.final else awaited(run.turn, run.calls)
        decision.state = run.state()
        base = run.base()
        if base is not None and base != self._told:
            decision.base = self._told = base
        return decision

    def _advance(self) -> None:
        """Draw every consequence of the state: own entries first, then calls."""
        run = self._run
        while (entry := self._next()) is not None:
            entry["at"] = run.now()
            run.apply(entry)
            self._pending.append(entry)
            if entry["type"] == "handoff":
                self._seat(run.seat.agent)
        turn = run.turn
        if turn is None or run.final or run.seat.lost:
            return
        self._consider(turn)
        if turn.found is not None and turn.checking() not in run.calls and (check := self._judge.check(turn)):
            self._order(check)
        for hook in (*self._hooking.due(turn), *self._gates.due(turn, run.thread)) if self._spec.hooks else ():
            if hook.op not in run.calls:
                self._order(hook)
        for call in turn.calls.values():
            if (
                call.stage is Stage.READY
                and self._spec.handoff(call.name) is None
                and (tool := self._offered(turn).find(call.name)) is not None
            ):
                call.stage = Stage.OPEN
                self._order(self._invocation(turn, call, tool))

    def _consider(self, turn: Turn) -> None:
        """What comes before the model is asked, and that it is."""
        run = self._run
        if turn.phase is not Phase.THINK or turn.around.taken is not None or self._gates.beginning(turn):
            return
        if (listing := self._due(turn)) is not None:
            if turn.listing() not in run.calls:
                self._order(self._listed(turn, listing))
        elif not self._thinks(turn):
            due = self._compacting(turn)
            first = (
                [self._budgeting.bounded(turn, due)]
                if isinstance(due, Invoke)
                else self._gates.before(turn, run.thread)
            )
            if not first and turn.stock.waiting() is None:
                first = [self._gates.thought(turn, run.thread, self._offered(turn))]
            for call in first:
                if call.op not in run.calls:
                    self._order(call)

    def _invocation(self, turn: Turn, call: Call, tool: ToolSpec) -> Invoke:
        more = self._hooking.looks(call) | ({"keeps": key} if (key := self._offered(turn).keeps(call.name)) else {})
        return invocation(call, tool, partial(self._away, turn, call), more, self._run.caller)

    def _away(self, turn: Turn, call: Call) -> Away:
        """What goes along with a call that another process is to make."""
        until, budget = turn.deadline(self._first.limits.time), self._budgeting.left(self._run, turn)
        return Away(self._spec.name, until, call.approved, budget=budget)

    def _offered(self, turn: Turn) -> AgentSpec:
        """The agent with the tools that are pinned for the turn."""
        return self._spec.offering(turn.tools)

    def _due(self, turn: Turn) -> Listing | None:
        """Who is to be asked for tools, before the model can be."""
        return self._spec.listing if turn.tools is None else None

    def _listed(self, turn: Turn, listing: Listing) -> Invoke:
        work = listing.call(self._run.pins.known(self._run.reach()))
        return Invoke(turn.listing(), listing.name, "listed", work, False, listing.policy)

    def _order(self, invoke: Invoke) -> None:
        """Order a call, in the trace of who began the turn; what was recorded of its attempts before still stands."""
        run = self._run
        untold = run.caller and not invoke.caller
        run.calls.order(invoke._replace(caller=trace_in(run.caller)) if untold else invoke)
        mark = run.turn.marks.get(invoke.op) if run.turn is not None else None
        if mark is not None:
            run.calls.fact(mark)

    # -- what follows --------------------------------------------------------------------------------

    def _next(self) -> Fact | None:
        """The own entry that the state asks for now; None when only calls are left to make."""
        run, turn = self._run, self._run.turn
        if turn is not None:
            turn.around.taken = None
        if run.final or run.seat.lost:
            return None
        if run.cancelling is not None:
            return self._cancelled(run.cancelling)
        if turn is None:
            return None
        if turn.timed_out:
            return self._failed(overtime(self._first.limits))
        if turn.unlisted is not None:
            return self._failed(turn.unlisted)
        if turn.error is not None:
            other = self._budgeting.instead(turn, turn.error)
            other = other or self._choosing.instead(run.thread, turn, turn.error, self._gates.model(turn))
            return other or self._failed(turn.error)
        if turn.phase is Phase.HEARD:
            return self._judged(self._gates.heard(turn))
        if (begun := self._judged(self._gates.begun(turn, run.now()))) is not None:
            return begun
        if turn.around.taken is not None or self._gates.beginning(turn):
            return None
        if turn.phase is Phase.JUDGE and turn.reading is not None:
            return self._judged(self._judge.said(turn, turn.reading))
        if turn.calls and (finals := self._judge.finals(turn)):
            return self._judged(self._judge.called(turn, finals))
        if turn.phase is Phase.THINK and (listing := self._due(turn)) and (kept := run.pins.kept(turn)):
            return {"type": "listed", "op": turn.listing(), "name": listing.name, "value": kept}
        if turn.phase is Phase.THINK or not turn.acting():
            if (used_up := self._budgeting.used_up(run, turn)) is not None:
                return self._failed(used_up)
            if turn.phase is Phase.THINK and self._due(turn) is None and not self._thinks(turn):
                return self._before_thought(turn)
            if (over := self._judged(self._budgeting.tools(run, turn, run.now()))) is not None:
                return over
            if turn.stock.waiting() is not None:
                return None
        if turn.surplus:
            return {"type": "observed", "op": turn.said, "text": observations.surplus(turn.surplus)}
        for call in turn.calls.values():
            if call.stage is Stage.ASKED or call.stage is Stage.READY:
                entry = self._admitting.entry(self._offered(turn), turn, call)
                if entry is not None:
                    return self._judged(entry)
                if not self._admitting.waits(turn, call):
                    call.stage = Stage.READY
            elif call.stage is Stage.LOOKED and (shown := self._hooking.shown(call)) is not None:
                return self._judged(shown)
            if self._spec.parallel is False and call.stage is not Stage.DONE and self._spec.handoff(call.name) is None:
                break  # one after the other; who else goes on comes last in any case
        return None

    def _before_thought(self, turn: Turn) -> Fact | None:
        """The own entry that must come before the model is asked."""
        run = self._run
        if (due := self._compacting(turn)) is not None:
            told = self._budgeting.summed(run, turn, due, self.deaths) if isinstance(due, Invoke) else due
            self.deaths = 0 if told is not None and told["type"] == "lost" else self.deaths
            return told
        try:
            if (offer := Selecting(self._offered(turn)).due(run.thread, turn)) is not None:
                return offer
            if self._spec.routes and turn.chosen != turn.thinking():
                limits = self._budgeting.allowed(run)
                return self._choosing.chosen(run.thread, turn, self._offered(turn), limits)
        except InvalidInput as error:
            return self._failed(failures.encode(error))
        asking = self._gates.asking(turn)
        if asking is not None or (self._spec.hooks and self._gates.before(turn, run.thread)):
            return self._judged(asking)
        before = self._budgeting.due(run, turn, self._gates.model, self.deaths)
        self.deaths = 0 if isinstance(before, dict) and before["type"] == "lost" else self.deaths
        return self._judged(before)

    def _compacting(self, turn: Turn) -> Fact | Invoke | None:
        """What is done first with a conversation that has outgrown its window."""
        run = self._run
        if turn.folded is None and not self._spec.compactors:
            return None
        return self._compaction.due(run.thread, turn, lambda call: self._budgeting.affords(run, turn, call))

    def _thinks(self, turn: Turn) -> bool:
        """Whether the model, or who is to summarize for it, is being asked."""
        calls = self._run.calls
        return turn.thinking() in calls or turn.summarizing() in calls

    def _cancelled(self, cancel: Fact) -> Fact:
        reason = cancel.get("reason", "")
        if self._run.mode is Mode.SESSION and self._run.turn is not None:
            message = f"the session was cancelled{f': {reason}' if reason else ''}"
            return self._failed(failure(ExecutionCancelled, message))
        return {"type": "cancelled", "reason": reason, **self._budgeting.ending(self._run)}

    def _judged(self, judged: Judged) -> Fact | None:
        """What follows from a judgement on a final answer."""
        if isinstance(judged, Taken):
            turn = self._run.turn
            after = judged if turn is None else self._gates.ended(turn, judged, self._run.now())
            if isinstance(after, Taken):
                return self._succeeded(after.value) | after.beside
            judged = after
        return self._failed(judged.error) if isinstance(judged, Failed) else judged

    def _succeeded(self, value: object) -> Fact:
        return self._ending("completed", {"value": value})

    def _failed(self, error: Failure) -> Fact:
        failure_log.recorded(self._run.id, error)
        return self._ending("failed", {"error": error})

    def _ending(self, once: str, result: Fact) -> Fact:
        turn = self._run.turn
        if self._run.seat.holder and "value" in result:  # whose type it has
            result = {**result, "agent": self._run.seat.holder}
        result = {**result, **self._budgeting.ending(self._run)}
        if self._run.mode is Mode.SESSION and turn is not None:
            held = self._gates.withheld(turn) if "error" in result else {}
            return {"type": "reply", "to": turn.id, **result, **held}
        return {"type": once, **result}

    # -- for the engine and for people ---------------------------------------------------------------

    def _status(self) -> str:
        run = self._run
        if run.final:
            return run.final
        if run.turn is None:
            return "idle"
        return "running" if run.calls.running() else run.calls.status()

    def _wake(self, turn: Turn) -> int | None:
        if self._run.final:
            return None
        times = [turn.deadline(self._first.limits.time), self._run.calls.wake()]
        times += deciding.wake(turn)
        return min([time for time in times if time is not None], default=None)
