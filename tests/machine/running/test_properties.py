"""Whatever the definition, the data and the order in which things come: the decider never raises, everything ends or
waits for something, a replay leads to the same, also from a checkpoint, and what is JSON stays JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overwinter.functions.integrations.reaching import Reaching
from overwinter.orchestrator.governance import tokens
from overwinter.orchestrator.machine import decider as deciding
from overwinter.orchestrator.machine.decider import MachineDecider
from overwinter.orchestrator.machine.definition.machine import build
from overwinter.orchestrator.machine.language.variables import Quotas
from overwinter.orchestrator.machine.resolving import Table
from overwinter.orchestrator.machine.running.compiled import Compiled
from overwinter.orchestrator.machine.running.limits import LIMITS, Limits
from overwinter.orchestrator.machine.running.resources import Resources
from overwinter.orchestrator.protocol.decider import Access, Decision, Effect, Fact, Invoke, Publish, Verdict

from .definitions import ERRORS, definitions, values

MOST = 400


async def anything(given: Any) -> Any:
    return given


class Made(NamedTuple):
    """A definition as it is served. It need not be valid as a whole: states may be out of reach."""

    source: Any
    compiled: Compiled
    name: str = "m"
    resources: Resources = Table([anything], {"any": anything}, Reaching())
    limits: Limits = LIMITS[""]


NARROW = Limits("aws", 25, 150, 60, Quotas(60, 90, 200))


class Play:
    """One execution, whose calls, events, workers' tasks and times are answered as the drawn data say."""

    def __init__(self, served: Made) -> None:
        self.served = served
        self.decider = MachineDecider(served, "x")
        self.journal: list[str] = []
        self.base = 1
        self.now = 1000
        self.open: dict[str, Effect] = {}

    def offer(self, fact: Fact) -> bool:
        if self.decider.offer(fact) is not Verdict.TAKEN:
            return False
        self.journal.append(json.dumps(fact, allow_nan=False))
        return True

    def decide(self) -> Decision:
        decision = self.decider.decide()
        for op in decision.abandon:
            self.open.pop(op, None)
        self.journal += [json.dumps(entry, allow_nan=False) for entry in decision.entries]
        if decision.base is not None:
            self.base = decision.base
        for effect in decision.perform:
            assert isinstance(effect, (Invoke, Publish, Access))
            assert effect.op not in self.open
            self.open[effect.op] = effect
        return decision

    def tokens(self) -> list[str]:
        """Those that somebody outside can complete now."""
        run = self.decider._run
        return [] if run is None or run.ending is not None else sorted(f"token {op}" for op in run.tokens)

    def outcome(self, op: str, value: Any, error: str | None) -> Fact:
        """What comes of an operation that is open, or of a token."""
        told: Fact = {"value": value} if error is None else {"error": {"kind": error, "message": "no"}}
        if op.startswith("token "):
            op = op.removeprefix("token ")
            return {"type": "callback", "op": op, "at": self.now, "secret": tokens.secret_of("s", op), **told}
        effect = self.open.pop(op)
        if isinstance(effect, Publish):
            told.pop("value", None)
            return {"type": "sent", "op": op, "at": self.now, **told}
        assert isinstance(effect, (Invoke, Access))
        return {"type": "step", "op": op, "name": effect.name, "at": self.now, "ms": 0, **told}

    def retried(self) -> Decision:
        """It has failed, and somebody asks for it to go on: another process does."""
        self.now += 1
        self.journal.append(json.dumps({"type": "retry", "at": self.now}))
        self.open.clear()
        self.decider = MachineDecider(self.served, "x")
        entries = [json.loads(text) for text in self.journal[self.base - 1 :]]
        self.decider.replay("", self.base, entries, self.now)
        return self.decide()

    def replayed(self) -> tuple[list[str], Any]:
        """What another process would find open, and what it decides."""
        other = MachineDecider(self.served, "x")
        entries = [json.loads(text) for text in self.journal[self.base - 1 :]]
        other.replay("", self.base, entries, self.now)
        decision = other.decide()
        return sorted(effect.op for effect in decision.perform), (decision.status, decision.wake, decision.awaits)


@pytest.mark.parametrize(("fresh", "limits"), [(400, LIMITS[""]), (4, LIMITS[""]), (400, NARROW), (4, NARROW)])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(definition=definitions(), input=values, data=st.data())
def test_it_never_raises_and_a_replay_leads_to_the_same(
    fresh: int, limits: Limits, definition: Any, input: Any, data: Any
) -> None:
    play = Play(Made(definition, Compiled(build(definition)), limits=limits))
    given_input = {"list": [1, {"a": 2}, input], "a": input}
    with mock.patch.object(deciding, "FRESH", fresh), mock.patch.dict(LIMITS, {"aws": NARROW}):
        assert play.offer({"type": "start", "at": play.now, "input": given_input, "seed": "s"})
        decision = play.decide()
        retries = data.draw(st.integers(0, 2))
        for _ in range(MOST):
            if decision.status == "failed" and retries:
                retries -= 1
                decision = play.retried()
            if decision.status in ("completed", "failed"):
                break
            assert decision.status == "waiting", decision.error
            assert play.open or play.tokens() or decision.wake is not None  # it waits for something
            ops, decided = play.replayed()
            assert ops == sorted(play.open)
            assert decided == (decision.status, decision.wake, decision.awaits)
            times = ["time"] if decision.wake is not None else []
            op = data.draw(st.sampled_from([*sorted(play.open), *play.tokens(), *times]))
            if op == "time":
                play.now = max(play.now, decision.wake or 0)
                for due in play.decider.expire(play.now):
                    play.offer(due)
            else:
                play.now += data.draw(st.integers(0, 2000))
                error = data.draw(st.sampled_from(ERRORS)) if data.draw(st.booleans()) else None
                fact = play.outcome(op, data.draw(values), error)
                assert play.offer(fact)
                assert not play.offer(fact)  # what comes twice changes nothing
            decision = play.decide()
        else:
            raise AssertionError("it does not end")
        assert not play.replayed()[0]
        assert play.decider.decide().status == decision.status
