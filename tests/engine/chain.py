"""A decider made by hand for tests of the engine: calls, children and sleeps, one after the other.

The output of a chain is the list of its links' values; the first error ends it. It keeps to the decider
contract and does nothing clever, so that what a test sees is the engine's doing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from overwinter.orchestrator.protocol.calls import OpenCalls
from overwinter.orchestrator.protocol.decider import Decision, Fact, Invoke, Post, Spawn, Verdict
from overwinter.orchestrator.usercode.resilience import DEFAULT, Policy


class Call(NamedTuple):
    """A function call; ``call`` gets the outputs so far."""

    call: Callable[[list[Any]], Any]
    policy: Policy = DEFAULT
    threaded: bool = False
    name: str = "call"


class Child(NamedTuple):
    """An execution of another chain."""

    function: str
    input: Any = None


class Sleep(NamedTuple):
    """A durable pause in ms."""

    ms: int


Link = Call | Child | Sleep


class Chain:
    """The Function. ``links`` may depend on the input."""

    kind = "workflow"

    def __init__(self, name: str, links: Sequence[Link] | Callable[[Any], Sequence[Link]]) -> None:
        self.name = name
        self._links = links

    def check(self, value: Any) -> Any:
        return value

    def decider(self, id: str) -> ChainDecider:
        return ChainDecider(id, self._links)


class ChainDecider:
    """The Decider of one chain."""

    limit = 0

    def __init__(self, id: str, links: Sequence[Link] | Callable[[Any], Sequence[Link]]) -> None:
        self._id = id
        self._made = links
        self._links: Sequence[Link] | None = None
        self._values: list[Any] = []
        self._calls = OpenCalls()
        self._child = ""
        self._spawn: Spawn | None = None
        self._until: int | None = None
        self._error: Fact | None = None
        self._cancel: Fact | None = None
        self._over = ""
        self._at = 0
        self._abandon: list[str] = []
        self.closed = False

    def replay(self, state: str, first: int, entries: Sequence[Fact], now: int) -> None:
        for entry in entries:
            self.offer(entry)

    def offer(self, fact: Fact) -> Verdict:
        taken = self._apply(fact)
        if taken:
            self._at = max(self._at, fact.get("at", 0))
        return Verdict.TAKEN if taken else Verdict.IGNORED

    def _apply(self, fact: Fact) -> bool:
        kind = fact["type"]
        if kind == "start" and self._links is None:
            self._at = fact["at"]
            self._links = self._made(fact["input"]) if callable(self._made) else self._made
            self._order()
            return True
        if kind in ("begun", "retrying"):
            return self._calls.fact(fact)
        if kind == "step" and self._calls.close(fact["op"]):
            return self._next(fact)
        if kind == "child" and self._child and fact["id"] == self._child:
            self._child, self._spawn = "", None
            return self._next(fact)
        if kind == "timer" and self._until is not None and fact["op"] == str(len(self._values)):
            self._at = fact["at"]
            return self._next(fact | {"value": None})
        if kind == "ordered":
            self._child = fact["id"]
            return True
        if kind == "sent":
            self._spawn = None
            return True
        if kind == "cancel" and self._cancel is None:
            self._cancel = fact
            return True
        if kind == "retry" and self._over:
            self._over, self._error = "", None
            self._order()
            return True
        if kind in ("completed", "failed", "cancelled"):
            self._over = kind
            return True
        return kind in ("paused", "resumed", "stuck")

    def _next(self, fact: Fact) -> bool:
        self._until = None
        if "error" in fact:
            self._error = fact["error"] | {"op": str(len(self._values))}
        else:
            self._values.append(fact.get("value"))
            self._at = fact["at"]
            self._order()
        return True

    def _order(self) -> None:
        assert self._links is not None
        number = len(self._values)
        if number == len(self._links):
            return
        link = self._links[number]
        if isinstance(link, Call):
            values = list(self._values)
            self._calls.order(
                Invoke(str(number), link.name, "step", lambda: link.call(values), link.threaded, link.policy)
            )
        elif isinstance(link, Child):
            self._child = f"{self._id}/{number}"
            self._spawn = Spawn(str(number), self._child, link.function, link.input, False)
        else:
            self._until = self._at + link.ms

    def expire(self, now: int) -> list[Fact]:
        self._calls.expire(now)
        if self._until is not None and self._until <= now:
            return [{"type": "timer", "op": str(len(self._values)), "at": now}]
        return []

    def decide(self) -> Decision:
        decision = Decision()
        if self._links is None or self._over:
            decision.status = self._over or "pending"
            return decision
        if self._cancel is not None:
            self._end(decision, "cancelled", {"reason": self._cancel.get("reason", "")})
            decision.abandon = [str(len(self._values))]
            if self._child:
                fact = {"type": "cancel", "at": self._at, "reason": "", "by": self._id}
                decision.perform = [Post("cancel", self._child, f"{self._id}/cancel", fact)]
        elif self._error is not None:
            self._end(decision, "failed", {"error": self._error})
        elif len(self._values) == len(self._links):
            self._end(decision, "completed", {"value": self._values})
        else:
            self._go_on(decision)
        return decision

    def _end(self, decision: Decision, status: str, fields: Fact) -> None:
        self._over = decision.status = status
        decision.entries = [{"type": status, "at": self._at, **fields}]

    def _go_on(self, decision: Decision) -> None:
        decision.perform = list(self._calls.take())
        decision.wake = self._calls.wake() if self._until is None else self._until
        decision.immediate = not self._values and bool(decision.perform)
        if self._child:
            decision.awaits = f"child {self._child}"
        spawn, self._spawn = self._spawn, None
        if spawn is not None:
            decision.perform.append(spawn)
            decision.entries = [
                {"type": "ordered", "op": spawn.op, "kind": "child", "name": spawn.function, "id": spawn.id}
            ]
            decision.entries[0] |= {"at": self._at, "detached": False}

    def close(self) -> None:
        self.closed = True
