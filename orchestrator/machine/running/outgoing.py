"""What an execution has under way outside of itself: calls, other executions, events, a worker's tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...governance.approvals.proposal import Proposal
from ...governance.approvals.standing import Standings
from ...governance.budgets.lending import Lending
from ...protocol import keys
from ...protocol.calls import OpenCalls
from ...protocol.decider import Access, Effect, Fact, Invoke, Post, Publish, Spawn
from .frame import Frame
from .resources import Wants

_LOOKUP = ".standing"


class Asked(NamedTuple):
    """An approval that is waited for: by whom, what has become of it, and the tool as it is here."""

    frame: Frame
    proposal: Proposal
    wants: Wants | None

    @property
    def entry(self) -> Fact:
        """That by which it is asked for."""
        return self.proposal.asked


def approval_of(op: str, again: int = 0) -> str:
    """The operation under which an approval of what is done under ``op`` is asked for, for so many times again."""
    return f"{op}.approval" + (f"~{again + 1}" if again else "")


def lookup_of(op: str) -> str:
    """The operation under which it is read which standing approvals there are for what is done under ``op``."""
    return f"{op}{_LOOKUP}"


class Outgoing:
    """By operations. ``ending`` is the final entry, once there is one."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.calls = OpenCalls()
        self.waiting: dict[str, Frame] = {}  # by the operation that a frame's state waits for
        self.children: dict[str, str] = {}  # execution id -> op
        self.started: dict[str, str] = {}  # and the other way round
        self.unsent: dict[str, Effect] = {}  # ordered, and not confirmed
        self.fresh: dict[str, Effect] = {}  # of these, what was not handed out
        self.ordered: set[str] = set()  # of these, the children that the journal tells of
        self.abandoned: list[str] = []
        self.asked: dict[str, Asked] = {}  # approvals that are open, by their operations
        self.standings = Standings()
        self.lending = Lending({})
        self.recorded: Mapping[str, Fact] = {}  # how the journal, as far as it is replayed, says that each was begun
        self.now = 0
        self.ending: Fact | None = None

    def call(self, frame: Frame, invoke: Invoke) -> None:
        self.waiting[invoke.op] = frame
        self.calls.order(invoke)

    def send(self, effect: Spawn | Post | Publish | Access) -> None:
        """Have it carried out, again and again until that is confirmed."""
        self.unsent[effect.op] = self.fresh[effect.op] = effect

    def spawn(self, frame: Frame, effect: Spawn) -> None:
        self.waiting[effect.op] = frame
        if not effect.detached:
            self.children[effect.id] = effect.op
            self.started[effect.op] = effect.id
        self.send(effect)

    def arrived(self, op: str) -> Effect | None:
        """What was ordered under the operation has arrived. None when it was not open."""
        self.fresh.pop(op, None)
        self.ordered.discard(op)
        return self.unsent.pop(op, None)

    @property
    def looking(self) -> bool:
        """Whether standing approvals are being read; what is made of that does not go into a checkpoint."""
        return any(op.endswith(_LOOKUP) for op in self.waiting)

    @property
    def ends(self) -> Fact | None:
        """The final entry, as soon as it may be written: when all that is not told to others alone has been done."""
        return None if any(isinstance(one, (Publish, Access)) for one in self.unsent.values()) else self.ending

    def orders(self) -> list[Fact]:
        """What goes to other executions is recorded before it is sent."""
        made = [asked.entry for op, asked in self.asked.items() if op not in self.ordered]
        self.ordered.update(self.asked)
        own: dict[str, Fact] = {}
        for effect in self.fresh.values():
            if isinstance(effect, Spawn) and effect.op not in self.ordered:
                self.ordered.add(effect.op)
                self.lending.order(effect.op, None)
                told: Fact = {"type": "ordered", "op": effect.op, "at": self.now, "kind": "child"}
                own[effect.op] = told | {"name": effect.function, "id": effect.id, "detached": effect.detached}
        self.lending.settle(own, self.fresh, self.unsent)
        return [*made, *own.values()]

    def has_ordered(self, entry: Fact) -> None:
        """The journal tells of it."""
        self.ordered.add(entry["op"])
        if entry.get("kind") == "child":
            self.lending.lend(entry["op"], entry.get("budget", {}), self.fresh, self.unsent)

    def take(self) -> list[Effect]:
        """What is to be sent now; each is handed out once."""
        found, self.fresh = list(self.fresh.values()), {}
        return found

    def settle(self, op: str) -> Frame | None:
        """What was waited for has come, or is no longer waited for."""
        self.calls.close(op)
        self.children.pop(self.started.pop(op, ""), None)
        return self.waiting.pop(op, None)

    def give_up(self, op: str) -> None:
        """It is no longer wanted: a call is abandoned, a child is told to end."""
        id = self.started.get(op)
        if id is not None:
            fact: Fact = {"type": "cancel", "at": self.now, "reason": f"{self.id} no longer waits", "by": self.id}
            self.send(Post(f"{op}.cancel", id, keys.ending("cancel", self.id), fact))
        self.lending.ended(op, {})  # nobody will hear what it took
        self.settle(op)
        self.abandoned.append(op)
