"""The decider of a queue: which deliveries begin, which are tried again, and which are set aside.

Its entries: ``deliver`` (from the mailbox), ``ordered`` for each attempt, ``sent`` and ``child`` of it, ``retrying``
with the time of the next, ``dead`` when there is none, and the ``step`` that has put the dead letter down. An operation
is called by the number of its delivery's entry and the attempt. No code is replayed, so bounds may change between two
releases.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...state.codec import dumps, loads
from ...state.errors import BegunBefore, Final, InvalidInput
from ...state.records import PAYLOAD_LIMIT
from ..errors import failures
from ..protocol.decider import DEAF, Access, Decision, Effect, Fact, Spawn, Verdict, when
from .delivery import Delivery
from .pace import Pace

ROOM = 1000
"""Deliveries that are looked at beside each other. What comes after them waits in the mailbox."""
_OUTSIDE = frozenset({"paused", "resumed", "stuck", "terminated"})


class Settings(Protocol):
    """The queue that a decider is of."""

    @property
    def pace(self) -> Pace: ...
    @property
    def target(self) -> str:
        """The name of the function that deliveries are for."""
        ...

    @property
    def target_kind(self) -> str: ...
    @property
    def subscription(self) -> str:
        """Whose queue it is."""
        ...

    @property
    def letters(self) -> str:
        """The scope in which dead letters are kept."""
        ...


class QueueDecider:
    """Implements ``Decider`` for one queue."""

    def __init__(self, queue: Settings) -> None:
        self.limit = PAYLOAD_LIMIT
        self._queue = queue
        self._length = 0
        self._now = 0
        self._open: dict[int, Delivery] = {}  # by number, in the order of delivery
        self._children: dict[str, Delivery] = {}
        self._busy: dict[str, int] = {}  # how many of a key are tried, or are to be tried again
        self._running = 0
        self._next = 0.0  # when the rate allows the next, in ms and parts of them
        self._fresh: list[Effect] = []
        self._own: list[Fact] = []
        self._told = 0  # the base that the engine knows
        self._failed: list[Delivery] = []

    # -- the protocol --------------------------------------------------------------------------------

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        self._length = first - 1
        if state:
            self._next = float(loads(state).get("next", 0))
        for entry in entries:
            self._length += 1
            self._now = max(self._now, when(entry))
            self._apply(entry)
        self._told = first
        self._now = max(self._now, now)
        self._fresh = [effect for one in self._open.values() if (effect := self._unconfirmed(one)) is not None]

    def offer(self, fact: Fact) -> Verdict:
        kind = fact["type"]
        if kind in _OUTSIDE:
            self._length += 1  # journaled all the same
            return Verdict.IGNORED
        if kind == "deliver" and len(self._open) >= ROOM:
            return Verdict.LATER
        if kind not in ("deliver", "sent", "child", "step"):
            return Verdict.IGNORED
        self._length += 1
        self._now = max(self._now, when(fact))
        if self._apply(fact):
            return Verdict.TAKEN
        self._length -= 1
        return Verdict.IGNORED

    def expire(self, now: int) -> list[Fact]:
        self._now = max(self._now, now)
        return []

    def decide(self) -> Decision:
        decision = Decision()
        for one in self._failed:
            self._fail(one)
        self._failed.clear()
        wake = self._begin()
        decision.entries, self._own = self._own, []
        decision.perform, self._fresh = self._fresh, []
        self._length += len(decision.entries)
        decision.wake = wake
        decision.status = "waiting" if self._open else "idle"
        waiting = len(self._open) - self._running
        decision.awaits = f"{self._running} at work, {waiting} waiting" if self._open else ""
        decision.state = dumps({"next": self._next}) if self._next else ""
        base = next(iter(self._open), self._length)
        if base > self._told:
            decision.base = self._told = base
        return decision

    def close(self) -> None:
        return

    def refusal(self, fact: Fact) -> str:
        return DEAF["queue"] if fact["type"] == "event" else ""

    # -- facts ---------------------------------------------------------------------------------------

    def _apply(self, fact: Fact) -> bool:
        """A fact, or an entry of an earlier life. False: it changes nothing."""
        kind = fact["type"]
        if kind == "deliver":
            self._open[self._length] = Delivery(self._length, fact)
            return True
        if kind == "child":
            return self._ended(fact)
        one = self._of(str(fact.get("op", "")))
        if one is None:
            return False
        if kind == "ordered":
            one.attempt = int(fact["n"])
            self._run(one, fact["at"])
        elif kind == "sent":
            if one.sent or fact["op"] != one.op:
                return False
            one.sent = True
        elif kind == "retrying":
            self._failed = [other for other in self._failed if other is not one]
            self._pause(one, int(fact["until"]))
        elif kind == "dead":
            self._failed = [other for other in self._failed if other is not one]
            one.error = fact["error"]
        elif kind == "step" and one.error is not None:
            self._over(one)
        else:
            return False
        return True

    def _of(self, op: str) -> Delivery | None:
        number = op.partition(".")[0]
        return self._open.get(int(number)) if number.isdecimal() else None

    def _ended(self, fact: Fact) -> bool:
        one = self._children.pop(str(fact["id"]), None)
        if one is None or not one.running:
            return False
        one.running, one.last = False, int(fact["at"])
        self._running -= 1
        error = fact.get("error", {}) if fact.get("status", "failed") == "failed" else None
        if error is None or isinstance(failures.decode(error), BegunBefore):
            self._over(one)  # completed, or ended by a person; or taken at another time, when it went without a queue
        else:
            one.error = error
            self._failed.append(one)
        return True

    def _over(self, one: Delivery) -> None:
        self._open.pop(one.number, None)
        self._leave(one)

    def _leave(self, one: Delivery) -> None:
        """Another of its key may begin."""
        if one.attempt and one.key in self._busy:
            self._busy[one.key] -= 1
            if not self._busy[one.key]:
                del self._busy[one.key]

    # -- what is to be done ----------------------------------------------------------------------------

    def _run(self, one: Delivery, at: int) -> None:
        if one.attempt == 1:
            one.begun = at
            self._busy[one.key] = self._busy.get(one.key, 0) + 1
        one.running, one.sent, one.until, one.error = True, False, 0, None
        self._running += 1
        self._children[one.child] = one

    def _pause(self, one: Delivery, until: int) -> None:
        one.until, one.error = until, None

    def _fail(self, one: Delivery) -> None:
        """An attempt has failed: there will be another, or a dead letter."""
        error = one.error or {}
        lasting = isinstance(failures.decode(error), (Final, InvalidInput))
        if one.attempt < self._queue.pace.attempts and not lasting:
            until = self._now + self._queue.pace.pause(one.attempt)
            self._own.append(
                {"type": "retrying", "at": self._now, "op": str(one.number), "name": self._queue.target,
                 "n": one.attempt, "until": until, "error": error}
            )  # fmt: skip
            self._pause(one, until)
            return
        self._own.append({"type": "dead", "at": self._now, "op": str(one.number), "n": one.attempt, "error": error})
        one.error = error
        self._fresh.append(self._letter(one))

    def _letter(self, one: Delivery) -> Access:
        letter = one.letter(self._queue.subscription, self._queue.target)
        return Access(f"{one.number}.dead", "dead letter", "put", self._queue.letters, str(one.fact["id"]), letter)

    def _spawn(self, one: Delivery) -> Spawn:
        queue = self._queue
        return Spawn(one.op, one.child, queue.target, one.input, False, 0, queue.target_kind, one.caller)

    def _unconfirmed(self, one: Delivery) -> Effect | None:
        """What was ordered, and has to be sent again after a replay."""
        if one.error is not None:
            return None if one in self._failed else self._letter(one)
        return self._spawn(one) if one.running and not one.sent else None

    def _begin(self) -> int | None:
        """Begin what may begin now; when there will be more to begin for time alone."""
        pace, wake = self._queue.pace, None
        for one in self._open.values():
            if pace.concurrency and self._running >= pace.concurrency:
                break
            if one.running or one.error is not None:
                continue
            if one.until > self._now:
                wake = one.until if wake is None else min(wake, one.until)
                continue
            if pace.ordered and one.key and not one.attempt and one.key in self._busy:
                continue
            if pace.rate:
                ready = int(self._next)
                if ready > self._now:
                    return ready if wake is None else min(wake, ready)
                self._next = max(self._next, self._now) + pace.per / pace.rate
            one.attempt += 1
            self._run(one, self._now)
            self._own.append(
                {"type": "ordered", "op": one.op, "at": self._now, "kind": "child", "name": self._queue.target,
                 "id": one.child, "detached": False, "n": one.attempt}
            )  # fmt: skip
            self._fresh.append(self._spawn(one))
        return wake
