"""A session whose turns are workflow code: one message at a time, each answered by exactly one reply.

A turn is the life of a workflow within the execution of its session. It begins with the ``message``, whose number in
the journal begins the ids of its operations, and ends with the ``reply``, which holds what the code wants to know in
later turns (``kept``). So the journal is the conversation, a replay reads the last turns of it and runs the code of the
open one alone, and a turn that fails leaves the session usable. Started with an input instead, it is a workflow that
runs once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

from ...state.codec import clean, dumps, loads
from ...state.errors import ExecutionCancelled, PayloadTooLarge
from ...state.records import PAYLOAD_LIMIT
from ..errors import failures
from ..governance.approvals.standing import REVOKED, Standings
from ..governance.usage import failure
from ..protocol.callers import caller_of, trace_in
from ..protocol.decider import NO_EVENTS, Decision, Fact, Post, Verdict, when
from ..protocol.entries import encode
from .decider import Code, WorkflowDecider

_OUTSIDE = frozenset({"paused", "resumed", "stuck", "terminated", "forked"})
_FINAL = frozenset({"completed", "failed", "cancelled", "terminated"})


class Conversing(Protocol):
    """What a session is of."""

    @property
    def turns(self) -> int:
        """How many turns of the past a turn is told of."""
        ...

    def once(self) -> Code:
        """The code of a run that is no session's."""
        ...

    def turn(self, prefix: str, past: Sequence[Any]) -> Code:
        """The code of one turn. It returns ``{"value", "kept"}``, ``kept`` being a list of what ``past`` is to hold
        later."""
        ...


class Said(NamedTuple):
    """A turn that is over: the number of its first entry, its message, and what was kept of it."""

    first: int
    message: str
    kept: Sequence[Any]


class Open(NamedTuple):
    """The turn that is under way."""

    first: int
    message: str
    code: WorkflowDecider


