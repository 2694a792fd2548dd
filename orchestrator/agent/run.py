"""The state of an agent's execution as its journal tells it: a fold over entries, and nothing but that.

Facts and the loop's own entries go through the same ``apply``, live and on replay, so both give the same
state. What follows from the state is the decider's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ...state.codec import loads
from ..governance.approvals.standing import Standings
from ..governance.budgets.amount import amount_of
from ..governance.usage import NOTHING, recorded, reported, unrepaired_in
from ..protocol.callers import caller_of
from ..protocol.calls import OpenCalls
from ..protocol.decider import Fact, when
from ..protocol.media import parts_of
from . import compaction, deciding, dropping, gating, handing, hooking, observations
from .billing import Billed
from .call import INVOKED, Call, Stage
from .conversation import Thread
from .heading import heading
from .identity import identity
from .keeping import Kept
from .marking import marked, told
from .mode import FACTS, Mode
from .outbox import Outbox
from .pinning import Pins
from .reopening import reopen
from .seat import Seat
from .seeing import Seeing, unsee
from .spec import AgentSpec
from .stock import Lasting
from .turn import Phase, Turn
from .withholding import withhold


class Run:
    """State of one execution. ``sequence`` is the number of the last entry known to be in the journal."""

    def __init__(self, id: str, spec: AgentSpec, state: str = "", first: int = 1) -> None:
        saved: dict[str, Any] = loads(state) if state else {}
        before = saved.get("before")
        self.id, self.sequence = id, first - 1
        self.seat = Seat(spec, before["agent"] if before and "agent" in before else "", saved.get("forked") or {})
        self.mode = Mode.SESSION if saved.get("mode") == "session" else Mode.NEW
        gone = (before["turn"], recorded(before)) if before else (0, NOTHING)
        self.thread = Thread(self.seat.agent.window, *gone)
        self.turns = self.thread.dropped
        self.turn: Turn | None = None
        self.calls, self.outbox = OpenCalls(), Outbox()
        self.abandoned: list[str] = []
        self.final = ""  # the final status
        self._seeing, self.kept = Seeing(), Kept(saved.get("kept"))
        self.standings = Standings(saved.get("standing", ()))
        self.depth = 0  # how many executions are above this one
        self.caller: Mapping[str, Any] = {}  # what who began it from elsewhere says about itself
        self.cancelling: Fact | None = None
        self.at = self.clock = 0  # time of the last fact, and the latest time known
        self._skip: str | None = before.get("to") if before else None  # the window begins with this message
        self._since = (saved.get("turn", 0), saved.get("since", 0))
        self.lasting = Lasting(saved.get("budget"), spec.budgets)

    def apply(self, entry: Fact) -> bool:
        """Take in a fact or an own entry. False when it changes nothing."""
        kind, at = entry["type"], when(entry)
        if self.final and kind not in ("retry", "sent"):
            return False
        if kind in FACTS and at > self.at:
            self.at = at
            self.clock = max(self.clock, at)
        change = self.CHANGES.get(kind)
        return change is not None and change(self, entry)

    def state(self) -> str:
        """The small state for the head: sums for people, and where a replay begins."""
        turn, standing = self.turn, self.standings.record()
        more: dict[str, Any] = {"since": turn.since} if turn is not None and not self.final else {}
        more |= ({"standing": standing} if standing else {}) | self.seat.alterations()
        before = self.thread.outside(*((turn.id, turn.holding.began) if turn is not None else ()))
        records = more, self.seat.record(), self.kept.record(self.reach()), self.lasting.record(), {"before": before}
        return heading(self.mode.value, self.turns, self.thread.used, turn, *records)

    @property
    def pins(self) -> Pins:
        """The tools that the servers of who has the conversation have listed."""
        return self.seat.pins

    def now(self) -> int:
        """What its own entries bear as their time."""
        return max(self.at, self.clock)

    def base(self) -> int | None:
        """The first entry that a replay needs; None while all are."""
        first, thread = self.reach(), self.thread
        if not first:
            return None
        return min(first, thread.noted) if thread.summary else first

    def reach(self) -> int:
        """The entry of the first turn that a replay comes by; 0: it begins with the first of all."""
        oldest = self.thread.oldest() or (self.turn if self.thread.dropped else None)
        return 0 if oldest is None else oldest.first

    def numbered(self, entry: Fact, number: int) -> None:
        """An entry that was applied has that number in the journal."""
        self.thread.noted = number if entry["type"] == "compacted" and "turns" in entry else self.thread.noted

    def replayed(self) -> None:
        """The journal has been read; what comes now is live."""
        self._skip = None
        self.abandoned.clear()

    # -- beginnings ----------------------------------------------------------------------------------

    def _start(self, entry: Fact) -> bool:
        if self.mode is not Mode.NEW:
            return False
        self.mode = Mode.ONCE
        self.depth, self.caller = entry.get("depth", 0), caller_of(entry)
        self._begin("", entry.get("input"), str(entry.get("seed", "")), entry)
        return True

    def _message(self, entry: Fact) -> bool:
        id = str(entry.get("id", ""))
        skipped = self._skip is not None and self._skip != id
        if self.mode is Mode.ONCE or self.turn is not None or skipped or self.thread.answered(id):
            return False
        self._skip = None
        self.mode, self.caller = Mode.SESSION, caller_of(entry)
        self._begin(id, entry.get("content"), f"{entry.get('at', 0)} {id}", entry)
        return True

    def _begin(self, id: str, content: Any, mark: str, entry: Fact) -> None:
        self.turns += 1
        number, since = self._since
        began = since if number == self.turns and since else self.clock
        parts = parts_of(content) if entry.get("media") else ()
        streamed = bool(entry.get("stream"))
        own = self.seat.holder, self.lasting
        self.turn = Turn(self.turns, self.sequence + 1, id, content, began, mark, streamed, parts, *own)
        self.turn.content = self.seat.about(self.turn.content)

    # -- outcomes ------------------------------------------------------------------------------------

    def _model(self, entry: Fact) -> bool:
        turn, op = self.turn, entry.get("op", "")
        if turn is None or turn.phase is not Phase.THINK or op != turn.thinking():
            return False
        self._close(turn, op)
        turn.attempted(entry, self.calls)
        turn.billed = Billed()
        if "error" in entry:
            turn.phase = Phase.BROKEN
            turn.error = {**entry["error"], "op": op}
        elif entry.get("held"):
            gating.hold(turn, op, entry.get("value"), str(entry.get("name", "")))
        else:
            turn.answered(op, entry.get("value"), str(entry.get("name", "")))
        return True

    def _summary(self, entry: Fact) -> bool:
        turn, op = self.turn, entry.get("op", "")
        if turn is None or turn.phase is not Phase.THINK or op != turn.summarizing() or turn.thinking() in self.calls:
            return False
        self._close(turn, op)
        turn.attempted(entry, self.calls)
        turn.billed = Billed()
        if isinstance(value := entry.get("value"), dict):
            turn.usage = turn.usage.plus(reported(value))  # pyright: ignore[reportUnknownArgumentType]  # JSON
        compaction.noted(entry, self.thread, turn)
        return True

    def _tool(self, entry: Fact) -> bool:
        found = self._on(entry, *INVOKED)
        if found is None:
            return False
        turn, call = found
        self.calls.close(call.op)
        if observations.is_in_doubt(entry):
            turn.doubtful.add(identity(call))
        turn.narrow(self.seat.agent.narrows(call.name, entry.get("value")))
        call.after = int(entry.get("after", 0))
        if "error" not in entry and (key := entry.get("keeps")):
            self.kept.keep(key, call.name, self.sequence + 1, entry.get("value"))
        turn.came(call, entry, self.at, self.sequence + 1, self.thread.window.result)
        return True

    def _hook(self, entry: Fact) -> bool:
        turn, op = self.turn, str(entry.get("op", ""))
        call = None if turn is None else turn.hooked(op)
        gate = None if turn is None else gating.gate_of(turn, op)
        if turn is None or (call is None and gate is None):
            return False
        self._close(turn, op)
        if call is not None:
            hooking.said(entry, turn, call, self.at)
        elif gate is not None:
            gating.said(entry, turn, gate)
        return True

    def _listed(self, entry: Fact) -> bool:
        turn = self.turn
        if turn is None or not self.pins.take(entry, turn, self.reach()):
            return False
        self._close(turn, entry["op"])
        return True

    def _check(self, entry: Fact) -> bool:
        turn = self.turn
        if turn is None or not turn.judging() or entry.get("op") != turn.checking():
            return False
        self._close(turn, turn.checking())
        turn.verdict = entry
        return True

    def _mark(self, entry: Fact) -> bool:
        turn, op = self.turn, entry.get("op", "")
        if turn is None or not gating.expected(turn, op):
            return False
        if not self.calls.fact(entry) and entry["type"] == "resolved" and op in self.calls:
            return False  # it is in no such doubt
        marked(turn.marks, op, entry)
        turn.tick(self.at)
        if turn.thinks(op):
            turn.attempted(entry, self.calls)
        return True

    def _child(self, entry: Fact) -> bool:
        id, turn = entry.get("id"), self.turn
        if turn is None:
            return False
        for call in turn.calls.values():
            if call.stage is Stage.CHILD and call.child == id:
                turn.used(entry.get("used", call.lent.record()))
                self.abandoned += dropping.withdrawn(self.outbox, call.op)
                turn.came(call, entry, self.at, self.sequence + 1, self.thread.window.result)
                return True
        return False

    def _decided(self, entry: Fact) -> bool:
        """What a person has said about a call, or time that has passed meanwhile."""
        call = deciding.about(self.turn, entry)
        return call is not None and deciding.take(self.turn, call, entry, self.at, self.standings)

    def _step(self, entry: Fact) -> bool:
        return deciding.looked(self.turn, self.outbox, entry)

    def _revoked(self, entry: Fact) -> bool:
        return self.standings.take(entry)

    def _timer(self, entry: Fact) -> bool:
        if self.turn is not None and entry.get("op") == self.turn.timer():
            self.turn.timed_out = True
            return True
        return self._decided(entry)

    def _answered(self, entry: Fact) -> bool:
        """What another process was to do is done, or it is at work on it."""
        turn, op = self.turn, entry.get("op", "")
        return turn is not None and told(turn.marks, op, entry) and (self.calls.answered(entry) or op not in self.calls)

    def _sent(self, entry: Fact) -> bool:
        return self._mark(entry) if "until" in entry else self.outbox.confirm(entry.get("op", ""))

    def _cancel(self, entry: Fact) -> bool:
        known, self.cancelling = self.cancelling, self.cancelling or entry
        return known is None

    def _retry(self, entry: Fact) -> bool:
        if self.final != "failed" or self.turn is None:
            return False
        self.final = ""
        number, since = self._since
        reopen(self.turn, since if number == self.turns and since else max(self.clock, entry.get("at", 0)))
        return True

    def _forked(self, entry: Fact) -> bool:
        self.seat = self.seat.alter(str(entry.get("model", "")), str(entry.get("instructions", "")))
        self.thread.refit(self.seat.agent.window)
        return True

    # -- own entries ---------------------------------------------------------------------------------

    def _ordered(self, entry: Fact) -> bool:
        found = self._on(entry, *INVOKED)
        if found is None:
            return self.turn is not None and gating.ordered(entry, self.turn, self.at)
        turn, call = found
        if entry["kind"] == "approval":
            deciding.opened(turn, call, entry, self.at)
        else:
            call.stage, call.child, call.after = Stage.CHILD, entry["id"], int(entry.get("after", 0))
            call.lent = amount_of(entry.get("budget"))
            self.outbox.begin(entry, self.depth, self.caller)
        return True

    def _observed(self, entry: Fact) -> bool:
        if self.turn is None:
            return False
        if "repair" in entry:
            self.turn.repaired(entry["repair"])
        if "call" not in entry:
            self.turn.observed(entry["text"])
            return True
        found = self._on(entry, *INVOKED, Stage.LOOKED)
        if found is not None:
            self.abandoned += dropping.unasked(self.calls, self.outbox, found[1])
            found[0].settle(found[1], entry["text"], self.at)
        return found is not None

    def _passed(self, entry: Fact) -> bool:
        return self.turn is not None and gating.passed(entry, self.turn)

    def _routed(self, entry: Fact) -> bool:
        if self.turn is None:
            return False
        kept = entry.get("kept")
        if kept is not None:
            self.thread.shorten(kept)
            self.pins.shortened(self.turn, self.reach())
        if entry.get("unseen"):
            self.thread.unsee()
            unsee(self.turn)
        self.turn.stock.noted(entry)
        self.turn.routed(entry["name"], str(entry.get("route", "")), str(entry.get("op", "")), shorter=kept is not None)
        return True

    def _budget(self, entry: Fact) -> bool:
        if self.turn is not None:
            self.turn.noted(entry)
        return self.turn is not None

    def _compacted(self, entry: Fact) -> bool:
        compaction.apply(entry, self.thread, self.turn)
        if "turns" in entry:
            self.pins.shortened(self.turn, self.reach())
        return True

    def _offered(self, entry: Fact) -> bool:
        if self.turn is not None:
            self.turn.offered = tuple(entry["tools"])
        return self.turn is not None

    def _handoff(self, entry: Fact) -> bool:
        found = self._on(entry, *INVOKED)
        if found is None:
            return False
        turn, call = found
        self.seat.take(entry["name"])
        handing.apply(entry, self.thread, turn, call, self.seat.agent, self.at)
        self.pins.shortened(turn, self.reach())
        return True

    def _reply(self, entry: Fact) -> bool:
        turn = self.turn
        if turn is None:
            return False
        self._drop(turn, entry)
        withhold(turn, entry)
        self.thread.close(turn.past(self.thread.window, str(entry.get("call", ""))))
        self.turn = None
        if self._seeing.fails(entry.get("error"), broken=turn.phase is Phase.BROKEN):
            self.thread.unsee()
        return True

    def _end(self, entry: Fact) -> bool:
        if self.turn is not None:
            self._drop(self.turn, entry)
            if unrepaired_in(entry.get("error")):
                self.turn.faulted = self.turn.said
        self.final = entry["type"]
        return True

    # -- parts ---------------------------------------------------------------------------------------

    def _on(self, entry: Fact, *stages: Stage) -> tuple[Turn, Call] | None:
        """The turn and the call that an entry is about, when the call is at one of the stages."""
        call = self.turn.calls.get(entry.get("op", "")) if self.turn is not None else None
        return None if self.turn is None or call is None or call.stage not in stages else (self.turn, call)

    def _close(self, turn: Turn, op: str) -> None:
        self.calls.close(op)
        turn.marks.pop(op, None)

    def _drop(self, turn: Turn, entry: Fact) -> None:
        """Nothing of the turn goes on: running calls are abandoned, children are told to end."""
        self.abandoned += dropping.dropped(turn, self.calls, self.outbox, self.id, self.at, entry.get("lost"))

    CHANGES: ClassVar[dict[str, Callable[[Run, Fact], bool]]] = {
        "start": _start, "message": _message, "listed": _listed, "model": _model, "summary": _summary, "tool": _tool,
        "hook": _hook, "check": _check, "child": _child, "decided": _decided, "delegated": _decided, "timer": _timer,
        "step": _step, "revoked": _revoked, "sent": _sent, "cancel": _cancel, "retry": _retry, "ordered": _ordered,
        "observed": _observed, "reply": _reply, "routed": _routed, "compacted": _compacted, "offered": _offered,
        "handoff": _handoff, "passed": _passed, "lost": _budget, "warned": _budget, "begun": _mark, "retrying": _mark,
        "doubt": _mark, "resolved": _mark, "answered": _answered, "completed": _end, "failed": _end, "cancelled": _end,
        "terminated": _end, "forked": _forked,
    }  # fmt: skip
