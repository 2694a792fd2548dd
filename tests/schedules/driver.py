"""One schedule without an engine: facts are offered, decisions journaled, effects come true when they are told to, and
the process may die between any two turns."""

from __future__ import annotations

from typing import Any

from overwinter.orchestrator.protocol.decider import Decision, Fact, Post, Spawn, Verdict
from overwinter.orchestrator.protocol.journal import Rules
from overwinter.orchestrator.schedule.decider import ScheduleDecider
from overwinter.orchestrator.schedule.spec import Spec
from overwinter.state.codec import dumps, loads

NAME = "tick"


class Driver:
    """``now`` is the time; ``going`` the runs that were begun and have not ended, ``begun`` all that ever were."""

    def __init__(self, spec: Spec, at: int, decider: type[ScheduleDecider] = ScheduleDecider) -> None:
        self._make = decider
        self.now = at
        self.journal: list[str] = []
        self.base = 1
        self.paused = False
        self.begun: list[str] = []
        self.going: dict[str, str] = {}  # id -> op
        self.crowds = 0  # the most that were going on at once
        self.spawns: list[Spawn] = []
        self.posts: list[Post] = []
        self.longest = 0  # entries that a process had to read
        self.last: Decision
        self.decider = self._make(f"schedule/{NAME}")
        self.take({"type": "start", "at": at, "input": {"spec": spec.written(), "input": spec.input}, "seed": "s"})

    # -- what happens --------------------------------------------------------------------------------

    def take(self, fact: Fact) -> None:
        """Something comes by mail or from an effect."""
        if self.decider.offer(fact) is Verdict.TAKEN or fact["type"] in ("paused", "resumed"):
            self.journal.append(dumps(fact))
        self._decide()

    def change(self, spec: Spec) -> None:
        self.take({"type": "changed", "at": self.now, "spec": spec.written(), "input": spec.input})

    def pause(self) -> None:
        if not self.paused:
            self.paused = True
            self.take({"type": "paused", "at": self.now})

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            self.take({"type": "resumed", "at": self.now})

    def wake(self, at: int) -> None:
        """Somebody looks at that time, who was away until then."""
        self.now = max(self.now, at)
        for _ in range(1000):
            due = None if self.paused or self.last.status != "waiting" else self.last.wake
            if due is None or due > self.now:
                return
            for fact in self.decider.expire(due):
                fact |= {"at": self.now, "due": due}
                if self.decider.offer(fact) is Verdict.TAKEN:
                    self.journal.append(dumps(fact))
            self._decide()
        raise AssertionError("it wakes for ever")

    def deliver(self) -> None:
        """What was ordered is carried out."""
        spawns, self.spawns = self.spawns, []
        posts, self.posts = self.posts, []
        for spawn in spawns:
            if spawn.id not in self.begun:
                self.begun.append(spawn.id)
                self.going[spawn.id] = spawn.op
                self.crowds = max(self.crowds, len(self.going))
            self.take({"type": "sent", "op": spawn.op, "at": self.now})
        for post in posts:
            self.take({"type": "sent", "op": post.op, "at": self.now})
            if post.id in self.going:
                self.end(post.id, "cancelled")

    def end(self, id: str, status: str = "completed") -> None:
        del self.going[id]
        self.take({"type": "child", "at": self.now, "id": id, "status": status})

    def die(self) -> None:
        """The next process knows what the store holds. What had not been told is told again."""
        self.spawns, self.posts = [], []
        self.decider = self._make(f"schedule/{NAME}")
        entries: list[Any] = [loads(text) for text in self.journal[self.base - 1 :]]
        self.longest = max(self.longest, len(entries))
        self.decider.replay(self.last.state, self.base, entries, self.now)
        self._decide()

    def _decide(self) -> None:
        decision = self.last = self.decider.decide()
        assert decision.status != "stuck", decision.error
        self.journal += [dumps(entry) for entry in decision.entries]
        self.base = self.base if decision.base is None else decision.base
        for effect in decision.perform:
            if isinstance(effect, Spawn):
                self.spawns.append(effect)
            else:
                assert isinstance(effect, Post)
                self.posts.append(effect)

    # -- what has become of it -----------------------------------------------------------------------

    def entries(self, type: str) -> list[Any]:
        return [entry for entry in map(loads, self.journal) if entry["type"] == type]

    @property
    def planned(self) -> list[int]:
        """The times for which runs were ordered, in order."""
        return [entry["planned"] for entry in self.entries("ordered") if "planned" in entry]

    def sound(self) -> list[str]:
        """What of the journal can't be."""
        rules = Rules()
        for number, text in enumerate(self.journal, 1):
            entry: Any = loads(text)
            rules.take(number, entry)
        return rules.wrong + rules.remarks