class SessionDecider:
    """Implements ``Decider`` for one execution of such an agent, a session's or one run's."""

    def __init__(self, agent: Conversing, id: str) -> None:
        self._agent = agent
        self._id = id
        self._limit = PAYLOAD_LIMIT
        self._once: WorkflowDecider | None = None
        self._open: Open | None = None
        self._session = False
        self._said: deque[Said] = deque(maxlen=agent.turns)
        self._length = 0  # entries in the journal, as far as they are known here
        self._base: int | None = None
        self._at = 0
        self._ended: Fact | None = None  # how the open turn has ended; its reply waits for what it has sent
        self._sending: set[str] = set()  # what was handed out of that
        self._cancelled: Fact | None = None
        self._passed: list[Fact] = []
        self._standings = Standings()
        self._over = ""

    @property
    def limit(self) -> int:
        """Bytes that one value may have in the store."""
        return self._limit

    @limit.setter
    def limit(self, bytes_: int) -> None:
        self._limit = bytes_
        for code in self._codes():
            code.limit = bytes_

    def _codes(self) -> list[WorkflowDecider]:
        return [code for code in (self._once, self._open and self._open.code) if code is not None]

    # -- the protocol --------------------------------------------------------------------------------

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        self._length, self._base, self._at = first - 1, first, now
        saved: Fact = loads(state) if state else {}
        self._session, self._standings = saved.get("mode") == "session", Standings(saved.get("standing", ()))
        if any(entry["type"] == "start" for entry in entries):
            self._once = self._code(self._agent.once())
            self._once.replay(state, first, entries, now)
            return
        begun: Fact | None = None
        at = first
        for number, entry in enumerate(entries, first):
            self._length = number
            self._standings.take(entry)
            kind = entry["type"]
            if kind == "message":
                begun, at, self._session = entry, number, True
            elif kind == "reply" and begun is not None:
                self._said.append(Said(at, str(begun["id"]), entry.get("kept", ())))
                begun = None
            elif kind == "cancel":
                self._cancelled = entry
            elif kind in _FINAL:
                self._over = kind
        if begun is not None:
            self._begin(begun, at)
            rest = entries[at - first + 1 :]
            cast("Open", self._open).code.replay("", 1, [self._begun(begun), *rest], now)

    def offer(self, fact: Fact) -> Verdict:
        kind = fact["type"]
        self._at = max(self._at, when(fact))
        if self._once is not None:
            return Verdict.IGNORED if kind == "message" else self._counted(self._once.offer(fact))
        if kind in _OUTSIDE:
            for code in self._codes():
                code.offer(fact)
            self._length += 1  # journaled all the same
            return Verdict.IGNORED
        if self._over:
            return Verdict.IGNORED
        if kind == "event":
            self._pass_over(fact)
            return Verdict.IGNORED
        if kind == "message":
            return self._message(fact)
        if kind == "start":
            return self._start(fact)
        if kind == "cancel":
            return self._cancel(fact)
        if self._open is None:  # only what was said of later calls may be over then
            revoked = kind == REVOKED and self._standings.take(fact)
            return self._counted(Verdict.TAKEN if revoked else Verdict.IGNORED)
        verdict = self._counted(self._open.code.offer(fact))
        if verdict is Verdict.TAKEN:
            self._standings.take(fact)
        return verdict

    def expire(self, now: int) -> list[Fact]:
        self._at = max(self._at, now)
        return [fact for code in self._codes() for fact in code.expire(now)]

    def decide(self) -> Decision:
        if self._once is not None:
            return self._once.decide()
        decision = Decision()
        if self._open is not None:
            decision = self._open.code.decide()
            if decision.status == "stuck":
                self._length += len(decision.entries)
                return decision
            self._conclude(decision)
        decision.entries, self._passed = [*decision.entries, *self._passed], []
        decision.immediate = decision.immediate and not decision.entries
        if self._open is None:
            self._rest(decision)
        standing = {"standing": kept} if (kept := self._standings.record()) else {}
        decision.state = dumps({"mode": "session"} | standing) if self._session else ""
        self._length += len(decision.entries)
        if self._session and self._open is None:
            base = self._said[0].first if self._said else max(1, self._length)
            if base != self._base:
                decision.base = self._base = base
        return decision

    def refusal(self, fact: Fact) -> str:
        """Why a fact can't be used; empty when it may."""
        if fact["type"] == "event":
            return NO_EVENTS
        return next((why for code in self._codes() if (why := code.refusal(fact))), "")

    def close(self) -> None:
        for code in self._codes():
            code.close()

    # -- facts ---------------------------------------------------------------------------------------

    def _counted(self, verdict: Verdict) -> Verdict:
        if verdict is Verdict.TAKEN:
            self._length += 1
        return verdict

    def _code(self, code: Code) -> WorkflowDecider:
        made = WorkflowDecider(code, self._id)
        made.limit = self._limit
        return made

    def _start(self, fact: Fact) -> Verdict:
        if self._session:
            return Verdict.IGNORED
        self._once = self._code(self._agent.once())
        return self._counted(self._once.offer(fact))

    def _message(self, fact: Fact) -> Verdict:
        id = str(fact["id"])
        if any(said.message == id for said in self._said) or (self._open is not None and self._open.message == id):
            return Verdict.IGNORED
        if self._open is not None or self._cancelled is not None:
            return Verdict.LATER
        self._session = True
        self._length += 1
        self._begin(fact, self._length)
        cast("Open", self._open).code.offer(self._begun(fact))
        return Verdict.TAKEN

    def _begin(self, message: Fact, number: int) -> None:
        past = [one for said in self._said for one in said.kept]
        self._open = Open(number, str(message["id"]), self._code(self._agent.turn(f"{number}.", past)))

    def _begun(self, message: Fact) -> Fact:
        """What a turn begins with, and what was said of its calls in turns before."""
        standing = self._standings.record()
        return _start(self._id, message) | ({"standing": standing} if standing else {})

    def _cancel(self, fact: Fact) -> Verdict:
        if self._cancelled is not None:
            return Verdict.IGNORED
        if self._open is not None and self._open.code.offer(fact) is not Verdict.TAKEN:
            return Verdict.LATER  # it has ended, and is about to be answered
        self._cancelled = fact
        self._length += 1
        return Verdict.TAKEN

    def _pass_over(self, event: Fact) -> None:
        """Nobody here would ever read it, and whoever sent it was told that it was taken. So it is to be seen."""
        name = clean(str(event.get("name", "")))
        skipped = {"type": "skipped", "at": self._at, "name": name, "id": event.get("id", ""), "why": NO_EVENTS}
        self._passed.append(skipped)

    # -- decisions -----------------------------------------------------------------------------------

    def _conclude(self, decision: Decision) -> None:
        """The turn's end becomes the reply, when what the turn has sent is confirmed: children that are to be
        cancelled, so that nothing of an earlier turn is left to do."""
        turn = cast("Open", self._open)
        if decision.status not in _FINAL:
            return
        if self._ended is None:
            self._ended = decision.entries.pop()
        unsent = any(isinstance(effect, Post) for effect in decision.perform)
        decision.perform = [effect for effect in decision.perform if effect.op not in self._sending]
        self._sending |= {effect.op for effect in decision.perform}
        decision.status = "waiting"
        if unsent:
            return
        reply = self._reply(turn, self._ended)
        decision.entries.append(reply)
        self._said.append(Said(turn.first, turn.message, reply.get("kept", ())))
        turn.code.close()
        self._open = self._ended = None
        self._sending.clear()

    def _reply(self, turn: Open, ended: Fact) -> Fact:
        reply: Fact = {"type": "reply", "to": turn.message, "at": ended["at"]}
        if self._cancelled is not None or ended["type"] == "cancelled":
            reason = str((self._cancelled or ended).get("reason", ""))
            what = "the session was cancelled" if self._cancelled is not None else "the turn was cancelled"
            return reply | {"error": failure(ExecutionCancelled, f"{what}{f': {reason}' if reason else ''}")}
        if ended["type"] == "failed":
            return reply | {"error": ended["error"]}
        whole = reply | {"value": ended["value"]["value"], "kept": ended["value"]["kept"]}
        try:
            encode(whole, self._limit)
        except PayloadTooLarge as error:  # both together; the store would refuse it, and what was kept with it
            return reply | {"error": failures.encode(error)}
        return whole

    def _rest(self, decision: Decision) -> None:
        """Between two turns, or at the end of all."""
        decision.wake, decision.awaits = None, ""
        decision.status = self._over or ("idle" if self._session else "pending")
        if self._cancelled is not None and not self._over:
            reason = str(self._cancelled.get("reason", "")) or "cancelled"
            decision.entries.append({"type": "cancelled", "at": self._at, "reason": reason})
            decision.status = self._over = "cancelled"


def _start(id: str, message: Fact) -> Fact:
    """What a turn begins with, as the start of its workflow. A message brings no seed; what follows from one must
    differ between turns and sessions, and proves nothing. Of who sent it there is the name, and the trace."""
    fact: Fact = {"type": "start", "at": when(message), "input": message.get("content")}
    fact |= {"caller": trace} if (trace := trace_in(message.get("caller", {}))) else {}
    fact |= {"by": by} if (by := caller_of(message).get("by")) else {}
    return fact | {"seed": f"{id} {message.get('at', 0)} {message['id']}"}
