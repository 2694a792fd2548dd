"""The world around a decider, in memory: performs effects, keeps the journal as JSON, lets time pass.

``World.run`` drives an execution to its end; ``replayed_from_every_prefix`` then asserts that a fresh decider
that is given any prefix of the journal, and then the rest as live facts, says the same.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from overwinter.orchestrator.errors import failures
from overwinter.orchestrator.protocol.decider import (
    Access,
    Decision,
    Effect,
    Fact,
    Invoke,
    Post,
    Publish,
    Spawn,
    Verdict,
)
from overwinter.orchestrator.workflow.decider import WorkflowDecider
from overwinter.orchestrator.workflow.function import Workflow
from overwinter.state.codec import plain
from overwinter.state.errors import EtagMismatch, InvalidInput

OWN = frozenset({"ordered", "saga", "skipped", "checkpoint", "completed", "failed", "cancelled"})
FINAL = frozenset({"completed", "failed", "cancelled"})
START = 1_700_000_000_000


class World:
    """One execution. ``children`` answers child executions by function name."""

    def __init__(
        self,
        fn: Callable[..., Any] | Workflow,
        input: Any = None,
        *,
        id: str = "w-1",
        draw: random.Random | None = None,
        children: dict[str, Callable[[Any], Any]] | None = None,
        journal: Sequence[Fact] = (),
    ) -> None:
        self.workflow = fn if isinstance(fn, Workflow) else Workflow(fn)
        self.id = id
        self.draw = draw
        self.children = children or {}
        self.now = START
        self.base = 1
        self.turns: set[int] = {0}  # lengths of the journal at which a decision was taken
        self.journal: list[Fact] = [*journal]
        self.open: dict[str, Effect] = {}
        self.posts: list[Post] = []
        self.spawned: list[Spawn] = []
        self.published: list[Fact] = []
        self.performed: list[str] = []
        self.values: dict[tuple[str, str], tuple[Any, str]] = {}
        self.decisions: list[Decision] = []
        self.decider = self.workflow.decider(id)
        self.decider.replay("", 1, list(self.journal), self.now)
        if journal:
            self.now = max(entry["at"] for entry in journal)
            self.decide()
        else:
            self.mail({"type": "start", "input": plain(input), "seed": "5eed"})

    # -- what comes in -------------------------------------------------------------------------------

    def mail(self, *facts: Fact) -> list[Verdict]:
        """Offer facts in one turn, then decide. A decision is on what was asked, unless it says otherwise."""
        verdicts: list[Verdict] = []
        for fact in facts:
            self.now += 1
            if fact["type"] == "decided":
                fact = {**fact, "digest": fact.get("digest", self.asked(fact["op"]))}
            fact = json.loads(json.dumps({"at": self.now, **fact}))
            text = json.dumps(fact)
            verdicts.append(self.decider.offer(fact))
            if verdicts[-1] is Verdict.TAKEN:
                self.journal.append(json.loads(text))
        self.decide()
        return verdicts

    def decide(self) -> Decision:
        self.turns.add(len(self.journal))
        decision = self.decider.decide()
        if decision.base is not None:
            self.base = decision.base
        self.journal += json.loads(json.dumps(decision.entries))
        self.turns.add(len(self.journal))
        for op in decision.abandon:
            self.open.pop(op, None)
        if decision.status in FINAL:
            self.open.clear()  # nothing runs on after the end; posts that are not confirmed are ordered again
        for effect in decision.perform:
            assert effect.op not in self.open, f"{effect.op} was handed out twice"
            self.open[effect.op] = effect
        self.decisions.append(decision)
        return decision

    def asked(self, op: str) -> str:
        """The digest of the last approval that was asked for under ``op``."""
        found = [entry["digest"] for entry in self.journal if entry.get("op") == op and "digest" in entry]
        return found[-1] if found else "none"

    @property
    def last(self) -> Decision:
        return self.decisions[-1]

    @property
    def status(self) -> str:
        return self.last.status

    def event(self, name: str, data: Any = None) -> Verdict:
        return self.mail({"type": "event", "id": f"e{self.now}", "name": name, "data": data})[0]

    # -- what goes out -------------------------------------------------------------------------------

    def perform(self, op: str | None = None) -> None:
        """Perform one open effect: the given one, the first, or any of them at random."""
        if op is None:
            ops = list(self.open)
            op = self.draw.choice(ops) if self.draw else ops[0]
        effect = self.open.pop(op)
        self.performed.append(op)
        if isinstance(effect, Invoke):
            given = {**effect.extra, **({"args": effect.args} if effect.args else {})}
            self.mail({"type": effect.report, "op": op, "name": effect.name, "ms": 0, **given, **outcome(effect.call)})
        elif isinstance(effect, Access):
            given = {"args": effect.args} if effect.args else {}
            answer = outcome(lambda: self.access(effect))
            self.mail({"type": "step", "op": op, "name": effect.name, "ms": 0, **given, **answer})
        elif isinstance(effect, Publish):
            self.published.append(effect.event)
            refused = {"error": failures.encode(InvalidInput("refused"))} if "refused" in effect.event["type"] else {}
            self.mail({"type": "sent", "op": op, **refused})
        elif isinstance(effect, Post):
            self.posts.append(effect)
            self.mail({"type": "sent", "op": op})
        else:
            self.spawned.append(effect)
            self.mail({"type": "sent", "op": op})
            if effect.function in self.children and not effect.detached:
                answer = outcome(lambda: self.children[effect.function](effect.input))
                status = "failed" if "error" in answer else "completed"
                self.mail({"type": "child", "id": effect.id, "status": status, **answer})

    def access(self, effect: Access) -> Any:
        place = (effect.scope, effect.key)
        old = self.values.get(place)
        if effect.action == "get":
            return None if old is None else {"value": old[0], "etag": old[1]}
        if effect.action == "keys":
            return [key for scope, key in self.values if scope == effect.scope and key.startswith(effect.key)]
        if effect.etag is not None and effect.etag != ("" if old is None else old[1]):
            raise EtagMismatch("changed")
        if effect.action == "put":
            self.values[place] = (effect.value, str(self.now))
            return str(self.now)
        return self.values.pop(place, None) is not None

    def pass_time(self) -> bool:
        """Go to the next wake time. False when there is none."""
        wake = self.last.wake
        if wake is None:
            return False
        self.now = max(self.now, wake)
        facts = self.decider.expire(self.now)
        for fact in facts:
            assert fact["at"] == self.now
        self.mail(*facts)
        return True

    def run(self, limit: int = 100_000) -> World:
        """Perform everything and let time pass until it ends or only somebody outside can move it."""
        for _ in range(limit):
            if self.status in FINAL or self.status == "stuck":
                break
            if self.open:
                self.perform()
            elif not self.pass_time():
                break
        return self

    # -- what became of it ---------------------------------------------------------------------------

    @property
    def value(self) -> Any:
        assert self.journal[-1]["type"] == "completed", (self.status, self.last.error, self.journal[-1])
        return self.journal[-1]["value"]

    @property
    def error(self) -> Exception:
        assert self.journal[-1]["type"] == "failed", (self.status, self.last.error, self.journal[-1])
        return failures.decode(self.journal[-1]["error"])

    def types(self) -> list[str]:
        return [entry["type"] for entry in self.journal]

    def close(self) -> None:
        self.decider.close()


def outcome(call: Callable[[], Any]) -> Fact:
    """What a call gives, as the engine reports it."""
    try:
        value = call()
        if hasattr(value, "send"):
            try:
                value.send(None)
            except StopIteration as done:
                value = done.value
            else:
                raise AssertionError("test functions don't wait")
        return {"value": plain(value)}
    except Exception as error:  # noqa: BLE001  # what a call raises is its outcome
        return {"error": failures.encode(error)}


def replay(workflow: Workflow, id: str, journal: Sequence[Fact]) -> WorkflowDecider:
    decider = workflow.decider(id)
    decider.replay("", 1, json.loads(json.dumps(list(journal))), START)
    return decider


def replayed_from_every_prefix(world: World, step: int = 1) -> None:
    """From every prefix: the rest of the facts are taken, own entries come out the same, and so does the end."""
    for cut in range(0, len(world.journal) + 1, step):
        replayed_from(world, cut)


def replayed_from(world: World, cut: int) -> None:
    journal = world.journal
    if cut < len(journal) and journal[cut]["type"] == "skipped":
        return  # what was passed over is in one commit with what it follows from, and says how to read that
    decider = replay(world.workflow, world.id, journal[:cut])
    within = cut not in world.turns and journal[cut]["type"] not in OWN
    decisions = [] if within else [decider.decide()]  # facts of one turn are decided on together
    assert within or not decisions[0].abandon, "after replay nothing runs that could be abandoned"
    for at, fact in enumerate(json.loads(json.dumps(journal[cut:])), start=cut + 1):
        if fact["type"] in OWN:
            continue
        if fact["type"] == "timer":
            due = {timer["op"] for timer in decider.expire(fact["at"])}
            assert fact["op"] in due, (cut, fact, due)
        verdict = decider.offer(fact)
        assert verdict is Verdict.TAKEN, (cut, fact, verdict)
        if at in world.turns:
            decisions.append(decider.decide())
    own = [entry for decision in decisions for entry in decision.entries]
    expected = [entry for entry in journal[cut:] if entry["type"] in OWN]
    assert json.loads(json.dumps(own)) == expected, (cut, own, expected)
    last = decisions[-1]
    assert last.status == world.status, (cut, last.status, last.error)
    assert (last.wake, last.awaits, last.note) == (world.last.wake, world.last.awaits, world.last.note), cut
    ended = decisions.index(next((d for d in decisions if d.status in FINAL), decisions[0]))
    handed = {effect.op for decision in decisions[ended:] for effect in decision.perform}
    gone = {op for decision in decisions for op in decision.abandon}
    settled = {fact["op"] for fact in journal[cut:] if fact["type"] in ("step", "sent")}
    assert handed - gone - settled == set(world.open), (cut, handed, gone, settled, set(world.open))
    decider.close()
