"""The protocol, broken in nine ways. Each must be found out by the simulator, or the simulator proves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from overwinter.orchestrator.engine import effects
from overwinter.orchestrator.engine.activation import Activation
from overwinter.orchestrator.engine.delivery import Delivery, Sending
from overwinter.orchestrator.engine.effects import Effects
from overwinter.orchestrator.engine.engine import Engine
from overwinter.orchestrator.engine.offering import Host, Offering
from overwinter.orchestrator.protocol.decider import Access, Decision, Effect, Fact, Invoke, Post, Publish, Spawn
from overwinter.state.records import Appended, Change, Head, NewMail
from overwinter.testing import Ledger


class NoFence(Ledger):
    """Whoever appends is let in, with any version and without a lease."""

    def append(self, change: Change) -> Awaitable[Appended]:
        head = self.head_now(change.id)
        if head is not None and (head.version, head.owner) != (change.version, change.owner):
            execution = self._executions[change.id]
            execution.head = head._replace(version=change.version, owner=change.owner)
        return super().append(change)


class ReleaseIgnoringMail(Ledger):
    """A lease is given back though mail has come that its owner has not seen."""

    def append(self, change: Change) -> Awaitable[Appended]:
        head = self.head_now(change.id)
        if change.release and head is not None:
            change = change._replace(arrivals=head.arrivals)
        return super().append(change)


class LeaseWithoutWake(Ledger):
    """Nobody looks after an execution whose owner is dead."""

    async def due(self, now: int, limit: int = 100) -> Sequence[str]:
        due = await super().due(now, limit)
        return [id for id in due if (head := self.head_now(id)) is not None and head.owner is None]


class AcceptAfterFinish(Ledger):
    """Mail is acknowledged by an execution that has ended, and nothing comes of it."""

    def _takes_more(self, head: Head, mail: NewMail | None, now: int, reopen: bool) -> bool:
        return mail is not None or super()._takes_more(head, mail, now, reopen)


class NoResend(Engine):
    """What was ordered from another execution and is not confirmed is not sent again after a crash."""

    def _load(self, activation: Activation, head: Head, entries: list[Fact]) -> None:
        before = self.__dict__.setdefault("ordered_before", {})
        before[id(activation)] = {entry["op"] for entry in entries if entry["type"] == "ordered"}
        super()._load(activation, head, entries)

    async def deliver(self, activation: Activation, effect: Effect) -> None:
        before: dict[int, set[str]] = self.__dict__.get("ordered_before", {})
        if isinstance(effect, (Spawn, Post)) and effect.op in before.get(id(activation), ()):
            activation.report({"type": "sent", "op": effect.op, "at": self.clock()})
            return
        await super().deliver(activation, effect)


class _TimersFirst(Offering):
    """The timers that are due are offered, then the mail."""

    def mail(self, host: Host, *, is_stuck: bool) -> Decision | None:
        self._stopped = False
        if not is_stuck:
            self.timers(host)
        return super().mail(host, is_stuck=is_stuck)


class TimersFirst(Engine):
    """Who comes late to look finds the deadline and not what came by then."""

    def _supersede(self, activation: Activation) -> None:
        activation.offering = _TimersFirst(activation.mailbox, activation.deadlines)
        super()._supersede(activation)


class NoLook(Engine):
    """A timer fires without a look at what other processes have accepted."""

    def _supersede(self, activation: Activation) -> None:
        activation.deadlines.looked = 2**62
        super()._supersede(activation)


class _Parting:
    """Takes the place of an activation: that a child was started is told at once, that it had ended a moment later."""

    def __init__(self, activation: Sending) -> None:
        self.id, self.function, self.parent = activation.id, activation.function, activation.parent
        self.settling = activation.settling
        self.second: Fact | None = None
        self._activation = activation

    def report(self, fact: Fact) -> None:
        if fact["type"] == "child" and "error" not in fact:
            self.second, fact = fact, {"type": "sent", "op": fact["op"], "at": fact["at"]}
        self._activation.report(fact)


class _InTwo(Delivery):
    """Its effects end in two facts now and then."""

    async def deliver(self, activation: Sending, effect: Spawn | Post | Publish | Access) -> None:
        parting = _Parting(activation)
        await super().deliver(parting, effect)
        if parting.second is not None:
            await asyncio.sleep(0)
            activation.report(parting.second)


class ForgetsFacts(Engine):
    """What comes while the store answers that the lease is given back is forgotten."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.delivery = _InTwo(self)

    def released(self, activation: Activation, change: Change) -> None:
        activation.facts.clear()
        super().released(activation, change)


class _Silent(Effects):
    """Says nothing of a call whose task has died."""

    def _left(self, host: effects.Host, op: str, call: Invoke | None, task: asyncio.Task[None]) -> None:
        return


class SilentDeaths(Engine):
    """An execution goes on waiting for a call whose task has died."""

    def _supersede(self, activation: Activation) -> None:
        if not isinstance(activation.effects, _Silent):
            activation.effects = _Silent(self.loop, self.performer)
        super()._supersede(activation)


LEDGERS: dict[str, type[Ledger]] = {
    "no fence": NoFence,
    "release ignoring mail": ReleaseIgnoringMail,
    "lease without wake": LeaseWithoutWake,
    "accept after finish": AcceptAfterFinish,
}
ENGINES: dict[str, type[Engine]] = {
    "no resend": NoResend,
    "timers first": TimersFirst,
    "no look": NoLook,
    "forgets facts on release": ForgetsFacts,
    "silent deaths": SilentDeaths,
}


def worlds() -> list[tuple[str, dict[str, Any]]]:
    """Name and arguments of ``Simulation`` for each broken protocol."""
    return [
        *((name, {"ledger": ledger}) for name, ledger in LEDGERS.items()),
        *((name, {"engine": engine}) for name, engine in ENGINES.items()),
    ]
